//! Accounts have the attributes that they need before they are created or activated, and keep them while active.
//!
//! An update of an account that was incomplete all along is let through as long as it neither activates the account
//! nor takes a required attribute away: old data must not stop a change of name.

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Document, Error, Operation, ReadError, Reason, ScimType, SettingsProblem, Verdict, about,
};
use serde::Deserialize;

/// The constraint.
#[derive(Debug)]
pub struct RequiredAttributes;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// SCIM paths that must select a value: `name.familyName`, `emails[type eq "work"].value`. Text of nothing but
    /// spaces is no value.
    #[schemars(length(min = 1))]
    attributes: Vec<String>,
    /// Let accounts be created incomplete as long as they are not active.
    #[serde(default)]
    allow_inactive: bool,
}

impl Constraint for RequiredAttributes {
    type Settings = Settings;

    /// Which attributes it reads is a setting, so it asks for all; a tenant grants those that it requires, and `active`.
    fn about() -> About {
        about!().resource_types(["User"]).actions([Action::Create, Action::Update, Action::Assess])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let Some(after) = operation.after() else { return Ok(Verdict::not_applicable()) };
        let is_active = after.flag("active")?.unwrap_or(false);
        let must_be_complete = match operation.action() {
            Action::Create => is_active || !settings.allow_inactive,
            Action::Assess => is_active,
            _ => operation.turns_on("active")?,
        };
        if !must_be_complete && !is_active {
            return Ok(Verdict::not_applicable());
        }
        let before = operation.before();
        let mut reasons = Vec::new();
        for path in &settings.attributes {
            if has_value(&after, path)? {
                continue;
            }
            if must_be_complete {
                reasons.push(missing(path));
            } else if before.as_ref().is_some_and(|before| has_value(before, path).unwrap_or(true)) {
                reasons.push(removed(path));
            }
        }
        Ok(Verdict::deny_any(reasons))
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        SettingsProblem::blank_paths("/attributes", &settings.attributes)
    }
}

fn has_value(document: &Document, path: &str) -> Result<bool, ReadError> {
    Ok(document.values(path)?.iter().any(|value| value.as_text().is_none_or(|text| !text.trim().is_empty())))
}

fn missing(path: &str) -> Reason {
    let message = format!("the account needs a value for `{path}` before it is created or activated");
    Reason::new("required-attribute-missing", message).path(path).scim_type(ScimType::InvalidValue)
}

fn removed(path: &str) -> Reason {
    let message = format!("`{path}` is required and cannot be removed from an active account");
    Reason::new("required-attribute-removed", message).path(path).scim_type(ScimType::InvalidValue)
}

scruple_sdk::export!(RequiredAttributes);

#[cfg(test)]
mod tests;
