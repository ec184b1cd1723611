//! What vendors' provisioning clients send beside the RFC, and what is made of it, whatever the tenant's profile.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::scim::error::ScimError;
use crate::scim::filter::{Filter, eval};
use crate::scim::members::MemberEdit;
use crate::scim::meta::Meta;
use crate::scim::normalize::normalize;
use crate::scim::patch::{self, Patched};
use crate::scim::profile::Leniency;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::urn;
use crate::scim::validate::validate;

const ENTERPRISE: &str = urn::ENTERPRISE_USER;
const BABS: &str = "2819c223-7f76-453a-919d-413861904646";

fn resource_type(name: &str) -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type(name).unwrap().clone()
}

fn both(resource_type: &Arc<ResourceType>) -> [Reading<'_>; 2] {
    let strict = Reading::strict(resource_type);
    [strict, Reading { leniency: Leniency::Lenient, ..strict }]
}

fn resource(resource_type: &Arc<ResourceType>, attributes: &Value) -> Resource {
    Resource {
        resource_type: resource_type.clone(),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::UNIX_EPOCH),
    }
}

/// POST or PUT of a user.
#[track_caller]
fn body(attributes: Value, expected: Value) {
    let user = resource_type("User");
    let mut body = attributes;
    body["schemas"] = json!([urn::USER]);
    for reading in both(&user) {
        let normalized =
            normalize(reading, body.as_object().unwrap()).map(|normalized| Value::Object(normalized.attributes));
        assert_eq!(normalized, Ok(expected.clone()), "{body}");
    }
}

fn patched(reading: Reading<'_>, before: &Value, operations: &Value) -> Result<Patched, ScimError> {
    let message = json!({ "schemas": [urn::PATCH_OP], "Operations": operations });
    let operations = patch::parse(reading, message.as_object().unwrap())?;
    patch::apply(reading, &resource(reading.resource_type, before), &operations)
}

/// PATCH of a user.
#[track_caller]
fn check(before: Value, operations: Value, expected: Value) {
    let user = resource_type("User");
    for reading in both(&user) {
        let after = patched(reading, &before, &operations).map(|patched| Value::Object(patched.attributes));
        assert_eq!(after, Ok(expected.clone()), "{operations}");
    }
}

/// PATCH of a group.
#[track_caller]
fn members(operations: Value, display_name: &str, expected: &[MemberEdit]) {
    let group = resource_type("Group");
    for reading in both(&group) {
        let after = patched(reading, &json!({ "displayName": "g" }), &operations).unwrap();
        assert_eq!(after.attributes["displayName"], display_name, "{operations}");
        assert_eq!(after.member_edits, expected, "{operations}");
    }
}

#[track_caller]
fn finds(filter: &str, expected: bool) {
    let user = resource_type("User");
    let attributes = json!({
        "userName": "Ada",
        "roles": [{ "value": "Admin", "primary": true }],
        ENTERPRISE: { "manager": { "value": "m1" } }
    });
    for reading in both(&user) {
        let filter = Filter::parse_with(filter, reading).unwrap();
        assert_eq!(eval::matches(&filter, &resource(&user, &attributes)), expected, "{filter}");
    }
}

#[test]
fn roles_are_kept_as_entra_id_sends_them() {
    let role = "{\"id\":\"06b07648-ecfe-589f-9d2f-6325724a46ee\",\"value\":\"Admin\",\"displayName\":\"Admin\"}";
    check(
        json!({}),
        json!([{ "op": "Add", "path": "roles", "value": [{ "value": role }] }]),
        json!({ "roles": [{ "value": role }] }),
    );
    let roles = json!([
        { "primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": "Admin", "value": "Admin" },
        { "primary": "False", "type": "WindowsAzureActiveDirectoryRole", "display": "User", "value": "User" }
    ]);
    let mut expected = roles.clone();
    expected[1]["primary"] = json!(false);
    body(json!({ "roles": roles }), json!({ "roles": expected }));
    body(json!({ "roles": "Admin" }), json!({ "roles": [{ "value": "Admin" }] }));
    body(
        json!({ "entitlements": ["E5", { "value": role }] }),
        json!({ "entitlements": [{ "value": "E5" }, { "value": role }] }),
    );
    check(
        json!({}),
        json!([{ "op": "Add", "path": "roles", "value": "Admin" }]),
        json!({ "roles": [{ "value": "Admin" }] }),
    );
    // SingleAppRoleAssignment, one operation for each part.
    check(
        json!({}),
        json!([
            { "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Admin" },
            { "op": "Add", "path": "roles[primary eq \"True\"].display", "value": "Administrator" },
            { "op": "Add", "path": "roles[primary eq \"True\"].type", "value": "t" }
        ]),
        json!({ "roles": [{ "primary": true, "value": "Admin", "display": "Administrator", "type": "t" }] }),
    );
}

#[test]
fn a_manager_is_set_and_cleared_in_every_form() {
    let manager = format!("{ENTERPRISE}:manager");
    let (set, cleared) = (json!({ ENTERPRISE: { "manager": { "value": "m1" } } }), json!({}));
    let reference = json!({ ENTERPRISE: { "manager": { "value": "m1", "$ref": "../Users/m1" } } });
    for (given, expected) in [
        (json!("m1"), &set),
        (json!({ "value": "m1" }), &set),
        (json!({ "value": "m1", "displayName": "Boss" }), &set),
        (json!([{ "$ref": null, "value": "m1" }]), &set),
        (json!({ "$ref": "../Users/m1", "value": "m1" }), &reference),
        (json!([{ "$ref": "../Users/m1", "value": "m1" }]), &reference),
        (json!(""), &cleared),
        (json!({ "value": "" }), &cleared),
        (json!([]), &cleared),
        (json!(null), &cleared),
    ] {
        body(json!({ ENTERPRISE: { "manager": given } }), expected.clone());
        for before in [json!({}), json!({ ENTERPRISE: { "manager": { "value": "m1" } } })] {
            check(before, json!([{ "op": "Replace", "path": manager, "value": given }]), expected.clone());
        }
        check(json!({}), json!([{ "op": "Replace", "value": { &*manager: given } }]), expected.clone());
    }
    check(set, json!([{ "op": "Remove", "path": manager }]), cleared);
}

#[test]
fn two_operations_on_one_value_that_is_not_there_make_one() {
    check(
        json!({}),
        json!([
            { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@x" },
            { "op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True" }
        ]),
        json!({ "emails": [{ "type": "work", "value": "a@x", "primary": true }] }),
    );
    check(
        json!({}),
        json!([{ "op": "Add", "value": {
            "emails[type eq \"work\"].value": "a@x",
            "emails[type eq \"work\"].primary": true,
            "addresses[type eq \"work\"].locality": "L"
        } }]),
        json!({
            "emails": [{ "type": "work", "value": "a@x", "primary": true }],
            "addresses": [{ "type": "work", "locality": "L" }]
        }),
    );
}

#[test]
fn members_are_added_removed_and_replaced_in_every_form() {
    let babs: ResourceId = BABS.parse().unwrap();
    let (add, remove) = (MemberEdit::Add(vec![babs]), MemberEdit::Remove(vec![babs]));
    let value = json!([{ "$ref": null, "value": BABS }]);
    members(json!([{ "op": "Add", "path": "members", "value": value }]), "g", std::slice::from_ref(&add));
    members(json!([{ "op": "add", "value": { "members": value } }]), "g", std::slice::from_ref(&add));
    members(
        json!([{ "op": "ADD", "path": "MEMBERS", "value": { "VALUE": BABS, "$REF": null } }]),
        "g",
        std::slice::from_ref(&add),
    );
    members(json!([{ "op": "Remove", "path": "members", "value": value }]), "g", std::slice::from_ref(&remove));
    let one = format!("Members[Value EQ \"{BABS}\"]");
    members(json!([{ "op": "remove", "path": one }]), "g", std::slice::from_ref(&remove));
    members(
        json!([{ "op": "remove", "path": one }, { "op": "add", "path": "members", "value": value }]),
        "g",
        &[remove, add],
    );
    members(json!([{ "op": "replace", "path": "members", "value": value }]), "g", &[MemberEdit::Replace(vec![babs])]);
    // Okta repeats the id in a rename.
    members(json!([{ "op": "replace", "value": { "id": BABS, "displayName": "new" } }]), "new", &[]);
    members(
        json!([{ "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "new" }] }]),
        "new",
        &[],
    );
}

#[test]
fn a_resource_is_written_back_as_it_was_read() {
    body(
        json!({
            "id": BABS, "meta": { "resourceType": "User" }, "groups": [], "password": "dummy",
            "USERNAME": "ada", "active": "False", "title": null, "emails": null, "name": { "GIVENNAME": "A", "middleName": null },
            "phoneNumbers": [{ "$ref": null, "value": "1" }], ENTERPRISE.to_uppercase(): { "Department": null }
        }),
        json!({ "userName": "ada", "active": false, "name": { "givenName": "A" }, "phoneNumbers": [{ "value": "1" }] }),
    );
}

#[test]
fn the_look_ups_of_clients_find_what_they_ask_for() {
    let id = "00000000-0000-0000-0000-000000000001";
    finds(&format!("id eq \"{id}\" and manager eq \"m1\""), true);
    finds(&format!("id eq \"{id}\" and manager eq \"m2\""), false);
    finds(&format!("ID EQ \"{id}\" AND {}:MANAGER.VALUE Eq \"m1\"", ENTERPRISE.to_uppercase()), true);
    finds("USERNAME eq \"ADA\"", true);
    finds("roles[primary eq \"True\"]", true);
    finds("Roles[Primary eq \"False\"]", false);
    finds("roles[primary eq \"True\"].value eq \"Admin\"", true);
    finds("externalId eq \"nobody\"", false);
}

/// RFC 7643 §2.4: "The primary attribute value "true" MUST appear no more than once." RFC 7644 §3.5.2 settles that for a
/// PATCH; in the body of a POST or PUT nothing says which of two was meant, so it is refused.
#[test]
fn a_second_primary_wins_in_a_patch_and_is_refused_in_a_body() {
    let primary = |value: &str, is_primary: bool| json!({ "value": value, "primary": is_primary });
    check(
        json!({ "emails": [primary("a", true)] }),
        json!([{ "op": "add", "path": "emails", "value": [primary("b", true)] }]),
        json!({ "emails": [primary("a", false), primary("b", true)] }),
    );
    let user = resource_type("User");
    let two = json!({ "userName": "a", "emails": [primary("a", true), primary("b", true)] });
    for reading in both(&user) {
        let error = validate(reading, two.as_object().unwrap()).unwrap_err();
        assert_eq!(error.detail, "`emails` has 2 primary values; one is possible");
    }
}
