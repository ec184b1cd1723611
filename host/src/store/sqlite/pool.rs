//! Read connections: opened when needed, up to a maximum, kept for the next.
//!
//! Queries run on tokio's blocking threads, never on an async worker. There are two allowances, so that nobody can wait
//! for himself: a snapshot may be held while a request thinks, and a request that holds one may still ask brief
//! questions (a token, the constraints in force), which give their connection back with the answer. A caller holds at
//! most one snapshot at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::open_reader;
use crate::store::StoreError;

/// Brief questions at once. Each takes some tens of microseconds, so 8 answer more than 100,000 a second.
const BRIEF_MAX: usize = 8;

/// The connections that are not in use, and leave to use one.
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    snapshots: Arc<Semaphore>,
    brief: Arc<Semaphore>,
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
    pub(super) fn new(path: PathBuf, snapshots_max: usize) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
            snapshots: Arc::new(Semaphore::new(snapshots_max.max(1))),
            brief: Arc::new(Semaphore::new(BRIEF_MAX)),
        }
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
        blocking(move || question(lease.connection()?)).await
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

/// Runs a query away from the async workers.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The runtime is going down, or the query panicked.
        Err(error) => Err(StoreError::Database(Box::new(error)).into()),
    }
}
