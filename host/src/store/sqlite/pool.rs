//! Read connections: opened when needed, up to a maximum, kept for the next.
//!
//! Queries run on [`Threads`] of the store's own, never on an async worker. There are two allowances, so that nobody can wait
//! for himself: a snapshot may be held while a request thinks, and a request that holds one may still ask brief
//! questions (a token, the constraints in force), which give their connection back with the answer. A caller holds at
//! most one snapshot at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::open_reader;
use super::threads::Threads;
use crate::store::StoreError;

/// Brief questions at once. Each takes some tens of microseconds, so 8 answer more than 100,000 a second.
const BRIEF_MAX: usize = 8;

/// The connections that are not in use, and leave to use one.
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    snapshots: Arc<Semaphore>,
    brief: Arc<Semaphore>,
    threads: Threads,
}

/// A connection in a read transaction, given back when dropped.
pub(super) struct Lease {
    /// `None` until the first use, and if it could not be given back in order.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// Lets at most `snapshots_max` snapshots live at once; whoever wants another waits.
    pub(super) fn new(path: PathBuf, snapshots_max: usize) -> Result<Self, StoreError> {
        let snapshots_max = snapshots_max.max(1);
        Ok(Self {
            path,
            idle: Mutex::new(Vec::new()),
            snapshots: Arc::new(Semaphore::new(snapshots_max)),
            brief: Arc::new(Semaphore::new(BRIEF_MAX)),
            // One for each connection in use, so that whoever has a connection never waits for a thread.
            threads: Threads::start(snapshots_max.saturating_add(BRIEF_MAX))?,
        })
    }

    /// Leave to hold a snapshot. Touches no file yet.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let permit = Arc::clone(&self.snapshots).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        Ok(Lease { connection: None, pool: Arc::clone(self), _permit: permit })
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
        let permit = Arc::clone(&self.brief).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let mut lease = Lease { connection: None, pool: Arc::clone(self), _permit: permit };
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
