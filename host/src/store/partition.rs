//! The decision log in partitions: the decisions of some days, of all tenants, which can be dropped whole.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::decision::TenantId;
use crate::store::{StoreError, StoredDecision};

/// A partition of the decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionPartition {
    /// The name of its table.
    pub name: String,
    /// Its decisions are not before; `None`: it has all that is older.
    pub from: Option<Timestamp>,
    /// Its decisions are before; `None`: it has all that is newer.
    pub to: Option<Timestamp>,
    /// Whether nothing has been written into it since it was made.
    pub is_blank: bool,
}

/// A span of time of which decisions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionSpan {
    /// They are not before; `None`: however old.
    pub from: Option<Timestamp>,
    /// They are before.
    pub before: Timestamp,
}

impl DecisionSpan {
    /// All that are before a time.
    pub fn before(time: Timestamp) -> Self {
        Self { from: None, before: time }
    }
}

/// A decision that was found in a partition.
#[derive(Clone, Debug)]
pub struct PartitionedDecision {
    /// Whose it is.
    pub tenant: TenantId,
    /// The tenant's name; `None`, if it is being deleted.
    pub tenant_name: Option<String>,
    /// The decision.
    pub decision: StoredDecision,
}

/// The care for the partitions, which one node has at a time, until it [gives that up](Self::give_up) or its connection ends.
///
/// What changes partitions keeps others from the log for some milliseconds. Where it would have to wait for others longer than
/// a fraction of a second, nothing is done; `false` then, and another time is better.
#[async_trait]
pub trait PartitionCare: Send + Sync {
    /// See [`Store::decision_partitions`](crate::store::Store::decision_partitions).
    async fn partitions(&self) -> Result<Vec<DecisionPartition>, StoreError>;
    /// Has the log in partitions of so many days from some days on, and some of them ahead. Of a large log in one table, or whose
    /// last partition has become large, it looks at each row before, for which nobody waits.
    async fn prepare(&self, now: Timestamp, days: u32) -> Result<bool, StoreError>;
    /// Takes back what a preparation that was cut off has left and what would come to be in the way of writes.
    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError>;
    /// Whether a tenant that has decisions in a partition keeps those of its end.
    async fn is_kept(&self, partition: &DecisionPartition, now: Timestamp) -> Result<bool, StoreError>;
    /// The tenants that have decisions in a partition and do not keep those of its end, by id.
    async fn forgetful(&self, partition: &DecisionPartition, now: Timestamp) -> Result<Vec<TenantId>, StoreError>;
    /// The decisions of a partition, by tenant and id, after one of them, at most `most`.
    async fn decisions(
        &self,
        partition: &DecisionPartition,
        after: Option<&PartitionedDecision>,
        most: usize,
    ) -> Result<Vec<PartitionedDecision>, StoreError>;
    /// Drops a partition that has an end, with everything in it.
    async fn drop_whole(&self, partition: &DecisionPartition) -> Result<bool, StoreError>;
    /// Another node may have it.
    async fn give_up(&self);
}
