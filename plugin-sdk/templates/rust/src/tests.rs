use scruple_sdk::testing::{Scenario, settings_problems};
use serde_json::{Value, json};

use super::*;

fn user(address: &str) -> Value {
    json!({ "userName": "ada", "emails": [{ "value": address, "type": "work" }] })
}

fn settings() -> Value {
    json!({ "domain": "example.com" })
}

#[track_caller]
fn check(scenario: Scenario, expected: &[&str]) {
    assert_eq!(scenario.check::<Rule>(settings()).codes(), expected);
}

#[test]
fn a_work_address_is_at_the_domain() {
    let create = |address| Scenario::create("User", user(address));
    check(create("ada@example.com"), &[]);
    check(create("ada@elsewhere.example"), &["foreign-domain"]);
}

#[test]
fn an_old_address_does_not_stop_a_change_of_something_else() {
    let before = user("ada@elsewhere.example");
    let mut renamed = before.clone();
    renamed["userName"] = json!("ada.lovelace");
    check(Scenario::update("User", before, renamed), &[]);
}
%if directory

#[test]
fn an_address_is_that_of_one_user() {
    let mut bob = user("bob@example.com");
    bob["id"] = json!("1");
    let scenario = Scenario::create("User", user("bob@example.com")).user(bob);
    check(scenario, &["address-taken"]);
}
%end
%if tables

#[test]
fn a_department_is_one_of_the_table() {
    let extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let in_department = |code: &str| {
        let mut ada = user("ada@example.com");
        ada[extension] = json!({ "department": code });
        Scenario::create("User", ada).table("departments", json!(["D-7"]))
    };
    check(in_department("D-7"), &[]);
    check(in_department("D-9"), &["unknown-department"]);
}
%end

#[test]
fn a_domain_with_an_at_sign_is_a_problem_of_the_settings() {
    assert!(settings_problems::<Rule>(settings()).is_empty());
    let problems = settings_problems::<Rule>(json!({ "domain": "@example.com" }));
    assert_eq!(problems, ["/domain: a domain has no `@`"]);
}
