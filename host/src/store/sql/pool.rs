//! Read connections: opened when needed, up to a maximum, kept for the next.
//!
//! Queries run on [`Threads`] of the store's own, but for glances at a few rows ([`super::snapshot`]). There are two
//! allowances, so that nobody can wait for himself: a snapshot may be held while a request thinks, and a request that
//! holds one may still ask brief questions (a token, the constraints in force), which give their connection back with the
//! answer. A caller holds at most one snapshot at a time.
//!
//! Nobody waits for long: whoever has no connection after some seconds is told so.
//!
//! A tenant may hold a part of the snapshots. Its other requests wait before they stand in the line of all tenants, so
//! that a tenant whose requests think long keeps nobody waiting but itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::driver::{Connection, params};
use super::idle::Idle;
use super::postgres::{AskedTogether, Server};
use super::sqlite;
use super::threads::Threads;
use crate::decision::TenantId;
use crate::store::StoreError;

/// Brief questions at once. Each takes some tens of microseconds, so 8 answer more than 100,000 a second.
const BRIEF_MAX: usize = 8;

/// Tenants that can have their part of the snapshots at once: four slow ones are needed to keep a fifth waiting, and
/// one alone still has 16 of the 64 that there are by default.
const SHARES: usize = 4;

/// How long anybody waits for leave to use the database. Most who wait have it within milliseconds; where all who have it hang
/// for so long, another time is better.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(10);

/// After how long a connection to a server is closed that nobody uses. Others may need it.
pub(super) const UNUSED_MAX: Duration = Duration::from_secs(5 * 60);

/// Time between two looks for those.
const UNUSED_EVERY: Duration = Duration::from_secs(30);

/// Leave to use the database, if there is some soon.
pub(super) async fn leave(of: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
    let leave = tokio::time::timeout(LEAVE_WAIT_MAX, of.acquire_owned()).await;
    leave.map_err(|_| StoreError::Crowded)?.map_err(|_| StoreError::Closed)
}

/// Closes connections that nobody uses, as long as the pool lives.
pub(super) async fn close_unused(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(UNUSED_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.idle.close_unused(UNUSED_MAX);
    }
}

/// The connections that are not in use, and leave to use one.
pub(super) struct Pool {
    source: Source,
    idle: Idle<Connection>,
    snapshots: Arc<Semaphore>,
    shares: Shares,
    brief: Arc<Semaphore>,
    threads: Arc<Threads>,
}

/// Where connections come from.
pub(super) enum Source {
    Sqlite(PathBuf),
    Postgres(Arc<Server>, AskedTogether),
}

/// A connection in a read transaction, given back when dropped.
pub(super) struct Lease {
    /// `None` until the first use, and if it could not be given back in order.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _leave: Leave,
}

/// What is given back with a lease, so that another may have one.
struct Leave {
    _of_all: OwnedSemaphorePermit,
    /// Brief questions have none.
    _of_tenant: Option<OwnedSemaphorePermit>,
}

/// What each tenant may hold. Of tenants that hold nothing and wait for nothing, nothing is kept.
struct Shares {
    each: usize,
    tenants: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
}

impl Shares {
    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = tenants.get(&tenant).and_then(Weak::upgrade) {
            return share;
        }
        tenants.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.each));
        tenants.insert(tenant, Arc::downgrade(&share));
        share
    }
}

impl Pool {
    /// Lets at most `snapshots_max` snapshots live at once, of one tenant a quarter; whoever wants another waits.
    pub(super) fn new(source: Source, snapshots_max: usize, threads: Arc<Threads>) -> Self {
        let snapshots_max = snapshots_max.max(1);
        Self {
            source,
            idle: Idle::default(),
            snapshots: Arc::new(Semaphore::new(snapshots_max)),
            shares: Shares { each: (snapshots_max / SHARES).max(1), tenants: Mutex::default() },
            brief: Arc::new(Semaphore::new(BRIEF_MAX)),
            threads,
        }
    }

    /// Leave to hold a snapshot. Touches no file yet.
    pub(super) async fn lease(self: &Arc<Self>, tenant: TenantId) -> Result<Lease, StoreError> {
        let of_tenant = leave(self.shares.of(tenant)).await?;
        let of_all = leave(Arc::clone(&self.snapshots)).await?;
        let leave = Leave { _of_all: of_all, _of_tenant: Some(of_tenant) };
        Ok(Lease { connection: None, pool: Arc::clone(self), _leave: leave })
    }

    /// One brief question, in a read transaction of its own.
    pub(super) async fn read<T, E>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let of_all = leave(Arc::clone(&self.brief)).await?;
        let leave = Leave { _of_all: of_all, _of_tenant: None };
        let mut lease = Lease { connection: None, pool: Arc::clone(self), _leave: leave };
        self.threads.blocking(move || question(lease.connection()?)).await
    }

    /// Where the store does its work.
    pub(super) fn threads(&self) -> &Arc<Threads> {
        &self.threads
    }

    /// Whether a look at a few rows may be taken on any thread: it is, where it does not wait for a network.
    pub(super) fn answers_at_once(&self) -> bool {
        matches!(self.source, Source::Sqlite(_))
    }

    /// Where to ask what others ask as well, without a connection; `None`: it is as cheap to ask a snapshot.
    pub(super) fn asked_together(&self) -> Option<&AskedTogether> {
        match &self.source {
            Source::Sqlite(_) => None,
            Source::Postgres(_, asked) => Some(asked),
        }
    }

    /// As many threads as there may be connections of a pool, so that whoever has a connection never waits for a thread.
    pub(super) fn threads_for(snapshots_max: usize) -> usize {
        snapshots_max.max(1).saturating_add(BRIEF_MAX)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        while let Some(idle) = self.idle.take() {
            match &idle {
                Connection::Postgres(session) if !session.is_ready() => {}
                Connection::Sqlite(_) | Connection::Postgres(_) => return Ok(idle),
            }
        }
        match &self.source {
            Source::Sqlite(path) => Ok(Connection::Sqlite(sqlite::open_reader(path)?)),
            Source::Postgres(server, _) => Ok(Connection::Postgres(server.connect()?)),
        }
    }

    fn give_back(&self, connection: Connection) {
        self.idle.put(connection);
    }
}

impl Lease {
    /// The connection, in its transaction. The first call opens both: what it reads first fixes the moment that every
    /// later read sees.
    pub(super) fn connection(&mut self) -> Result<&Connection, StoreError> {
        if self.connection.is_none() {
            let connection = self.pool.take()?;
            match &connection {
                Connection::Sqlite(_) => {
                    connection.execute("BEGIN", params![])?;
                }
                Connection::Postgres(session) => session.begin_snapshot(),
            }
            self.connection = Some(connection);
        }
        self.connection.as_ref().ok_or(StoreError::Closed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if let Connection::Postgres(session) = &connection {
            session.end_snapshot();
            return self.pool.give_back(connection);
        }
        // Ending a read transaction releases a lock in shared memory and touches no file.
        match connection.execute("ROLLBACK", params![]) {
            Ok(_) => self.pool.give_back(connection),
            Err(error) => tracing::warn!(error = %error, "a read transaction could not be ended"),
        }
    }
}
