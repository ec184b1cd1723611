//! Read connections: opened when needed, up to a maximum, kept for the next.
//!
//! Queries run on [`Threads`] of the store's own, but for glances at a few rows ([`super::snapshot`]). There are two
//! allowances, so that nobody can wait for himself: a snapshot may be held while a request thinks, and a request that
//! holds one may still ask brief questions (a token, the constraints in force), which give their connection back with the
//! answer. A caller holds at most one snapshot at a time.
//!
//! A tenant may hold a part of the snapshots. Its other requests wait before they stand in the line of all tenants, so
//! that a tenant whose requests think long keeps nobody waiting but itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::open_reader;
use super::threads::Threads;
use crate::decision::TenantId;
use crate::store::StoreError;

/// Brief questions at once. Each takes some tens of microseconds, so 8 answer more than 100,000 a second.
const BRIEF_MAX: usize = 8;

/// Tenants that can have their part of the snapshots at once: four slow ones are needed to keep a fifth waiting, and
/// one alone still has 16 of the 64 that there are by default.
const SHARES: usize = 4;

/// The connections that are not in use, and leave to use one.
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    snapshots: Arc<Semaphore>,
    shares: Shares,
    brief: Arc<Semaphore>,
    threads: Threads,
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
    pub(super) fn new(path: PathBuf, snapshots_max: usize) -> Result<Self, StoreError> {
        let snapshots_max = snapshots_max.max(1);
        Ok(Self {
            path,
            idle: Mutex::new(Vec::new()),
            snapshots: Arc::new(Semaphore::new(snapshots_max)),
            shares: Shares { each: (snapshots_max / SHARES).max(1), tenants: Mutex::default() },
            brief: Arc::new(Semaphore::new(BRIEF_MAX)),
            // One for each connection in use, so that whoever has a connection never waits for a thread.
            threads: Threads::start(snapshots_max.saturating_add(BRIEF_MAX))?,
        })
    }

    /// Leave to hold a snapshot. Touches no file yet.
    pub(super) async fn lease(self: &Arc<Self>, tenant: TenantId) -> Result<Lease, StoreError> {
        let of_tenant = self.shares.of(tenant).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let of_all = Arc::clone(&self.snapshots).acquire_owned().await.map_err(|_| StoreError::Closed)?;
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
        let of_all = Arc::clone(&self.brief).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let leave = Leave { _of_all: of_all, _of_tenant: None };
        let mut lease = Lease { connection: None, pool: Arc::clone(self), _leave: leave };
        self.threads.blocking(move || question(lease.connection()?)).await
    }

    /// Where the store does its work.
    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open_reader(&self.path), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl Lease {
    /// The connection, in its transaction. The first call opens both: what it reads first fixes the moment that every
    /// later read sees.
    pub(super) fn connection(&mut self) -> Result<&Connection, StoreError> {
        if self.connection.is_none() {
            let connection = self.pool.take()?;
            connection.prepare_cached("BEGIN")?.execute([])?;
            self.connection = Some(connection);
        }
        self.connection.as_ref().ok_or(StoreError::Closed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Ending a read transaction releases a lock in shared memory and touches no file.
        let ended = connection.prepare_cached("ROLLBACK").and_then(|mut statement| statement.execute([]));
        match ended {
            Ok(_) => self.pool.give_back(connection),
            Err(error) => tracing::warn!(error = %error, "a read transaction could not be ended"),
        }
    }
}
