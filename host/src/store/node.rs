//! Nodes: the programs that work with one database, as they see each other. A file has one.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::decision::TenantId;
use crate::store::StoreError;

/// A node that begins to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Its id, the same after a restart.
    pub id: Uuid,
    /// The name of its machine.
    pub host: String,
    /// The address that it listens on.
    pub listen: String,
    /// The version of its program.
    pub version: String,
}

/// A node that was seen lately. The times are by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNode {
    /// What it has said of itself.
    pub node: NewNode,
    /// When it began.
    pub started_at: Timestamp,
    /// When it said last that it is there.
    pub seen_at: Timestamp,
    /// By how much its own clock was ahead of the database's then.
    pub clock_ahead: SignedDuration,
}

/// On how many nodes the present generation of a tenant is active: they know it, and have the code of its constraints at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// On so many.
    pub nodes: u32,
    /// Of so many that live.
    pub of: u32,
    /// On so many the code of a constraint could not be had.
    pub failed: u32,
}

impl Active {
    /// Whether there is nobody to wait for.
    pub fn is_everywhere(self) -> bool {
        self.nodes >= self.of
    }
}

/// A node's part in the work with others. It ends with [`leave`](Self::leave), or some seconds after it was heard of last.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Says that the node is there, and drops what dead ones have left. Answers with the time of the database's clock.
    async fn beat(&self, clock_ahead: SignedDuration) -> Result<Timestamp, StoreError>;
    /// Tenants whose present generation the node has not said to be prepared for, at most `most`, each with that generation. What it
    /// costs is told by how many have changed, and not by how many there are.
    async fn unprepared(&self, most: usize) -> Result<Vec<(TenantId, i64)>, StoreError>;
    /// Says that the node is prepared for a generation, or has `failed` to be.
    async fn prepared(&self, tenant: TenantId, generation: i64, failed: bool) -> Result<(), StoreError>;
    /// Returns when something is said to have changed. It is a hint: changes come without it, and it comes without changes.
    async fn hint(&self);
    /// Ends it.
    async fn leave(&self) -> Result<(), StoreError>;
}
