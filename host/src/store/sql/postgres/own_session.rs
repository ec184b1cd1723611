//! [`OwnSession`]: the session that a node has for itself as long as it lives.
//!
//! It holds a lock on the node's id, which no second node gets. The server ends it, and the lock with it, when nothing was
//! heard on it for [`SILENCE_MAX`]: a node whose machine was switched off, or that stands still, keeps nobody out for longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::owner::lock_of;
use super::server::Server;
use crate::store::StoreError;
use crate::store::node::NewNode;
use crate::store::sql::driver::{Connection, params};
use crate::store::sql::nodes;

/// How long a server keeps a session on which nothing is heard: ten signs. It is the server's `idle_session_timeout`.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long a node that starts waits for the lock: what it had itself before it was killed is free by then.
const PATIENCE: Duration = Duration::from_secs(13);

/// Calls that may wait for it at once, each on a thread: a sign, a look, and the answers for tenants that are prepared.
pub(in crate::store::sql) const CALLS_MAX: usize = 12;

/// Time between two tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A node's own session, begun anew when it has ended.
pub(in crate::store::sql) struct OwnSession {
    server: Arc<Server>,
    node: Arc<NewNode>,
    hints: Arc<Notify>,
    connection: Mutex<Option<Connection>>,
}

impl OwnSession {
    /// Begins it, once no other node has this one's id. Waits.
    pub(in crate::store::sql) fn begin(server: Arc<Server>, node: Arc<NewNode>) -> Result<Self, StoreError> {
        let this = Self { server, node, hints: Arc::default(), connection: Mutex::default() };
        let connection = this.connect()?;
        this.wait_for_lock(&connection)?;
        *this.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(this)
    }

    /// Does something in it, as statements that each stand for themselves.
    pub(in crate::store::sql) fn run<T>(
        &self,
        work: &mut impl FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open =
            |connection: &Connection| matches!(connection, Connection::Postgres(session) if !session.is_closed());
        if let Some(connection) = held.as_ref().filter(|connection| is_open(connection)) {
            return work(connection);
        }
        *held = None;
        let connection = self.connect()?;
        if !try_lock(&connection, self.node.id)? {
            return Err(self.in_use(&connection)?);
        }
        work(held.insert(connection))
    }

    /// Returns when another node says that something has changed.
    pub(in crate::store::sql) async fn hint(&self) {
        self.hints.notified().await;
    }

    /// Ends it.
    pub(in crate::store::sql) fn end(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let session = self.server.connect_listening(Arc::clone(&self.hints))?;
        let connection = Connection::Postgres(session);
        connection.execute_batch(&format!(
            "SET default_transaction_isolation = 'read committed'; SET statement_timeout = '5s'; SET lock_timeout = '2s'; \
             SET idle_session_timeout = '{}s'; LISTEN {}",
            SILENCE_MAX.as_secs(),
            nodes::CHANNEL,
        ))?;
        Ok(connection)
    }

    /// Until it is free, or it is known that whoever has it lives.
    fn wait_for_lock(&self, connection: &Connection) -> Result<(), StoreError> {
        let until = Instant::now() + PATIENCE;
        let first_seen = nodes::known(connection, self.node.id)?.map(|known| known.seen_at);
        while !try_lock(connection, self.node.id)? {
            let seen = nodes::known(connection, self.node.id)?.map(|known| known.seen_at);
            if seen > first_seen || Instant::now() > until {
                return Err(self.in_use(connection)?);
            }
            std::thread::sleep(TRY_AGAIN_AFTER);
        }
        Ok(())
    }

    fn in_use(&self, connection: &Connection) -> Result<StoreError, StoreError> {
        let other = nodes::known(connection, self.node.id)?.map(|known| known.node);
        let (host, listen) = other.map_or_else(Default::default, |other| (other.host, other.listen));
        Ok(StoreError::NodeInUse { id: self.node.id, host, listen })
    }
}

/// Takes the lock on a node's id, which is the session's until that ends; `false` if another one has it.
fn try_lock(connection: &Connection, id: Uuid) -> Result<bool, StoreError> {
    let taken = "SELECT CASE WHEN pg_try_advisory_lock(?1) THEN 1 ELSE 0 END";
    Ok(connection.query_row(taken, params![lock_of(id)], |row| row.get(0))?)
}
