use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::scim::error::ScimType;
use crate::scim::meta::Meta;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::urn;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BABS: &str = "2819c223-7f76-453a-919d-413861904646";
const JAMES: &str = "08e1d05d-121c-4561-8b96-473d93df9210";

fn resource(name: &str, attributes: Value) -> Resource {
    let resource_type: Arc<ResourceType> = SchemaRegistry::core().resource_type(name).unwrap().clone();
    Resource {
        resource_type,
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::UNIX_EPOCH),
    }
}

fn patched(resource: &Resource, operations: Value) -> Result<Patched, ScimError> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let reading = Reading::strict(&resource.resource_type);
    apply(reading, resource, &parse(reading, body.as_object().unwrap())?)
}

#[track_caller]
fn check(before: Value, operations: Value, after: Value) {
    let result = patched(&resource("User", before), operations.clone());
    assert_eq!(result.map(|patched| Value::Object(patched.attributes)), Ok(after), "{operations}");
}

#[track_caller]
fn refused(before: Value, operations: Value, expected: &str) {
    let error = patched(&resource("User", before), operations.clone()).unwrap_err();
    assert_eq!(error.to_string(), format!("400 {expected}"), "{operations}");
}

#[track_caller]
fn edits(operations: Value, expected: &[MemberEdit]) {
    let result = patched(&resource("Group", json!({ "displayName": "g" })), operations.clone());
    assert_eq!(result.map(|patched| patched.member_edits), Ok(expected.to_vec()), "{operations}");
}

fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

/// RFC 7644 §3.5.2.1, the examples.
#[test]
fn the_additions_of_rfc_7644_section_3_5_2_1_are_made() {
    edits(
        json!([{
            "op": "add",
            "path": "members",
            "value": [{
                "display": "Babs Jensen",
                "$ref": "https://example.com/v2/Users/2819c223...413861904646",
                "value": BABS
            }]
        }]),
        &[MemberEdit::Add(vec![id(BABS)])],
    );
    check(
        json!({ "userName": "babs" }),
        json!([{
            "op": "add",
            "value": {
                "emails": [{ "value": "babs@jensen.org", "type": "home" }],
                "nickname": "Babs"
            }
        }]),
        json!({ "userName": "babs", "nickName": "Babs", "emails": [{ "value": "babs@jensen.org", "type": "home" }] }),
    );
}

/// RFC 7644 §3.5.2.2, the examples.
#[test]
fn the_removals_of_rfc_7644_section_3_5_2_2_are_made() {
    let member = format!("members[value eq \"{BABS}\"]");
    edits(json!([{ "op": "remove", "path": member }]), &[MemberEdit::Remove(vec![id(BABS)])]);
    edits(json!([{ "op": "remove", "path": "members" }]), &[MemberEdit::RemoveAll]);
    edits(
        json!([
            { "op": "remove", "path": member },
            { "op": "add", "path": "members", "value": [{ "display": "James Smith", "value": JAMES }] }
        ]),
        &[MemberEdit::Remove(vec![id(BABS)]), MemberEdit::Add(vec![id(JAMES)])],
    );
    check(
        json!({ "emails": [{ "value": "a@example.com", "type": "work" }, { "value": "a@home.org", "type": "home" }] }),
        json!([{ "op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]" }]),
        json!({ "emails": [{ "value": "a@home.org", "type": "home" }] }),
    );
}

/// RFC 7644 §3.5.2.3, the examples.
#[test]
fn the_replacements_of_rfc_7644_section_3_5_2_3_are_made() {
    edits(
        json!([{
            "op": "replace",
            "path": "members",
            "value": [
                { "display": "Babs Jensen", "$ref": "https://example.com/v2/Users/2819c223...413861904646", "value": BABS },
                { "display": "James Smith", "$ref": "https://example.com/v2/Users/08e1d05d...473d93df9210", "value": JAMES }
            ]
        }]),
        &[MemberEdit::Replace(vec![id(BABS), id(JAMES)])],
    );
    let work = json!({
        "type": "work",
        "streetAddress": "911 Universal City Plaza",
        "locality": "Hollywood",
        "region": "CA",
        "postalCode": "91608",
        "country": "US",
        "formatted": "911 Universal City Plaza\nHollywood, CA 91608 US",
        "primary": true
    });
    let home = json!({ "type": "home", "locality": "Hollywood", "primary": true });
    check(
        json!({ "addresses": [{ "type": "work", "locality": "Berlin", "region": "BE" }, home] }),
        json!([{ "op": "replace", "path": "addresses[type eq \"work\"]", "value": work }]),
        json!({ "addresses": [work, { "type": "home", "locality": "Hollywood", "primary": false }] }),
    );
    check(
        json!({ "addresses": [{ "type": "work", "locality": "Berlin" }] }),
        json!([{ "op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway Ave" }]),
        json!({ "addresses": [{ "type": "work", "locality": "Berlin", "streetAddress": "1010 Broadway Ave" }] }),
    );
    check(
        json!({ "nickName": "x" }),
        json!([{
            "op": "replace",
            "value": {
                "emails": [
                    { "value": "bjensen@example.com", "type": "work", "primary": true },
                    { "value": "babs@jensen.org", "type": "home" }
                ],
                "nickname": "Babs"
            }
        }]),
        json!({
            "nickName": "Babs",
            "emails": [
                { "value": "bjensen@example.com", "type": "work", "primary": true },
                { "value": "babs@jensen.org", "type": "home" }
            ]
        }),
    );
    refused(
        json!({ "addresses": [{ "type": "home" }] }),
        json!([{ "op": "replace", "path": "addresses[type eq \"work\"]", "value": { "locality": "x" } }]),
        "noTarget: the path `addresses[type eq \"work\"]` selects no value of this resource",
    );
}

#[test]
fn a_complex_attribute_is_merged_and_null_takes_away() {
    let before = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
    for op in ["add", "replace"] {
        check(
            before.clone(),
            json!([{ "op": op, "path": "name", "value": { "FAMILYNAME": "Lovelace" } }]),
            json!({ "name": { "givenName": "Ada", "familyName": "Lovelace" } }),
        );
        check(
            before.clone(),
            json!([{ "op": op, "path": "name", "value": { "familyName": null } }]),
            json!({ "name": { "givenName": "Ada" } }),
        );
    }
    check(before.clone(), json!([{ "op": "replace", "path": "name", "value": null }]), json!({}));
    check(before.clone(), json!([{ "op": "add", "path": "name", "value": null }]), before.clone());
    check(
        before.clone(),
        json!([{ "op": "remove", "path": "name.givenName" }]),
        json!({ "name": { "familyName": "Byron" } }),
    );
    check(
        before,
        json!([{ "op": "remove", "path": "name.givenName" }, { "op": "remove", "path": "name.familyName" }]),
        json!({}),
    );
    check(
        json!({ ENTERPRISE: { "department": "R&D" } }),
        json!([{ "op": "remove", "path": format!("{ENTERPRISE}:department") }]),
        json!({}),
    );
    check(
        json!({ "userName": "a", ENTERPRISE: { "department": "R&D" } }),
        json!([{ "op": "remove", "path": ENTERPRISE }]),
        json!({ "userName": "a" }),
    );
}

#[test]
fn values_that_become_the_same_are_one() {
    let before = json!({ "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x" }, { "value": "a@x" }] });
    check(
        before.clone(),
        json!([{ "op": "remove", "path": "emails[type eq \"work\"].type" }]),
        json!({ "emails": [{ "value": "a@x" }, { "value": "b@x" }] }),
    );
    check(
        before,
        json!([{ "op": "replace", "path": "emails.value", "value": "c@x" }]),
        json!({ "emails": [{ "value": "c@x", "type": "work" }, { "value": "c@x" }] }),
    );
}

#[test]
fn a_value_that_is_there_is_not_added_again_and_a_new_primary_is_the_only_one() {
    let before = json!({ "emails": [{ "value": "a@x", "type": "work", "primary": true }] });
    let add = |value: Value| json!([{ "op": "add", "path": "emails", "value": value }]);
    check(
        before.clone(),
        add(json!([{ "value": "A@x", "type": "work", "primary": true }])),
        json!({ "emails": [{ "value": "A@x", "type": "work", "primary": true }] }),
    );
    check(before.clone(), add(json!({ "value": "a@x", "type": "work" })), before.clone());
    check(
        before.clone(),
        add(json!([{ "value": "a@x", "type": "home" }])),
        json!({ "emails": [{ "value": "a@x", "type": "work", "primary": true }, { "value": "a@x", "type": "home" }] }),
    );
    check(
        before.clone(),
        add(json!([{ "value": "b@x", "primary": true }])),
        json!({ "emails": [{ "value": "a@x", "type": "work", "primary": false }, { "value": "b@x", "primary": true }] }),
    );
    check(
        before,
        json!([{ "op": "replace", "path": "emails.type", "value": "other" }]),
        json!({ "emails": [{ "value": "a@x", "type": "other", "primary": true }] }),
    );
}

#[test]
fn entra_ids_operations_are_understood() {
    check(
        json!({}),
        json!([
            { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@x" },
            { "op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True" },
            { "op": "Replace", "path": "ACTIVE", "value": "False" },
            { "op": "Add", "path": "displayName", "value": [{ "$ref": null, "value": "Ada" }] },
            { "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": [{ "$ref": null, "value": "m1" }] }
        ]),
        json!({
            "active": false,
            "displayName": "Ada",
            "emails": [{ "type": "work", "value": "a@x", "primary": true }],
            ENTERPRISE: { "manager": { "value": "m1" } }
        }),
    );
    check(
        json!({ "name": { "familyName": "Byron" } }),
        json!([{
            "op": "Replace",
            "value": {
                "name.givenName": "Ada",
                format!("{ENTERPRISE}:department"): "R&D",
                "emails[type eq \"work\"].value": "a@x",
                ENTERPRISE: { "costCenter": "1" }
            }
        }]),
        json!({
            "name": { "familyName": "Byron", "givenName": "Ada" },
            "emails": [{ "type": "work", "value": "a@x" }],
            ENTERPRISE: { "department": "R&D", "costCenter": "1" }
        }),
    );
    let manager = format!("{ENTERPRISE}:manager");
    check(
        json!({ ENTERPRISE: { "manager": { "value": "m1" } } }),
        json!([{ "op": "Replace", "path": manager, "value": "" }]),
        json!({}),
    );
    check(
        json!({}),
        json!([{ "op": "Add", "path": manager, "value": "m2" }]),
        json!({ ENTERPRISE: { "manager": { "value": "m2" } } }),
    );
    edits(
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": BABS }] }]),
        &[MemberEdit::Remove(vec![id(BABS)])],
    );
    edits(json!([{ "op": "Remove", "path": "members", "value": [] }]), &[]);
    check(
        json!({ "roles": [{ "value": "a" }, { "value": "b" }] }),
        json!([{ "op": "Remove", "path": "roles", "value": [{ "value": "B" }] }]),
        json!({ "roles": [{ "value": "a" }] }),
    );
}

#[test]
fn oktas_operations_are_understood() {
    check(
        json!({ "active": true }),
        json!([{ "op": "replace", "value": { "active": false } }]),
        json!({ "active": false }),
    );
    let group = resource("Group", json!({ "displayName": "old" }));
    let rename = json!([{ "op": "replace", "value": { "id": "0b3e", "displayName": "new" } }]);
    assert_eq!(Value::Object(patched(&group, rename).unwrap().attributes), json!({ "displayName": "new" }));
    edits(json!([{ "op": "replace", "value": { "members": [] } }]), &[MemberEdit::RemoveAll]);
    edits(json!([{ "op": "add", "value": { "members": [{ "value": BABS }] } }]), &[MemberEdit::Add(vec![id(BABS)])]);
    let selected =
        patched(&group, json!([{ "op": "remove", "path": "members[type eq \"User\"]" }])).unwrap().member_edits;
    assert!(matches!(&selected[..], [MemberEdit::RemoveWhere(filter)] if filter.to_string() == "type eq \"User\""));
}

#[test]
fn a_password_is_checked_and_not_kept() {
    check(json!({}), json!([{ "op": "replace", "path": "password", "value": "secret" }]), json!({}));
    refused(
        json!({}),
        json!([{ "op": "replace", "path": "password", "value": 1 }]),
        "invalidValue: `password` must be a string, not a number",
    );
}

#[test]
fn an_operation_that_cannot_be_done_is_refused_by_its_path() {
    let emails = json!({ "userName": "a", "emails": [{ "value": "a@x", "type": "work" }] });
    let check = |operations: Value, expected: &str| refused(emails.clone(), operations, expected);
    check(json!([{ "op": "remove" }]), "noTarget: a `remove` operation needs a `path`");
    check(json!([{ "op": "remove", "path": "userName" }]), "mutability: `userName` is required and cannot be removed");
    check(json!([{ "op": "replace", "path": "id", "value": "x" }]), "mutability: `id` is read-only");
    check(json!([{ "op": "add", "path": "groups", "value": [] }]), "mutability: `groups` is read-only");
    check(
        json!([{ "op": "remove", "path": "emails[type eq \"home\"]" }]),
        "noTarget: the path `emails[type eq \"home\"]` selects no value of this resource",
    );
    check(
        json!([{ "op": "replace", "path": "emails[type ne \"work\"].value", "value": "b" }]),
        "noTarget: the path `emails[type ne \"work\"].value` selects no value of this resource",
    );
    check(
        json!([{ "op": "add", "path": "shoeSize", "value": 1 }]),
        "invalidPath: `shoeSize` is not an attribute of User",
    );
    check(json!([{ "op": "add", "value": { "shoeSize": 1 } }]), "invalidValue: `shoeSize` is not an attribute of User");
    check(
        json!([{ "op": "add", "value": { "title": "a", "TITLE": "b" } }]),
        "invalidSyntax: `title` is given more than once",
    );
    check(
        json!([{ "op": "add", "value": 7 }]),
        "invalidValue: without a path to an attribute, the value must be an object",
    );
    check(json!([{ "op": "add", "path": "title" }]), "invalidValue: an `add` or `replace` operation has no `value`");
    check(json!([{ "op": "move", "path": "title" }]), "invalidSyntax: `op` must be add, remove or replace, not `move`");
    check(json!([]), "invalidSyntax: `Operations` must be a list of at least one operation");
    check(
        json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": 7 }]),
        "invalidValue: `emails[type eq \"work\"].value` must be a string, not a number",
    );
    check(json!(vec![json!({}); 1_001]), "tooMany: there are 1001 operations; the limit is 1000");
    let group = resource("Group", json!({}));
    let refused = |operations: Value| patched(&group, operations).unwrap_err().detail;
    assert_eq!(
        refused(json!([{ "op": "remove", "path": "members[display eq \"x\"]" }])),
        "members can be selected by `value` and `type`, not by `display`"
    );
    assert_eq!(
        refused(json!([{ "op": "add", "path": "members", "value": [{ "value": "x" }] }])),
        "`x` in `members` is not the id of a resource"
    );
}

#[test]
fn a_message_of_another_kind_is_refused() {
    let user = resource("User", json!({}));
    let error = parse(Reading::strict(&user.resource_type), &Map::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "400 invalidSyntax: `schemas` must name `urn:ietf:params:scim:api:messages:2.0:PatchOp`"
    );
}

#[test]
fn additions_add_up_to_the_limit_of_values_and_no_further() {
    let roles: Vec<Value> = (0..1_000).map(|number| json!({ "value": number.to_string() })).collect();
    let full = resource("User", json!({ "userName": "a", "roles": roles }));
    let after =
        |value: &str| patched(&full, json!([{ "op": "add", "path": "roles", "value": value }])).unwrap().attributes;
    assert_eq!(crate::scim::validate::validate(Reading::strict(&full.resource_type), &after("7")), Ok(()));
    let more = json!({ "op": "add", "path": "roles", "value": "new" });
    let fewer = json!({ "op": "remove", "path": "roles[value eq \"7\"]" });
    let error = patched(&full, json!([more, fewer])).unwrap_err();
    assert_eq!(error.to_string(), "400 invalidValue: `roles` would have 1001 values; the limit is 1000");
    assert_eq!(patched(&full, json!([fewer, more])).unwrap().attributes["roles"].as_array().unwrap().len(), 1_000);
}

#[test]
fn a_value_is_known_by_value_and_type_or_else_by_all_of_it() {
    check(
        json!({ "roles": [{ "value": "a", "type": "t" }, { "value": "a" }, { "display": "d" }] }),
        json!([{ "op": "add", "path": "roles", "value": [
            { "value": "A", "display": "x" },
            { "value": "A", "type": "T", "display": "y" },
            { "display": "d" },
            { "display": "e" },
            { "value": "b" },
            { "value": "B", "display": "z" }
        ] }]),
        json!({ "roles": [
            { "value": "A", "type": "T", "display": "y" },
            { "value": "A", "display": "x" },
            { "display": "d" },
            { "display": "e" },
            { "value": "B", "display": "z" }
        ] }),
    );
}

/// Compared each with each, they would take half a minute; this test would be missed as the one that hangs.
#[test]
fn many_additions_of_values_that_are_there_change_nothing() {
    let roles: Vec<Value> =
        (0..1_000).map(|number| json!({ "value": format!("ROLE {number}"), "type": "t" })).collect();
    let full = resource("User", json!({ "userName": "a", "roles": roles }));
    let additions = vec![json!({ "op": "add", "path": "roles", "value": roles }); 40];
    assert_eq!(patched(&full, json!(additions)).unwrap().attributes, full.attributes);
}

#[test]
fn operations_go_through_so_many_bytes_of_values_and_no_more() {
    let roles: Vec<Value> =
        (0..100).map(|number| json!({ "value": number.to_string(), "display": "x".repeat(60_000) })).collect();
    let large = resource("User", json!({ "userName": "a", "roles": roles }));
    // 6 MB are gone through by each operation, by each term of each filter.
    let check = |operation: Value, most: usize| {
        assert!(patched(&large, json!(vec![operation.clone(); most])).is_ok(), "{operation}");
        let error = patched(&large, json!(vec![operation.clone(); most + 1])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "400 tooMany: the operations together go through more than 268435456 bytes of values; the limit is for one \
             request, so send fewer operations in each",
            "{operation}"
        );
    };
    check(json!({ "op": "add", "path": "roles", "value": "1" }), 44);
    check(json!({ "op": "add", "path": "roles[value eq \"1\" and type ne \"x\"].type", "value": "y" }), 22);
    check(json!({ "op": "remove", "path": "roles", "value": ["x", "y", "z"] }), 11);
    let small = resource(
        "User",
        json!({ "userName": "a", "roles": (0..1_000).map(|number| json!({ "value": number.to_string() })).collect::<Vec<_>>() }),
    );
    let copies = json!({ "op": "replace", "path": "roles.display", "value": "x".repeat(60_000) });
    assert_eq!(patched(&small, json!(vec![copies; 5])).unwrap_err().scim_type, Some(ScimType::TooMany));
}

#[test]
fn the_keys_of_values_without_a_path_are_counted_over_the_whole_request() {
    let operation = |keys: std::ops::Range<usize>| {
        let value: Map<String, Value> =
            keys.map(|key| (format!("roles[value eq \"{key}\"].type"), json!("t"))).collect();
        json!({ "op": "add", "value": value })
    };
    let user = resource("User", json!({}));
    assert!(patched(&user, json!([operation(0..600), operation(0..400)])).is_ok());
    assert_eq!(
        patched(&user, json!([operation(0..600), operation(0..401)])).unwrap_err().to_string(),
        "400 tooMany: the values of operations without a path have 1001 keys; the limit is 1000"
    );
}

#[test]
fn a_value_made_from_a_filter_is_read_like_any_other() {
    let check = |path: &str, expected: &str| {
        let operations = json!([{ "op": "add", "path": path, "value": "d" }]);
        refused(json!({}), operations, &format!("invalidValue: {expected}"));
    };
    let long = "x".repeat(3_900);
    check(&format!("emails[value eq \"{long}\"].display"), "`emails.value` has 3900 bytes; the limit is 800");
    check("emails[value eq \"a\\u0000\"].display", "`emails.value` contains the character U+0000");
    check(
        "x509Certificates[value eq \"not base64!\"].display",
        "`x509Certificates.value` must be binary in base64, and `not base64!` is not",
    );
    refused(
        json!({}),
        json!([{ "op": "add", "path": "emails[value eq \"a\\u0000\"]", "value": { "display": "d" } }]),
        "invalidValue: `emails.value` contains the character U+0000",
    );
    // No value can be both.
    let neither = "emails[value eq \"a\" and value eq \"b\"].display";
    refused(
        json!({}),
        json!([{ "op": "add", "path": neither, "value": "d" }]),
        &format!("noTarget: the path `{neither}` selects no value of this resource"),
    );
}

#[test]
fn whoever_is_named_in_a_message_is_found_wherever_that_is() {
    let all = [1, 2, 3, 4, 5].map(|n| ResourceId(uuid::Uuid::from_u128(n)));
    let [one, two, three, four, five] = all.map(|id| id.to_string());
    let body = json!({
        "schemas": [urn::PATCH_OP, "00000000-0000-0000-0000-00000000000"],
        "Operations": [
            { "op": "Add", "path": "members", "value": [{ "value": five, "display": "x" }, { "value": two }] },
            { "op": "remove", "path": format!("members[value eq \"{one}\" or value eq \"{three}\"]") },
            { "op": "replace", "value": { format!("members[value eq \"{four}\"].display"): null, "externalId": two } },
            // None of ours is spelt so.
            { "op": "remove", "path": format!("members[value eq \"{}\"]", "ABCDEF00-0000-4000-8000-000000000000") },
        ],
    });
    assert_eq!(named_ids(body.as_object().unwrap()), all);
    assert_eq!(named_ids(json!({ "Operations": 7 }).as_object().unwrap()), []);
}
