//! [`Turns`]: one at a time of each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decision::TenantId;

/// A lock for each tenant. Few tenants ever define anything, so none is taken away.
#[derive(Default)]
pub(in crate::store::sql) struct Turns {
    locks: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// The tenant's lock.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(tenant).or_default())
    }
}
