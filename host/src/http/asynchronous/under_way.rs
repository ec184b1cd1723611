//! How many accepted requests each tenant has under way, and when none is any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::task::TaskTracker;

use crate::decision::TenantId;

/// The accepted requests that are not finished.
pub struct UnderWay {
    each_max: usize,
    tenants: Arc<Mutex<HashMap<TenantId, usize>>>,
    tasks: TaskTracker,
}

/// One of them: as long as it is kept, it counts.
pub struct Place {
    tenant: TenantId,
    tenants: Arc<Mutex<HashMap<TenantId, usize>>>,
}

impl UnderWay {
    /// At most so many of each tenant.
    pub fn at_most(each_max: usize) -> Self {
        Self { each_max, tenants: Arc::default(), tasks: TaskTracker::new() }
    }

    /// A place for one more, if there is one.
    pub fn place(&self, tenant: TenantId) -> Option<Place> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tenants.get(&tenant).copied().unwrap_or(0);
        (count < self.each_max).then(|| self.counted(&mut tenants, tenant))
    }

    /// A place for one that was accepted already; there may then be more than there should.
    pub fn place_in_any_case(&self, tenant: TenantId) -> Place {
        self.counted(&mut self.tenants.lock().unwrap_or_else(PoisonError::into_inner), tenant)
    }

    fn counted(&self, tenants: &mut HashMap<TenantId, usize>, tenant: TenantId) -> Place {
        let count = tenants.entry(tenant).or_default();
        *count = count.saturating_add(1);
        Place { tenant, tenants: Arc::clone(&self.tenants) }
    }

    /// Runs the task that a request is carried out in.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Returns when no task runs any more.
    pub async fn over(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = tenants.entry(self.tenant) {
            match count.get().saturating_sub(1) {
                // Most tenants have none: they need no entry.
                0 => drop(count.remove()),
                left => drop(count.insert(left)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_places_and_gets_them_back() {
        let under_way = UnderWay::at_most(2);
        let (acme, other) = (TenantId(1), TenantId(2));
        let first = under_way.place(acme).unwrap();
        let _second = under_way.place(acme).unwrap();
        assert!(under_way.place(acme).is_none());
        let elsewhere = under_way.place(other).unwrap();
        drop(first);
        let _third = under_way.place(acme).unwrap();
        assert!(under_way.place(acme).is_none());
        let in_any_case = under_way.place_in_any_case(acme);
        drop(in_any_case);
        assert!(under_way.place(acme).is_none(), "the one beyond the limit made room when it went");
        drop(elsewhere);
        assert_eq!(under_way.tenants.lock().unwrap().len(), 1, "a tenant without any is remembered");
        assert!(UnderWay::at_most(0).place(acme).is_none());
    }

    #[tokio::test]
    async fn it_is_over_when_the_last_task_has_ended() {
        let under_way = UnderWay::at_most(1);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        under_way.spawn(async move { drop(ended.await) });
        let patience = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(patience, under_way.over()).await.is_err());
        end.send(()).unwrap();
        under_way.over().await;
    }
}
