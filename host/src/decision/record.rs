//! The entry of the decision log: who asked for what, which constraints were asked, what each said and read.

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::change::Action;
use crate::decision::actor::{Actor, Txn};
use crate::decision::reads::ReadSet;
use crate::decision::rewrite::Rewrite;
use crate::decision::verdict::{ConstraintFault, FailurePolicy, Mode, Reason, Verdict};
use crate::decision::waiver::Waived;
use crate::scim::resource::ResourceId;
use crate::scim::violation::Violation;

/// The id of a decision: a version 7 UUID, so ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DecisionId(pub Uuid);

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The name of a constraint in its tenant: lower-case letters, digits and dashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ConstraintName(pub String);

impl fmt::Display for ConstraintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One constraint asked about one change.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The constraint.
    pub constraint: ConstraintName,
    /// The plugin it runs.
    pub plugin: String,
    /// The plugin version it runs.
    pub version: u32,
    /// SHA-256 of that version's component, in hexadecimal.
    pub digest: String,
    /// Whether its answer counts.
    pub mode: Mode,
    /// What its fault does.
    pub on_fault: FailurePolicy,
    /// What it said, or how it broke.
    pub answer: Result<Verdict, ConstraintFault>,
    /// What that rests on.
    pub reads: ReadSet,
    /// Those of its reasons that did not count, and by which waivers.
    pub waived: Vec<Waived>,
    /// Reasons it told without refusing.
    pub warnings: Vec<Reason>,
    /// Facts it concluded on the way: key, value.
    pub notes: Vec<(String, String)>,
    /// Fuel it used.
    pub fuel_used: u64,
    /// Linear memory it had at the end, in bytes.
    pub memory_bytes: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// The combined answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Committed.
    Allowed,
    /// At least one constraint denied.
    Denied,
    /// None denied, at least one cannot judge yet.
    Held,
    /// A constraint that fails closed broke.
    Faulted,
    /// The change does not respect what the schema says of an attribute, so that no constraint was asked; or only the commit
    /// found that another resource has a value already, after all were asked.
    Invalid,
    /// Rewriters have left nothing of the change, so that no constraint was asked and nothing was written.
    Unchanged,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 6] =
        [Self::Allowed, Self::Denied, Self::Held, Self::Faulted, Self::Invalid, Self::Unchanged];

    /// The word used in JSON, in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Held => "held",
            Self::Faulted => "faulted",
            Self::Invalid => "invalid",
            Self::Unchanged => "unchanged",
        }
    }

    /// The outcome a word names, exactly.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// The entry of the decision log.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// Its id, also in the SCIM error and known to the constraints.
    pub id: DecisionId,
    /// Time of the request: the only clock the constraints saw.
    pub at: Timestamp,
    /// Id of the HTTP request.
    pub request_id: String,
    /// The request's, if it was answered before it was carried out: by this it is known after a restart how far it came.
    pub txn: Option<Txn>,
    /// The generation of the tenant's constraints that were asked.
    pub generation: i64,
    /// Who asked.
    pub actor: Actor,
    /// What for.
    pub action: Action,
    /// On which type of resource.
    pub resource_type: String,
    /// On which resource.
    pub resource_id: ResourceId,
    /// The version it was judged in; `None` for a create.
    pub resource_version: Option<i64>,
    /// The combined answer.
    pub outcome: Outcome,
    /// What the change does not respect, if that is why it was refused.
    pub violation: Option<Violation>,
    /// One for each constraint asked: rewriters first, in their order; then those that judge, of which those that count
    /// come first, otherwise in the constraints' order. A component that does both is there twice.
    pub evaluations: Vec<Evaluation>,
}

/// The entry as it is stored and shown: readable by people, and complete. A verdict is a pure function of the
/// component (`digest`), the settings in force in `generation` and the reads, and all three are told here.
impl Serialize for DecisionRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("at", &self.at.to_string())?;
        map.serialize_entry("request_id", &self.request_id)?;
        if let Some(txn) = self.txn {
            map.serialize_entry("txn", &txn.to_string())?;
        }
        map.serialize_entry("generation", &self.generation)?;
        map.serialize_entry("actor", &self.actor)?;
        map.serialize_entry("action", &self.action)?;
        map.serialize_entry("resource_type", &self.resource_type)?;
        map.serialize_entry("resource_id", &self.resource_id.to_string())?;
        map.serialize_entry("resource_version", &self.resource_version)?;
        map.serialize_entry("outcome", self.outcome.as_str())?;
        if let Some(violation) = &self.violation {
            map.serialize_entry("violation", &ViolationJson(violation))?;
        }
        map.serialize_entry("evaluations", &self.evaluations)?;
        map.end()
    }
}

/// What was attempted on an attribute: its values before and after, as far as they may be kept.
struct ViolationJson<'a>(&'a Violation);

impl Serialize for ViolationJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Violation { attribute, characteristic, before, after } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("attribute", attribute)?;
        map.serialize_entry("characteristic", characteristic.as_str())?;
        if let Some(before) = before {
            map.serialize_entry("before", before)?;
        }
        if let Some(after) = after {
            map.serialize_entry("after", after)?;
        }
        map.end()
    }
}

impl Serialize for Evaluation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("constraint", &self.constraint)?;
        map.serialize_entry("plugin", &self.plugin)?;
        map.serialize_entry("version", &self.version)?;
        map.serialize_entry("digest", &self.digest)?;
        map.serialize_entry("mode", self.mode.as_str())?;
        map.serialize_entry("on_fault", self.on_fault.as_str())?;
        serialize_answer(&self.answer, &mut map)?;
        if !self.waived.is_empty() {
            map.serialize_entry("waived", &self.waived)?;
        }
        map.serialize_entry("reads", &self.reads)?;
        map.serialize_entry("warnings", &self.warnings)?;
        map.serialize_entry(
            "notes",
            &self.notes.iter().map(|(key, value)| NoteJson { key, value }).collect::<Vec<_>>(),
        )?;
        map.serialize_entry("fuel_used", &self.fuel_used)?;
        map.serialize_entry("memory_bytes", &self.memory_bytes)?;
        map.serialize_entry("duration_us", &self.duration_us)?;
        map.end()
    }
}

/// `verdict` is one word of six. What else there is depends on it: `reasons` for a denial or a hold, a hold's times,
/// what was `rewritten`, `fault` for a fault.
fn serialize_answer<M: SerializeMap>(answer: &Result<Verdict, ConstraintFault>, map: &mut M) -> Result<(), M::Error> {
    match answer {
        Ok(Verdict::Allow) => map.serialize_entry("verdict", "allow"),
        Ok(Verdict::NotApplicable) => map.serialize_entry("verdict", "not-applicable"),
        Ok(Verdict::Deny(reasons)) => {
            map.serialize_entry("verdict", "deny")?;
            map.serialize_entry("reasons", reasons)
        }
        Ok(Verdict::Hold(hold)) => {
            map.serialize_entry("verdict", "hold")?;
            map.serialize_entry("reasons", &hold.reasons)?;
            map.serialize_entry("not_before_seconds", &hold.not_before_seconds)?;
            map.serialize_entry("expires_after_seconds", &hold.expires_after_seconds)
        }
        Ok(Verdict::Rewrite(Rewrite { changes, omitted })) => {
            map.serialize_entry("verdict", "rewrite")?;
            map.serialize_entry("rewritten", changes)?;
            if *omitted > 0 {
                map.serialize_entry("omitted", omitted)?;
            }
            Ok(())
        }
        Err(fault) => {
            map.serialize_entry("verdict", "fault")?;
            map.serialize_entry("fault", &FaultJson { kind: fault.kind(), message: fault.to_string() })
        }
    }
}

/// A list of pairs and not an object: a constraint may note the same key twice, and the order is its own.
#[derive(Serialize)]
struct NoteJson<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct FaultJson {
    kind: &'static str,
    message: String,
}
