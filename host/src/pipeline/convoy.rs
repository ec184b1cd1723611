//! [`Convoys`]: changes of one resource that are on their way to the store together.
//!
//! A change is judged on the state that it will find, and has that state only if every change before it is written: a group that
//! sixty-four clients add members to would be written once per transaction, however short each change is. So where
//! changes of a resource meet, each is judged on what those before it make of the resource, though they are not durable yet,
//! and sets out behind them. The store tries them in that order; if one is not written, those behind it are
//! not either, and are judged anew. As the
//! [turnstile](super::turnstile), convoys are never needed for correctness.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::crossing::{Crossing, Pass};
use crate::change::Removed;
use crate::decision::{AdmittedChange, TenantId};
use crate::scim::resource::ResourceId;
use crate::store::{Premise, TenantStore};

/// Changes that have arrived and are remembered, for those who looked at the resource before and come to the head after. Such a one
/// waits for no more than those who are in the line, some hundred at most; each change is the resource twice, without its members.
const ARRIVED_MAX: usize = 128;

/// How long those who come one by one are taken to be in the way of other nodes after a change was lost. Asking for the right of way is two
/// more ways to the database for each of them.
const CROSSED_FOR: Duration = Duration::from_secs(5);

/// Which tenant's resource.
type Resource = (TenantId, ResourceId);

/// The convoys that there are: of each resource that somebody [travels](Traveller) with.
#[derive(Default)]
pub struct Convoys {
    /// With how many travel in each.
    convoys: Mutex<HashMap<Resource, (usize, Arc<Convoy>)>>,
    /// When a change of a resource was lost last.
    crossed: Mutex<HashMap<Resource, Instant>>,
}

#[derive(Default)]
struct Convoy {
    lead: Arc<AsyncMutex<()>>,
    crossing: Crossing,
    /// The first first: some that have arrived, and those that are on their way.
    ahead: Mutex<VecDeque<Ahead>>,
    /// How often something has become of the resource that is not among those.
    unknown: AtomicU64,
}

/// A change on its way, or one that has arrived.
#[derive(Clone)]
struct Ahead {
    change: Arc<AdmittedChange>,
    premise: Premise,
}

/// Somebody who changes a resource along with others. The convoy is there as long as one of them is.
pub struct Traveller<'c> {
    convoys: &'c Convoys,
    resource: Resource,
    convoy: Arc<Convoy>,
}

impl Convoys {
    /// Joins those who change the resource, or is the first of them.
    pub fn join(&self, tenant: TenantId, resource: ResourceId) -> Traveller<'_> {
        let resource = (tenant, resource);
        let mut convoys = lock(&self.convoys);
        let (travellers, convoy) = convoys.entry(resource).or_default();
        *travellers += 1;
        Traveller { convoys: self, resource, convoy: Arc::clone(convoy) }
    }
}

impl Traveller<'_> {
    /// Waits to be let through where convoys of other nodes may cross this one; `None`: none does.
    pub(super) async fn pass(&self, store: &dyn TenantStore) -> Option<Pass> {
        if !self.has_to_wait() && !self.is_crossed() {
            return None;
        }
        let opened = || self.convoy.lose_track();
        self.convoy.crossing.pass(store, self.resource.1, opened).await
    }

    /// A change was lost: another node may have been in the way, and may be again.
    pub(super) fn was_crossed(&self) {
        let mut crossed = lock(&self.convoys.crossed);
        crossed.retain(|_, since| since.elapsed() < CROSSED_FOR);
        crossed.insert(self.resource, Instant::now());
    }

    fn is_crossed(&self) -> bool {
        lock(&self.convoys.crossed).get(&self.resource).is_some_and(|since| since.elapsed() < CROSSED_FOR)
    }

    /// For one who looks at the resource now: by this [the lead](Lead::knows_all_since) can tell whether that is of use.
    pub fn looks(&self) -> Looked {
        Looked(self.convoy.unknown.load(Ordering::Acquire))
    }

    /// Whether somebody is judged already.
    pub fn has_to_wait(&self) -> bool {
        self.convoy.lead.try_lock().is_err()
    }

    /// Waits until it is the next to be judged.
    pub async fn lead(&self) -> Lead {
        let guard = Arc::clone(&self.convoy.lead).lock_owned().await;
        let ahead: Vec<_> = lock(&self.convoy.ahead).iter().cloned().collect();
        let is_in_company = ahead.last().is_some_and(|last| last.premise.is_open());
        Lead { convoy: Arc::clone(&self.convoy), guard, ahead, is_in_company, is_alone: false }
    }

    /// The same, and until nobody is ahead any more. Nobody follows before its change has arrived.
    pub async fn lead_alone(&self) -> Lead {
        let mut lead = self.lead().await;
        for ahead in lead.ahead.drain(..) {
            ahead.premise.is_written().await;
        }
        Lead { is_alone: true, is_in_company: false, ..lead }
    }
}

/// When somebody has looked at the resource.
#[derive(Clone, Copy, Debug)]
pub struct Looked(u64);

impl Convoy {
    /// Something has become of the resource that is not remembered, and nothing that is remembered follows on it.
    fn lose_track(&self) {
        self.unknown.fetch_add(1, Ordering::Release);
        lock(&self.ahead).retain(|ahead| ahead.premise.is_open());
    }
}

impl Drop for Traveller<'_> {
    fn drop(&mut self) {
        let mut convoys = lock(&self.convoys.convoys);
        if let Some((travellers, _)) = convoys.get_mut(&self.resource) {
            *travellers -= 1;
            if *travellers == 0 {
                convoys.remove(&self.resource);
            }
        }
    }
}

/// The place at the head of a convoy: as long as somebody has it, nobody else is judged.
pub struct Lead {
    convoy: Arc<Convoy>,
    guard: OwnedMutexGuard<()>,
    ahead: Vec<Ahead>,
    is_in_company: bool,
    is_alone: bool,
}

impl Lead {
    /// The changes that had arrived or were on their way when it came to the head, the first first.
    pub fn ahead(&self) -> Vec<Arc<AdmittedChange>> {
        self.ahead.iter().map(|ahead| Arc::clone(&ahead.change)).collect()
    }

    /// Whether all that has become of the resource since then is among them.
    pub fn knows_all_since(&self, Looked(unknown): Looked) -> bool {
        self.convoy.unknown.load(Ordering::Acquire) == unknown
    }

    /// Whether some of them had not arrived then.
    pub fn is_in_company(&self) -> bool {
        self.is_in_company
    }

    /// The last of them, which all that is judged by them rests on.
    pub fn premise(&self) -> Option<Premise> {
        self.ahead.last().map(|last| last.premise.clone())
    }

    /// Leaves the head without a change of its own, and waits for those ahead: whether they have arrived, so that what
    /// was judged by them holds.
    pub async fn leave(self) -> bool {
        let Self { mut ahead, guard, .. } = self;
        drop(guard);
        match ahead.pop() {
            // Each of the others was needed for it.
            Some(last) => last.premise.is_written().await,
            None => true,
        }
    }

    /// Sets out with a change, which is queued. The next one follows, unless this one travels alone.
    pub fn set_out(self, change: &Arc<AdmittedChange>, premise: Premise) -> UnderWay {
        let Self { convoy, guard, is_alone, .. } = self;
        // All that it does to members must be known to those who are judged by it.
        let is_listed = matches!(change.planned().members.removed, Removed::These(_));
        let guard = if is_alone || !is_listed {
            Some(guard)
        } else {
            let mut ahead = lock(&convoy.ahead);
            ahead.push_back(Ahead { change: Arc::clone(change), premise });
            while ahead.len() > ARRIVED_MAX && ahead.front().is_some_and(|first| !first.premise.is_open()) {
                ahead.pop_front();
            }
            None
        };
        UnderWay { convoy, change: Arc::clone(change), is_over: false, guard }
    }
}

/// A change on its way, for whoever waits for what it comes to. Dropped before that is known, nobody relies on it any more.
pub struct UnderWay {
    convoy: Arc<Convoy>,
    change: Arc<AdmittedChange>,
    is_over: bool,
    /// Of one that is not remembered.
    guard: Option<OwnedMutexGuard<()>>,
}

impl UnderWay {
    /// It is written.
    pub fn arrived(mut self) {
        self.is_over = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Before the next one has the lead.
        if self.guard.is_some() {
            self.convoy.lose_track();
        }
        if !self.is_over {
            let mut ahead = lock(&self.convoy.ahead);
            // Unless somebody ahead of it has not arrived, and others have set out anew.
            if ahead.iter().any(|ahead| Arc::ptr_eq(&ahead.change, &self.change)) {
                ahead.clear();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
