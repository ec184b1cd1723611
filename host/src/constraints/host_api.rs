//! The imports: every function that a component may call.
//!
//! Each counts itself first. What a guest may handle is returned to it (`not-granted`, `budget-exhausted`); what it may
//! not stops it. Documents are in [`document`], the operation in [`operation`], look-ups in [`directory`] and [`tables`];
//! here is what needs none of them.

pub(super) mod differences;
mod directory;
mod document;
mod member_differences;
mod members;
mod operation;
mod tables;

use tracing::{debug, error, info, warn};
use wasmtime::component::{HasData, Linker};

use super::bindings::RewritingConstraint;
use super::bindings::scruple::constraint::{log, report, scim, types};
use super::convert::{bad_output, message_from_wit, note_from_wit, reason_bytes, reason_from_wit};
use super::recorder::READ_BYTES;
use super::state::{GuestState, ReadFailure};
use crate::decision::ConstraintFault;
use crate::one_line::one_line;

/// Tells `bindgen!` that the host functions work on the whole of the store's data.
struct WholeState;

impl HasData for WholeState {
    type Data<'a> = &'a mut GuestState;
}

/// Links every interface of the contract, granted or not: some toolchains import all of them, so that the grant and
/// not the import list decides, at each call.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    RewritingConstraint::add_to_linker::<_, WholeState>(linker, |state| state)
}

impl types::Host for GuestState {
    fn convert_read_error(&mut self, failure: ReadFailure) -> wasmtime::Result<types::ReadError> {
        match failure {
            ReadFailure::Refused(error) => Ok(error),
            ReadFailure::Stopped(error) => Err(error),
        }
    }
}

impl scim::Host for GuestState {}

impl report::Host for GuestState {
    fn warn(&mut self, reason: types::Reason) -> wasmtime::Result<()> {
        self.count_call()?;
        if self.warnings.len() >= self.limits.reasons_max {
            let most = self.limits.reasons_max;
            return Err(self.stop(bad_output(format!("more than {most} warnings"))));
        }
        let reason = reason_from_wit(reason, &self.limits).map_err(|fault| self.stop(fault))?;
        // Beyond the limit it is left out: how long a text is must not decide whether there is a verdict.
        if self.take_warning_bytes(reason_bytes(&reason)) {
            self.warnings.push(reason);
        }
        Ok(())
    }

    fn note(&mut self, key: String, value: String) -> wasmtime::Result<()> {
        self.count_call()?;
        if self.notes.len() >= self.limits.notes_max {
            let most = self.limits.notes_max;
            return Err(self.stop(bad_output(format!("more than {most} notes"))));
        }
        let note = note_from_wit(key, value, &self.limits).map_err(|fault| self.stop(fault))?;
        self.notes.push(note);
        Ok(())
    }

    fn fail(&mut self, message: String) -> wasmtime::Result<()> {
        let message = message_from_wit(message, &self.limits);
        Err(self.stop(ConstraintFault::Failed { message }))
    }
}

impl log::Host for GuestState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.count_call()?;
        // Cut first: to escape what is not kept would be work at the host's expense.
        let most = message.floor_char_boundary(self.limits.log_bytes_max);
        let message = one_line(message.get(..most).unwrap_or_default());
        let taken = self.take_log_bytes(message.len());
        let message = message.get(..message.floor_char_boundary(taken)).unwrap_or_default();
        if message.is_empty() {
            return Ok(());
        }
        let tenant = self.label.tenant.map(|tenant| tenant.0);
        let constraint = self.label.constraint.as_ref().map(|name| name.0.as_str());
        // The level is part of the call's static data, so each has a line of its own.
        match level {
            log::Level::Debug => {
                debug!(target: "scruple::guest", { tenant.id = tenant, constraint.id = constraint }, "{message}")
            }
            log::Level::Info => {
                info!(target: "scruple::guest", { tenant.id = tenant, constraint.id = constraint }, "{message}")
            }
            log::Level::Warning => {
                warn!(target: "scruple::guest", { tenant.id = tenant, constraint.id = constraint }, "{message}")
            }
            log::Level::Error => {
                error!(target: "scruple::guest", { tenant.id = tenant, constraint.id = constraint }, "{message}")
            }
        }
        Ok(())
    }
}

impl GuestState {
    /// Records a read that has no answer, at the price of any other: what the budget has no room for is refused for
    /// that.
    fn refuse(&mut self, what: &str, failure: ReadFailure) -> ReadFailure {
        let ReadFailure::Refused(error) = &failure else {
            return failure;
        };
        let kind = match error {
            types::ReadError::Invalid(_) => "invalid",
            types::ReadError::NotGranted(_) => "not-granted",
            types::ReadError::BudgetExhausted(_) => "budget-exhausted",
            types::ReadError::Unavailable(_) => "unavailable",
            types::ReadError::Other(_) => "other",
        };
        let end = what.floor_char_boundary(self.limits.path_bytes_max);
        let what = what.get(..end).unwrap_or_default();
        if !self.recorder.is_new_refusal(what, kind) {
            return failure;
        }
        match self.take_read_bytes(what.len().saturating_add(READ_BYTES)) {
            Ok(()) => {
                self.recorder.refused(what, kind);
                failure
            }
            Err(spent) => {
                self.recorder.exhausted(what);
                spent.into()
            }
        }
    }
}
