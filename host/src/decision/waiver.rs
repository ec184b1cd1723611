//! [`Waiver`]: for a while, one reason of one constraint does not count for some resources. Honoured in
//! [`decide`](crate::decision::decide()) and nowhere else, so that no way of asking goes around it. Pure.
//!
//! What is waived is still said, recorded, and counted; only a fault cannot be waived: nobody has objected, so that there is no
//! reason.

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::change::PlannedChange;
use crate::decision::record::{ConstraintName, Evaluation};
use crate::decision::verdict::{Mode, Reason, Verdict};
use crate::scim::filter::{Filter, eval};
use crate::scim::resource::ResourceId;

/// The id of a waiver: a version 7 UUID, so ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct WaiverId(pub Uuid);

impl fmt::Display for WaiverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// For whom a reason does not count.
#[derive(Clone, Debug, PartialEq)]
pub enum WaivedFor {
    /// One resource, whatever its type.
    Resource(ResourceId),
    /// Those that match.
    Matching {
        /// Resource type.
        resource_type: String,
        /// Holds of the state before the change; of a new resource's, of the state after. So nobody gets under a waiver by the
        /// change that it is for.
        filter: Filter,
    },
}

/// A reason that does not count for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiver {
    /// Its id.
    pub id: WaiverId,
    /// The constraint whose reason it is.
    pub constraint: ConstraintName,
    /// The reason's code.
    pub code: String,
    /// For whom.
    pub waived_for: WaivedFor,
    /// From this time on it counts again.
    pub until: Timestamp,
}

/// A reason that did not count, and by which waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waived {
    /// The reason's place among those of the evaluation.
    pub reason: usize,
    /// Its code.
    pub code: String,
    /// The waiver.
    pub waiver: WaiverId,
}

impl Serialize for Waived {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("waiver", &self.waiver)?;
        map.end()
    }
}

impl Waiver {
    fn covers(&self, planned: &PlannedChange) -> bool {
        match &self.waived_for {
            WaivedFor::Resource(id) => *id == planned.id,
            WaivedFor::Matching { resource_type, filter } => {
                let state = planned.before.as_ref().or(planned.after.as_ref());
                *resource_type == planned.resource_type.name && state.is_some_and(|state| eval::matches(filter, state))
            }
        }
    }
}

/// Marks the reasons of a change's evaluations that do not count.
pub(super) fn waive(evaluations: &mut [Evaluation], waivers: &[Waiver], planned: &PlannedChange, at: Timestamp) {
    // Nearly always there are none.
    let in_force: Vec<&Waiver> = waivers.iter().filter(|waiver| at < waiver.until && waiver.covers(planned)).collect();
    if in_force.is_empty() {
        return;
    }
    for evaluation in evaluations.iter_mut().filter(|evaluation| evaluation.mode == Mode::Enforce) {
        let of_constraint = || in_force.iter().filter(|waiver| waiver.constraint == evaluation.constraint);
        let reasons = refusing(evaluation).iter().enumerate();
        evaluation.waived = reasons
            .filter_map(|(place, reason)| {
                let waiver = of_constraint().find(|waiver| waiver.code == reason.code)?;
                Some(Waived { reason: place, code: reason.code.clone(), waiver: waiver.id })
            })
            .collect();
    }
}

/// The reasons of a denial or a hold.
pub(super) fn refusing(evaluation: &Evaluation) -> &[Reason] {
    match &evaluation.answer {
        Ok(Verdict::Deny(reasons)) => reasons,
        Ok(Verdict::Hold(hold)) => &hold.reasons,
        Ok(Verdict::Allow | Verdict::NotApplicable | Verdict::Rewrite(_)) | Err(_) => &[],
    }
}
