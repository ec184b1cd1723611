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
        let blank = settings.attributes.iter().enumerate().filter(|(_, path)| path.trim().is_empty());
        blank.map(|(i, _)| SettingsProblem::new(format!("/attributes/{i}"), "a SCIM path cannot be blank")).collect()
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
mod tests {
    use scruple_sdk::testing::{Scenario, settings_problems};
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(scenario: &Scenario, expected: &[&str]) {
        let settings = json!({ "attributes": ["name.familyName", "emails[type eq \"work\"].value"] });
        assert_eq!(scenario.check::<RequiredAttributes>(settings).codes(), expected);
    }

    fn ada(active: bool) -> Value {
        json!({
            "userName": "ada", "active": active, "name": { "familyName": "Lovelace" },
            "emails": [{ "value": "ada@example.com", "type": "work" }],
        })
    }

    fn incomplete(active: bool) -> Value {
        json!({ "userName": "ada", "active": active, "emails": [{ "value": "ada@home.example", "type": "home" }] })
    }

    #[test]
    fn a_complete_account_is_created() {
        check(&Scenario::create("User", ada(true)), &[]);
    }

    #[test]
    fn every_missing_attribute_of_a_new_account_is_named_at_once() {
        let both = ["required-attribute-missing", "required-attribute-missing"];
        check(&Scenario::create("User", incomplete(true)), &both);
        check(&Scenario::create("User", incomplete(false)), &both);
    }

    #[test]
    fn an_incomplete_account_may_be_created_inactive_if_the_tenant_says_so_and_is_caught_when_activated() {
        let settings = json!({ "attributes": ["name.familyName"], "allowInactive": true });
        let created = Scenario::create("User", incomplete(false)).check::<RequiredAttributes>(settings.clone());
        assert!(created.is_allowed());
        let activated = Scenario::update("User", incomplete(false), incomplete(true));
        assert_eq!(activated.check::<RequiredAttributes>(settings).codes(), ["required-attribute-missing"]);
    }

    #[test]
    fn text_of_spaces_is_no_value() {
        let mut blank = ada(true);
        blank["name"]["familyName"] = json!("  ");
        check(&Scenario::create("User", blank), &["required-attribute-missing"]);
    }

    #[test]
    fn an_active_account_keeps_its_required_attributes() {
        let both = ["required-attribute-removed", "required-attribute-removed"];
        check(&Scenario::update("User", ada(true), incomplete(true)), &both);
        check(&Scenario::update("User", ada(true), incomplete(false)), &[]);
    }

    #[test]
    fn an_account_that_was_incomplete_before_may_change_otherwise() {
        let mut renamed = incomplete(true);
        renamed["userName"] = json!("ada.lovelace");
        check(&Scenario::update("User", incomplete(true), renamed), &[]);
    }

    #[test]
    fn a_blank_path_and_an_unknown_setting_are_refused() {
        assert_eq!(
            settings_problems::<RequiredAttributes>(json!({ "attributes": ["a", " "] })),
            ["/attributes/1: a SCIM path cannot be blank"]
        );
        assert_eq!(settings_problems::<RequiredAttributes>(json!({ "attribute": [] })).len(), 1);
    }
}
