use scruple_sdk::testing::Scenario;
use serde_json::{Value, json};

use super::*;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user(id: &str, manager: Option<&str>) -> Value {
    let mut user = json!({ "id": id, "userName": id, "active": true });
    if let Some(manager) = manager {
        user[ENTERPRISE] = json!({ "manager": { "value": manager } });
    }
    user
}

fn group(id: &str, members: &[(&str, &str)]) -> Value {
    let members: Vec<Value> = members.iter().map(|(id, kind)| json!({ "value": id, "type": kind })).collect();
    json!({ "id": id, "displayName": id.to_uppercase(), "members": members })
}

/// Ada manages Bob. Cy is the only member of `alone`, and one beside a group of `nested`; Bob and Cy are in `both`.
#[track_caller]
fn check_with(scenario: Scenario, settings: Value, expected: &[&str]) {
    let outcome = scenario
        .user(user("ada", None))
        .user(user("bob", Some("ada")))
        .user(user("cy", None))
        .group(group("alone", &[("cy", "User")]))
        .group(group("nested", &[("cy", "User"), ("alone", "Group")]))
        .group(group("both", &[("bob", "User"), ("cy", "User")]))
        .check::<DependencyGuard>(settings);
    assert_eq!(outcome.codes(), expected);
}

#[track_caller]
fn check(scenario: Scenario, expected: &[&str]) {
    check_with(scenario, json!({}), expected);
}

#[test]
fn a_manager_must_exist_and_be_somebody_else() {
    check(Scenario::create("User", user("dee", Some("ada"))), &[]);
    check(Scenario::create("User", user("dee", Some("nobody"))), &["manager-unknown"]);
    check(Scenario::update("User", user("cy", None), user("cy", Some("cy"))), &["manager-is-self"]);
}

#[test]
fn a_manager_who_went_missing_does_not_stop_other_changes() {
    let before = user("dee", Some("nobody"));
    let mut after = before.clone();
    after["title"] = json!("Countess");
    check(Scenario::update("User", before, after), &[]);
}

#[test]
fn nobodys_manager_leaves() {
    check(Scenario::delete("User", user("bob", Some("ada"))), &[]);
    check(Scenario::delete("User", user("ada", None)), &["user-is-manager"]);
}

#[test]
fn only_the_group_that_would_be_empty_is_named() {
    check(Scenario::delete("User", user("cy", None)), &["last-member"]);
}

#[test]
fn a_deactivation_counts_only_if_the_tenant_says_so() {
    let mut inactive = user("ada", None);
    inactive["active"] = json!(false);
    let scenario = Scenario::update("User", user("ada", None), inactive);
    check(scenario.clone(), &[]);
    check_with(scenario, json!({ "deactivationCounts": true }), &["user-is-manager"]);
}

#[test]
fn each_part_can_be_switched_off() {
    let off = json!({ "managerMustExist": false, "protectManagers": false, "protectLastMembers": false });
    check_with(Scenario::create("User", user("dee", Some("nobody"))), off.clone(), &[]);
    check_with(Scenario::delete("User", user("ada", None)), off.clone(), &[]);
    check_with(Scenario::delete("User", user("cy", None)), off, &[]);
}
