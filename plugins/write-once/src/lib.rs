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
        let blank = settings.attributes.iter().enumerate().filter(|(_, path)| path.trim().is_empty());
        blank.map(|(i, _)| SettingsProblem::new(format!("/attributes/{i}"), "a SCIM path cannot be blank")).collect()
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
mod tests {
    use scruple_sdk::testing::{Outcome, Scenario, settings_problems};
    use serde_json::{Value, json};

    use super::*;

    const NUMBER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";

    fn evaluate(before: Value, after: Value) -> Outcome {
        Scenario::update("User", before, after)
            .actor("entra")
            .check::<WriteOnce>(json!({ "attributes": ["externalId", NUMBER, "emails.value"] }))
    }

    fn employee(number: &str) -> Value {
        json!({ "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": number } })
    }

    #[test]
    fn the_first_value_is_accepted() {
        assert!(evaluate(json!({ "userName": "ada" }), json!({ "userName": "ada", "externalId": "E1" })).is_allowed());
    }

    #[test]
    fn a_change_is_refused_as_mutability_and_noted_with_both_values_and_the_client() {
        let outcome = evaluate(json!({ "externalId": "E1" }), json!({ "externalId": "E2" }));
        assert_eq!(outcome.reasons(), [refusal("externalId", "E1", "E2")]);
        let fact = r#"{"old":"E1","new":"E2","client":"entra"}"#;
        assert_eq!(outcome.notes(), [("write-once externalId".to_owned(), fact.to_owned())]);
    }

    #[test]
    fn a_removal_is_a_change_too() {
        let outcome = evaluate(employee("4711"), json!({ "userName": "ada" }));
        assert_eq!(outcome.codes(), ["immutable-attribute"]);
        assert!(outcome.reasons()[0].message().ends_with("is `4711`; it is set once and cannot be removed"));
    }

    #[test]
    fn the_order_of_values_is_not_a_change_but_one_more_value_is() {
        let emails = |all: &[&str]| json!({ "emails": all.iter().map(|e| json!({ "value": e })).collect::<Vec<_>>() });
        assert!(evaluate(emails(&["a@x", "b@x"]), emails(&["b@x", "a@x"])).is_allowed());
        assert_eq!(evaluate(emails(&["a@x"]), emails(&["a@x", "b@x"])).codes(), ["immutable-attribute"]);
    }

    #[test]
    fn attributes_that_are_not_named_change_freely() {
        let after = json!({ "externalId": "E1", "title": "Countess" });
        let outcome = evaluate(json!({ "externalId": "E1" }), after);
        assert!(outcome.is_allowed() && outcome.notes().is_empty());
    }

    #[test]
    fn a_blank_path_is_refused() {
        assert_eq!(settings_problems::<WriteOnce>(json!({ "attributes": [""] })).len(), 1);
    }
}
