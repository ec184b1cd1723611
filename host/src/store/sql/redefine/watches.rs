//! [`Watches`]: which resources of a tenant change while somebody goes through all of them.
//!
//! Only the writer's thread begins a watch and notes changes, one request after the other: what is committed before
//! the watch began can be read, and what comes later is noted. What is noted and then not kept does no harm: it is
//! looked at once more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::plan::Plan;
use crate::decision::TenantId;
use crate::scim::index::IndexEntry;
use crate::scim::resource::ResourceId;
use crate::store::StoreError;
use crate::store::sql::view::View;

/// Resources that have changed, with the name of their type. With each the entries that may have been added for a state
/// that it had.
type Changed = BTreeMap<(String, ResourceId), Vec<IndexEntry>>;

/// Every watch that is kept.
#[derive(Default)]
pub(in crate::store::sql) struct Watches {
    kept: Mutex<Vec<Weak<Watch>>>,
}

/// The resources of a tenant that have changed since it was begun. It ends when it is dropped.
pub(super) struct Watch {
    tenant: TenantId,
    plan: Arc<Plan>,
    changed: Mutex<Changed>,
}

impl Watches {
    /// Begins a watch for whoever carries out a plan. For the writer's thread.
    pub(super) fn begin(&self, tenant: TenantId, plan: &Arc<Plan>) -> Arc<Watch> {
        let watch = Arc::new(Watch { tenant, plan: Arc::clone(plan), changed: Mutex::default() });
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watch));
        watch
    }

    /// Notes that a resource is about to change. For the writer's thread. Nobody watches, nearly always.
    pub(in crate::store::sql) fn note(
        &self,
        view: &View<'_>,
        resource_type: &str,
        id: ResourceId,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|watch| watch.strong_count() > 0);
        for watch in kept.iter().filter_map(Weak::upgrade).filter(|watch| watch.tenant == view.tenant) {
            watch.note(view, resource_type, id)?;
        }
        Ok(())
    }
}

impl Watch {
    fn note(&self, view: &View<'_>, resource_type: &str, id: ResourceId) -> Result<(), StoreError> {
        let Some(plan) = self.plan.types.iter().find(|plan| plan.looks() && plan.after.name == resource_type) else {
            return Ok(());
        };
        let before = if plan.added.is_empty() { None } else { view.resource(&plan.after, id)? };
        let entries = before.map(|before| plan.entries(&before)).unwrap_or_default();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.entry((resource_type.to_owned(), id)).or_default().extend(entries);
        Ok(())
    }

    /// How many have changed.
    pub(super) fn len(&self) -> usize {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes some of them out. One that changes later is in it again.
    pub(super) fn take(&self, limit: usize) -> Changed {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| changed.pop_first()).take(limit).collect()
    }
}
