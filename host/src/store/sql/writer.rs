//! [`Writer`]: how a write becomes durable, in either database.

use std::sync::Arc;

use super::driver::Connection;
use super::{Shared, commit, postgres, sqlite};
use crate::decision::TenantId;
use crate::store::write_set::WriteSet;
use crate::store::{CommitError, Committing, StoreError};

/// The way to write.
pub(super) enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(Arc<postgres::Writer>),
}

/// A way to write for those who may outlive the store.
pub(super) enum LooseEnd {
    Sqlite(sqlite::LooseEnd),
    Postgres(Arc<postgres::Writer>),
}

impl Writer {
    /// Runs `work` in a transaction, in which nobody else seems to do anything, and returns what it came to once that is
    /// durable. If `work` fails, nothing of it stays. It may be run more than once. If the caller goes away, the work is done
    /// nevertheless: it may be half-way.
    pub(super) async fn write<T, E>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.loose_end().write(work).await
    }

    /// Queues a commit, and returns where it is told what it came to. Of one resource's updates, what is queued first is tried
    /// first.
    pub(super) async fn queue_commit(
        &self,
        tenant: TenantId,
        shared: Arc<Shared>,
        write: WriteSet,
    ) -> Result<Committing, CommitError> {
        let answer = match self {
            Self::Sqlite(writer) => {
                let work = move |connection: &Connection| commit::commit(connection, tenant, &shared, &write);
                writer.loose_end().queue(work).await?
            }
            Self::Postgres(writer) if write.is_update() => writer.queue_update(tenant, &shared, Arc::new(write)),
            Self::Postgres(writer) => {
                let writer = Arc::clone(writer);
                return Ok(Box::pin(async move { writer.commit(tenant, &shared, Arc::new(write)).await }));
            }
        };
        Ok(Box::pin(async { answer.await.map_err(|_| StoreError::Closed)? }))
    }

    /// A way to write that does not keep the store from closing.
    pub(super) fn loose_end(&self) -> LooseEnd {
        match self {
            Self::Sqlite(writer) => LooseEnd::Sqlite(writer.loose_end()),
            Self::Postgres(writer) => LooseEnd::Postgres(Arc::clone(writer)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        match self {
            // Its own end waits for what is queued.
            Self::Sqlite(_) => {}
            Self::Postgres(writer) => writer.stop(),
        }
    }
}

impl LooseEnd {
    /// As [`Writer::write`], until the store is dropped.
    pub(super) async fn write<T, E>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(writer) => writer.write(work).await,
            Self::Postgres(writer) => writer.write(work).await,
        }
    }

    /// Whether nobody but this process writes, one request after the other.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}
