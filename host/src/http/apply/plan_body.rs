//! A plan as it is shown.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::differences::differences;
use crate::http::waivers::members_of;
use crate::pipeline::apply::{Plan, Step, StepKind, WaiverStep};
use crate::store::{ActivationState, TableState};

/// What has to change, or what has changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanBody {
    /// The generation that the plan was made for; of what was done, the one that began with it.
    pub generation: i64,
    /// How many steps change something. 0: the tenant is as wanted.
    pub changes: usize,
    /// A step for each constraint, by name.
    pub constraints: Vec<StepBody>,
    /// A step for each table, by name.
    pub tables: Vec<StepBody>,
    /// A step for each waiver: those that are wanted in the order in which they were sent, then the others, oldest first.
    pub waivers: Vec<WaiverStepBody>,
}

/// What becomes of a waiver.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaiverStepBody {
    /// `create`; `remove`: it is taken back; `unchanged`: one that says this is there; `kept`: it is not named, and stays.
    pub action: &'static str,
    /// Whether its time has passed: it is there as long as it is wanted, and does nothing.
    pub ended: bool,
    /// The ids of those that say so.
    pub ids: Vec<String>,
    /// What it says: constraint, code, resource or resource_type and filter, until, ticket.
    pub state: Value,
}

/// What becomes of a constraint or a table.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepBody {
    /// Its name.
    pub name: String,
    /// `create`, `update`, `remove`; `unchanged`: it is as wanted; `kept`: it is not named, and stays.
    pub action: &'static str,
    /// What it is to be, or was: of a constraint plugin, version, digest, settings, grants, mode, on_fault and order; of a table
    /// digest, rows and bytes.
    pub state: Value,
    /// What an update changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<ChangeBody>,
}

/// A value that changes.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ChangeBody {
    /// JSON pointer (RFC 6901) into the state: `/settings/attributes`.
    pub pointer: String,
    /// What it is; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is to be; absent if it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl PlanBody {
    /// The plan, with the generation that is to be told.
    pub(super) fn of(plan: &Plan, generation: i64) -> Self {
        Self {
            generation,
            changes: plan.changes(),
            constraints: plan.constraints.iter().map(|step| step_body(step, constraint)).collect(),
            tables: plan.tables.iter().map(|step| step_body(step, table)).collect(),
            waivers: plan.waivers.iter().map(waiver).collect(),
        }
    }
}

fn step_body<S>(step: &Step<S>, shown: impl Fn(&S) -> Value) -> StepBody {
    let (before, after) = (step.before.as_ref().map(&shown), step.after.as_ref().map(&shown));
    let differences = match (step.kind, &before, &after) {
        (StepKind::Update, Some(before), Some(after)) => differences(before, after),
        _ => Vec::new(),
    };
    let state = after.or(before).unwrap_or_default();
    StepBody { name: step.name.clone(), action: action(step.kind), state, differences }
}

fn action(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Create => "create",
        StepKind::Update => "update",
        StepKind::Remove => "remove",
        StepKind::Unchanged => "unchanged",
        StepKind::Kept => "kept",
    }
}

fn waiver(step: &WaiverStep) -> WaiverStepBody {
    let words = &step.words;
    let mut state = json!({
        "constraint": words.constraint,
        "code": words.code,
        "until": words.until.to_string(),
        "ticket": words.ticket,
    });
    let (resource, resource_type, filter) = members_of(words.target.clone());
    for (member, value) in [("resource", resource), ("resource_type", resource_type), ("filter", filter)] {
        if let (Some(state), Some(value)) = (state.as_object_mut(), value) {
            state.insert(member.to_owned(), json!(value));
        }
    }
    let ids = step.ids.iter().map(ToString::to_string).collect();
    WaiverStepBody { action: action(step.kind), ended: step.ended, ids, state }
}

fn constraint(state: &ActivationState) -> Value {
    json!({
        "plugin": state.plugin,
        "version": state.version,
        "digest": state.digest,
        "settings": state.settings,
        "grants": state.grants,
        "mode": state.mode.as_str(),
        "on_fault": state.on_fault.as_str(),
        "order": state.order,
    })
}

fn table(state: &TableState) -> Value {
    json!({ "digest": state.digest, "rows": state.rows, "bytes": state.bytes })
}
