use scruple_sdk::testing::{Scenario, rewriter_settings_problems};
use serde_json::{Value, json};

use super::*;

/// What the rules make of a user; made once more, it must stay.
#[track_caller]
fn check(rules: Value, user: Value, expected: Value) {
    let settings = json!({ "rules": rules });
    let rewritten = Scenario::create("User", user.clone()).rewrite::<NormalizeAttributes>(settings.clone());
    assert_eq!(rewritten.after(), &expected);
    let again = Scenario::update("User", user, expected).rewrite::<NormalizeAttributes>(settings);
    assert_eq!(again.edits(), [], "a value that is as it should be was edited");
}

#[test]
fn white_space_and_case_are_made_one() {
    let rules = json!([
        { "path": "userName", "trim": true, "case": "lower" },
        { "path": "name.familyName", "trim": true, "case": "title" },
        { "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", "case": "upper" },
    ]);
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    check(
        rules,
        json!({ "userName": " Ada@X ", "name": { "familyName": "LOVELACE -  king" }, enterprise: { "costCenter": "ab1" } }),
        json!({ "userName": "ada@x", "name": { "familyName": "Lovelace - King" }, enterprise: { "costCenter": "AB1" } }),
    );
}

#[test]
fn each_value_of_many_is_cleaned_and_the_others_stay() {
    check(
        json!([{ "path": "phoneNumbers.value", "phone": { "country": "44" } }, { "path": "emails.value", "case": "lower" }]),
        json!({
            "phoneNumbers": [{ "value": "020 7946 0011", "type": "work" }, { "value": "4711", "type": "other" }],
            "emails": [{ "value": "ada@x", "type": "work" }],
        }),
        json!({
            "phoneNumbers": [{ "value": "+442079460011", "type": "work" }, { "value": "4711", "type": "other" }],
            "emails": [{ "value": "ada@x", "type": "work" }],
        }),
    );
}

#[test]
fn two_rules_about_one_attribute_are_both_kept() {
    check(
        json!([{ "path": "emails.value", "case": "lower" }, { "path": "emails.type", "case": "lower" }]),
        json!({ "emails": [{ "value": "A@X", "type": "WORK" }] }),
        json!({ "emails": [{ "value": "a@x", "type": "work" }] }),
    );
}

#[test]
fn a_template_sees_what_the_rules_before_it_have_made() {
    let rules = |always: bool| {
        json!([
            { "path": "name.givenName", "trim": true },
            { "path": "displayName", "template": "{name.givenName} {name.familyName}", "always": always },
        ])
    };
    let user = |display: Value| {
        let mut user = json!({ "name": { "givenName": " Ada ", "familyName": "L" } });
        user["displayName"] = display;
        user
    };
    let expected = |display: &str| json!({ "name": { "givenName": "Ada", "familyName": "L" }, "displayName": display });
    check(rules(false), json!({ "name": { "givenName": " Ada ", "familyName": "L" } }), expected("Ada L"));
    check(rules(false), user("Countess".into()), expected("Countess"));
    check(rules(false), user("".into()), expected("Ada L"));
    check(rules(true), user("Countess".into()), expected("Ada L"));
    check(rules(true), json!({ "displayName": "Countess" }), json!({ "displayName": "Countess" }));
}

#[test]
fn a_template_is_cleaned_like_a_value() {
    let rules = json!([{ "path": "displayName", "template": "{userName}", "always": true, "case": "upper" }]);
    check(rules, json!({ "userName": "ada" }), json!({ "userName": "ada", "displayName": "ADA" }));
}

#[test]
fn a_default_is_for_what_is_missing_in_the_end() {
    let rules = json!([
        { "path": "userType", "default": "Employee" },
        { "path": "active", "default": true },
        { "path": "displayName", "template": "{nickName}", "default": "nobody" },
    ]);
    let expected = |kind: &str| json!({ "userType": kind, "active": true, "displayName": "nobody" });
    check(rules.clone(), json!({}), expected("Employee"));
    check(rules, json!({ "userType": "Contractor" }), expected("Contractor"));
}

#[test]
fn a_rule_is_about_users_unless_it_names_another_resource_type() {
    let settings = json!({ "rules": [
        { "path": "displayName", "case": "upper" },
        { "resourceType": "Group", "path": "displayName", "trim": true },
    ] });
    let group = Scenario::create("Group", json!({ "displayName": " Staff " }));
    assert_eq!(group.rewrite::<NormalizeAttributes>(settings).after(), &json!({ "displayName": "Staff" }));
}

#[test]
fn rules_that_make_no_sense_are_problems_of_the_settings() {
    let problems = |rule: Value| rewriter_settings_problems::<NormalizeAttributes>(json!({ "rules": [rule] }));
    let check = |rule: Value, expected: &str| {
        let found = problems(rule);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    };
    check(json!({ "path": "emails[type eq \"work\"].value", "trim": true }), "/rules/0/path: ");
    check(json!({ "path": " ", "trim": true }), "/rules/0/path: ");
    check(json!({ "path": "title", "template": "{name.givenName" }), "/rules/0/template: ");
    check(json!({ "path": "title", "template": "{}" }), "/rules/0/template: ");
    check(json!({ "path": "title" }), "/rules/0: there is nothing to do");
    check(json!({ "path": "title", "case": "camel" }), ": settings: unknown variant `camel`");
    assert_eq!(problems(json!({ "path": "title", "template": "{userName}, {userType}" })), [""; 0]);
}
