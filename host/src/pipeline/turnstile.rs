//! A queue for writers that got into each other's way.
//!
//! A write is planned and judged without a lock; if what it rests on has moved at the commit, it starts over. That is
//! right for nearly all writes, but sixty-four writers of one group would start over without end: each round, one of
//! them wins. So from its second try on a write waits for its tenant's turn. The turnstile is never needed for
//! correctness, which rests on what the transaction checks.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::decision::TenantId;

/// Queues. Only tenants whose writes collide use one; with a dozen such tenants at once the odds that two share a queue
/// are one in four, and sharing costs waiting and nothing else. 256 of them take about 10 KiB.
const QUEUES: usize = 256;

/// See the module.
pub struct Turnstile {
    queues: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self { queues: (0..QUEUES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }
}

impl Turnstile {
    /// Waits for this tenant's turn, which ends when the guard is dropped.
    pub async fn turn(&self, tenant: TenantId) -> Option<MutexGuard<'_, ()>> {
        let slot = self.hasher.hash_one(tenant) % QUEUES as u64;
        let queue = usize::try_from(slot).ok().and_then(|slot| self.queues.get(slot))?;
        Some(queue.lock().await)
    }
}
