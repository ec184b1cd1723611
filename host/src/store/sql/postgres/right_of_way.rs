//! [`right_of_way`]: a lock on a resource, which a session of one node has at a time.
//!
//! Those who wait for it get it in the order in which they came. The session is one of those that write, and one of few that
//! do nothing else meanwhile.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::error::SqlState;

use super::owner;
use super::session::Session;
use super::writer::Writer;
use crate::scim::resource::ResourceId;
use crate::store::right_of_way::Held;
use crate::store::sql::driver::Error;
use crate::store::{RightOfWay, StoreError};

/// Of a node at once. 4 of the sessions that it has for writing: those who have no right of way write as well, if not always at the first try.
pub(super) const HELD_MAX: usize = 4;

/// The server ends a session on which nothing is heard for so long, and its lock with it: that of a node that stands still.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long it is waited for: until whoever stands still has lost it.
const PATIENCE: Duration = Duration::from_secs(6);

/// Takes the lock, once nobody else has it; `None` if others have it for too long, or this node has too many.
pub(in crate::store::sql) async fn right_of_way(
    writer: &Arc<Writer>,
    resource: ResourceId,
) -> Result<Option<RightOfWay>, StoreError> {
    let Ok(place) = writer.rights_of_way().try_acquire_owned() else { return Ok(None) };
    let of = Arc::clone(writer);
    // To its end, whether anybody still waits for it: a session that may have the lock or not is of no use.
    let taken = writer.server().runtime().spawn(async move { take(of, place, resource).await });
    taken.await.map_err(|_| StoreError::Closed)?
}

async fn take(
    writer: Arc<Writer>,
    place: OwnedSemaphorePermit,
    resource: ResourceId,
) -> Result<Option<RightOfWay>, StoreError> {
    let (session, leave) = writer.session().await?;
    let lock = owner::lock_of(resource.0);
    match session.run_async(&take_lock(lock)).await {
        Ok(()) => {
            Ok(Some(RightOfWay::new(Locked { session: Some(session), places: Some([place, leave]), lock, writer })))
        }
        Err(Error::Postgres(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            // What was set with it is undone with it.
            writer.keep(session);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn take_lock(lock: i64) -> String {
    let (silence, patience) = (SILENCE_MAX.as_millis(), PATIENCE.as_millis());
    format!(
        "SET idle_session_timeout = {silence}; SET lock_timeout = {patience}; SELECT pg_advisory_lock({lock}); SET lock_timeout = '10s'"
    )
}

fn give_back(lock: i64) -> String {
    format!("SELECT pg_advisory_unlock({lock}); SET idle_session_timeout = 0")
}

/// Whether another session waits for the lock. Of a lock with a number of 64 bits the catalog has the halves.
const IS_WANTED: &str = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1 \
     AND (classid::bigint << 32 | objid::bigint) = $1 \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1";

/// The lock, and what it takes to have it.
struct Locked {
    session: Option<Session>,
    places: Option<[OwnedSemaphorePermit; 2]>,
    lock: i64,
    writer: Arc<Writer>,
}

#[async_trait]
impl Held for Locked {
    async fn is_wanted(&self) -> bool {
        let Some(session) = &self.session else { return true };
        // Who cannot be asked may have lost the lock.
        session.query_raw(IS_WANTED, &[&self.lock]).await.map_or(true, |waiting| !waiting.is_empty())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let (Some(session), places) = (self.session.take(), self.places.take()) else { return };
        let (writer, lock) = (Arc::clone(&self.writer), self.lock);
        self.writer.server().runtime().spawn(async move {
            match session.run_async(&give_back(lock)).await {
                Ok(()) => writer.keep(session),
                // The lock goes with it.
                Err(_) => drop(session),
            }
            drop(places);
        });
    }
}
