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
