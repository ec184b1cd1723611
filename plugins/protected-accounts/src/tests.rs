use scruple_sdk::testing::Scenario;
use serde_json::{Value, json};

use super::*;

fn user(id: &str, active: bool) -> Value {
    json!({ "id": id, "userName": format!("{id}@example.com"), "active": active })
}

fn admins(ids: &[&str]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id, "type": "User" })).collect();
    json!({ "id": "admins", "displayName": "Administrators", "members": members })
}

/// Ada is protected; the administrators need two active members and are Ada, Bob and Cy, who is inactive.
#[track_caller]
fn check(scenario: Scenario, expected: &[&str]) {
    let settings = json!({
        "accounts": ["ADA@example.com"],
        "groups": [{ "displayName": "administrators", "minimum": 2 }],
    });
    let around =
        scenario.user(user("ada", true)).user(user("bob", true)).user(user("cy", false)).user(user("dee", true));
    let outcome = around.group(admins(&["ada", "bob", "cy"])).check::<ProtectedAccounts>(settings);
    assert_eq!(outcome.codes(), expected);
}

#[test]
fn a_protected_account_is_not_deleted_deactivated_or_renamed() {
    let ada = user("ada", true);
    let gone = json!({ "id": "ada", "userName": "ada@example.com" });
    let renamed = json!({ "id": "ada", "userName": "lovelace@example.com", "active": true });
    check(Scenario::delete("User", ada.clone()), &["protected-account-deleted", "too-few-active-members"]);
    check(
        Scenario::update("User", ada.clone(), user("ada", false)),
        &["protected-account-deactivated", "too-few-active-members"],
    );
    check(Scenario::update("User", ada.clone(), gone), &["protected-account-deactivated", "too-few-active-members"]);
    check(Scenario::update("User", ada, renamed), &["protected-account-renamed"]);
}

#[test]
fn a_protected_account_changes_otherwise() {
    let titled = json!({ "id": "ada", "userName": "Ada@example.com", "active": true, "title": "Countess" });
    check(Scenario::update("User", user("ada", true), titled), &[]);
}

#[test]
fn the_last_but_one_active_member_stays_active() {
    check(Scenario::update("User", user("bob", true), user("bob", false)), &["too-few-active-members"]);
    check(Scenario::delete("User", user("bob", true)), &["too-few-active-members"]);
}

#[test]
fn who_is_no_active_member_may_leave() {
    check(Scenario::delete("User", user("cy", false)), &[]);
    check(Scenario::delete("User", user("dee", true)), &[]);
}

#[test]
fn members_are_removed_only_as_far_as_the_minimum_and_never_the_protected_ones() {
    let before = admins(&["ada", "bob", "cy"]);
    let to = |ids: &[&str]| Scenario::update("Group", before.clone(), admins(ids));
    check(to(&["ada", "bob"]), &[]);
    check(to(&["ada", "cy"]), &["too-few-active-members"]);
    check(to(&["ada", "dee"]), &[]);
    check(to(&["bob", "dee"]), &["protected-account-removed-from-group"]);
    check(to(&[]), &["protected-account-removed-from-group", "too-few-active-members"]);
}

#[test]
fn the_group_itself_keeps_its_name_and_is_not_deleted() {
    let before = admins(&["ada", "bob", "cy"]);
    let renamed = json!({ "id": "admins", "displayName": "Nobodies", "members": before["members"] });
    check(Scenario::update("Group", before.clone(), renamed), &["protected-group-renamed"]);
    check(Scenario::delete("Group", before), &["protected-account-removed-from-group", "protected-group-deleted"]);
}

#[test]
fn other_groups_are_not_its_business() {
    let other = json!({ "id": "staff", "displayName": "Staff", "members": [{ "value": "bob", "type": "User" }] });
    check(Scenario::delete("Group", other), &[]);
}
