use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::validate::validate;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn resource_type(name: &str) -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type(name).unwrap().clone()
}

/// A user's body with these members beside `schemas`.
fn user(members: Value) -> Map<String, Value> {
    let mut body = members.as_object().unwrap().clone();
    body.insert("schemas".to_owned(), json!(["urn:ietf:params:scim:schemas:core:2.0:User"]));
    body
}

#[track_caller]
fn check(members: Value, expected: Value) {
    let normalized = normalize(Reading::strict(&resource_type("User")), &user(members)).unwrap();
    assert_eq!(Value::Object(normalized.attributes), expected);
}

#[track_caller]
fn refused(members: Value, expected: &str) {
    let error = normalize(Reading::strict(&resource_type("User")), &user(members)).unwrap_err();
    assert_eq!(error.to_string(), format!("400 {expected}"));
}

/// The example without what a client cannot write.
fn written(example: &str) -> (Map<String, Value>, Value) {
    let body: Map<String, Value> = serde_json::from_str(example).unwrap();
    let mut expected = body.clone();
    for name in ["schemas", "id", "meta", "groups", "password"] {
        expected.remove(name).unwrap();
    }
    if let Some(extension) = expected.get_mut(ENTERPRISE) {
        extension["manager"].as_object_mut().unwrap().remove("displayName").unwrap();
    }
    (body, Value::Object(expected))
}

#[test]
fn the_users_of_rfc_7643_sections_8_2_and_8_3_are_kept_as_they_are() {
    for example in [include_str!("rfc7643_8_2_full_user.json"), include_str!("rfc7643_8_3_enterprise_user.json")] {
        let (body, expected) = written(example);
        let normalized = normalize(Reading::strict(&resource_type("User")), &body).unwrap();
        assert_eq!(Value::Object(normalized.attributes.clone()), expected);
        assert_eq!(validate(Reading::strict(&resource_type("User")), &normalized.attributes), Ok(()));
    }
}

/// RFC 7643 §8.4.
#[test]
fn the_group_of_rfc_7643_section_8_4_gives_its_members_as_ids() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": "e9e30dba-f08f-4109-8486-d5c6a331660a",
        "displayName": "Tour Guides",
        "members": [
            {
                "value": "2819c223-7f76-453a-919d-413861904646",
                "$ref": "https://example.com/v2/Users/2819c223-7f76-453a-919d-413861904646",
                "display": "Babs Jensen"
            },
            {
                "value": "902c246b-6245-4190-8e05-00816be7344a",
                "$ref": "https://example.com/v2/Users/902c246b-6245-4190-8e05-00816be7344a",
                "display": "Mandy Pepperidge"
            }
        ],
        "meta": {
            "resourceType": "Group",
            "created": "2010-01-23T04:56:22Z",
            "lastModified": "2011-05-13T04:42:34Z",
            "version": "W/\"3694e05e9dff592\"",
            "location": "https://example.com/v2/Groups/e9e30dba-f08f-4109-8486-d5c6a331660a"
        }
    });
    let normalized = normalize(Reading::strict(&resource_type("Group")), body.as_object().unwrap()).unwrap();
    assert_eq!(Value::Object(normalized.attributes), json!({ "displayName": "Tour Guides" }));
    let ids: Vec<String> = normalized.members.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["2819c223-7f76-453a-919d-413861904646", "902c246b-6245-4190-8e05-00816be7344a"]);
}

#[test]
fn names_get_the_schemas_spelling_and_no_value_is_dropped() {
    check(json!({ "USERNAME": "Ada", "externalid": "E" }), json!({ "userName": "Ada", "externalId": "E" }));
    check(json!({ "Name": { "GIVENNAME": "Ada", "familyName": null } }), json!({ "name": { "givenName": "Ada" } }));
    check(json!({ "title": null, "emails": [], "name": {}, "phoneNumbers": [{}], "unheardOf": null }), json!({}));
    check(json!({ "nickName": "" }), json!({ "nickName": "" }));
    check(
        json!({ ENTERPRISE.to_uppercase(): { "DEPARTMENT": "R&D", "costCenter": null } }),
        json!({ ENTERPRISE: { "department": "R&D" } }),
    );
}

#[test]
fn what_is_read_only_or_never_returned_is_passed_over() {
    check(
        json!({ "id": 7, "meta": "x", "groups": [], "password": "secret", "userName": "a" }),
        json!({ "userName": "a" }),
    );
    refused(json!({ "password": 7 }), "invalidValue: `password` must be a string, not a number");
}

#[test]
fn what_clients_send_beside_the_rfc_is_understood() {
    check(json!({ "active": "True" }), json!({ "active": true }));
    check(json!({ "emails": { "value": "a@x", "$ref": null } }), json!({ "emails": [{ "value": "a@x" }] }));
    check(
        json!({ "roles": ["admin", { "value": "{\"id\":1}", "primary": "False" }] }),
        json!({ "roles": [{ "value": "admin" }, { "value": "{\"id\":1}", "primary": false }] }),
    );
    let manager = |value: Value, expected: Value| check(json!({ ENTERPRISE: { "manager": value } }), expected);
    let m1 = json!({ ENTERPRISE: { "manager": { "value": "m1" } } });
    manager(json!("m1"), m1.clone());
    manager(json!({ "value": "m1", "displayName": "Boss" }), m1.clone());
    manager(json!([{ "$ref": null, "value": "m1" }]), m1);
    manager(json!(""), json!({}));
    manager(json!({ "value": "" }), json!({}));
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_the_attributes_path() {
    refused(json!({ "userName": 7 }), "invalidValue: `userName` must be a string, not a number");
    refused(json!({ "name": "Ada" }), "invalidValue: `name` must be an object, not the text `Ada`");
    refused(json!({ "name": { "givenName": [] } }), "invalidValue: `name.givenName` must be a string, not a list");
    refused(json!({ "active": "yes" }), "invalidValue: `active` must be true or false, not the text `yes`");
    refused(
        json!({ ENTERPRISE: { "manager": { "value": true } } }),
        &format!("invalidValue: `{ENTERPRISE}:manager.value` must be a string, not a boolean"),
    );
    refused(json!({ "profileUrl": "a b" }), "invalidValue: `profileUrl` must be a URI, and `a b` is not");
    refused(
        json!({ "x509Certificates": [{ "value": "*" }] }),
        "invalidValue: `x509Certificates.value` must be binary in base64, and `*` is not",
    );
    refused(json!({ "shoeSize": 42 }), "invalidValue: `shoeSize` is not an attribute of User");
    refused(json!({ "emails": [{ "shoe": 1 }] }), "invalidValue: `shoe` is not an attribute of `emails`");
    refused(json!({ ENTERPRISE: { "shoe": 1 } }), &format!("invalidValue: `shoe` is not an attribute of {ENTERPRISE}"));
    refused(json!({ "userName": "a", "username": "b" }), "invalidSyntax: `userName` is given more than once");
    refused(json!({ "userName": "a".repeat(801) }), "invalidValue: `userName` has 801 bytes; the limit is 800");
    refused(json!({ "title": "a\0" }), "invalidValue: `title` contains the character U+0000");
    refused(
        json!({ "emails": vec![json!({ "value": "a" }); 1_001] }),
        "invalidValue: `emails` has 1001 values; the limit is 1000",
    );
}

#[test]
fn schemas_must_name_the_base_schema() {
    let check = |body: Value, expected: &str| {
        let error = normalize(Reading::strict(&resource_type("Group")), body.as_object().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let group = "urn:ietf:params:scim:schemas:core:2.0:Group";
    check(json!({ "displayName": "x" }), "400 invalidValue: `schemas` is required");
    check(json!({ "schemas": group }), "400 invalidSyntax: `schemas` must be a list of URNs");
    check(json!({ "schemas": ["urn:x"] }), &format!("400 invalidSyntax: `schemas` must name `{group}`"));
    let adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    let body = json!({ "Schemas": [group, adscim], "displayName": "x" });
    assert!(normalize(Reading::strict(&resource_type("Group")), body.as_object().unwrap()).is_ok());
}

#[test]
fn a_member_must_be_the_id_of_a_resource() {
    let check = |members: Value, expected: &str| {
        let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "members": members });
        let error = normalize(Reading::strict(&resource_type("Group")), body.as_object().unwrap()).unwrap_err();
        assert_eq!(error.detail, expected);
    };
    check(json!([{ "value": "nobody" }]), "`nobody` in `members` is not the id of a resource");
    check(json!([{ "display": "x" }]), "a value of `members` has no `value`");
    check(json!([{ "value": 7 }]), "`members.value` must be a string, not a number");
    check(json!([7]), "`members` must be an object, not a number");
}

#[test]
fn a_resource_must_have_what_is_required_and_one_primary_at_most() {
    let check = |attributes: Value, expected: &str| {
        let error = validate(Reading::strict(&resource_type("User")), attributes.as_object().unwrap()).unwrap_err();
        assert_eq!(error.detail, expected);
    };
    check(json!({}), "`userName` is required");
    check(json!({ "userName": "" }), "`userName` is required");
    let two = json!([{ "value": "a", "primary": true }, { "value": "b", "primary": true }]);
    check(json!({ "userName": "a", "emails": two }), "`emails` has 2 primary values; one is possible");
}

fn any_text() -> BoxedStrategy<Value> {
    prop_oneof!["[a-zA-Zß]{0,5}".prop_map(Value::from), Just(Value::Null), Just(json!("true"))].boxed()
}

fn any_body() -> impl Strategy<Value = Value> {
    let complex = || {
        let names = prop::sample::select(vec!["value", "VALUE", "type", "primary", "display", "$ref"]);
        prop::collection::btree_map(names, prop_oneof![any_text(), any::<bool>().prop_map(Value::from)], 0..4)
            .prop_map(|object| json!(object))
    };
    let values = prop::collection::vec(prop_oneof![complex(), any_text()], 0..3).prop_map(Value::from);
    let names = prop::sample::select(vec![
        "userName", "title", "NAME", "active", "emails", "roles", "groups", "password", "id",
    ]);
    let top = prop::collection::btree_map(names, prop_oneof![any_text(), complex(), values], 0..6);
    let extension = prop::collection::btree_map(
        prop::sample::select(vec!["department", "manager", "Division"]),
        prop_oneof![any_text(), complex()],
        0..3,
    );
    (top, extension).prop_map(|(top, extension)| {
        let mut body = json!(top);
        body[ENTERPRISE] = json!(extension);
        body
    })
}

proptest! {
    #[test]
    fn normalising_twice_is_normalising_once(body in any_body()) {
        let user_type = resource_type("User");
        if let Ok(once) = normalize(Reading::strict(&user_type), &user(body)) {
            let again = normalize(Reading::strict(&user_type), &user(Value::Object(once.attributes.clone()))).unwrap();
            prop_assert_eq!((again.attributes, again.members), (once.attributes, once.members));
        }
    }
}
