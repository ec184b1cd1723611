use serde_json::json;

use super::*;
use crate::scim::resource::ResourceId;
use crate::scim::schema::SchemaRegistry;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Each difference as `[path, attribute, before, after]`.
#[track_caller]
fn check(before: Value, after: Value, expected: Value) {
    let user = SchemaRegistry::core().resource_type("User").unwrap().clone();
    let found = differences(&user, before.as_object().unwrap(), after.as_object().unwrap(), &[]);
    for difference in &found {
        let path = Path::parse(&difference.path, &user).unwrap();
        assert_eq!(
            (path.to_string(), path.attribute_ref().as_ref()),
            (difference.path.clone(), Some(&difference.attribute))
        );
    }
    let found: Vec<Value> = found
        .into_iter()
        .map(|difference| {
            json!([difference.path, difference.attribute.to_string(), difference.before, difference.after])
        })
        .collect();
    assert_eq!(Value::Array(found), expected, "{before} {after}");
}

#[test]
fn a_difference_stands_at_the_finest_path_that_tells() {
    let a = json!({ "userName": "a", "name": { "givenName": "x" } });
    check(a.clone(), a.clone(), json!([]));
    check(json!({}), a, json!([["name.givenName", "name.givenName", null, "x"], ["userName", "userName", null, "a"]]));
    check(
        json!({ "externalId": "1", "active": true }),
        json!({ "active": false }),
        json!([["active", "active", true, false], ["externalId", "externalId", "1", null]]),
    );
    let department = format!("{ENTERPRISE}:department");
    let manager = format!("{ENTERPRISE}:manager.value");
    check(
        json!({ ENTERPRISE: { "department": "a", "manager": { "value": "m" } } }),
        json!({ ENTERPRISE: { "department": "b" } }),
        json!([[department, department, "a", "b"], [manager, manager, "m", null]]),
    );
}

#[test]
fn a_value_of_many_is_known_by_its_value() {
    check(
        json!({ "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x" }] }),
        json!({ "emails": [{ "value": "b@x" }, { "value": "A@X", "type": "home" }, { "value": "c@x" }] }),
        json!([
            ["emails[value eq \"a@x\"].type", "emails.type", "work", "home"],
            ["emails[value eq \"a@x\"].value", "emails.value", "a@x", "A@X"],
            ["emails[value eq \"c@x\"]", "emails", null, { "value": "c@x" }]
        ]),
    );
    check(
        json!({ "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x" }] }),
        json!({ "emails": [{ "value": "b@x" }, { "value": "a@x", "type": "work" }] }),
        json!([]),
    );
    check(
        json!({ "addresses": [{ "locality": "Berlin", "type": "work" }] }),
        json!({ "addresses": [{ "locality": "Bonn", "type": "work" }] }),
        json!([
            ["addresses[locality eq \"Berlin\" and type eq \"work\"]", "addresses", { "locality": "Berlin", "type": "work" }, null],
            ["addresses[locality eq \"Bonn\" and type eq \"work\"]", "addresses", null, { "locality": "Bonn", "type": "work" }]
        ]),
    );
    check(
        json!({ "emails": [{ "value": "a@x", "type": "work" }, { "value": "a@x", "type": "home" }] }),
        json!({ "emails": [{ "value": "a@x", "type": "work" }] }),
        json!([["emails[value eq \"a@x\" and type eq \"home\"]", "emails", { "value": "a@x", "type": "home" }, null]]),
    );
}

#[test]
fn a_path_is_short_enough_to_be_read_whatever_the_value() {
    let (long, longer) = ("x".repeat(5_000), "y".repeat(60_000));
    check(
        json!({ "roles": [{ "value": long, "type": "a" }, { "value": "b" }] }),
        json!({ "roles": [{ "value": long, "type": "b" }, { "value": longer }] }),
        json!([
            ["roles", "roles", null, { "value": longer }],
            ["roles.type", "roles.type", "a", "b"],
            ["roles[value eq \"b\"]", "roles", { "value": "b" }, null]
        ]),
    );
    let fitting = "x".repeat(PATH_FILTER_BYTES_MAX - "value eq \"\"".len());
    let path = format!("roles[value eq \"{fitting}\"]");
    check(json!({}), json!({ "roles": [{ "value": fitting }] }), json!([[path, "roles", null, { "value": fitting }]]));
    // What is printed counts, not what is stored: each quote becomes two bytes.
    let quotes = "\"".repeat(300);
    check(json!({}), json!({ "roles": [{ "value": quotes }] }), json!([["roles", "roles", null, { "value": quotes }]]));
}

#[test]
fn equal_values_are_counted() {
    let a = json!({ "value": "a", "type": "t" });
    let path = "roles[value eq \"a\" and type eq \"t\"]";
    check(
        json!({ "roles": [a, a, a] }),
        json!({ "roles": [a] }),
        json!([[path, "roles", a, null], [path, "roles", a, null]]),
    );
    check(json!({ "roles": [a] }), json!({ "roles": [a, a] }), json!([[path, "roles", null, a]]));
}

/// Compared each with each, they would take half a minute; this test would be missed as the one that hangs.
#[test]
fn thousands_of_values_that_all_change_are_a_difference_each() {
    let user = SchemaRegistry::core().resource_type("User").unwrap().clone();
    let roles = |kind: &str| {
        let roles: Vec<Value> = (0..5_000).map(|number| json!({ "value": number.to_string(), "type": kind })).collect();
        Attributes::from_iter([("roles".to_owned(), Value::Array(roles))])
    };
    let (before, after) = (roles("a"), roles("b"));
    assert_eq!(differences(&user, &before, &after, &[]).len(), 5_000);
}

#[test]
fn a_member_is_known_by_its_id() {
    let group = SchemaRegistry::core().resource_type("Group").unwrap().clone();
    let attribute = group.row_attribute().unwrap();
    let id = ResourceId(uuid::Uuid::from_u128(1));
    let member = Member { id, resource_type: "User".to_owned() };
    let value = Some(json!({ "type": "User", "value": id.to_string() }));
    for (is_added, sides) in [(true, (None, value.clone())), (false, (value.clone(), None))] {
        let found = member_difference(attribute, &member, is_added);
        assert_eq!(found.path, "members[value eq \"00000000-0000-0000-0000-000000000001\"]");
        assert_eq!((found.before, found.after), sides);
    }
}
