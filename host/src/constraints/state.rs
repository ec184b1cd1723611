//! What a `wasmtime::Store` carries during one call: what may be asked, what was, and how much of everything is left.
//!
//! A host function that must stop the guest leaves the reason here (`GuestState::stop`) and returns an error; the
//! reason, not the error's text, becomes the fault.

mod own_time;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

use crate::decision::reads::{LookUp, LookUpAnswer, Read, TableAnswer};
use crate::decision::{ConstraintFault, ConstraintName, Reason, TenantId};
use crate::scim::resource::Resource;
use crate::scim::schema::SchemaRegistry;

use super::bindings::scruple::constraint::types;
use super::directory::DirectoryView;
use super::host_api::differences::ShownDifference;
use super::limits::Limits;
use super::paths::PathCache;
use super::recorder::{Of, Question, READ_BYTES, Recorder, look_up_bytes, table_bytes};
use super::recording::Recording;
use super::sandbox::Operation;
use own_time::OwnTime;

/// The operation, as a guest holds it: there is one, so the handle has nothing to say.
#[derive(Debug)]
pub struct OperationHandle;

/// A document, as a guest holds it.
#[derive(Clone, Debug)]
pub enum DocumentHandle {
    /// The state before.
    Before,
    /// The state after.
    After,
    /// A resource found by a look-up.
    LookedUp(Arc<Resource>),
}

/// Whom a call is for, in logs.
#[derive(Clone, Debug)]
pub struct CallLabel {
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// The constraint; `None` while a component is being uploaded.
    pub constraint: Option<ConstraintName>,
}

/// What a call is about; a call of `about` is about nothing.
#[derive(Clone)]
pub struct Subject {
    /// The operation under judgement.
    pub operation: Arc<Operation>,
    /// The tenant's other resources, and its tables.
    pub directory: Arc<dyn DirectoryView>,
    /// What the operation's own documents are answered by, if there are none but a record of what was read of them.
    pub recording: Option<Arc<Recording>>,
    /// Whether it may be asked for them by `directory`, if that is granted.
    pub may_look_up: bool,
    /// Prepared paths of the constraint, with its grants.
    pub paths: Arc<PathCache>,
    /// The resource types that the tenant has.
    pub schemas: Arc<SchemaRegistry>,
}

/// The data of one `wasmtime::Store`.
pub struct GuestState {
    pub(super) label: CallLabel,
    pub(super) limits: Arc<Limits>,
    pub(super) subject: Option<Subject>,
    pub(super) table: ResourceTable,
    pub(super) limiter: Limiter,
    pub(super) recorder: Recorder,
    /// What of the differences may be shown, once it was asked for.
    pub(super) shown: Option<Arc<[ShownDifference]>>,
    pub(super) warnings: Vec<Reason>,
    pub(super) notes: Vec<(String, String)>,
    pub(super) own_time: OwnTime,
    host_calls: u32,
    look_ups: usize,
    table_look_ups: usize,
    read_bytes: usize,
    log_bytes: usize,
    warning_bytes: usize,
    fault: Option<ConstraintFault>,
}

/// Why a read has no answer.
#[derive(Debug)]
pub enum ReadFailure {
    /// The guest is told and goes on.
    Refused(types::ReadError),
    /// The guest is stopped.
    Stopped(wasmtime::Error),
}

impl From<wasmtime::Error> for ReadFailure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Stopped(error)
    }
}

impl From<types::ReadError> for ReadFailure {
    fn from(error: types::ReadError) -> Self {
        Self::Refused(error)
    }
}

impl GuestState {
    /// The state of a call that has done nothing yet.
    pub fn new(label: CallLabel, limits: Arc<Limits>, subject: Option<Subject>) -> Self {
        Self {
            limiter: Limiter {
                memory_bytes_max: limits.memory_bytes_max,
                table_elements_max: limits.table_elements_max,
                memory_bytes: 0,
                fault: None,
            },
            label,
            limits,
            subject,
            table: ResourceTable::new(),
            recorder: Recorder::default(),
            shown: None,
            warnings: Vec::new(),
            notes: Vec::new(),
            own_time: OwnTime::start(),
            host_calls: 0,
            look_ups: 0,
            table_look_ups: 0,
            read_bytes: 0,
            log_bytes: 0,
            warning_bytes: 0,
            fault: None,
        }
    }

    /// Why the guest was stopped, if the host stopped it.
    pub(super) fn take_fault(&mut self) -> Option<ConstraintFault> {
        self.fault.take().or_else(|| self.limiter.fault.take())
    }

    /// Stops the guest: the error is to be returned from the host function.
    pub(super) fn stop(&mut self, fault: ConstraintFault) -> wasmtime::Error {
        // The first reason is the cause; what a guest provokes while it is being stopped is not.
        self.fault.get_or_insert(fault);
        wasmtime::Error::msg("stopped by the host")
    }

    /// Counts a call of the host, and sees to it that the calls before it did not take too long: the epoch counts each
    /// as one tick, however long it was.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls > self.limits.host_calls_max {
            let host_calls_max = self.limits.host_calls_max;
            return Err(self.stop(ConstraintFault::HostCalls { host_calls_max }));
        }
        let deadline_ms = self.limits.deadline_ms;
        if self.own_time.is_over(Duration::from_millis(deadline_ms)) {
            return Err(self.stop(ConstraintFault::Deadline { deadline_ms }));
        }
        Ok(())
    }

    /// What the call is about. A guest has no handle before it is given one, so there is always an answer.
    pub(super) fn subject(&self) -> wasmtime::Result<&Subject> {
        self.subject.as_ref().ok_or_else(|| wasmtime::Error::msg("there is no operation"))
    }

    /// What the record answers, if there is nothing but a record to read from.
    pub(super) fn recorded<T>(
        &self,
        asked: &str,
        answer: impl FnOnce(&Recording) -> Option<T>,
    ) -> Result<Option<T>, ReadFailure> {
        match &self.subject()?.recording {
            None => Ok(None),
            Some(recording) => Ok(Some(answer(recording).ok_or_else(|| recording.refusal(asked))?)),
        }
    }

    /// Refuses a read when the budget is spent already, before anything is done for it.
    pub(super) fn check_read_bytes(&self) -> Result<(), types::ReadError> {
        let read_bytes_max = self.limits.read_bytes_max;
        if self.read_bytes > read_bytes_max {
            let message = format!("more than {read_bytes_max} bytes were read");
            return Err(types::ReadError::BudgetExhausted(message));
        }
        Ok(())
    }

    /// Refuses a read that would be beyond the budget, and takes nothing: the guest may ask for less.
    pub(super) fn check_room(&self, bytes: usize) -> Result<(), types::ReadError> {
        let read_bytes_max = self.limits.read_bytes_max;
        if self.read_bytes.saturating_add(bytes) > read_bytes_max {
            let message = format!("the answer would be beyond the {read_bytes_max} bytes that may be read");
            return Err(types::ReadError::BudgetExhausted(message));
        }
        Ok(())
    }

    /// Takes so many bytes from what may still be read.
    pub(super) fn take_read_bytes(&mut self, bytes: usize) -> Result<(), types::ReadError> {
        self.read_bytes = self.read_bytes.saturating_add(bytes);
        self.check_read_bytes()
    }

    /// Takes what a question fills in the decision log, if it is a new one: then its answer is to be recorded.
    pub(super) fn take_question(
        &mut self,
        of: Of,
        question: Question,
        canonical: &Arc<str>,
    ) -> Result<bool, types::ReadError> {
        if !self.recorder.is_new(of, question, canonical) {
            return Ok(false);
        }
        self.take_read_bytes(canonical.len().saturating_add(READ_BYTES))?;
        self.recorder.asked(of, question, canonical);
        Ok(true)
    }

    /// Records a look-up and its answer, if it is new, at what they fill in the decision log.
    pub(super) fn record_look_up(&mut self, look_up: LookUp, answer: LookUpAnswer) -> Result<(), types::ReadError> {
        if self.recorder.is_new_look_up(&look_up) {
            self.take_read_bytes(look_up_bytes(&look_up, &answer))?;
            self.recorder.push(Read::LookUp { look_up, answer });
        }
        Ok(())
    }

    /// Counts a question to the directory.
    pub(super) fn count_look_up(&mut self) -> Result<(), types::ReadError> {
        let look_ups_max = self.limits.look_ups_max;
        self.look_ups = self.look_ups.saturating_add(1);
        if self.look_ups > look_ups_max {
            return Err(types::ReadError::BudgetExhausted(format!("more than {look_ups_max} look-ups were made")));
        }
        Ok(())
    }

    /// Counts a look into a table.
    pub(super) fn count_table_look_up(&mut self) -> Result<(), types::ReadError> {
        let table_look_ups_max = self.limits.table_look_ups_max;
        self.table_look_ups = self.table_look_ups.saturating_add(1);
        if self.table_look_ups > table_look_ups_max {
            let message = format!("more than {table_look_ups_max} looks into tables were made");
            return Err(types::ReadError::BudgetExhausted(message));
        }
        Ok(())
    }

    /// Records a look into a table and its answer, if it is new, at what they fill in the decision log.
    pub(super) fn record_table(
        &mut self,
        (table, revision): (&str, u32),
        key: &str,
        answer: TableAnswer,
    ) -> Result<(), types::ReadError> {
        if self.recorder.is_new_table(table, key, matches!(answer, TableAnswer::Row(_))) {
            self.take_read_bytes(table_bytes(table, key, &answer))?;
            self.recorder.push(Read::Table { table: table.to_owned(), revision, key: key.to_owned(), answer });
        }
        Ok(())
    }

    /// How much of a log message may still be written.
    pub(super) fn take_log_bytes(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(self.limits.log_bytes_max.saturating_sub(self.log_bytes));
        self.log_bytes = self.log_bytes.saturating_add(taken);
        taken
    }

    /// Takes so many bytes from what warnings may have; `false` if they have not as many left.
    pub(super) fn take_warning_bytes(&mut self, bytes: usize) -> bool {
        let total = self.warning_bytes.saturating_add(bytes);
        let fits = total <= self.limits.warnings_bytes_max;
        if fits {
            self.warning_bytes = total;
        }
        fits
    }
}

/// Counts memory and tables, and stops a guest that asks for more than it may have. To refuse the growth instead would
/// leave it to the guest's allocator to fail somehow, mostly in a way that looks like a bug.
#[derive(Debug)]
pub struct Limiter {
    memory_bytes_max: usize,
    table_elements_max: usize,
    pub(super) memory_bytes: usize,
    fault: Option<ConstraintFault>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.memory_bytes_max {
            self.fault = Some(ConstraintFault::Memory { memory_bytes_max: self.memory_bytes_max });
            return Err(wasmtime::Error::msg("over the memory limit"));
        }
        // What it has itself declared never to need: it is told no, as on every host, and nothing is used.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    /// Growth that was granted and cannot be had. By default the guest would be told no and go on, and its verdict would hang
    /// on how the host was doing at that moment. Where it asks for more than any host has, that is its own doing.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.fault = Some(match error.downcast_ref::<std::io::Error>() {
            Some(error) => ConstraintFault::Unavailable { detail: format!("the host has no memory for it: {error}") },
            None => ConstraintFault::Memory { memory_bytes_max: self.memory_bytes_max },
        });
        Err(error)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_elements_max {
            self.fault = Some(ConstraintFault::Tables { table_elements_max: self.table_elements_max });
            return Err(wasmtime::Error::msg("over the table limit"));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        Limiter { memory_bytes_max: 1_000, table_elements_max: 10, memory_bytes: 0, fault: None }
    }

    #[test]
    fn growth_that_the_host_cannot_give_stops_the_guest_instead_of_telling_it() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 500, None).unwrap());
        let error = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
        limiter.memory_grow_failed(error.into()).expect_err("the guest would be told that it has no memory");
        assert!(matches!(limiter.fault, Some(ConstraintFault::Unavailable { .. })), "{:?}", limiter.fault);
    }

    #[test]
    fn what_a_memory_has_declared_never_to_need_is_refused_and_not_counted() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 100, Some(200)).unwrap());
        for _ in 0..10 {
            assert!(!limiter.memory_growing(100, 300, Some(200)).unwrap());
        }
        assert!(limiter.memory_growing(100, 200, Some(200)).unwrap());
        assert_eq!((limiter.memory_bytes, limiter.fault.is_none()), (200, true));
    }
}
