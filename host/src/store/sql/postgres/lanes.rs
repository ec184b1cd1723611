//! [`Lanes`]: writes that go together. In each lane one statement at a time is on its way, and the writes that come meanwhile go
//! together in the next, in the order in which they are queued. A resource's updates have a lane: sixty-four clients that change one
//! group would else be in each other's way without end. What a tenant makes anew has one as well, because a statement for many takes the
//! server a third of what as many statements do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::columns::Kind;
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::queued::{Fate, Premise};
use crate::store::write_set::{MembersWrite, ResourceWrite, WriteSet};
use crate::store::{CommitError, StoreError};

/// Writes in one statement at most: of some 0.1 ms each, so that whoever waits for one waits for some 10 ms.
const TOGETHER_MAX: usize = 64;

/// And what they weigh, unless there is only one: some milliseconds' work, and a message that is made in memory.
const WEIGHT_MAX: usize = 1 << 20;

/// The longest that a write waits in a lane for its statement to begin: a hundred others take a second. A statement that a lock keeps is
/// given up after ten seconds (the server's `lock_timeout`), so who has waited for all of one does not wait for another.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What goes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store::sql) enum Lane {
    /// What a tenant makes.
    New(TenantId),
    /// What becomes of a tenant's resource.
    Of(TenantId, ResourceId),
}

impl Lane {
    /// Of a write; `None`: it goes alone.
    pub(in crate::store::sql) fn of(tenant: TenantId, write: &WriteSet) -> Option<Self> {
        match Kind::of(write) {
            Some(Kind::Create) => Some(Self::New(tenant)),
            // Also what is not one statement: what is queued behind it may rest on it.
            _ => write.is_update().then_some(Self::Of(tenant, write.id)),
        }
    }

    pub(super) fn tenant(self) -> TenantId {
        match self {
            Self::New(tenant) | Self::Of(tenant, _) => tenant,
        }
    }
}

/// A write, what it rests on, and who waits for what it comes to.
pub(in crate::store::sql) struct QueuedWrite {
    pub(in crate::store::sql) write: Arc<WriteSet>,
    pub(in crate::store::sql) rests_on: Option<Premise>,
    pub(in crate::store::sql) fate: Fate,
    pub(in crate::store::sql) since: Instant,
    pub(in crate::store::sql) reply: oneshot::Sender<Result<(), CommitError>>,
}

impl QueuedWrite {
    /// Tells what it came to, also those who are not waiting any more.
    pub(super) fn answer(self, done: Result<(), CommitError>) {
        self.fate.ends(done.is_ok());
        drop(self.reply.send(done));
    }

    /// Whether it can be written together with the one before it: updates are judged on what the one before makes of the resource.
    fn follows(&self, last: &Self) -> bool {
        !self.write.is_update() || self.rests_on.as_ref().is_some_and(|premise| last.fate.is_of(premise))
    }

    /// Whether what it rests on is there.
    pub(super) fn may_rest(&self) -> bool {
        self.rests_on.as_ref().is_none_or(Premise::holds)
    }
}

/// The lanes in which somebody is under way, with those who wait there.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<Lane, Vec<QueuedWrite>>>);

impl Lanes {
    /// Queues a write; whether nobody is under way, so that the caller has to take a [`Turn`].
    pub(super) fn join(&self, lane: Lane, queued: QueuedWrite) -> bool {
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

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Vec<QueuedWrite>>> {
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

    /// Those that are to go next: one, or several that are one statement. Nobody: the turn is over. Who has waited too long for it is told
    /// so: those before him have waited for a lock, and so would he.
    pub(super) fn next(&mut self) -> Vec<QueuedWrite> {
        let mut lanes = self.lanes.lanes();
        if let Some(waiting) = lanes.get_mut(&self.lane) {
            let late = waiting.iter().take_while(|queued| queued.since.elapsed() >= WAIT_MAX).count();
            waiting.drain(..late).for_each(|late| late.answer(Err(StoreError::Crowded.into())));
        }
        let waiting = lanes.get_mut(&self.lane).filter(|waiting| !waiting.is_empty());
        let Some(waiting) = waiting else {
            lanes.remove(&self.lane);
            self.is_over = true;
            return Vec::new();
        };
        waiting.drain(..together(waiting)).collect()
    }
}

/// How many of those who wait are one statement, or 1: the first goes in any case.
fn together(waiting: &[QueuedWrite]) -> usize {
    let (mut count, mut weight, mut last) = (0, 0, None);
    for queued in waiting.iter().take(TOGETHER_MAX) {
        weight += self::weight(&queued.write);
        let goes_along = last.is_none_or(|last| queued.follows(last));
        if !goes_along || weight > WEIGHT_MAX || Kind::of(&queued.write).is_none() {
            break;
        }
        count += 1;
        last = Some(queued);
    }
    count.max(1)
}

/// About as many bytes as there are to be written.
fn weight(write: &WriteSet) -> usize {
    /// Of a row with its entries in indexes: some of ours have more, most less.
    const ROW: usize = 200;
    let body = match &write.resource {
        ResourceWrite::Insert(row) | ResourceWrite::Update { row, .. } => row.body.len(),
        ResourceWrite::Delete { .. } => 0,
    };
    let members = match &write.members {
        MembersWrite::Rows { added, removed } => added.len() + removed.len(),
        MembersWrite::Set { added, .. } => added.len(),
    };
    let rows = members + write.entries_added.len() + write.entries_removed.len();
    body + write.decision.record.len() + rows * ROW
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.lanes.lanes().remove(&self.lane);
        }
    }
}
