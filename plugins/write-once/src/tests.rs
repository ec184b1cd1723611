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
