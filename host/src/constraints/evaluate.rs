//! One constraint asked about one change: fresh store → instantiate → call → outcome; the store is dropped here.
//!
//! Never an error: whatever goes wrong is a [`ConstraintFault`] in the [`Evaluation`], for the failure policy to judge.
//! The order of the limits in `new_store` matters: all of them stand before the guest's first instruction, and
//! instantiating runs some.

mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Instance;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::bindings::scruple::constraint::types;
use super::compile::ConstraintPre;
use super::convert::{bad_output, message_from_wit, verdict_from_wit};
use super::directory::DirectoryView;
use super::edits::edits_from_wit;
use super::limits::Limits;
use super::recording::Recording;
use super::registry::EnabledConstraint;
use super::sandbox::Operation;
use super::state::{CallLabel, GuestState, OperationHandle, Subject};
use crate::decision::{ConstraintFault, Evaluation, ReadSet, Reason, TenantId, Verdict};
use crate::scim::patch::PatchOperation;

/// What every call of a guest needs.
#[derive(Clone)]
pub struct Runner {
    /// The engine.
    pub engine: Engine,
    /// The limits.
    pub limits: Arc<Limits>,
}

/// What came of asking one constraint.
#[derive(Debug)]
pub struct Asked<T> {
    /// What it said, or how it broke.
    pub answer: Result<T, ConstraintFault>,
    /// What that rests on.
    pub reads: ReadSet,
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

impl<T> Asked<T> {
    /// Of one that could not be asked.
    fn broken(fault: ConstraintFault, started: Instant) -> Self {
        Self {
            answer: Err(fault),
            reads: ReadSet::default(),
            warnings: Vec::new(),
            notes: Vec::new(),
            fuel_used: 0,
            memory_bytes: 0,
            duration_us: microseconds(started),
        }
    }

    /// With what the answer comes to.
    pub fn and_then<U>(self, then: impl FnOnce(T) -> Result<U, ConstraintFault>) -> Asked<U> {
        let Self { answer, reads, warnings, notes, fuel_used, memory_bytes, duration_us } = self;
        Asked { answer: answer.and_then(then), reads, warnings, notes, fuel_used, memory_bytes, duration_us }
    }
}

/// What a guest is asked, once it is instantiated.
#[derive(Clone, Copy)]
enum Export {
    Check,
    Rewrite,
}

/// What a guest answers.
enum Answer {
    Verdict(types::Verdict),
    Edits(Vec<types::Edit>),
}

impl Runner {
    /// Asks one constraint about one change, with its component, or with why there is none to ask.
    pub async fn evaluate(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: Result<Arc<ConstraintPre>, ConstraintFault>,
        operation: &Arc<Operation>,
        directory: &Arc<dyn DirectoryView>,
    ) -> Evaluation {
        let subject = constraint.subject(Export::Check, operation, Arc::clone(directory));
        constraint.evaluation(self.judge(tenant, constraint, pre, subject).await)
    }

    /// Asks one constraint about what was decided once, by nothing but what was read then. What it says is worth nothing if
    /// the recording lacks something ([`Recording::missing`]).
    pub async fn replay(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: Arc<ConstraintPre>,
        operation: &Arc<Operation>,
        recording: &Arc<Recording>,
    ) -> Evaluation {
        let directory = Arc::clone(recording) as Arc<dyn DirectoryView>;
        let mut subject = constraint.subject(Export::Check, operation, directory);
        subject.recording = Some(Arc::clone(recording));
        constraint.evaluation(self.judge(tenant, constraint, Ok(pre), subject).await)
    }

    async fn judge(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: Result<Arc<ConstraintPre>, ConstraintFault>,
        subject: Subject,
    ) -> Asked<Verdict> {
        let asked = self.ask(Export::Check, tenant, constraint, pre, subject).await;
        asked.and_then(|answer| match answer {
            Answer::Verdict(verdict) => verdict_from_wit(verdict, &self.limits),
            Answer::Edits(_) => Err(bad_output("edits instead of a verdict")),
        })
    }

    /// Asks one rewriter for its edits of one change, likewise. They are within its grant, and not yet made.
    pub async fn rewrite(
        &self,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: Result<Arc<ConstraintPre>, ConstraintFault>,
        operation: &Arc<Operation>,
        directory: &Arc<dyn DirectoryView>,
    ) -> Asked<Vec<PatchOperation>> {
        let subject = constraint.subject(Export::Rewrite, operation, Arc::clone(directory));
        let asked = self.ask(Export::Rewrite, tenant, constraint, pre, subject).await;
        let resource_type = &operation.planned.resource_type;
        asked.and_then(|answer| match answer {
            Answer::Edits(edits) => edits_from_wit(edits, resource_type, constraint.paths.grants(), &self.limits),
            Answer::Verdict(_) => Err(bad_output("a verdict instead of edits")),
        })
    }

    async fn ask(
        &self,
        export: Export,
        tenant: TenantId,
        constraint: &EnabledConstraint,
        pre: Result<Arc<ConstraintPre>, ConstraintFault>,
        subject: Subject,
    ) -> Asked<Answer> {
        let started = Instant::now();
        let pre = match pre {
            Ok(pre) => pre,
            Err(fault) => return Asked::broken(fault, started),
        };
        let label = CallLabel { tenant: Some(tenant), constraint: Some(constraint.name.clone()) };
        let fuel_max = self.limits.fuel_max;
        let mut store = match self.new_store(label, Some(subject), fuel_max) {
            Ok(store) => store,
            Err(error) => return Asked::broken(unavailable(&error), started),
        };
        let answer = self.call(export, &pre, &mut store, &constraint.settings, fuel_max).await;
        let fuel_used = fuel_max.saturating_sub(store.get_fuel().unwrap_or(0));
        let state = store.into_data();
        Asked {
            answer,
            reads: state.recorder.into_read_set(),
            warnings: state.warnings,
            notes: state.notes,
            fuel_used,
            memory_bytes: state.limiter.memory_bytes as u64,
            duration_us: microseconds(started),
        }
    }

    /// Instantiates the component and calls the export.
    async fn call(
        &self,
        export: Export,
        pre: &ConstraintPre,
        store: &mut Store<GuestState>,
        settings: &str,
        fuel_max: u64,
    ) -> Result<Answer, ConstraintFault> {
        let instance = self.instantiate(pre, store, fuel_max).await?;
        let operation = store.data_mut().table.push(OperationHandle);
        let operation = operation.map_err(|error| unavailable(&error.into()))?;
        let answer = match (export, &pre.exports.check, &pre.exports.rewrite) {
            (Export::Check, Some(check), _) => {
                let check = check.load(&mut *store, &instance).map_err(|error| unavailable(&error))?;
                check.call_evaluate(&mut *store, operation, settings).await.map(|said| said.map(Answer::Verdict))
            }
            (Export::Rewrite, _, Some(rewrite)) => {
                let rewrite = rewrite.load(&mut *store, &instance).map_err(|error| unavailable(&error))?;
                rewrite.call_rewrite(&mut *store, operation, settings).await.map(|said| said.map(Answer::Edits))
            }
            (Export::Check, None, _) => return Err(lacking("check")),
            (Export::Rewrite, _, None) => return Err(lacking("rewrite")),
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(message)) => Err(ConstraintFault::Failed { message: message_from_wit(message, &self.limits) }),
            Err(error) => Err(self.fault(&error, store, fuel_max)),
        }
    }

    /// A fresh instance. Instantiating runs code of the guest, so it can break here as well: what goes wrong once it has used
    /// fuel is the guest's. Before that, the component does not fit.
    pub(super) async fn instantiate(
        &self,
        pre: &ConstraintPre,
        store: &mut Store<GuestState>,
        fuel_max: u64,
    ) -> Result<Instance, ConstraintFault> {
        match pre.pre.instantiate_async(&mut *store).await {
            Ok(instance) => Ok(instance),
            Err(error) if error.is::<Trap>() || store.get_fuel().is_ok_and(|left| left < fuel_max) => {
                Err(self.fault(&error, store, fuel_max))
            }
            Err(error) => Err(store.data_mut().take_fault().unwrap_or_else(|| unavailable(&error))),
        }
    }

    /// A store with every limit set, for one call.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes stores, and it sets every limit")]
    pub(super) fn new_store(
        &self,
        label: CallLabel,
        subject: Option<Subject>,
        fuel_max: u64,
    ) -> wasmtime::Result<Store<GuestState>> {
        let limits = Arc::clone(&self.limits);
        let output_bytes_max = limits.output_bytes_max;
        let deadline_ms = limits.deadline_ms;
        let deadline = Duration::from_millis(deadline_ms);
        let state = GuestState::new(label, limits, subject);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(output_bytes_max);
        store.set_fuel(fuel_max)?;
        // A tick finds the guest running, or in a long call of the host; those are looked at where calls are counted, too. It
        // yields at each, with tokio's own yield: that puts it behind everything else that is ready, where wasmtime's
        // would be polled again at once.
        store.epoch_deadline_callback(move |mut context| {
            let state = context.data_mut();
            if state.own_time.is_over(deadline) {
                return Err(state.stop(ConstraintFault::Deadline { deadline_ms }));
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(state.own_time.waiting(tokio::task::yield_now()))))
        });
        store.set_epoch_deadline(1);
        Ok(store)
    }

    /// What an error of wasmtime means.
    pub(super) fn fault(
        &self,
        error: &wasmtime::Error,
        store: &mut Store<GuestState>,
        fuel_max: u64,
    ) -> ConstraintFault {
        // What the host stopped it for, if it did: the error then only says that it was stopped.
        if let Some(fault) = store.data_mut().take_fault() {
            return fault;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => ConstraintFault::OutOfFuel { fuel_max },
            Some(Trap::StackOverflow) => ConstraintFault::Stack { stack_bytes_max: self.limits.stack_bytes_max },
            Some(Trap::Interrupt) => ConstraintFault::Deadline { deadline_ms: self.limits.deadline_ms },
            Some(trap) => ConstraintFault::Trap { message: trap.to_string() },
            None if is_output_exhausted(error) => {
                ConstraintFault::Output { output_bytes_max: self.limits.output_bytes_max }
            }
            // What a guest can do wrong without a trap of the machine: hand over a text that is no UTF-8, a handle
            // that is none.
            None => ConstraintFault::Trap { message: message_from_wit(error.root_cause().to_string(), &self.limits) },
        }
    }
}

/// wasmtime has no public type for this error; its text is all there is to tell it by. A test with a guest that hands
/// over too much fails if the text changes.
fn is_output_exhausted(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls has been exhausted"))
}

pub(super) fn unavailable(error: &wasmtime::Error) -> ConstraintFault {
    ConstraintFault::Unavailable { detail: error.root_cause().to_string() }
}

fn lacking(export: &str) -> ConstraintFault {
    ConstraintFault::Unavailable { detail: format!("the component does not export `{export}`") }
}

pub(super) fn microseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl EnabledConstraint {
    /// What it is asked about.
    fn subject(&self, export: Export, operation: &Arc<Operation>, directory: Arc<dyn DirectoryView>) -> Subject {
        Subject {
            operation: Arc::clone(operation),
            directory,
            recording: None,
            // Rewriters have no `directory`, whatever their component is granted to judge by.
            may_look_up: matches!(export, Export::Check),
            paths: Arc::clone(&self.paths),
            schemas: Arc::clone(&self.schemas),
        }
    }

    /// What it was asked, as the decision log has it.
    pub fn evaluation(&self, asked: Asked<Verdict>) -> Evaluation {
        Evaluation {
            constraint: self.name.clone(),
            plugin: self.plugin.clone(),
            version: self.version,
            digest: self.digest.clone(),
            mode: self.mode,
            on_fault: self.on_fault,
            answer: asked.answer,
            reads: asked.reads,
            waived: Vec::new(),
            warnings: asked.warnings,
            notes: asked.notes,
            fuel_used: asked.fuel_used,
            memory_bytes: asked.memory_bytes,
            duration_us: asked.duration_us,
        }
    }
}
