//! [`Writer`]: transactions that write, begun anew when another one was in their way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::columns::Kind;
use super::commit::{self, Done};
use super::lanes::{Lane, Lanes, QueuedWrite, Turn};
use super::right_of_way::HELD_MAX;
use super::server::Server;
use super::session::{PLANS, Session};
use crate::decision::TenantId;
use crate::store::sql::Shared;
use crate::store::sql::driver::{Connection, Error, for_another};
use crate::store::sql::idle::Idle;
use crate::store::sql::pool::{UNUSED_MAX, leave};
use crate::store::sql::threads::Threads;
use crate::store::sql::{member_sets, tables};
use crate::store::write_set::WriteSet;
use crate::store::{CommitError, StoreError};

/// Transactions of this node that write at once. 22: with 64 snapshots, 8 brief questions, the two sessions that are asked together and the
/// node's own that is the 97 connections that a server allows by default. Each waits for the disk most of the time, and those that wait together are made durable
/// together.
pub(in crate::store::sql) const WRITERS_MAX: usize = 22;

/// Goes at a transaction. Another one was in the way of each before, and was committed: with [`WRITERS_MAX`] writers that all
/// want the same, the last of them gets there.
const ATTEMPTS_MAX: u32 = 48;

/// The longest that a writer waits before it goes at a transaction anew.
const BACK_OFF_MAX_MS: u64 = 64;

/// Time between two looks for rows that nobody sees. They cost space and nothing else.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Leave to write, and the sessions for it.
pub(in crate::store::sql) struct Writer {
    server: Arc<Server>,
    threads: Arc<Threads>,
    leave: Arc<Semaphore>,
    rights_of_way: Arc<Semaphore>,
    idle: Idle<Session>,
    lanes: Lanes,
    stopped: AtomicBool,
}

impl Writer {
    pub(in crate::store::sql) fn new(server: Arc<Server>, threads: Arc<Threads>) -> Arc<Self> {
        let leave = Arc::new(Semaphore::new(WRITERS_MAX));
        let writer = Arc::new(Self {
            server,
            threads,
            leave,
            rights_of_way: Arc::new(Semaphore::new(HELD_MAX)),
            idle: Idle::default(),
            lanes: Lanes::default(),
            stopped: AtomicBool::new(false),
        });
        let sweeper = Arc::downgrade(&writer);
        writer.server.runtime().spawn(sweep(sweeper));
        writer
    }

    /// Runs `work` in a transaction and returns what it came to, once that is durable. It may be run several times, and what
    /// it did before is undone then.
    pub(in crate::store::sql) async fn write<T, E>(
        self: &Arc<Self>,
        mut work: impl FnMut(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let leave = leave(Arc::clone(&self.leave)).await?;
        let this = Arc::clone(self);
        self.threads.blocking(move || this.transact(leave, &mut work)).await
    }

    /// Queues a write behind those that it goes with. It is done also if nobody waits for what it comes to.
    pub(in crate::store::sql) fn queue(self: &Arc<Self>, lane: Lane, shared: &Arc<Shared>, queued: QueuedWrite) {
        if self.lanes.join(lane, queued) {
            let (writer, shared) = (Arc::clone(self), Arc::clone(shared));
            self.server.runtime().spawn(async move { writer.serve(lane, &shared).await });
        }
    }

    /// Goes along a lane to its end.
    async fn serve(self: &Arc<Self>, lane: Lane, shared: &Arc<Shared>) {
        let mut turn = Turn::new(&self.lanes, lane);
        loop {
            let queued = turn.next();
            let writes: Vec<_> = queued.iter().map(|queued| Arc::clone(&queued.write)).collect();
            let done = match queued.as_slice() {
                [] => return,
                [first, ..] if first.may_rest() && Kind::of(&first.write).is_some() => {
                    self.commit_together(lane.tenant(), shared, &writes).await
                }
                _ => Ok(Done::Nothing),
            };
            match done {
                Ok(Done::All) => queued.into_iter().for_each(|queued| queued.answer(Ok(()))),
                // It may be done or not.
                Err(error) if error.is_passing() || queued.len() == 1 => answer_all(queued, error),
                // Nothing is done. Alone each is done after all, or told what stands in the way.
                Ok(Done::Nothing | Done::Conflict) | Err(_) => self.commit_each(lane, shared, queued).await,
            }
        }
    }

    /// Commits what was queued together one by one: updates one after the other, what is new at once.
    async fn commit_each(self: &Arc<Self>, lane: Lane, shared: &Arc<Shared>, queued: Vec<QueuedWrite>) {
        // Its statement, if it is one, has been refused.
        let was_alone = queued.len() == 1;
        for queued in queued {
            let (writer, shared) = (Arc::clone(self), Arc::clone(shared));
            let alone = async move {
                let write = Arc::clone(&queued.write);
                let done = match queued.may_rest() {
                    true if was_alone => writer.commit_in_steps(lane.tenant(), &shared, write).await,
                    true => writer.commit(lane.tenant(), &shared, write).await,
                    false => Err(CommitError::VersionMoved),
                };
                queued.answer(done);
            };
            match lane {
                Lane::New(_) => drop(self.server.runtime().spawn(alone)),
                Lane::Of(..) => alone.await,
            }
        }
    }

    /// Commits with one statement, if that can be done.
    pub(in crate::store::sql) async fn commit(
        self: &Arc<Self>,
        tenant: TenantId,
        shared: &Arc<Shared>,
        write: Arc<WriteSet>,
    ) -> Result<(), CommitError> {
        if Kind::of(&write).is_some() {
            let only = std::slice::from_ref(&write);
            if self.commit_together(tenant, shared, only).await? == Done::All {
                return Ok(());
            }
        }
        self.commit_in_steps(tenant, shared, write).await
    }

    /// Commits with several statements, or tells what stands in the way.
    async fn commit_in_steps(
        self: &Arc<Self>,
        tenant: TenantId,
        shared: &Arc<Shared>,
        write: Arc<WriteSet>,
    ) -> Result<(), CommitError> {
        let shared = Arc::clone(shared);
        self.write(move |connection| super::super::commit::commit(connection, tenant, &shared, &write)).await
    }

    /// Commits with one statement: all of them or none.
    async fn commit_together(
        self: &Arc<Self>,
        tenant: TenantId,
        shared: &Shared,
        writes: &[Arc<WriteSet>],
    ) -> Result<Done, StoreError> {
        let mut leave = Some(leave(Arc::clone(&self.leave)).await?);
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(back_off(attempt)).await;
            }
            let session = self.idle_or_new().await?;
            let working = Working { session: Some(session), leave: leave.take(), writer: self };
            let done = working.commit(tenant, shared, writes).await;
            leave = working.end();
            match done? {
                Done::Conflict => {}
                done => return Ok(done),
            }
        }
        Ok(Done::Conflict)
    }

    fn transact<T, E: From<StoreError>>(
        self: &Arc<Self>,
        leave: OwnedSemaphorePermit,
        work: &mut impl FnMut(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                std::thread::sleep(back_off(attempt));
            }
            let session = self.take()?;
            session.begin_write();
            let connection = Connection::Postgres(session);
            // A bug in one request must not keep its session from the next.
            let done = catch_unwind(AssertUnwindSafe(|| work(&connection)))
                .unwrap_or_else(|_| Err(StoreError::Damaged("a request to the store panicked".to_owned()).into()));
            let Connection::Postgres(session) = connection else { return Err(StoreError::Closed.into()) };
            let ended = if done.is_ok() { session.commit() } else { session.roll_back() };
            let has_conflicted = session.has_conflicted();
            if session.is_silent() {
                self.settle(session, leave);
                return Err(StoreError::from(Error::Silent).into());
            }
            if ended.is_ok() || has_conflicted && session.roll_back().is_ok() {
                self.idle.put(session);
            }
            match (done, ended) {
                _ if has_conflicted => {}
                (Ok(value), Ok(())) => return Ok(value),
                (Ok(_), Err(error)) => return Err(StoreError::from(error).into()),
                (Err(error), _) => return Err(error),
            }
        }
        Err(StoreError::Contended.into())
    }

    /// A session that is in order, as far as can be told.
    fn take(&self) -> Result<Session, StoreError> {
        self.server.runtime().block_on(self.idle_or_new())
    }

    async fn idle_or_new(&self) -> Result<Session, StoreError> {
        match self.idle_session() {
            Some(session) => Ok(session),
            None => self.connect().await,
        }
    }

    /// A session for a task, and the leave that it takes.
    pub(super) async fn session(&self) -> Result<(Session, OwnedSemaphorePermit), StoreError> {
        let leave = leave(Arc::clone(&self.leave)).await?;
        Ok((self.idle_or_new().await?, leave))
    }

    /// Keeps a session that is in order for the next.
    pub(super) fn keep(&self, session: Session) {
        self.idle.put(session);
    }

    /// Places for those who have a right of way.
    pub(super) fn rights_of_way(&self) -> Arc<Semaphore> {
        Arc::clone(&self.rights_of_way)
    }

    async fn connect(&self) -> Result<Session, StoreError> {
        let session = self.server.connect_async().await?;
        session.client().batch_execute(PLANS).await.map_err(Error::from)?;
        Ok(session)
    }

    /// A session for what no request waits for, in the place of one that writes: there are not more than before.
    pub(super) async fn session_apart(&self) -> Result<(Session, OwnedSemaphorePermit), StoreError> {
        let leave = leave(Arc::clone(&self.leave)).await?;
        drop(self.idle_session());
        Ok((self.connect().await?, leave))
    }

    fn idle_session(&self) -> Option<Session> {
        std::iter::from_fn(|| self.idle.take()).find(|session| !session.is_closed())
    }

    /// Keeps the leave of a session as long as the server is at work for it, though nobody waits for what comes of it: else those
    /// who come again and again would have the server at work more and more.
    fn settle(self: &Arc<Self>, session: Session, leave: OwnedSemaphorePermit) {
        self.server.runtime().spawn(async move {
            session.settle().await;
            drop((session, leave));
        });
    }

    /// Where it writes.
    pub(in crate::store::sql) fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server)
    }

    /// Ends what goes on by itself.
    pub(in crate::store::sql) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Tells all of them what has happened to their statement.
fn answer_all(queued: Vec<QueuedWrite>, error: StoreError) {
    match <[QueuedWrite; 1]>::try_from(queued) {
        Ok([only]) => only.answer(Err(error.into())),
        Err(several) => {
            let error = Arc::new(error);
            several.into_iter().for_each(|queued| queued.answer(Err(for_another(&error).into())));
        }
    }
}

/// A statement that is under way, with its session. Whoever waits for it may go away.
struct Working<'w> {
    session: Option<Session>,
    leave: Option<OwnedSemaphorePermit>,
    writer: &'w Arc<Writer>,
}

impl Working<'_> {
    async fn commit(&self, tenant: TenantId, shared: &Shared, writes: &[Arc<WriteSet>]) -> Result<Done, StoreError> {
        let session = self.session.as_ref().ok_or(StoreError::Closed)?;
        commit::run(session, tenant, &shared.names, writes).await
    }

    /// It is answered, if it is: the session is for the next, and the leave for another go.
    fn end(mut self) -> Option<OwnedSemaphorePermit> {
        let session = self.session.take_if(|session| !session.is_silent())?;
        self.writer.idle.put(session);
        self.leave.take()
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let (Some(session), Some(leave)) = (self.session.take(), self.leave.take()) {
            self.writer.settle(session, leave);
        }
    }
}

/// Twice as long each time, and of those who were in each other's way none as long as the other.
fn back_off(attempt: u32) -> Duration {
    let most = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX).min(BACK_OFF_MAX_MS);
    let mut random = [0; 8];
    // Without randomness they wait equally long, and one of them is first all the same.
    let _ = getrandom::fill(&mut random);
    Duration::from_micros(u64::from_le_bytes(random) % (most * 1_000))
}

/// Deletes what nobody sees, as long as the store lives. Of several nodes that do, each takes its turn at a row.
async fn sweep(writer: Weak<Writer>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(writer) = writer.upgrade().filter(|writer| !writer.stopped.load(Ordering::Relaxed)) else { return };
        writer.idle.close_unused(UNUSED_MAX);
        loop {
            let swept = writer
                .write(|connection| Ok::<_, StoreError>(member_sets::sweep(connection)? || tables::sweep(connection)?))
                .await;
            match swept {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(error = %error, "rows that nobody sees could not be deleted");
                    break;
                }
            }
        }
    }
}
