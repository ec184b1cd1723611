//! Runs a constraint or a rewriter natively on a fixture, without WebAssembly and without a host: for `cargo test`.
//!
//! A [`Scenario`] is one operation and the resources around it, as JSON. [`Scenario::check`] gives an [`Outcome`]: the
//! verdict, and everything that was read, warned of and noted. [`Scenario::rewrite`] gives what was [`Rewritten`]. What the constraint declares in
//! [`About`] is held against it as the host would: an attribute outside `reads`, or a look-up that was not
//! asked for, is refused here too.
//!
//! This is a double, not the host. What it does not understand (`gt`, schemas of custom types) is an error and never a
//! wrong answer. Attributes are compared without regard to case, except `id`, `externalId` and `$ref`.

#![expect(clippy::panic, reason = "a fixture that makes no sense, and a verdict that is not there, must fail the test")]

pub(crate) mod backend;
mod differences;
mod edits;
mod filter;
mod path;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value as Json};

use crate::constraint::{About, Constraint};
use crate::operation::{Action, Actor, Operation};
use crate::rewriter::{Edit, Rewriter};
use crate::settings::{self, SettingsProblem};
use crate::verdict::{Hold, Reason, Verdict};

/// One operation and the tenant around it.
#[derive(Debug, Clone)]
pub struct Scenario {
    action: Action,
    resource_type: String,
    before: Option<Map<String, Json>>,
    after: Option<Map<String, Json>>,
    actor: Actor,
    time_ms: u64,
    resources: Vec<(String, Map<String, Json>)>,
    tables: Vec<(String, Map<String, Json>)>,
}

impl Scenario {
    /// Somebody creates a resource.
    #[must_use]
    pub fn create(resource_type: &str, after: Json) -> Self {
        Self::new(Action::Create, resource_type, None, Some(after))
    }

    /// Somebody changes a resource. Both states are whole resources, not requests.
    #[must_use]
    pub fn update(resource_type: &str, before: Json, after: Json) -> Self {
        Self::new(Action::Update, resource_type, Some(before), Some(after))
    }

    /// Somebody deletes a resource.
    #[must_use]
    pub fn delete(resource_type: &str, before: Json) -> Self {
        Self::new(Action::Delete, resource_type, Some(before), None)
    }

    /// Nobody does anything: does the resource satisfy the constraint?
    #[must_use]
    pub fn assess(resource_type: &str, resource: Json) -> Self {
        Self::new(Action::Assess, resource_type, Some(resource.clone()), Some(resource))
    }

    /// Who asks; `test-client` otherwise.
    #[must_use]
    pub fn actor(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.actor.subject);
        self
    }

    /// When, in milliseconds since the Unix epoch; the start of 2026 otherwise.
    #[must_use]
    pub fn time_ms(mut self, time_ms: u64) -> Self {
        self.time_ms = time_ms;
        self
    }

    /// There is also this user. It needs an `id`; its `groups` are derived from the groups that have it as a member.
    #[must_use]
    pub fn user(self, user: Json) -> Self {
        self.resource("User", user)
    }

    /// There is also this group. It needs an `id`.
    #[must_use]
    pub fn group(self, group: Json) -> Self {
        self.resource("Group", group)
    }

    /// There is also this resource. It needs an `id`.
    #[must_use]
    pub fn resource(mut self, resource_type: &str, resource: Json) -> Self {
        let resource = object(resource);
        assert!(resource.contains_key("id"), "a resource of the directory needs an `id`");
        self.resources.push((resource_type.to_owned(), resource));
        self
    }

    /// There is this table of reference data: an object from key to row, or a list of keys. A table that is not there has no
    /// answer, as on the host.
    #[must_use]
    pub fn table(mut self, name: &str, rows: Json) -> Self {
        let rows = match rows {
            Json::Array(keys) => {
                let key = |key: Json| key.as_str().map(str::to_owned).unwrap_or_else(|| panic!("`{key}` is no key"));
                keys.into_iter().map(|text| (key(text), Json::Object(Map::new()))).collect()
            }
            rows => object(rows),
        };
        self.tables.push((name.to_owned(), rows));
        self
    }

    /// Evaluates a constraint with these settings.
    #[must_use]
    pub fn check<C: Constraint>(&self, settings: Json) -> Outcome {
        let (answer, recorded) = self.ask(&C::about(), |operation| {
            let settings = settings::parse(&settings.to_string())?;
            C::evaluate(operation, &settings).map_err(|error| error.to_string())
        });
        Outcome { answer, reads: recorded.reads, warnings: recorded.warnings, notes: recorded.notes, log: recorded.log }
    }

    /// Asks a rewriter with these settings, and makes its edits.
    #[must_use]
    pub fn rewrite<R: Rewriter>(&self, settings: Json) -> Rewritten {
        let about = R::about();
        let (answer, recorded) = self.ask(&about, |operation| {
            let settings = settings::parse(&settings.to_string())?;
            R::rewrite(operation, &settings).map_err(|error| error.to_string())
        });
        let answer = answer.and_then(|edits| {
            let mut after = self.after.clone().ok_or("there is no state after to be edited")?;
            for edit in &edits {
                backend::check_write(&about, edit.path())?;
                edits::make(edit, &mut after)?;
            }
            Ok((edits, Json::Object(after)))
        });
        Rewritten { answer, reads: recorded.reads, warnings: recorded.warnings, notes: recorded.notes }
    }

    fn ask<T>(
        &self,
        about: &About,
        question: impl FnOnce(&Operation) -> Result<T, String>,
    ) -> (Result<T, String>, backend::Recorded) {
        let (operation, tenant) = self.build(about);
        let asked = tenant.enter();
        let answer = catch_unwind(AssertUnwindSafe(|| question(&operation)))
            .unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(panic.as_ref()))));
        (answer, asked.leave())
    }

    fn new(action: Action, resource_type: &str, before: Option<Json>, after: Option<Json>) -> Self {
        Self {
            action,
            resource_type: resource_type.to_owned(),
            before: before.map(object),
            after: after.map(object),
            actor: Actor { subject: "test-client".to_owned(), scopes: vec!["scim".to_owned()] },
            time_ms: 1_767_225_600_000,
            resources: Vec::new(),
            tables: Vec::new(),
        }
    }

    fn build(&self, about: &About) -> (Operation, backend::Tenant) {
        let mut resources = self.resources.clone();
        // Look-ups answer as of before the operation, so the resource in that state is among the others.
        if let Some(before) = self.before.clone().filter(|before| before.contains_key("id")) {
            resources.retain(|(name, other)| *name != self.resource_type || other.get("id") != before.get("id"));
            resources.push((self.resource_type.clone(), before));
        }
        let tenant = backend::Tenant::new(about, resources, self.tables.clone());
        let operation = backend::Operation::new(
            (self.action, &self.resource_type),
            (self.actor.clone(), self.time_ms),
            [self.before.clone(), self.after.clone()],
            &tenant,
        );
        (Operation(operation), tenant)
    }
}

/// What one evaluation led to.
#[derive(Debug, Clone)]
pub struct Outcome {
    answer: Result<Verdict, String>,
    reads: Vec<String>,
    warnings: Vec<Reason>,
    notes: Vec<(String, String)>,
    log: Vec<String>,
}

impl Outcome {
    /// The verdict.
    ///
    /// # Panics
    /// When the constraint could not decide.
    pub fn verdict(&self) -> &Verdict {
        self.answer.as_ref().unwrap_or_else(|fault| panic!("the constraint could not decide: {fault}"))
    }

    /// Why the constraint could not decide: the error that it returned, or the message of its panic.
    pub fn fault(&self) -> Option<&str> {
        self.answer.as_ref().err().map(String::as_str)
    }

    /// Whether it has no objection; also when the rule does not apply.
    ///
    /// # Panics
    /// When the constraint could not decide.
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict(), Verdict::Allow | Verdict::NotApplicable)
    }

    /// The reasons of a denial or a hold; none for the other verdicts.
    ///
    /// # Panics
    /// When the constraint could not decide.
    pub fn reasons(&self) -> &[Reason] {
        match self.verdict() {
            Verdict::Deny(reasons) | Verdict::Hold(Hold { reasons, .. }) => reasons,
            Verdict::Allow | Verdict::NotApplicable => &[],
        }
    }

    /// The codes of [`Outcome::reasons`].
    ///
    /// # Panics
    /// When the constraint could not decide.
    pub fn codes(&self) -> Vec<&str> {
        self.reasons().iter().map(Reason::code).collect()
    }

    /// What was read, in order, as in `after userName` or `count User: active eq true`.
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// What the client was warned of.
    pub fn warnings(&self) -> &[Reason] {
        &self.warnings
    }

    /// What was noted for the decision log: key and value.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    /// The lines of the log.
    pub fn log(&self) -> &[String] {
        &self.log
    }
}

/// What a rewriter led to.
#[derive(Debug, Clone)]
pub struct Rewritten {
    answer: Result<(Vec<Edit>, Json), String>,
    reads: Vec<String>,
    warnings: Vec<Reason>,
    notes: Vec<(String, String)>,
}

impl Rewritten {
    /// Its edits.
    ///
    /// # Panics
    /// When the rewriter broke, or its edits cannot be made.
    pub fn edits(&self) -> &[Edit] {
        &self.made().0
    }

    /// The state after, with its edits made.
    ///
    /// # Panics
    /// As [`edits`](Self::edits).
    pub fn after(&self) -> &Json {
        &self.made().1
    }

    /// Why it could not rewrite, or why its edits cannot be made: not declared in [`About::writes`], for one.
    pub fn fault(&self) -> Option<&str> {
        self.answer.as_ref().err().map(String::as_str)
    }

    /// What was read, in order, as in `after userName`.
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// What the client was warned of.
    pub fn warnings(&self) -> &[Reason] {
        &self.warnings
    }

    /// What was noted for the decision log: key and value.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    fn made(&self) -> &(Vec<Edit>, Json) {
        self.answer.as_ref().unwrap_or_else(|fault| panic!("the rewriter broke: {fault}"))
    }
}

/// The JSON Schema of a constraint's settings, as tenants get it.
#[must_use]
pub fn settings_schema<C: Constraint>() -> Json {
    serde_json::from_str(&settings::schema::<C::Settings>()).unwrap_or_default()
}

/// The JSON Schema of a rewriter's settings, as tenants get it.
#[must_use]
pub fn rewriter_settings_schema<R: Rewriter>() -> Json {
    serde_json::from_str(&settings::schema::<R::Settings>()).unwrap_or_default()
}

/// Every problem that a constraint finds in settings: pointer and message, as in `/minimum: must not be 0`.
#[must_use]
pub fn settings_problems<C: Constraint>(settings: Json) -> Vec<String> {
    in_words(settings::problems(&settings.to_string(), C::check_settings))
}

/// Every problem that a rewriter finds in settings, likewise.
#[must_use]
pub fn rewriter_settings_problems<R: Rewriter>(settings: Json) -> Vec<String> {
    in_words(settings::problems(&settings.to_string(), R::check_settings))
}

fn in_words(problems: Vec<SettingsProblem>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{}: {}", problem.pointer(), problem.message())).collect()
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("a resource is a JSON object, not {other}"),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is no text")
}

#[cfg(test)]
mod tests;
