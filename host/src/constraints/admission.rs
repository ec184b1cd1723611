//! Who may use the sandbox now, who waits, and who is turned away: bounded for each tenant, so that a tenant whose guests
//! are slow, or whose components are long to compile, costs itself and not its neighbours.
//!
//! Whoever comes takes a [`Place`] at the door, or is told [`Overloaded`]; with a place, a [`Turn`] is a matter of time. A
//! tenant has few turns at once, and only those that would be its next stand in the line of all tenants. So that line
//! goes round the tenants, whatever each of them has waiting behind.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::{ABOUT_CALLS_MAX, EVALUATIONS_MAX};
use crate::decision::TenantId;

/// What there are turns at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Writes that are to be judged.
    Writes,
    /// Calls of `describe` and of `check-settings`.
    AboutCalls,
    /// Uploads, and stored components that have to be compiled.
    Uploads,
}

impl Queue {
    /// Its name, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::AboutCalls => "about-calls",
            Self::Uploads => "uploads",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writes => "writes",
            Self::AboutCalls => "calls of `describe` and `check-settings`",
            Self::Uploads => "uploads",
        })
    }
}

/// Writes of one tenant that may wait to be judged, if nothing else is set. 1,024: two are judged at once, so that at 10 µs
/// each they are done in 5 ms, and at the worst that fuel allows (4 ms) in 2 s, which is as long as a client should wait.
pub const WRITES_WAITING_MAX: usize = 1_024;

/// How many of one kind there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Which kind.
    pub queue: Queue,
    /// Running at once, of all tenants.
    pub at_once: usize,
    /// Running at once, of one tenant.
    pub at_once_each: usize,
    /// Waiting, of one tenant.
    pub waiting_each: usize,
    /// Running or waiting, of all tenants.
    pub in_all: usize,
}

impl Shares {
    /// Of writes. At once 256, fewer than the pool has slots; of a tenant 2: measured, this keeps other tenants' p99 at 7 ms
    /// while eight connections send endless loops, and an honest tenant's 2 × 1 s / 10 µs is more than a store commits.
    pub fn of_writes(waiting_each: usize) -> Self {
        // A write that waits is a task and a body, mostly some KB: what all tenants have waiting is a matter of what each has.
        let in_all = Semaphore::MAX_PERMITS;
        Self { queue: Queue::Writes, at_once: EVALUATIONS_MAX, at_once_each: 2, waiting_each, in_all }
    }

    /// Of calls of `describe` and `check-settings`. Of a tenant 2 of the 32, as with writes. 64 waiting: one for each upload
    /// and each change of a constraint that a tenant has under way, which people and pipelines make a few of.
    pub const ABOUT_CALLS: Self =
        Self { queue: Queue::AboutCalls, at_once: ABOUT_CALLS_MAX, at_once_each: 2, waiting_each: 64, in_all: 2_048 };

    /// Of uploads. Compiled are 2 at once, each of which may use two processors, and as much memory as its limit says; of a
    /// tenant 1, so that one that uploads without end delays each other one by one compilation. 7 more may wait, and 64 in all:
    /// each holds its component, 32 MiB at the most, so that they are 2 GiB at the worst.
    pub const UPLOADS: Self = Self { queue: Queue::Uploads, at_once: 2, at_once_each: 1, waiting_each: 7, in_all: 64 };
}

/// As much waits as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Overloaded {
    /// Of this tenant.
    #[error("the tenant has {most} {queue} under way already, as many as it may have")]
    Tenant {
        /// Of what.
        queue: Queue,
        /// How many there are.
        most: usize,
    },
    /// Of all tenants together.
    #[error("there are {most} {queue} under way already, as many as there may be")]
    Everybody {
        /// Of what.
        queue: Queue,
        /// How many there are.
        most: usize,
    },
}

/// Admits to one kind of work.
#[derive(Debug)]
pub struct Admission {
    shares: Shares,
    everybody: Arc<Semaphore>,
    in_all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Lane>>>,
}

/// One tenant's.
#[derive(Debug)]
struct Lane {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// Counts among those that wait or run, until it is dropped.
#[derive(Debug)]
pub struct Place {
    tenant: TenantId,
    lane: Arc<Lane>,
    everybody: Arc<Semaphore>,
    _of_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// May run, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _of_all: Option<OwnedSemaphorePermit>,
    _of_tenant: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Admits so many.
    pub fn new(shares: Shares) -> Self {
        Self {
            shares,
            everybody: Arc::new(Semaphore::new(shares.at_once)),
            in_all: Arc::new(Semaphore::new(shares.in_all)),
            tenants: Mutex::default(),
        }
    }

    /// Takes a place, if there is one.
    pub fn enter(&self, tenant: TenantId) -> Result<Place, Overloaded> {
        let Shares { queue, in_all, .. } = self.shares;
        let lane = self.lane(tenant);
        let of_tenant = Arc::clone(&lane.places)
            .try_acquire_owned()
            .map_err(|_full| Overloaded::Tenant { queue, most: self.places_each() })?;
        let of_all = Arc::clone(&self.in_all)
            .try_acquire_owned()
            .map_err(|_full| Overloaded::Everybody { queue, most: in_all })?;
        Ok(Place { tenant, lane, everybody: Arc::clone(&self.everybody), _of_tenant: of_tenant, _of_all: of_all })
    }

    /// Waits for a turn without a place: for what the tenant did not ask for and nobody may turn away.
    pub async fn turn(&self, tenant: TenantId) -> Turn {
        Turn::after(&self.lane(tenant).turns, &self.everybody).await
    }

    /// What it admits to.
    pub fn queue(&self) -> Queue {
        self.shares.queue
    }

    /// How many run and wait now.
    pub fn under_way(&self) -> usize {
        self.shares.in_all.saturating_sub(self.in_all.available_permits())
    }

    fn places_each(&self) -> usize {
        self.shares.at_once_each.saturating_add(self.shares.waiting_each)
    }

    /// A lane lives as long as somebody stands in it; the others are swept out when there are many.
    fn lane(&self, tenant: TenantId) -> Arc<Lane> {
        /// Tenants remembered before those without anybody are swept out.
        const REMEMBERED_MAX: usize = 4_096;
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= REMEMBERED_MAX {
            tenants.retain(|_, lane| {
                // Whoever has a turn may have given up the place, and the lane with it.
                Arc::strong_count(lane) > 1 || lane.turns.available_permits() < self.shares.at_once_each
            });
        }
        let lane = tenants.entry(tenant).or_insert_with(|| {
            Arc::new(Lane {
                places: Arc::new(Semaphore::new(self.places_each())),
                turns: Arc::new(Semaphore::new(self.shares.at_once_each)),
            })
        });
        Arc::clone(lane)
    }
}

impl Place {
    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Turn {
        Turn::after(&self.lane.turns, &self.everybody).await
    }
}

impl Turn {
    /// The tenant's own first, so that what waits for the tenant stands in nobody else's way. Both lines are first come,
    /// first served.
    async fn after(turns: &Arc<Semaphore>, everybody: &Arc<Semaphore>) -> Self {
        // None of these is ever closed.
        let of_tenant = Arc::clone(turns).acquire_owned().await.ok();
        let of_all = Arc::clone(everybody).acquire_owned().await.ok();
        Self { _of_all: of_all, _of_tenant: of_tenant }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOISY: TenantId = TenantId(1);
    const QUIET: TenantId = TenantId(2);

    fn writes() -> Shares {
        Shares { at_once: 8, ..Shares::of_writes(3) }
    }

    #[tokio::test]
    async fn a_tenant_waits_for_its_own_turns_and_for_nobody_elses() {
        let admission = Admission::new(writes());
        let first = admission.turn(NOISY).await;
        let _second = admission.turn(NOISY).await;
        let third = tokio::time::timeout(Duration::from_millis(20), admission.turn(NOISY)).await;
        assert!(third.is_err(), "a third write of the tenant ran");
        admission.turn(QUIET).await;
        drop(first);
        admission.turn(NOISY).await;
    }

    #[tokio::test]
    async fn who_would_stand_behind_too_many_is_turned_away_and_another_tenant_is_not() {
        let admission = Admission::new(writes());
        let mut places: Vec<Place> = (0..5).map(|_| admission.enter(NOISY).unwrap()).collect();
        let refused = admission.enter(NOISY).unwrap_err();
        assert_eq!(refused.to_string(), "the tenant has 5 writes under way already, as many as it may have");
        admission.enter(QUIET).unwrap();
        places.pop();
        admission.enter(NOISY).unwrap();
    }

    #[tokio::test]
    async fn all_tenants_together_have_so_many_places() {
        let admission = Admission::new(Shares { in_all: 2, ..Shares::UPLOADS });
        let _places = [admission.enter(NOISY).unwrap(), admission.enter(QUIET).unwrap()];
        let refused = admission.enter(TenantId(3)).unwrap_err();
        assert_eq!(refused.to_string(), "there are 2 uploads under way already, as many as there may be");
        assert_eq!(admission.under_way(), 2);
    }

    /// However much one has waiting: the others have one of its turns before them, not all.
    #[tokio::test]
    async fn turns_go_round_the_tenants() {
        let admission = Arc::new(Admission::new(Shares { at_once: 1, in_all: 1_000, ..Shares::UPLOADS }));
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        let held = admission.turn(TenantId(9)).await;
        let come = async |tenant: TenantId| {
            let place = admission.enter(tenant).unwrap();
            let done = done.clone();
            tokio::spawn(async move {
                let turn = place.turn().await;
                done.send(tenant.0).unwrap();
                drop(turn);
            });
            // Until it stands in line.
            tokio::task::yield_now().await;
        };
        for tenant in [1, 1, 1, 1, 2, 2, 3] {
            come(TenantId(tenant)).await;
        }
        drop(held);
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(order.recv().await.unwrap());
        }
        assert_eq!(seen, [1, 2, 3, 1, 2, 1, 1]);
    }
}
