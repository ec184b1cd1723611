use scruple_sdk::testing::{Scenario, settings_problems};
use serde_json::{Value, json};

use super::*;

fn user(user_name: &str, email: &str) -> Value {
    json!({ "userName": user_name, "emails": [{ "value": email }] })
}

fn settings() -> Value {
    json!({ "rules": [
        { "path": "userName", "pattern": "\\S{1,30}" },
        { "path": "emails.value", "domains": ["example.com", "*.example.org"] },
    ] })
}

#[track_caller]
fn check(user_name: &str, email: &str, expected: &[&str]) {
    assert_eq!(Scenario::create("User", user(user_name, email)).check::<SafeValues>(settings()).codes(), expected);
}

#[test]
fn ordinary_values_pass_in_every_script() {
    check("ada", "ada@example.com", &[]);
    check("ада-lovelace", "ada@EXAMPLE.com", &[]);
    check("アダada", "ada@team.example.org", &[]);
}

#[test]
fn the_pattern_must_match_the_whole_value() {
    check("ada lovelace", "ada@example.com", &["pattern"]);
    check("", "ada@example.com", &["pattern"]);
}

#[test]
fn only_the_domain_behind_the_last_at_sign_counts() {
    check("ada", "ada@example.com@evil.example", &["domain"]);
    check("ada", "ada@notexample.com", &["domain"]);
    check("ada", "ada@example.org", &["domain"]);
    check("ada", "ada@evilexample.org", &["domain"]);
    check("ada", "example.com", &["domain"]);
}

#[test]
fn characters_that_nobody_sees_are_refused_and_shown_escaped() {
    let outcome = Scenario::create("User", user("ada\u{202e}", "a@example.com")).check::<SafeValues>(settings());
    assert_eq!(outcome.codes(), ["control-character"]);
    let message = outcome.reasons()[0].message();
    assert!(message.contains("U+202E") && message.contains("\\u{202e}") && !message.contains('\u{202e}'), "{message}");
    check("ada\0", "ada@example.com", &["control-character"]);
}

#[test]
fn a_word_of_two_alphabets_is_refused() {
    check("\u{430}dmin", "ada@example.com", &["mixed-scripts"]);
    check("admin", "\u{3b1}da@example.com", &["mixed-scripts"]);
}

#[test]
fn what_a_rule_accepts_is_accepted() {
    let settings = json!({ "rules": [
        { "path": "userName", "allowControlCharacters": true, "allowMixedScripts": true }
    ] });
    assert!(Scenario::create("User", user("\u{430}dmin\0", "")).check::<SafeValues>(settings).is_allowed());
}

#[test]
fn old_values_do_not_stop_a_change_of_others() {
    let scenario = Scenario::update("User", user("a b", "a@evil.example"), user("a b", "b@evil.example"));
    assert_eq!(scenario.check::<SafeValues>(settings()).codes(), ["domain"]);
}

#[test]
fn a_pattern_that_does_not_compile_is_a_problem_of_the_settings() {
    let problems = settings_problems::<SafeValues>(json!({ "rules": [{ "path": "userName", "pattern": "(" }] }));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("/rules/0/pattern: "), "{problems:?}");
}

#[test]
fn a_rule_is_about_users_unless_it_names_another_resource_type() {
    let group = |rule: Value| {
        let created = Scenario::create("Group", json!({ "displayName": "ad\u{430}" }));
        created.check::<SafeValues>(json!({ "rules": [rule] })).codes().len()
    };
    assert_eq!(group(json!({ "path": "displayName" })), 0);
    assert_eq!(group(json!({ "path": "displayName", "resourceType": "Group" })), 1);
}

#[test]
fn a_value_that_a_table_does_not_know_is_refused_to_the_letter() {
    let settings = json!({ "rules": [{ "path": "title", "table": "titles" }] });
    let titled = |title: &str| Scenario::create("User", json!({ "userName": "ada", "title": title }));
    let check = |title: &str, expected: &[&str]| {
        let scenario = titled(title).table("titles", json!({ "Countess": { "rank": "3" } }));
        assert_eq!(scenario.check::<SafeValues>(settings.clone()).codes(), expected);
    };
    check("Countess", &[]);
    check("countess", &["unknown-value"]);
    let without_a_table = titled("Countess").check::<SafeValues>(settings.clone());
    assert!(without_a_table.fault().unwrap().contains("no table `titles`"));
}
