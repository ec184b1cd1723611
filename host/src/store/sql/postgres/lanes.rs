//! [`Lanes`]: updates of one resource, in the order in which they are queued. Those that come while one is on its way go
//! together next, in one transaction: sixty-four clients that change one group would else be in each other's way without end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::commit::is_one_statement;
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::CommitError;
use crate::store::queued::{Fate, Premise};
use crate::store::write_set::WriteSet;

/// Updates in one transaction at most: of some 0.5 ms each, so that whoever waits for the resource waits for some 30 ms.
const TOGETHER_MAX: usize = 64;

/// Of which tenant's resource.
pub(super) type Lane = (TenantId, ResourceId);

/// An update, what it rests on, and who waits for what it comes to.
pub(in crate::store::sql) struct QueuedUpdate {
    pub(in crate::store::sql) write: Arc<WriteSet>,
    pub(in crate::store::sql) rests_on: Option<Premise>,
    pub(in crate::store::sql) fate: Fate,
    pub(in crate::store::sql) reply: oneshot::Sender<Result<(), CommitError>>,
}

impl QueuedUpdate {
    /// Tells what it came to, also those who are not waiting any more.
    pub(super) fn answer(self, done: Result<(), CommitError>) {
        self.fate.ends(done.is_ok());
        drop(self.reply.send(done));
    }

    /// Whether it rests on the change of that fate.
    pub(super) fn rests_on_fate(&self, fate: &Fate) -> bool {
        self.rests_on.as_ref().is_some_and(|premise| fate.is_of(premise))
    }

    /// Whether what it rests on is there.
    pub(super) fn may_rest(&self) -> bool {
        self.rests_on.as_ref().is_none_or(Premise::holds)
    }
}

/// The lanes in which somebody is under way.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<Lane, Vec<QueuedUpdate>>>);

impl Lanes {
    /// Queues an update; whether nobody is under way, so that the caller has to take a [`Turn`].
    pub(super) fn join(&self, lane: Lane, queued: QueuedUpdate) -> bool {
        match self.lanes().entry(lane) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(queued);
                false
            }
            Entry::Vacant(nobody) => {
                nobody.insert(vec![queued]);
                true
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Vec<QueuedUpdate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by whoever is under way in a lane. Who is still queued when it is dropped is told that the store is closed.
pub(super) struct Turn<'l> {
    lanes: &'l Lanes,
    lane: Lane,
    is_over: bool,
}

impl<'l> Turn<'l> {
    pub(super) fn new(lanes: &'l Lanes, lane: Lane) -> Self {
        Self { lanes, lane, is_over: false }
    }

    /// Those that are to go next: one, or several of which each is one statement. Nobody: the turn is over.
    pub(super) fn next(&mut self) -> Vec<QueuedUpdate> {
        let mut lanes = self.lanes.lanes();
        let waiting = lanes.get_mut(&self.lane).filter(|waiting| !waiting.is_empty());
        let Some(waiting) = waiting else {
            lanes.remove(&self.lane);
            self.is_over = true;
            return Vec::new();
        };
        let together = waiting.iter().take(TOGETHER_MAX).take_while(|queued| is_one_statement(&queued.write)).count();
        waiting.drain(..together.max(1)).collect()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.lanes.lanes().remove(&self.lane);
        }
    }
}
