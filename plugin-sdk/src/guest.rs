//! Inside the sandbox: our types to the contract's and back, and what the exports do.
//!
//! The counterpart for native tests is `testing/backend.rs`; both offer the same names to the rest of the crate. Start at
//! [`evaluate`] and [`rewritten`].

mod arena;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::exports::scruple::constraint::about as exported;
use crate::bindings::scruple::constraint::{directory, log, report, scim, tables, types};
use crate::constraint::{About, Constraint};
use crate::document::{ReadError, Value};
use crate::operation::{Action, Actor, Difference};
use crate::rewriter::{Edit, Rewriter};
use crate::settings::SettingsProblem;
use crate::verdict::{Hold, Reason, ScimType, Verdict};
use crate::{log as sdk_log, settings};

pub use crate::bindings::*;

/// The export `about.describe`.
pub fn describe<S: JsonSchema>(about: impl FnOnce() -> About) -> exported::Descriptor {
    report_panics();
    let about = about();
    exported::Descriptor {
        name: about.name,
        version: about.version,
        summary: about.summary,
        settings_schema: settings::schema::<S>(),
        resource_types: about.resource_types,
        actions: about.actions.into_iter().map(Into::into).collect(),
        reads: about.reads,
        writes: about.writes,
        capabilities: about.capabilities,
        labels: about.labels,
    }
}

/// The export `about.check-settings`.
pub fn check_settings<S: DeserializeOwned>(
    text: &str,
    check: impl FnOnce(&S) -> Vec<SettingsProblem>,
) -> Result<(), Vec<exported::SettingsProblem>> {
    report_panics();
    let problems: Vec<_> = settings::problems(text, check)
        .into_iter()
        .map(|problem| exported::SettingsProblem { pointer: problem.pointer, message: problem.message })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The export `check.evaluate`.
pub fn evaluate<C: Constraint>(operation: scim::Operation, text: &str) -> Result<types::Verdict, String> {
    report_panics();
    let settings = settings::parse(text)?;
    let operation = crate::Operation(Operation(operation));
    C::evaluate(&operation, &settings).map(Into::into).map_err(|error| error.to_string())
}

/// The export `rewrite.rewrite`.
pub fn rewritten<R: Rewriter>(operation: scim::Operation, text: &str) -> Result<Vec<types::Edit>, String> {
    report_panics();
    let settings = settings::parse(text)?;
    let operation = crate::Operation(Operation(operation));
    let edits = R::rewrite(&operation, &settings).map_err(|error| error.to_string())?;
    Ok(edits.into_iter().map(Into::into).collect())
}

/// A panic ends the call as an error that has its message. Without this it would be a bare trap.
///
/// Every call is the first of its instance, so this is installed once.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("panicked with a value that is no text");
        let message = match panic.location() {
            Some(at) => format!("panicked: {message} (at {}:{})", at.file(), at.line()),
            None => format!("panicked: {message}"),
        };
        report::fail(&message);
    }));
}

/// The operation's handle.
#[derive(Debug)]
pub(crate) struct Operation(scim::Operation);

impl Operation {
    pub(crate) fn decision_id(&self) -> String {
        self.0.decision_id()
    }

    pub(crate) fn action(&self) -> Action {
        match self.0.action() {
            types::Action::Create => Action::Create,
            types::Action::Update => Action::Update,
            types::Action::Delete => Action::Delete,
            types::Action::Assess => Action::Assess,
        }
    }

    pub(crate) fn resource_type(&self) -> String {
        self.0.resource_type()
    }

    pub(crate) fn actor(&self) -> Actor {
        let types::Actor { subject, scopes } = self.0.actor();
        Actor { subject, scopes }
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.0.time()
    }

    pub(crate) fn before(&self) -> Option<Document> {
        self.0.before().map(Document)
    }

    pub(crate) fn after(&self) -> Option<Document> {
        self.0.after().map(Document)
    }

    pub(crate) fn differences(&self, under: Option<&str>) -> Result<Vec<Difference>, ReadError> {
        Ok(self.0.differences(under)?.into_iter().map(Into::into).collect())
    }

    pub(crate) fn changes(&self, path: &str) -> Result<bool, ReadError> {
        Ok(self.0.changes(path)?)
    }
}

/// A document's handle.
#[derive(Debug)]
pub(crate) struct Document(scim::Document);

impl Document {
    pub(crate) fn id(&self) -> Option<String> {
        self.0.id()
    }

    pub(crate) fn resource_type(&self) -> String {
        self.0.resource_type()
    }

    pub(crate) fn read(&self, path: &str) -> Result<Option<Value>, ReadError> {
        Ok(self.0.read(path)?.map(Into::into))
    }

    pub(crate) fn read_all(&self, path: &str) -> Result<Vec<Value>, ReadError> {
        Ok(self.0.read_all(path)?.into_iter().map(Into::into).collect())
    }

    pub(crate) fn has(&self, path: &str) -> Result<bool, ReadError> {
        Ok(self.0.has(path)?)
    }

    pub(crate) fn matches(&self, filter: &str) -> Result<bool, ReadError> {
        Ok(self.0.matches(filter)?)
    }

    pub(crate) fn json(&self, path: Option<&str>) -> Result<String, ReadError> {
        Ok(self.0.json(path)?)
    }
}

pub(crate) fn directory_get(resource_type: &str, id: &str) -> Result<Option<Document>, ReadError> {
    Ok(directory::get(resource_type, id)?.map(Document))
}

pub(crate) fn directory_find(resource_type: &str, filter: &str, limit: u32) -> Result<Vec<Document>, ReadError> {
    Ok(directory::find(resource_type, filter, limit)?.into_iter().map(Document).collect())
}

pub(crate) fn directory_count(resource_type: &str, filter: &str) -> Result<u64, ReadError> {
    Ok(directory::count(resource_type, filter)?)
}

pub(crate) fn directory_is_member(group_id: &str, member_id: &str, transitive: bool) -> Result<bool, ReadError> {
    Ok(directory::is_member(group_id, member_id, transitive)?)
}

pub(crate) fn tables_contains(table: &str, key: &str) -> Result<bool, ReadError> {
    Ok(tables::contains(table, key)?)
}

pub(crate) fn tables_get(table: &str, key: &str) -> Result<Option<String>, ReadError> {
    Ok(tables::get(table, key)?)
}

pub(crate) fn report_warn(reason: Reason) {
    report::warn(&reason.into());
}

pub(crate) fn report_note(key: &str, value: &str) {
    report::note(key, value);
}

pub(crate) fn log_write(level: sdk_log::Level, message: &str) {
    let level = match level {
        sdk_log::Level::Debug => log::Level::Debug,
        sdk_log::Level::Info => log::Level::Info,
        sdk_log::Level::Warning => log::Level::Warning,
        sdk_log::Level::Error => log::Level::Error,
    };
    log::write(level, message);
}

impl From<Action> for types::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
            Action::Assess => Self::Assess,
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Text(text) => Self::Text(text),
            types::Value::Boolean(flag) => Self::Boolean(flag),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Decimal(number) => Self::Decimal(number),
            types::Value::Complex(json) => Self::Complex(json),
        }
    }
}

impl From<types::Difference> for Difference {
    fn from(difference: types::Difference) -> Self {
        let types::Difference { path, before, after } = difference;
        Self { path, before: before.map(Into::into), after: after.map(Into::into) }
    }
}

impl From<types::ReadError> for ReadError {
    fn from(error: types::ReadError) -> Self {
        match error {
            types::ReadError::Invalid(message) => Self::Invalid(message),
            types::ReadError::NotGranted(message) => Self::NotGranted(message),
            types::ReadError::BudgetExhausted(message) => Self::BudgetExhausted(message),
            types::ReadError::Unavailable(message) => Self::Unavailable(message),
            types::ReadError::Other(message) => Self::Other(message),
        }
    }
}

impl From<Reason> for types::Reason {
    fn from(reason: Reason) -> Self {
        let Reason { code, message, paths, scim_type } = reason;
        Self { code, message, paths, scim_type: scim_type.map(ScimType::as_str).map(str::to_owned) }
    }
}

impl From<Edit> for types::Edit {
    fn from(edit: Edit) -> Self {
        match edit {
            Edit::Set { path, value } => Self::Set((path, value.to_string())),
            Edit::Append { path, value } => Self::Append((path, value.to_string())),
            Edit::Remove { path } => Self::Remove(path),
        }
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> Self {
        let all = |reasons: Vec<Reason>| reasons.into_iter().map(Into::into).collect();
        match verdict {
            Verdict::Allow => Self::Allow,
            Verdict::NotApplicable => Self::NotApplicable,
            Verdict::Deny(reasons) => Self::Deny(all(reasons)),
            Verdict::Hold(Hold { reasons, not_before_seconds, expires_after_seconds }) => {
                Self::Hold(types::Hold { reasons: all(reasons), not_before_seconds, expires_after_seconds })
            }
        }
    }
}
