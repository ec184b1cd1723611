//! [`SqlMembership`]: a node's part in the work with others.
//!
//! With a server, all of it goes through a session of the node's own: however many writes wait for one, the node is seen to
//! live. What it does there are single short statements, which are not SERIALIZABLE and get into no write's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::driver::Connection;
use super::postgres::OwnSession;
use super::writer::Writer;
use super::{Inner, nodes};
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::node::{Membership, NewNode};

/// Signs between two looks for what dead nodes have left.
const BEATS_PER_LOOK: u32 = 5;

/// A node's part in a database.
pub(super) struct SqlMembership {
    node: Arc<NewNode>,
    inner: Arc<Inner>,
    /// `None` for a file.
    session: Option<Arc<OwnSession>>,
    beats: AtomicU32,
}

impl SqlMembership {
    /// Enters the node.
    pub(super) async fn begin(inner: Arc<Inner>, node: NewNode) -> Result<Self, StoreError> {
        let node = Arc::new(node);
        let session = match &inner.writer {
            Writer::Sqlite(_) => None,
            Writer::Postgres(writer) => {
                let (server, new) = (writer.server(), Arc::clone(&node));
                let begin = move || OwnSession::begin(server, new);
                Some(Arc::new(inner.pool.threads().blocking(begin).await?))
            }
        };
        let this = Self { node, inner, session, beats: AtomicU32::new(0) };
        let node = Arc::clone(&this.node);
        this.write(move |connection| nodes::enlist(connection, &node)).await?;
        Ok(this)
    }

    async fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.session.clone() {
            None => self.inner.writer.write(work).await,
            Some(session) => self.inner.pool.threads().blocking(move || session.run(&mut work)).await,
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        mut question: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.session.clone() {
            None => self.inner.pool.read(move |connection| question(connection)).await,
            Some(session) => self.inner.pool.threads().blocking(move || session.run(&mut question)).await,
        }
    }
}

#[async_trait]
impl Membership for SqlMembership {
    async fn beat(&self, clock_ahead: SignedDuration) -> Result<Timestamp, StoreError> {
        if self.session.is_none() {
            // Nobody else is there who would want a sign, and each would cost a turn of the disk.
            return self.read(nodes::now_by).await;
        }
        let looks = self.beats.fetch_add(1, Ordering::Relaxed).is_multiple_of(BEATS_PER_LOOK);
        let node = Arc::clone(&self.node);
        self.write(move |connection| {
            let at = nodes::beat(connection, &node, clock_ahead)?;
            if looks {
                nodes::forget_dead(connection)?;
            }
            Ok(at)
        })
        .await
    }

    async fn unprepared(&self, most: usize) -> Result<Vec<(TenantId, i64)>, StoreError> {
        let node = self.node.id;
        self.read(move |connection| nodes::unprepared(connection, node, most)).await
    }

    async fn prepared(&self, tenant: TenantId, generation: i64, failed: bool) -> Result<(), StoreError> {
        let node = self.node.id;
        self.write(move |connection| nodes::prepared(connection, node, (tenant, generation), failed)).await
    }

    async fn hint(&self) {
        match &self.session {
            Some(session) => session.hint().await,
            None => std::future::pending().await,
        }
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let node = self.node.id;
        let leave = move |connection: &Connection| {
            nodes::strike(connection, node)?;
            // The server would do it, too, a little after the session has ended; who starts again need not wait for that.
            if let Connection::Postgres(_) = connection {
                connection.execute_batch("SELECT pg_advisory_unlock_all()")?;
            }
            Ok(())
        };
        self.write(leave).await?;
        if let Some(session) = &self.session {
            session.end();
        }
        Ok(())
    }
}
