use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::change::planned::{MembersChange, PlannedChange};
use crate::scim::schema::{Mutability, ResourceType, Schema, SchemaRegistry};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(number: u128) -> ResourceId {
    ResourceId(uuid::Uuid::from_u128(number))
}

fn resource_type(name: &str) -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type(name).unwrap().clone()
}

fn body(urn: &str, attributes: Value) -> Map<String, Value> {
    let mut body = attributes.as_object().unwrap().clone();
    body.insert("schemas".to_owned(), json!([urn]));
    body
}

fn created(resource_type: &Arc<ResourceType>, attributes: Value) -> Resource {
    let body = body(&resource_type.schema.id, attributes);
    plan_create(Reading::strict(resource_type), id(1), &body, at(1)).unwrap().after.unwrap()
}

fn patch_of(before: &Resource, operations: Value) -> Result<Draft, ScimError> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let operations = patch::parse(Reading::strict(&before.resource_type), body.as_object().unwrap())?;
    plan_patch(Reading::strict(&before.resource_type), before.clone(), &operations, at(2))
}

fn put_of(before: Resource, body: &Map<String, Value>) -> Result<Draft, ScimError> {
    let resource_type = before.resource_type.clone();
    plan_replace(Reading::strict(&resource_type), before, body, at(2))
}

fn paths(change: &PlannedChange) -> Vec<&str> {
    change.differences().iter().map(|difference| difference.path.as_str()).collect()
}

#[test]
fn an_update_raises_the_version_only_if_something_differs() {
    let before = created(&resource_type("User"), json!({ "userName": "ada", "active": true }));
    assert_eq!(before.meta, Meta { created: at(1), last_modified: at(1), version: 1 });
    let change = |operations| patch_of(&before, operations).unwrap().settle(MembersChange::default());
    assert_eq!(change(json!([{ "op": "replace", "path": "active", "value": "True" }])), None);
    let changed = change(json!([{ "op": "replace", "path": "active", "value": false }])).unwrap();
    assert_eq!(paths(&changed), ["active"]);
    assert_eq!(changed.expected_version(), Some(1));
    assert_eq!(changed.after.unwrap().meta, Meta { created: at(1), last_modified: at(2), version: 2 });
}

#[test]
fn the_four_spellings_of_a_deactivation_are_one_change() {
    let before = created(&resource_type("User"), json!({ "userName": "ada", "active": true }));
    let settle = |draft: Draft| draft.settle(MembersChange::default()).unwrap();
    let expected = settle(patch_of(&before, json!([{ "op": "replace", "path": "active", "value": false }])).unwrap());
    for operations in [
        json!([{ "op": "Replace", "path": "ACTIVE", "value": "False" }]),
        json!([{ "op": "replace", "value": { "active": false } }]),
        json!([{ "op": "add", "path": format!("{USER}:active"), "value": false }]),
    ] {
        assert_eq!(settle(patch_of(&before, operations).unwrap()), expected);
    }
    let put = body(USER, json!({ "id": "x", "meta": {}, "groups": [], "userName": "ada", "active": false }));
    assert_eq!(settle(put_of(before, &put).unwrap()), expected);
}

#[test]
fn a_create_has_a_difference_for_each_value_and_a_delete_has_none() {
    let group = resource_type("Group");
    let members = json!([{ "value": id(7).to_string() }]);
    let draft = plan_create(
        Reading::strict(&group),
        id(1),
        &body(GROUP, json!({ "displayName": "g", "members": members })),
        at(1),
    )
    .unwrap();
    assert_eq!(draft.member_edits, [MemberEdit::Add(vec![id(7)])]);
    let before = draft.after.clone().unwrap();
    let change = draft.settle(MembersChange::default()).unwrap();
    assert_eq!((change.action, paths(&change), change.expected_version()), (Action::Create, vec!["displayName"], None));
    let change = plan_delete(before).settle(MembersChange::default()).unwrap();
    assert_eq!((change.action, change.differences().len(), change.expected_version()), (Action::Delete, 0, Some(1)));
}

#[test]
fn a_put_replaces_the_members_too() {
    let before = created(&resource_type("Group"), json!({ "displayName": "g" }));
    let edits = |attributes| put_of(before.clone(), &body(GROUP, attributes)).unwrap().member_edits;
    let members = json!([{ "value": id(7).to_string() }]);
    assert_eq!(edits(json!({ "displayName": "g", "members": members })), [MemberEdit::Replace(vec![id(7)])]);
    assert_eq!(edits(json!({ "displayName": "g" })), [MemberEdit::RemoveAll]);
    let user = created(&resource_type("User"), json!({ "userName": "a" }));
    assert_eq!(put_of(user, &body(USER, json!({ "userName": "a" }))).unwrap().member_edits, []);
}

#[test]
fn what_is_required_must_stay() {
    let before = created(&resource_type("User"), json!({ "userName": "ada" }));
    let error = patch_of(&before, json!([{ "op": "replace", "value": { "userName": null } }])).unwrap_err();
    assert_eq!(error.to_string(), "400 mutability: `userName` is required and cannot be removed");
    let error = put_of(before, &body(USER, json!({}))).unwrap_err();
    assert_eq!(error.to_string(), "400 invalidValue: `userName` is required");
}

#[test]
fn what_became_read_only_after_it_was_set_outlives_a_replace() {
    let user = resource_type("User");
    let state = json!({ "userName": "a", "title": "x", "name": { "givenName": "g", "familyName": "f" } });
    let mut before = created(&user, state);
    let mut read_only = (*user).clone();
    let mut schema = Schema::clone(&read_only.schema);
    for attribute in &mut schema.attributes {
        let attribute = Arc::make_mut(attribute);
        match attribute.name.as_str() {
            "title" => attribute.mutability = Mutability::ReadOnly,
            "name" => Arc::make_mut(&mut attribute.sub_attributes[2]).mutability = Mutability::ReadOnly,
            _ => {}
        }
    }
    read_only.schema = Arc::new(schema);
    before.resource_type = Arc::new(read_only);
    let sent = json!({ "userName": "a", "title": "y", "name": { "familyName": "n" } });
    let after = put_of(before, &body(USER, sent)).unwrap().after.unwrap();
    let expected = json!({ "userName": "a", "title": "x", "name": { "givenName": "g", "familyName": "n" } });
    assert_eq!(Value::Object(after.attributes), expected);
}

/// `User` with `title` and `name.givenName` immutable.
fn with_immutables() -> Arc<ResourceType> {
    let mut user = (*resource_type("User")).clone();
    let mut schema = Schema::clone(&user.schema);
    for attribute in &mut schema.attributes {
        let attribute = Arc::make_mut(attribute);
        match attribute.name.as_str() {
            "title" => attribute.mutability = Mutability::Immutable,
            "name" => Arc::make_mut(&mut attribute.sub_attributes[2]).mutability = Mutability::Immutable,
            _ => {}
        }
    }
    assert_eq!(schema.attribute("name").unwrap().sub_attributes[2].name, "givenName");
    user.schema = Arc::new(schema);
    Arc::new(user)
}

#[test]
fn an_immutable_attribute_is_set_once_and_never_changed() {
    let user = with_immutables();
    let unset = created(&user, json!({ "userName": "a" }));
    let set = |value: &str| json!([{ "op": "add", "path": "title", "value": value }, { "op": "add", "path": "name.givenName", "value": value }]);
    let before = patch_of(&unset, set("x")).unwrap().after.unwrap();
    assert!(patch_of(&before, set("x")).is_ok());
    let check = |operations: Value, name: &str| {
        let error = patch_of(&before, operations).unwrap_err();
        let expected =
            format!("400 mutability: `{name}` is immutable: it has a value, which cannot be changed or removed");
        assert_eq!(error.to_string(), expected);
    };
    check(json!([{ "op": "replace", "path": "title", "value": "y" }]), "title");
    check(json!([{ "op": "remove", "path": "title" }]), "title");
    check(json!([{ "op": "replace", "path": "name", "value": { "givenName": "y" } }]), "name.givenName");
    check(json!([{ "op": "remove", "path": "name" }]), "name.givenName");
    let put = |attributes| put_of(before.clone(), &body(USER, attributes));
    let kept = put(json!({ "userName": "a" })).unwrap().after.unwrap();
    assert_eq!(kept.attributes, before.attributes);
    assert!(put(json!({ "userName": "a", "title": "y" })).is_err());
}

#[test]
fn a_secret_is_handed_over_and_nobody_sees_more_than_that_it_changes() {
    let before = created(&resource_type("User"), json!({ "userName": "ada", "password": "s3cret" }));
    assert!(!before.attributes.contains_key("password"));
    let check = |draft: Draft, expected: Option<&str>| {
        assert!(!format!("{draft:?}").contains("n3w"));
        let planned = draft.settle(MembersChange::default()).unwrap();
        assert_eq!(paths(&planned), ["password"]);
        assert_eq!((&planned.differences()[0].before, &planned.differences()[0].after), (&None, &None));
        assert_eq!(planned.secrets_changed().collect::<Vec<_>>(), ["password"]);
        assert_eq!(planned.secrets[0].value.as_ref().map(|secret| secret.expose()), expected);
        assert_eq!(planned.after.unwrap().attributes, before.attributes);
    };
    let patch = |operation: Value| patch_of(&before, json!([operation])).unwrap();
    check(patch(json!({ "op": "replace", "path": "password", "value": "n3w" })), Some("n3w"));
    check(patch(json!({ "op": "Add", "value": { "PASSWORD": "n3w" } })), Some("n3w"));
    check(
        patch(json!({ "op": "Replace", "path": "password", "value": [{ "$ref": null, "value": "n3w" }] })),
        Some("n3w"),
    );
    check(patch(json!({ "op": "remove", "path": "password" })), None);
    check(patch(json!({ "op": "replace", "path": "password", "value": null })), None);
    let put = |password: Value| {
        put_of(before.clone(), &body(USER, json!({ "userName": "ada", "password": password }))).unwrap()
    };
    check(put(json!("n3w")), Some("n3w"));
    check(put(Value::Null), None);
    // Left out or empty, it stays as it is.
    assert_eq!(put(json!("")).settle(MembersChange::default()), None);
    assert_eq!(
        put_of(before.clone(), &body(USER, json!({ "userName": "ada" }))).unwrap().settle(MembersChange::default()),
        None
    );
}

#[test]
fn a_required_secret_is_given_at_first_and_not_taken_away() {
    let mut user = (*resource_type("User")).clone();
    let mut schema = Schema::clone(&user.schema);
    for attribute in &mut schema.attributes {
        let is_password = attribute.name == "password";
        Arc::make_mut(attribute).required |= is_password;
    }
    user.schema = Arc::new(schema);
    let user = Arc::new(user);
    let error = plan_create(Reading::strict(&user), id(1), &body(USER, json!({ "userName": "a" })), at(1)).unwrap_err();
    assert_eq!(error.detail, "`password` is required");
    let before = created(&user, json!({ "userName": "a", "password": "s3cret" }));
    let error = patch_of(&before, json!([{ "op": "remove", "path": "password" }])).unwrap_err();
    assert_eq!(error.detail, "`password` is required");
    assert!(put_of(before, &body(USER, json!({ "userName": "a" }))).is_ok());
}

fn attributes() -> impl Strategy<Value = Value> {
    let text = || "[a-c]{1,2}";
    let email = (text(), prop::option::of("work|home"), any::<bool>()).prop_map(|(value, kind, primary)| {
        let mut email = json!({ "value": value });
        if let Some(kind) = kind {
            email["type"] = json!(kind);
        }
        if primary {
            email["display"] = json!("x");
        }
        email
    });
    (
        text(),
        prop::option::of(text()),
        prop::option::of((text(), prop::option::of(text()))),
        prop::collection::vec(email, 0..4),
        prop::option::of(text()),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(user_name, title, name, emails, department, active)| {
            json!({
                "userName": user_name,
                "title": title,
                "active": active,
                "name": name.map(|(given, family)| json!({ "givenName": given, "familyName": family })),
                "emails": emails,
                ENTERPRISE: { "department": department }
            })
        })
}

proptest! {
    #[test]
    fn a_replace_equals_the_patch_that_does_the_same(before in attributes(), after in attributes()) {
        let before = created(&resource_type("User"), before);
        let put = put_of(before.clone(), &body(USER, after.clone())).unwrap();
        // `null` in a value takes away, so naming every attribute replaces all of them.
        let mut value = after;
        for (name, sub) in [("name", "givenName"), ("name", "familyName")] {
            if value[name].is_object() && value[name].get(sub).is_none() {
                value[name][sub] = Value::Null;
            }
        }
        let patch = patch_of(&before, json!([{ "op": "replace", "value": value }])).unwrap();
        prop_assert_eq!(patch.settle(MembersChange::default()), put.settle(MembersChange::default()));
    }

    #[test]
    fn no_difference_means_equal_states_but_for_the_order_of_values(before in attributes(), after in attributes()) {
        let before = created(&resource_type("User"), before);
        let put = put_of(before.clone(), &body(USER, after)).unwrap();
        let sorted = |resource: &Resource| {
            let mut attributes = resource.attributes.clone();
            if let Some(Value::Array(emails)) = attributes.get_mut("emails") {
                emails.sort_by_key(ToString::to_string);
            }
            attributes
        };
        let same = sorted(&before) == sorted(put.after.as_ref().unwrap());
        prop_assert_eq!(put.settle(MembersChange::default()).is_none(), same);
    }
}
