//! Attributes that are set once and then never change: not by PUT, not by PATCH, not by removal.
//!
//! It compares the states before and after, so the spelling of a request makes no difference. Every attempt is noted in
//! the decision log with the old value, the new value and the client.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, SettingsProblem, Verdict,
    about, quoted, report,
};
use serde::Deserialize;

/// The constraint.
#[derive(Debug)]
pub struct WriteOnce;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// SCIM paths that keep their first value: `externalId`,
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber`. All values of a multi-valued
    /// attribute together are its value.
    #[schemars(length(min = 1))]
    attributes: Vec<String>,
}

impl Constraint for WriteOnce {
    type Settings = Settings;

    /// Which attributes it reads is a setting, so it asks for all; a tenant grants those that it protects.
    fn about() -> About {
        about!().resource_types(["User"]).actions([Action::Update])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let (Some(before), Some(after)) = (operation.before(), operation.after()) else {
            return Ok(Verdict::not_applicable());
        };
        let mut reasons = Vec::new();
        for path in &settings.attributes {
            let (old, new) = (values(&before, path)?, values(&after, path)?);
            if old.is_empty() || old == new {
                continue;
            }
            let (old, new) = (old.join(", "), new.join(", "));
            note(path, &old, &new, &operation.actor().subject);
            reasons.push(refusal(path, &old, &new));
        }
        Ok(Verdict::deny_any(reasons))
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        SettingsProblem::blank_paths("/attributes", &settings.attributes)
    }
}

/// Sorted, because the order of values carries no meaning (RFC 7643, 2.4).
fn values(document: &Document, path: &str) -> Result<Vec<String>, ReadError> {
    let mut values: Vec<String> = document.values(path)?.iter().map(ToString::to_string).collect();
    values.sort();
    Ok(values)
}

fn note(path: &str, old: &str, new: &str, client: &str) {
    let fact = format!(r#"{{"old":{},"new":{},"client":{}}}"#, quoted(old), quoted(new), quoted(client));
    report::note(&format!("write-once {path}"), &fact);
}

fn refusal(path: &str, old: &str, new: &str) -> Reason {
    let attempt = if new.is_empty() { "removed".to_owned() } else { format!("changed to `{new}`") };
    let message = format!("`{path}` is `{old}`; it is set once and cannot be {attempt}");
    Reason::new("immutable-attribute", message).path(path).scim_type(ScimType::Mutability)
}

scruple_sdk::export!(WriteOnce);

#[cfg(test)]
mod tests;
