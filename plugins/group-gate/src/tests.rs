use scruple_sdk::testing::{Outcome, Scenario};
use serde_json::{Value, json};

use super::*;

fn group(name: &str, ids: &[&str]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!({ "id": "g", "displayName": name, "members": members })
}

fn outcome(scenario: Scenario) -> Outcome {
    scenario
        .user(json!({ "id": "ada", "userType": "Employee", "active": true }))
        .user(json!({ "id": "bob", "userType": "Contractor", "active": true }))
        .user(json!({ "id": "cy", "userType": "Employee", "active": false }))
        .check::<GroupGate>(json!({ "gates": [
            { "displayName": "Payroll", "membersMatch": "active eq true and userType eq \"Employee\"" },
        ] }))
}

#[track_caller]
fn check(scenario: Scenario, expected: &[&str]) {
    assert_eq!(outcome(scenario).codes(), expected);
}

#[test]
fn those_who_match_join() {
    check(Scenario::create("Group", group("Payroll", &["ada"])), &[]);
    check(Scenario::update("Group", group("Payroll", &[]), group("Payroll", &["ada"])), &[]);
}

#[test]
fn everybody_who_does_not_match_is_named() {
    let outcome = outcome(Scenario::update("Group", group("PAYROLL", &[]), group("PAYROLL", &["ada", "bob", "cy"])));
    assert_eq!(outcome.codes(), ["member-not-eligible", "member-not-eligible"]);
    assert!(outcome.reasons()[0].message().contains("`bob`") && outcome.reasons()[1].message().contains("`cy`"));
}

#[test]
fn what_is_no_user_does_not_join() {
    check(Scenario::create("Group", group("Payroll", &["a-group"])), &["member-not-a-user"]);
}

#[test]
fn other_groups_and_other_changes_are_free() {
    check(Scenario::create("Group", group("Lunch", &["bob"])), &[]);
    check(Scenario::update("Group", group("Payroll", &["bob"]), group("Payroll", &["bob"])), &[]);
    check(Scenario::update("Group", group("Payroll", &["bob"]), group("Payroll", &[])), &[]);
}

#[test]
fn a_group_does_not_come_under_the_name_with_members_who_could_not_join() {
    check(Scenario::update("Group", group("Lunch", &["bob"]), group("Payroll", &["bob"])), &["member-not-eligible"]);
    check(Scenario::update("Group", group("Lunch", &["ada"]), group("Payroll", &["ada"])), &[]);
}
