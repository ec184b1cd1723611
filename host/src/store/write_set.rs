//! [`WriteSet`]: everything one commit writes, and everything it rests on, as one value.
//!
//! It is made from an [`AdmittedChange`] and from nothing else, before the writer is asked: what can be worked out
//! without the database (JSON, index entries) is not worked out while others wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::change::{Action, Departure, PlannedChange, Removed};
use crate::decision::{
    AdmittedChange, DecisionId, DecisionRecord, KeptSecret, LookUp, LookUpAnswer, Outcome, Txn, WaiverId,
};
use crate::scim::index::{self, IndexEntry};
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::store::StoreError;

/// What a commit writes, and what must still hold when it does.
#[derive(Clone, Debug)]
pub struct WriteSet {
    /// The tenant's constraints must still be those of this generation.
    pub generation: i64,
    /// Each must still answer the same.
    pub look_ups: Vec<(LookUp, LookUpAnswer)>,
    /// Name of the resource's type.
    pub resource_type: String,
    /// The resource.
    pub id: ResourceId,
    /// What becomes of its row.
    pub resource: ResourceWrite,
    /// Values that it loses in the indexes. They go before the others come.
    pub entries_removed: Vec<IndexEntry>,
    /// Values that it gains in the indexes.
    pub entries_added: Vec<IndexEntry>,
    /// What becomes of its members.
    pub members: MembersWrite,
    /// Hashes of secrets that it gains and loses.
    pub secrets: Vec<KeptSecret>,
    /// The waivers without which it would not be committed.
    pub waivers_used: Vec<WaiverId>,
    /// The entry of the decision log.
    pub decision: DecisionRow,
}

/// Members of a new group from which on they are written as a set, before the group: to write so many takes the writer some
/// 50 ms.
const SET_FROM: usize = 5_000;

/// What becomes of a group's members.
#[derive(Clone, Debug, PartialEq)]
pub enum MembersWrite {
    /// Some come, some go.
    Rows {
        /// Those that come.
        added: Vec<Member>,
        /// Those that go.
        removed: Vec<Member>,
    },
    /// Others take the place of all that there are, in one moment. They may be written in many.
    Set {
        /// Tells which of those that there are stay; `None`: there are none.
        departure: Option<Arc<Departure>>,
        /// Those that come.
        added: Vec<Member>,
    },
}

impl MembersWrite {
    fn of(planned: &PlannedChange) -> Self {
        let added = planned.members.added.clone();
        match &planned.members.removed {
            Removed::Many(departure) => Self::Set { departure: Some(Arc::clone(departure)), added },
            Removed::These(_) if planned.action == Action::Create && added.len() > SET_FROM => {
                Self::Set { departure: None, added }
            }
            Removed::These(removed) => Self::Rows { added, removed: removed.clone() },
        }
    }

    /// Those that come.
    pub fn added(&self) -> &[Member] {
        match self {
            Self::Rows { added, .. } | Self::Set { added, .. } => added,
        }
    }
}

/// What becomes of a resource's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceWrite {
    /// It is made.
    Insert(ResourceRow),
    /// It is replaced, if it still has the expected version.
    Update {
        /// The version that was judged.
        expected_version: i64,
        /// What it becomes.
        row: ResourceRow,
    },
    /// It goes, with everything that refers to it, if it still has the expected version.
    Delete {
        /// The version that was judged.
        expected_version: i64,
    },
}

/// A resource as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRow {
    /// Its version.
    pub version: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// Its attributes as JSON.
    pub body: String,
}

/// An entry of the decision log as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its id.
    pub id: DecisionId,
    /// Time of the request.
    pub at: Timestamp,
    /// The combined answer.
    pub outcome: Outcome,
    /// On which resource.
    pub resource: ResourceId,
    /// The constraints that were asked, a line for each.
    pub constraints: String,
    /// All of it, as JSON.
    pub record: String,
    /// As part of which accepted request it was made.
    pub txn: Option<Txn>,
}

impl WriteSet {
    /// Whether a resource that there is becomes another.
    pub fn is_update(&self) -> bool {
        matches!(self.resource, ResourceWrite::Update { .. })
    }

    /// Describes the commit of an admitted change.
    pub fn of(change: &AdmittedChange) -> Result<Self, StoreError> {
        let planned = change.planned();
        let before = planned.before.as_ref().map(index::entries).unwrap_or_default();
        let after = planned.after.as_ref().map(index::entries).unwrap_or_default();
        let resource = match (&planned.action, &planned.after, planned.expected_version()) {
            (Action::Create, Some(after), None) => ResourceWrite::Insert(ResourceRow::of(after)?),
            (Action::Update, Some(after), Some(expected_version)) => {
                ResourceWrite::Update { expected_version, row: ResourceRow::of(after)? }
            }
            (Action::Delete, None, Some(expected_version)) => ResourceWrite::Delete { expected_version },
            (action, ..) => return Err(StoreError::Incoherent(*action)),
        };
        Ok(Self {
            generation: change.record().generation,
            look_ups: change.look_ups().map(|(look_up, answer)| (look_up.clone(), answer.clone())).collect(),
            resource_type: planned.resource_type.name.clone(),
            id: planned.id,
            resource,
            entries_removed: without(&before, &after),
            entries_added: without(&after, &before),
            members: MembersWrite::of(planned),
            secrets: change.kept_secrets().to_vec(),
            waivers_used: change.waivers_used(),
            decision: DecisionRow::of(change.record())?,
        })
    }
}

/// The entries of one that the other has not. Both are short: a resource has some ten.
fn without(these: &[IndexEntry], those: &[IndexEntry]) -> Vec<IndexEntry> {
    these.iter().filter(|entry| !those.contains(entry)).cloned().collect()
}

impl ResourceRow {
    fn of(resource: &Resource) -> Result<Self, StoreError> {
        Ok(Self {
            version: resource.meta.version,
            created: resource.meta.created,
            modified: resource.meta.last_modified,
            body: serde_json::to_string(&resource.attributes).map_err(StoreError::Unwritable)?,
        })
    }
}

impl DecisionRow {
    /// Describes the entry of a decision, allowed or not.
    pub fn of(record: &DecisionRecord) -> Result<Self, StoreError> {
        let names = record.evaluations.iter().map(|evaluation| evaluation.constraint.0.as_str());
        // One that rewrites and judges is there twice.
        let names: BTreeSet<&str> = names.collect();
        Ok(Self {
            id: record.id,
            at: record.at,
            outcome: record.outcome,
            resource: record.resource_id,
            constraints: names.into_iter().collect::<Vec<_>>().join("\n"),
            record: serde_json::to_string(record).map_err(StoreError::Unwritable)?,
            txn: record.txn,
        })
    }
}
