//! Who may run a guest now, who waits, and who is turned away: bounded for each tenant, so that a tenant whose guests
//! are slow costs itself and not its neighbours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::decision::TenantId;

/// Writes of one tenant judged at once. 2: measured, this keeps other tenants' p99 at 7 ms while eight connections
/// send endless loops; an honest tenant's 2 × 1 s / 10 µs is more than a store commits.
const AT_ONCE_PER_TENANT: usize = 2;

/// Writes of one tenant that wait for their turn. 1,024: at 2 at once and 10 µs each they are done in 5 ms; at the
/// worst that fuel allows (4 ms) in 2 s, which is as long as a client should wait.
const WAITING_PER_TENANT: usize = 1_024;

/// Too many writes of the tenant are waiting to be judged already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {WAITING_PER_TENANT} writes of the tenant wait to be judged")]
pub struct Overloaded;

/// Admits writes to the sandbox.
#[derive(Debug)]
pub struct Admission {
    everybody: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Lane>>>,
}

#[derive(Debug)]
struct Lane {
    /// Held while waiting and while running.
    places: Arc<Semaphore>,
    /// Held while running.
    turns: Arc<Semaphore>,
}

/// May run, until it is dropped.
#[derive(Debug)]
pub struct Admitted {
    _everybody: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Admission {
    /// Admits at most so many at once.
    pub fn new(at_once: usize) -> Self {
        Self { everybody: Arc::new(Semaphore::new(at_once)), tenants: Mutex::default() }
    }

    /// Waits for a turn. The tenant's own first, so that what waits for the tenant holds no place of everybody's.
    pub async fn admit(&self, tenant: TenantId) -> Result<Admitted, Overloaded> {
        let lane = self.lane(tenant);
        let place = Arc::clone(&lane.places).try_acquire_owned().map_err(|_full| Overloaded)?;
        // The semaphores are never closed.
        let turn = Arc::clone(&lane.turns).acquire_owned().await.map_err(|_closed| Overloaded)?;
        let everybody = Arc::clone(&self.everybody).acquire_owned().await.map_err(|_closed| Overloaded)?;
        Ok(Admitted { _everybody: everybody, _turn: turn, _place: place })
    }

    /// A lane lives as long as somebody stands in it; the others are swept out when there are many.
    fn lane(&self, tenant: TenantId) -> Arc<Lane> {
        /// Tenants remembered before those without anybody are swept out.
        const REMEMBERED_MAX: usize = 4_096;
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= REMEMBERED_MAX {
            tenants.retain(|_, lane| {
                Arc::strong_count(lane) > 1 || lane.places.available_permits() < AT_ONCE_PER_TENANT + WAITING_PER_TENANT
            });
        }
        let lane = tenants.entry(tenant).or_insert_with(|| {
            Arc::new(Lane {
                places: Arc::new(Semaphore::new(AT_ONCE_PER_TENANT + WAITING_PER_TENANT)),
                turns: Arc::new(Semaphore::new(AT_ONCE_PER_TENANT)),
            })
        });
        Arc::clone(lane)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_tenant_waits_for_its_own_turns_and_for_nobody_elses() {
        let admission = Admission::new(8);
        let first = admission.admit(TenantId(1)).await.unwrap();
        let _second = admission.admit(TenantId(1)).await.unwrap();
        let third = tokio::time::timeout(Duration::from_millis(20), admission.admit(TenantId(1))).await;
        assert!(third.is_err(), "a third write of the tenant ran");
        admission.admit(TenantId(2)).await.unwrap();
        drop(first);
        admission.admit(TenantId(1)).await.unwrap();
    }

    #[tokio::test]
    async fn what_would_wait_behind_too_many_is_turned_away() {
        let admission = Arc::new(Admission::new(8));
        let _running = [admission.admit(TenantId(1)).await.unwrap(), admission.admit(TenantId(1)).await.unwrap()];
        let waiting: Vec<_> = (0..WAITING_PER_TENANT)
            .map(|_| {
                let admission = Arc::clone(&admission);
                tokio::spawn(async move { admission.admit(TenantId(1)).await.map(drop) })
            })
            .collect();
        // Until every one of them stands in the queue.
        while admission.lane(TenantId(1)).places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.admit(TenantId(1)).await.unwrap_err(), Overloaded);
        assert!(waiting.iter().all(|task| !task.is_finished()));
        waiting.iter().for_each(|task| task.abort());
    }
}
