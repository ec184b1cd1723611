//! [`decide`]: fault (fail closed) > deny > hold > allow.

use std::sync::Arc;

use jiff::Timestamp;

use crate::change::PlannedChange;
use crate::decision::actor::{Actor, Txn};
use crate::decision::reads::{LookUp, LookUpAnswer};
use crate::decision::record::{ConstraintName, DecisionId, DecisionRecord, Evaluation, Outcome};
use crate::decision::verdict::{FailurePolicy, Hold, Mode, Reason, Verdict};
use crate::decision::waiver::{Waiver, WaiverId, refusing, waive};

/// What is known of a decision before anybody is asked.
#[derive(Clone, Debug)]
pub struct DecisionContext {
    /// Id of the decision to be.
    pub id: DecisionId,
    /// Time of the request.
    pub at: Timestamp,
    /// Id of the HTTP request.
    pub request_id: String,
    /// The request's, if it was answered before it is carried out.
    pub txn: Option<Txn>,
    /// The generation of the constraints that are asked.
    pub generation: i64,
    /// Who asks.
    pub actor: Actor,
}

/// A change that may be committed. Only [`decide`] makes one: its fields are private, so that this does not compile.
///
/// ```compile_fail
/// use scruple::decision::AdmittedChange;
///
/// fn forged(planned: std::sync::Arc<scruple::change::PlannedChange>) -> AdmittedChange {
///     AdmittedChange { planned, record: todo!(), kept_secrets: Default::default() }
/// }
/// ```
#[derive(Debug)]
pub struct AdmittedChange {
    planned: Arc<PlannedChange>,
    record: Arc<DecisionRecord>,
    kept_secrets: Arc<[KeptSecret]>,
}

/// What is kept of a secret that is set: a hash of it. `None`: it is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// Canonical path of its attribute: `password`.
    pub path: String,
    /// In the form that says by which function it was made (PHC string format).
    pub hash: Option<String>,
}

impl AdmittedChange {
    /// What is to be committed.
    pub fn planned(&self) -> &PlannedChange {
        &self.planned
    }

    /// With the hashes of the secrets that it sets.
    #[must_use]
    pub fn keep_secrets(self, kept_secrets: Arc<[KeptSecret]>) -> Self {
        Self { kept_secrets, ..self }
    }

    /// The hashes of the secrets that it sets.
    pub fn kept_secrets(&self) -> &[KeptSecret] {
        &self.kept_secrets
    }

    /// The entry of the decision log that is committed with it.
    pub fn record(&self) -> &Arc<DecisionRecord> {
        &self.record
    }

    /// The look-ups the decision rests on: each must still answer the same at the commit. Those of a constraint whose
    /// answer cannot refuse (`shadow`, `warn`) are not among them: nothing would come out differently.
    pub fn look_ups(&self) -> impl Iterator<Item = (&LookUp, &LookUpAnswer)> {
        self.record
            .evaluations
            .iter()
            .filter(|evaluation| evaluation.mode == Mode::Enforce)
            .flat_map(|evaluation| evaluation.reads.look_ups())
    }

    /// The waivers without which it would have been refused, each once.
    pub fn waivers_used(&self) -> Vec<WaiverId> {
        let waived = self.record.evaluations.iter().flat_map(|evaluation| &evaluation.waived);
        let mut used: Vec<WaiverId> = waived.map(|waived| waived.waiver).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Warnings to tell the client, with the constraint that has each.
    pub fn warnings(&self) -> impl Iterator<Item = (&ConstraintName, &Reason)> {
        warnings(&self.record)
    }
}

/// What refused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// Somebody objects.
    Denied,
    /// Nobody objects, somebody cannot judge yet.
    Held {
        /// Ask again no earlier than this many seconds from now.
        not_before_seconds: Option<u32>,
    },
    /// Somebody who must be asked could not be.
    Faulted,
}

/// A change that may not be committed.
#[derive(Debug)]
pub struct Refusal {
    /// What refused it.
    pub kind: RefusalKind,
    /// Every reason of every constraint that counts, with the constraint's name. For a fault: none, what broke is not
    /// for the client.
    pub reasons: Vec<(ConstraintName, Reason)>,
    /// The constraints that broke and fail closed.
    pub faulted: Vec<ConstraintName>,
    /// The entry of the decision log, to be recorded before the client is answered.
    pub record: Arc<DecisionRecord>,
}

/// Combines what the constraints said about a change, but for what is waived. No constraint asked: admitted, and recorded so.
pub fn decide(
    context: DecisionContext,
    planned: impl Into<Arc<PlannedChange>>,
    mut evaluations: Vec<Evaluation>,
    waivers: &[Waiver],
) -> Result<AdmittedChange, Box<Refusal>> {
    let planned: Arc<PlannedChange> = planned.into();
    waive(&mut evaluations, waivers, &planned, context.at);
    let faulted: Vec<ConstraintName> = enforced(&evaluations)
        .filter(|evaluation| evaluation.answer.is_err() && evaluation.on_fault == FailurePolicy::Deny)
        .map(|evaluation| evaluation.constraint.clone())
        .collect();
    let denials = reasons_of(&evaluations, |verdict| matches!(verdict, Verdict::Deny(_)));
    let holds: Vec<&Hold> = enforced(&evaluations)
        .filter(|evaluation| evaluation.waived.len() < refusing(evaluation).len())
        .filter_map(|evaluation| match &evaluation.answer {
            Ok(Verdict::Hold(hold)) => Some(hold),
            _ => None,
        })
        .collect();

    let (outcome, refused) = if !faulted.is_empty() {
        (Outcome::Faulted, Some((RefusalKind::Faulted, denials)))
    } else if !denials.is_empty() {
        (Outcome::Denied, Some((RefusalKind::Denied, denials)))
    } else if !holds.is_empty() {
        let not_before_seconds = holds.iter().filter_map(|hold| hold.not_before_seconds).max();
        let reasons = reasons_of(&evaluations, |verdict| matches!(verdict, Verdict::Hold(_)));
        (Outcome::Held, Some((RefusalKind::Held { not_before_seconds }, reasons)))
    } else {
        (Outcome::Allowed, None)
    };

    let record = Arc::new(record(context, &planned, outcome, evaluations));
    match refused {
        None => Ok(AdmittedChange { planned, record, kept_secrets: Arc::default() }),
        Some((kind, reasons)) => Err(Box::new(Refusal { kind, reasons, faulted, record })),
    }
}

/// The entry of the decision log for a change of which rewriters have left nothing: there is nothing to judge and nothing
/// to commit, and whoever misses what was asked for finds out who took it back.
pub fn unchanged(context: DecisionContext, planned: &PlannedChange, evaluations: Vec<Evaluation>) -> DecisionRecord {
    record(context, planned, Outcome::Unchanged, evaluations)
}

fn record(
    context: DecisionContext,
    planned: &PlannedChange,
    outcome: Outcome,
    evaluations: Vec<Evaluation>,
) -> DecisionRecord {
    DecisionRecord {
        id: context.id,
        at: context.at,
        request_id: context.request_id,
        txn: context.txn,
        generation: context.generation,
        actor: context.actor,
        action: planned.action,
        resource_type: planned.resource_type.name.clone(),
        resource_id: planned.id,
        resource_version: planned.expected_version(),
        outcome,
        violation: None,
        evaluations,
    }
}

/// The warnings of a decision that the client is told: what a constraint reported, and what one in `warn` would have
/// refused for. Nothing of a `shadow` constraint.
pub fn warnings(record: &DecisionRecord) -> impl Iterator<Item = (&ConstraintName, &Reason)> {
    record.evaluations.iter().filter(|evaluation| matches!(evaluation.mode, Mode::Enforce | Mode::Warn)).flat_map(
        |evaluation| {
            let unenforced: &[Reason] = match &evaluation.answer {
                Ok(Verdict::Deny(reasons)) if evaluation.mode == Mode::Warn => reasons,
                Ok(Verdict::Hold(hold)) if evaluation.mode == Mode::Warn => &hold.reasons,
                _ => &[],
            };
            evaluation.warnings.iter().chain(unenforced).map(|reason| (&evaluation.constraint, reason))
        },
    )
}

fn enforced(evaluations: &[Evaluation]) -> impl Iterator<Item = &Evaluation> {
    evaluations.iter().filter(|evaluation| evaluation.mode == Mode::Enforce)
}

/// The reasons that count of those who said so.
fn reasons_of(evaluations: &[Evaluation], said: impl Fn(&Verdict) -> bool) -> Vec<(ConstraintName, Reason)> {
    let saying = enforced(evaluations).filter(|evaluation| evaluation.answer.as_ref().is_ok_and(&said));
    let counting = saying.flat_map(|evaluation| {
        let is_waived = |place: usize| evaluation.waived.iter().any(|waived| waived.reason == place);
        let reasons = refusing(evaluation).iter().enumerate().filter(move |(place, _)| !is_waived(*place));
        reasons.map(|(_, reason)| (evaluation.constraint.clone(), reason.clone()))
    });
    counting.collect()
}
