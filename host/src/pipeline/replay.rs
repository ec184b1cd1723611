//! A decision, asked for once more: each of its constraints, or another component in the place of one, by nothing but what was
//! read then. Nothing is decided by that, and nothing stored.
//!
//! What a constraint is asked with again is its component (by digest), its settings and grants (of the generation of the
//! decision) and the recorded answers. Of what it asks now and did not ask then there is no answer: then it cannot be told
//! what it would say, and nothing is guessed.

mod stand_in;

use std::sync::Arc;

use serde_json::{Value, json};
use thiserror::Error;

use crate::constraints::compile::ConstraintPre;
use crate::constraints::recording::recorded_operation;
use crate::constraints::sandbox::{AboutError, UploadPlace};
use crate::constraints::settings::SettingsProblem;
use crate::constraints::{EnabledConstraint, Operation, Overloaded, Recording};
use crate::decision::reads::ReadSet;
use crate::decision::{ConstraintFault, DecisionId, Evaluation, RecordedDecision, RecordedEvaluation, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::upload::PushError;
use crate::scim::schema::SchemaRegistry;
use crate::store::{Activation, ActivationState, StoreError};

/// A decision cannot be asked for again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// There is no such decision.
    #[error("decision `{0}` was not found")]
    UnknownDecision(DecisionId),
    /// It is not known which of its constraints is meant.
    #[error("{0}")]
    Which(String),
    /// A component was given that cannot be asked.
    #[error(transparent)]
    Component(#[from] PushError),
    /// The settings are not ones that the component takes.
    #[error("the settings are not valid for this component")]
    Settings(Vec<SettingsProblem>),
    /// What a fixture of it would rest on cannot be in a fixture.
    #[error("{0}")]
    Uncapturable(String),
    /// The tenant has too much asked already.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Nobody is asked any more.
    #[error(transparent)]
    Stopped(ConstraintFault),
    /// The store failed, or what it has cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AboutError> for ReplayError {
    fn from(error: AboutError) -> Self {
        match error {
            AboutError::Overloaded(overloaded) => Self::Overloaded(overloaded),
            AboutError::Fault(fault) => Self::Stopped(fault),
        }
    }
}

/// One constraint of a decision, asked again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The entry of the log.
    pub recorded: RecordedEvaluation,
    /// The component that was asked: SHA-256 in hexadecimal.
    pub digest: String,
    /// What it says, or why that cannot be told.
    pub answer: Result<Evaluation, Undecidable>,
}

/// Why it cannot be told what a constraint would say.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Undecidable {
    /// It asked what it did not ask then.
    #[error("it asks `{0}`, which was not read when it was decided")]
    Unread(String),
    /// It is a rewriter's part.
    #[error("what a rewriter's edits come to hangs on the whole of the resource, which is not recorded")]
    Rewriter,
    /// It was broken, or its component cannot be loaded any more.
    #[error("its component cannot be asked: {0}")]
    Unavailable(String),
}

impl Undecidable {
    /// Stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unread(_) => "unread",
            Self::Rewriter => "rewriter",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl Replay {
    /// Whether verdict, reasons and fuel are what they were; `None` if that cannot be told.
    pub fn same(&self) -> Option<Same> {
        let now = serde_json::to_value(self.answer.as_ref().ok()?).ok()?;
        let is_same = |name: &str| self.recorded.entry.get(name) == now.get(name);
        Some(Same {
            verdict: is_same("verdict"),
            reasons: ["reasons", "fault", "warnings", "notes"].into_iter().all(is_same),
            fuel: is_same("fuel_used"),
        })
    }

    /// As it is shown.
    pub fn to_json(&self) -> Value {
        let (replayed, undecidable) = match &self.answer {
            Ok(evaluation) => (serde_json::to_value(evaluation).unwrap_or_default(), None),
            Err(why) => (Value::Null, Some(json!({ "kind": why.kind(), "detail": why.to_string() }))),
        };
        json!({
            "constraint": self.recorded.constraint,
            "digest": self.digest,
            "recorded": self.recorded.entry,
            "replayed": replayed,
            "undecidable": undecidable,
            "same": self.same().map(|same| json!({ "verdict": same.verdict, "reasons": same.reasons, "fuel": same.fuel })),
        })
    }
}

/// What of a replay is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Same {
    /// The verdict.
    pub verdict: bool,
    /// Reasons, warnings, notes; of a fault, which one.
    pub reasons: bool,
    /// Fuel, to the last unit.
    pub fuel: bool,
}

/// What is to be asked in the place of a constraint.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The component.
    pub component: Vec<u8>,
    /// Its settings; those of the constraint, if `None`.
    pub settings: Option<Value>,
}

/// A constraint of a decision, ready to be asked again.
pub(super) struct Witness {
    pub(super) constraint: Arc<EnabledConstraint>,
    pub(super) pre: Arc<ConstraintPre>,
    pub(super) operation: Arc<Operation>,
    /// How it was put to work.
    pub(super) state: ActivationState,
}

impl Pipeline {
    /// A decision of the log.
    pub(super) async fn recall(&self, tenant: TenantId, id: DecisionId) -> Result<RecordedDecision, ReplayError> {
        Ok(self.entry(tenant, id).await?.1)
    }

    /// The same, with the entry as the log has it.
    pub(super) async fn entry(
        &self,
        tenant: TenantId,
        id: DecisionId,
    ) -> Result<(Value, RecordedDecision), ReplayError> {
        let found = self.store.tenant(tenant).decision(id).await?.ok_or(ReplayError::UnknownDecision(id))?;
        let decision = RecordedDecision::from_json(&found.record)
            .map_err(|error| StoreError::Damaged(format!("decision {id}: {error}")))?;
        Ok((found.record, decision))
    }

    /// Asks again whoever was asked, by what was read; or one constraint alone.
    pub async fn replay(
        &self,
        tenant: TenantId,
        id: DecisionId,
        only: Option<&str>,
    ) -> Result<Vec<Replay>, ReplayError> {
        let decision = self.recall(tenant, id).await?;
        let schemas = Arc::clone(&self.store.tenant(tenant).model().await?.schemas);
        let chosen: Vec<&RecordedEvaluation> = match only {
            Some(_) => vec![which(&decision, only)?],
            None => decision.evaluations.iter().collect(),
        };
        let mut replays = Vec::with_capacity(chosen.len());
        for recorded in chosen {
            let answer = match self.witness(tenant, &decision, recorded, &schemas).await? {
                Ok(witness) => self.ask_again(tenant, &witness, &recorded.reads).await?,
                Err(undecidable) => Err(undecidable),
            };
            replays.push(Replay { recorded: recorded.clone(), digest: recorded.digest.clone(), answer });
        }
        Ok(replays)
    }

    /// Asks another component in the place of one that was asked: with its settings, if there are no others, and all that the
    /// component wants to read.
    pub async fn replay_with(
        &self,
        tenant: TenantId,
        id: DecisionId,
        only: Option<&str>,
        place: &UploadPlace,
        candidate: Candidate,
    ) -> Result<Replay, ReplayError> {
        let Candidate { component, settings } = candidate;
        let decision = self.recall(tenant, id).await?;
        let schemas = Arc::clone(&self.store.tenant(tenant).model().await?.schemas);
        let checked = self.sandbox.upload_in(place, component, &schemas).await.map_err(PushError::from)?;
        let recorded = match only {
            Some(_) => which(&decision, only)?,
            // The plugin's own name says which one it is meant to replace.
            None => {
                let of_plugin = decision.evaluations.iter().find(|asked| asked.plugin == checked.descriptor.name);
                of_plugin.map_or_else(|| which(&decision, None), Ok)?
            }
        };
        let mut stand_in = self.stand_in(tenant, &recorded.constraint, &checked, settings, &schemas).await?;
        let answer = stand_in.ask(&decision, recorded).await?;
        Ok(Replay { recorded: recorded.clone(), digest: checked.digest, answer })
    }

    /// A constraint of a decision with its own component.
    pub(super) async fn witness(
        &self,
        tenant: TenantId,
        decision: &RecordedDecision,
        recorded: &RecordedEvaluation,
        schemas: &Arc<SchemaRegistry>,
    ) -> Result<Result<Witness, Undecidable>, StoreError> {
        if recorded.verdict() == "rewrite" {
            return Ok(Err(Undecidable::Rewriter));
        }
        let history = self.store.tenant(tenant).activation_history(&recorded.constraint).await?;
        let state = match state_then(&history, decision, recorded) {
            Ok(state) => state,
            Err(undecidable) => return Ok(Err(undecidable)),
        };
        Ok(match self.sandbox.load(tenant, &recorded.digest).await {
            Ok(pre) => self.witness_of(decision, recorded, state, pre, schemas),
            Err(error) => Err(Undecidable::Unavailable(error.to_string())),
        })
    }

    /// A constraint of a decision, put to work so.
    pub(super) fn witness_of(
        &self,
        decision: &RecordedDecision,
        recorded: &RecordedEvaluation,
        state: ActivationState,
        pre: Arc<ConstraintPre>,
        schemas: &Arc<SchemaRegistry>,
    ) -> Result<Witness, Undecidable> {
        let resource_type = schemas.resource_type(&decision.resource_type).ok_or_else(|| {
            Undecidable::Unavailable(format!("the tenant has no resource type `{}` any more", decision.resource_type))
        })?;
        let constraint = Arc::new(self.enabled(recorded.constraint.clone(), state.clone(), schemas));
        if let Some(broken) = &constraint.broken {
            return Err(Undecidable::Unavailable(broken.clone()));
        }
        let operation = Arc::new(recorded_operation(decision, resource_type));
        Ok(Witness { constraint, pre, operation, state })
    }

    /// Asks by what was read.
    pub(super) async fn ask_again(
        &self,
        tenant: TenantId,
        witness: &Witness,
        reads: &ReadSet,
    ) -> Result<Result<Evaluation, Undecidable>, AboutError> {
        let mut answers = self.ask_each(tenant, witness, vec![reads.clone()]).await?;
        Ok(answers.pop().unwrap_or_else(|| Err(Undecidable::Unavailable("nobody was asked".to_owned()))))
    }

    /// Asks one constraint once for each of these, as if it had read that, in one turn.
    pub(super) async fn ask_each(
        &self,
        tenant: TenantId,
        witness: &Witness,
        reads: Vec<ReadSet>,
    ) -> Result<Vec<Result<Evaluation, Undecidable>>, AboutError> {
        let runner = self.sandbox.runner().clone();
        let (constraint, pre) = (Arc::clone(&witness.constraint), Arc::clone(&witness.pre));
        let operation = Arc::clone(&witness.operation);
        let asked = async move {
            let mut answers = Vec::with_capacity(reads.len());
            for reads in reads {
                let recording = Arc::new(Recording::of(&reads));
                let said = runner.replay(tenant, &constraint, Arc::clone(&pre), &operation, &recording).await;
                answers.push(match recording.missing() {
                    Some(missing) => Err(Undecidable::Unread(missing.to_owned())),
                    None => Ok(said),
                });
            }
            answers
        };
        self.sandbox.ask_again(tenant, asked).await
    }
}

/// How a constraint was put to work when it was asked.
fn state_then(
    history: &[Activation],
    decision: &RecordedDecision,
    recorded: &RecordedEvaluation,
) -> Result<ActivationState, Undecidable> {
    let then = history.iter().find(|activation| activation.generation <= decision.generation);
    let state = then.and_then(|activation| activation.state.as_ref()).filter(|state| state.digest == recorded.digest);
    state
        .cloned()
        .ok_or_else(|| Undecidable::Unavailable("how it was put to work then is not known any more".to_owned()))
}

/// The evaluation that is meant: that of the constraint, or the only one there is.
pub(super) fn which<'d>(
    decision: &'d RecordedDecision,
    constraint: Option<&str>,
) -> Result<&'d RecordedEvaluation, ReplayError> {
    let names: Vec<&str> = decision.evaluations.iter().map(|asked| asked.constraint.0.as_str()).collect();
    let all = names.join("`, `");
    // A component that rewrites and judges is there twice; of the two, the one that judges can be asked again.
    let judged = |name: &str| {
        decision
            .evaluations
            .iter()
            .filter(|asked| asked.constraint.0 == name)
            .max_by_key(|asked| asked.verdict() != "rewrite")
    };
    match (constraint, names.as_slice()) {
        (_, []) => Err(ReplayError::Which("no constraint was asked in this decision".to_owned())),
        (Some(name), _) => judged(name).ok_or_else(|| {
            ReplayError::Which(format!("constraint `{name}` was not asked in this decision; `{all}` was"))
        }),
        (None, [name]) => judged(name).ok_or_else(|| ReplayError::Which(format!("`{name}` was not asked"))),
        (None, _) => Err(ReplayError::Which(format!(
            "several constraints were asked in this decision (`{all}`): say which one is meant"
        ))),
    }
}
