//! Waivers as they are kept: what [`Waiver`](crate::decision::Waiver) is made of, who made it, and what came of it.

use jiff::Timestamp;

use crate::decision::{ConstraintName, DecisionId, WaiverId};
use crate::scim::resource::ResourceId;

/// For whom a reason does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaiverTarget {
    /// One resource.
    Resource(ResourceId),
    /// Those that match.
    Matching {
        /// Resource type.
        resource_type: String,
        /// The filter in canonical spelling.
        filter: String,
    },
}

/// What a waiver says. Two that say the same are one and the same to whoever writes them into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverWords {
    /// The constraint.
    pub constraint: ConstraintName,
    /// The code of the reason.
    pub code: String,
    /// For whom.
    pub target: WaiverTarget,
    /// From then on the reason counts again. In whole microseconds, as it is kept.
    pub until: Timestamp,
    /// Where it was agreed upon, in the tenant's own words.
    pub ticket: String,
}

/// A waiver to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWaiver {
    /// Its id.
    pub id: WaiverId,
    /// What it says.
    pub words: WaiverWords,
    /// Who made it: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A waiver and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWaiver {
    /// What was made.
    pub made: NewWaiver,
    /// By whom and when it was taken back.
    pub revoked: Option<(String, Timestamp)>,
    /// Changes that were committed by it.
    pub uses: u64,
    /// When it was used last, and in which decision.
    pub last_use: Option<(Timestamp, DecisionId)>,
}
