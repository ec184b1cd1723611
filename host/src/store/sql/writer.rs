//! [`Writer`]: how a write becomes durable, in either database.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::driver::Connection;
use super::{Shared, commit, postgres, sqlite};
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::queued::Fate;
use crate::store::write_set::WriteSet;
use crate::store::{CommitError, Premise, Queued, RightOfWay, StoreError};

/// The way to write.
pub(super) enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(Arc<postgres::Writer>),
}

/// What is not begun before it is waited for, and before what it rests on is written.
pub(super) fn queued(
    commit: impl Future<Output = Result<(), CommitError>> + Send + 'static,
    rests_on: Option<Premise>,
) -> Queued {
    let (fate, premise) = Fate::open();
    let committing = async move {
        if let Some(rests_on) = rests_on
            && !rests_on.is_written().await
        {
            return Err(CommitError::VersionMoved);
        }
        let committed = commit.await;
        fate.ends(committed.is_ok());
        committed
    };
    Queued { premise, committing: Box::pin(committing) }
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
        rests_on: Option<Premise>,
    ) -> Result<Queued, CommitError> {
        let (fate, premise) = Fate::open();
        let answer = match self {
            Self::Sqlite(writer) => {
                let work = move |connection: &Connection| {
                    if rests_on.as_ref().is_some_and(|premise| !premise.holds()) {
                        return Err(CommitError::VersionMoved);
                    }
                    commit::commit(connection, tenant, &shared, &write)
                };
                writer.loose_end().queue(work, Some(fate)).await?
            }
            Self::Postgres(writer) => match postgres::Lane::of(tenant, &write) {
                Some(lane) => {
                    let (reply, answer) = oneshot::channel();
                    let queued =
                        postgres::QueuedWrite { write: Arc::new(write), rests_on, fate, since: Instant::now(), reply };
                    writer.queue(lane, &shared, queued);
                    answer
                }
                None => {
                    let writer = Arc::clone(writer);
                    let committing = async move { writer.commit(tenant, &shared, Arc::new(write)).await };
                    return Ok(queued(committing, rests_on));
                }
            },
        };
        Ok(Queued { premise, committing: Box::pin(async { answer.await.map_err(|_| StoreError::Closed)? }) })
    }

    /// Waits for the right of way of a resource, if there may be another node to have it.
    pub(super) async fn right_of_way(&self, resource: ResourceId) -> Result<Option<RightOfWay>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(writer) => postgres::right_of_way(writer, resource).await,
        }
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
