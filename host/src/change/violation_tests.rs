//! What the log is told of a request that does not respect an attribute's characteristics.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::change::plan::{plan_create, plan_patch, plan_replace};
use crate::scim::error::ScimError;
use crate::scim::patch;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{Mutability, ResourceType, Returned, Schema, SchemaRegistry};
use crate::scim::urn;
use crate::scim::violation::{Characteristic, VALUE_BYTES_MAX};

/// `User` whose `title` and `emails.type` are immutable, whose `emails.display` is never returned, and whose
/// `userType` has binding canonical values.
fn user() -> Arc<ResourceType> {
    let mut user = (**SchemaRegistry::core().resource_type("User").unwrap()).clone();
    let mut schema = Schema::clone(&user.schema);
    for attribute in &mut schema.attributes {
        let attribute = Arc::make_mut(attribute);
        match attribute.name.as_str() {
            "title" => attribute.mutability = Mutability::Immutable,
            "userType" => {
                attribute.canonical_values = vec!["Employee".to_owned()];
                attribute.canonical_only = true;
            }
            "emails" => {
                for sub in &mut attribute.sub_attributes {
                    let sub = Arc::make_mut(sub);
                    match sub.name.as_str() {
                        "type" => sub.mutability = Mutability::Immutable,
                        "display" => sub.returned = Returned::Never,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    user.schema = Arc::new(schema);
    Arc::new(user)
}

fn body(mut attributes: Value) -> Map<String, Value> {
    attributes["schemas"] = json!([urn::USER]);
    attributes.as_object().unwrap().clone()
}

fn post(attributes: Value) -> Result<Resource, ScimError> {
    let (user, id) = (user(), ResourceId(uuid::Uuid::from_u128(1)));
    let draft = plan_create(Reading::strict(&user), id, &body(attributes), jiff::Timestamp::UNIX_EPOCH)?;
    Ok(draft.after.unwrap())
}

fn before() -> Resource {
    post(json!({
        "userName": "ada",
        "title": "Countess",
        "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x" }]
    }))
    .unwrap()
}

fn put(attributes: Value) -> Result<Resource, ScimError> {
    let user = user();
    let draft = plan_replace(Reading::strict(&user), before(), &body(attributes), jiff::Timestamp::UNIX_EPOCH)?;
    Ok(draft.after.unwrap())
}

fn patch_of(operation: &Value) -> Result<Resource, ScimError> {
    let user = user();
    let message = json!({ "schemas": [urn::PATCH_OP], "Operations": [operation] });
    let operations = patch::parse(Reading::strict(&user), message.as_object().unwrap())?;
    let draft = plan_patch(Reading::strict(&user), before(), &operations, jiff::Timestamp::UNIX_EPOCH)?;
    Ok(draft.after.unwrap())
}

type Expected<'e> = (&'e str, &'e str, Option<Value>, Option<Value>);

#[track_caller]
fn check<T: std::fmt::Debug>(outcome: Result<T, ScimError>, expected: Expected<'_>) {
    let violation = *outcome.unwrap_err().violation.expect("the error names no violation");
    let found = (violation.attribute.as_str(), violation.characteristic.as_str(), violation.before, violation.after);
    assert_eq!(found, expected);
}

#[test]
fn a_refused_value_is_named_with_its_attribute_and_characteristic() {
    check(post(json!({})), ("userName", "required", None, None));
    check(post(json!({ "userName": 7 })), ("userName", "type", None, Some(json!(7))));
    check(post(json!({ "name": { "givenName": [] } })), ("name.givenName", "type", None, Some(json!([]))));
    check(
        post(json!({ "userName": "a", "userType": "Robot" })),
        ("userType", "canonicalValues", None, Some(json!("Robot"))),
    );
    check(post(json!({ "profileUrl": "a b" })), ("profileUrl", "type", None, Some(json!("a b"))));
    check(post(json!({ "name": [{}, {}] })), ("name", "multiValued", None, Some(json!([{}, {}]))));
    let primary = |value: &str| json!({ "value": value, "primary": true });
    check(
        post(json!({ "userName": "a", "roles": [primary("a"), primary("b")] })),
        ("roles", "primary", None, Some(json!([primary("a"), primary("b")]))),
    );
    check(post(json!({ "roles": vec!["x"; 1_001] })), ("roles", "size", None, None));
    let manager = format!("{}:manager.value", urn::ENTERPRISE_USER);
    check(
        post(json!({ urn::ENTERPRISE_USER: { "manager": { "value": 7 } } })),
        (manager.as_str(), "type", None, Some(json!(7))),
    );
    let error = ScimError::uniqueness_of("userName", Some(&json!("ada")));
    assert_eq!((error.status, error.detail), (409, ScimError::uniqueness("userName").detail));
    check(
        Err::<(), _>(ScimError::uniqueness_of("userName", Some(&json!("ada")))),
        ("userName", "uniqueness", None, Some(json!("ada"))),
    );
}

#[test]
fn an_attempt_to_change_what_may_not_change_is_named_with_the_old_and_the_new_value() {
    let title = |after: Option<&str>| ("title", "mutability", Some(json!("Countess")), after.map(Value::from));
    check(put(json!({ "userName": "ada", "title": "Dr" })), title(Some("Dr")));
    check(patch_of(&json!({ "op": "replace", "path": "TITLE", "value": "Dr" })), title(Some("Dr")));
    check(patch_of(&json!({ "op": "add", "value": { "title": "Dr" } })), title(Some("Dr")));
    check(patch_of(&json!({ "op": "remove", "path": "title" })), title(None));
    let id = json!("00000000-0000-0000-0000-000000000001");
    check(
        patch_of(&json!({ "op": "replace", "path": "id", "value": "7" })),
        ("id", "mutability", Some(id), Some(json!("7"))),
    );
    check(patch_of(&json!({ "op": "remove", "path": "userName" })), ("userName", "required", Some(json!("ada")), None));
}

#[test]
fn immutable_parts_of_a_value_among_many_stay_as_long_as_it_does() {
    let of =
        |path: &'static str, after: Option<&str>| (path, "mutability", Some(json!("work")), after.map(Value::from));
    let emails = |emails: Value| put(json!({ "userName": "ada", "emails": emails }));
    let work = json!({ "value": "A@x", "type": "work" });
    check(emails(json!([{ "value": "A@x", "type": "home" }])), of("emails[value eq \"a@x\"].type", Some("home")));
    // It is kept where a PUT leaves it out, may be set where there was none, and goes with its value.
    assert_eq!(emails(json!([{ "value": "A@x" }])).unwrap().attributes["emails"], json!([work]));
    let set = json!([{ "value": "b@x", "type": "home" }]);
    assert_eq!(emails(set.clone()).unwrap().attributes["emails"], set);

    let path = "emails[value eq \"a@x\"].type";
    check(patch_of(&json!({ "op": "replace", "path": path, "value": "home" })), of(path, Some("home")));
    check(patch_of(&json!({ "op": "remove", "path": path })), of(path, None));
    assert!(patch_of(&json!({ "op": "replace", "path": path, "value": "work" })).is_ok());
    assert!(patch_of(&json!({ "op": "add", "path": "emails[value eq \"b@x\"].type", "value": "home" })).is_ok());
    assert!(patch_of(&json!({ "op": "remove", "path": "emails[value eq \"a@x\"]" })).is_ok());
    check(
        patch_of(
            &json!({ "op": "replace", "path": "emails[value eq \"a@x\"]", "value": { "value": "a@x", "type": "home" } }),
        ),
        of(path, Some("home")),
    );
}

#[test]
fn a_secret_is_masked_and_a_long_value_cut() {
    check(post(json!({ "password": 7 })), ("password", "type", None, Some(json!("***"))));
    let long = "x".repeat(70_000);
    let error = post(json!({ "password": long })).unwrap_err();
    assert!(!error.to_string().contains('x') && error.violation.unwrap().after == Some(json!("***")));
    check(post(json!({ "emails": [{ "display": ["s3cret"] }] })), ("emails.display", "type", None, Some(json!("***"))));
    let email = |value: &str| json!({ "value": value, "display": "s3cret", "primary": true });
    let error = post(json!({ "userName": "a", "emails": [email("a"), email("b")] })).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"));
    let violation = *post(json!({ "title": long })).unwrap_err().violation.unwrap();
    let kept = format!("{}…", "x".repeat(VALUE_BYTES_MAX));
    assert_eq!(violation.after, Some(json!(kept)));
}

#[test]
fn each_characteristic_has_a_word_of_its_own() {
    for characteristic in Characteristic::ALL {
        assert_eq!(Characteristic::parse(characteristic.as_str()), Some(characteristic));
    }
}
