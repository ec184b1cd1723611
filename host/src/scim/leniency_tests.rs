//! What a strict reader refuses and a lenient one passes over, and what neither lets pass.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::limits::ScimLimits;
use crate::scim::meta::Meta;
use crate::scim::normalize::normalize;
use crate::scim::patch;
use crate::scim::profile::Leniency;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::urn;

fn user() -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type("User").unwrap().clone()
}

fn lenient(resource_type: &Arc<ResourceType>) -> Reading<'_> {
    Reading { leniency: Leniency::Lenient, ..Reading::strict(resource_type) }
}

fn normalized(reading: Reading<'_>, body: &Value) -> Result<Value, ScimError> {
    normalize(reading, body.as_object().unwrap()).map(|normalized| Value::Object(normalized.attributes))
}

fn patched(reading: Reading<'_>, message: &Value) -> Result<Value, ScimError> {
    let resource = Resource {
        resource_type: reading.resource_type.clone(),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: json!({ "userName": "ada" }).as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::UNIX_EPOCH),
    };
    let operations = patch::parse(reading, message.as_object().unwrap())?;
    patch::apply(reading, &resource, &operations).map(|patched| Value::Object(patched.attributes))
}

#[test]
fn an_unknown_attribute_in_a_body_is_refused_or_passed_over() {
    let user = user();
    let check = |attributes: Value, expected: Value| {
        let mut body = attributes;
        body["schemas"] = json!([urn::USER]);
        assert!(normalized(Reading::strict(&user), &body).is_err(), "{body}");
        assert_eq!(normalized(lenient(&user), &body), Ok(expected), "{body}");
    };
    let enterprise = urn::ENTERPRISE_USER;
    check(json!({ "userName": "a", "shoeSize": 42 }), json!({ "userName": "a" }));
    check(json!({ "urn:x:1.0:User": { "a": [[{}]] }, "title": "t" }), json!({ "title": "t" }));
    check(json!({ "name": { "givenName": "A", "shoe": 1 } }), json!({ "name": { "givenName": "A" } }));
    check(json!({ "emails": [{ "value": "a@x", "verified": true }] }), json!({ "emails": [{ "value": "a@x" }] }));
    check(json!({ "emails": [{ "verified": true }] }), json!({}));
    check(json!({ enterprise: { "shoe": 1, "department": "R" } }), json!({ enterprise: { "department": "R" } }));
}

#[test]
fn a_body_without_its_schemas_is_refused_or_taken_for_what_the_endpoint_has() {
    let user = user();
    let adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/User";
    for schemas in [Value::Null, json!([]), json!([adscim])] {
        let body = json!({ "schemas": schemas, "userName": "a" });
        assert!(normalized(Reading::strict(&user), &body).is_err(), "{body}");
        assert_eq!(normalized(lenient(&user), &body), Ok(json!({ "userName": "a" })), "{body}");
    }
    assert_eq!(normalized(lenient(&user), &json!({ "userName": "a" })), Ok(json!({ "userName": "a" })));
}

#[test]
fn an_operation_on_what_is_unknown_is_refused_or_passed_over() {
    let user = user();
    let check = |operation: Value, expected: Value| {
        let title = json!({ "op": "add", "path": "title", "value": "t" });
        let message = json!({ "schemas": [urn::PATCH_OP], "Operations": [operation, title] });
        assert!(patched(Reading::strict(&user), &message).is_err(), "{message}");
        assert_eq!(patched(lenient(&user), &message), Ok(expected), "{message}");
    };
    let after = json!({ "userName": "ada", "title": "t" });
    check(json!({ "op": "add", "path": "shoeSize", "value": 42 }), after.clone());
    check(json!({ "op": "remove", "path": "name.shoe" }), after.clone());
    check(json!({ "op": "add", "path": "urn:x:1.0:User:shoe", "value": 42 }), after.clone());
    check(json!({ "op": "add", "path": "emails[verified eq true].value", "value": "a@x" }), after.clone());
    check(json!({ "op": "replace", "value": { "shoeSize": 42, "name.shoe": 1, "urn:x:1.0:User": {} } }), after);
    check(
        json!({ "op": "add", "path": "name", "value": { "shoe": 1, "givenName": "A" } }),
        json!({ "userName": "ada", "title": "t", "name": { "givenName": "A" } }),
    );
    let without_schemas = json!({ "Operations": [{ "op": "add", "path": "title", "value": "t" }] });
    assert!(patched(Reading::strict(&user), &without_schemas).is_err());
    assert_eq!(patched(lenient(&user), &without_schemas), Ok(json!({ "userName": "ada", "title": "t" })));
}

#[test]
fn a_text_in_a_filter_needs_its_quotes_or_not() {
    let user = user();
    let check = |text: &str, expected: &str| {
        assert!(Filter::parse(text, &user).is_err(), "{text}");
        let filter = Filter::parse_with(text, lenient(&user)).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), expected, "{text}");
    };
    check("userName eq ada", "userName eq \"ada\"");
    check("userName eq ada@example.com and active eq true", "userName eq \"ada@example.com\" and active eq true");
    check("(userName eq élodie)", "userName eq \"élodie\"");
    check("emails[type eq work and value co @x]", "emails[type eq \"work\" and value co \"@x\"]");
    check("displayName sw 'Tour G'", "displayName sw \"Tour G\"");
    check("userName eq o'neill", "userName eq \"o'neill\"");
    check("meta.created gt 2011-05-13T04:42:34Z", "meta.created gt \"2011-05-13T04:42:34Z\"");
    let refused = |text: &str| assert!(Filter::parse_with(text, lenient(&user)).is_err(), "{text}");
    refused("shoeSize eq 42");
    refused("userName eq ada lovelace");
    refused("userName eq ");
    refused("active eq maybe");
    refused("userName eq (ada)");
    assert_eq!(
        Filter::parse_with("title eq null", lenient(&user)).unwrap(),
        Filter::parse("title eq null", &user).unwrap()
    );
}

#[test]
fn wrong_types_and_malformed_messages_are_never_let_pass() {
    let user = user();
    let body = |body: Value| normalized(lenient(&user), &body).unwrap_err().to_string();
    assert_eq!(body(json!({ "userName": 7 })), "400 invalidValue: `userName` must be a string, not a number");
    assert_eq!(body(json!({ "schemas": "x" })), "400 invalidSyntax: `schemas` must be a list of URNs");
    assert_eq!(
        body(json!({ "userName": "a", "USERNAME": "b" })),
        "400 invalidSyntax: `userName` is given more than once"
    );
    let patch =
        |operation: Value| patched(lenient(&user), &json!({ "Operations": [operation] })).unwrap_err().to_string();
    assert_eq!(patch(json!({ "op": "replace", "path": "id", "value": "x" })), "400 mutability: `id` is read-only");
    assert_eq!(
        patch(json!({ "op": "move", "path": "shoe" })),
        "400 invalidSyntax: `op` must be add, remove or replace, not `move`"
    );
    assert_eq!(
        patch(json!({ "op": "remove", "path": "emails[type eq " })),
        "400 invalidPath: in the value filter: at position 16 the filter has its end where a value should be"
    );
    assert_eq!(
        patch(json!({ "op": "replace", "value": { "active": 1 } })),
        "400 invalidValue: `active` must be true or false, not a number"
    );
}

#[test]
fn what_is_read_is_limited_as_it_is_set() {
    let (user, group) = (user(), SchemaRegistry::core().resource_type("Group").unwrap().clone());
    let limits = ScimLimits {
        filter_bytes_max: 60,
        filter_terms_max: 2,
        filter_depth_max: 1,
        path_bytes_max: 30,
        operations_max: 1,
        values_max: 2,
        members_max: 2,
        attributes_max: 3,
        text_bytes_max: 5,
        ..ScimLimits::DEFAULT
    };
    let reading = Reading { limits: &limits, ..lenient(&user) };
    let filter = |text: &str| Filter::parse_with(text, reading).map_err(|error| error.to_string());
    assert!(filter("(title pr) and nickName pr").is_ok());
    assert_eq!(filter("((title pr))"), Err("at position 2 the filter is nested deeper than the limit of 1".to_owned()));
    assert_eq!(
        filter("title pr or title pr or title pr"),
        Err("the filter has more than the limit of 2 comparisons".to_owned())
    );
    assert_eq!(filter(&" ".repeat(61)), Err("the filter has 61 bytes; the limit is 60".to_owned()));

    let body = |body: Value| normalized(reading, &body).map_err(|error| error.detail);
    let value = |value: &str| json!({ "value": value });
    assert!(body(json!({ "title": "12345", "roles": [value("a"), value("b")] })).is_ok());
    assert_eq!(body(json!({ "title": "123456" })), Err("`title` has 6 bytes; the limit is 5".to_owned()));
    assert_eq!(
        body(json!({ "roles": [value("a"), value("b"), value("c")] })),
        Err("`roles` has 3 values; the limit is 2".to_owned())
    );
    assert_eq!(
        body(json!({ "a": 1, "b": 2, urn::ENTERPRISE_USER: { "c": 3, "d": 4 } })),
        Err("the resource has 4 attributes; the limit is 3".to_owned())
    );

    let patch =
        |operations: Value| patched(reading, &json!({ "Operations": operations })).map_err(|error| error.detail);
    let role = |value: &str| json!({ "op": "add", "path": "roles", "value": [{ "value": value }, { "value": "b" }] });
    assert!(patch(json!([role("a")])).is_ok());
    assert_eq!(patch(json!([role("a"), role("b")])), Err("there are 2 operations; the limit is 1".to_owned()));
    assert_eq!(
        patch(json!([{ "op": "remove", "path": "x".repeat(31) }])),
        Err("the path has 31 bytes; the limit is 30".to_owned())
    );

    let id = |number: u128| uuid::Uuid::from_u128(number).to_string();
    let of_group =
        Reading { resource_type: &group, limits: &ScimLimits { operations_max: 9, ..limits.clone() }, ..reading };
    let members =
        |operations: Value| patched(of_group, &json!({ "Operations": operations })).map_err(|error| error.detail);
    let add = |ids: &[u128]| {
        let members: Vec<Value> = ids.iter().map(|number| value(&id(*number))).collect();
        json!({ "op": "add", "path": "members", "value": members })
    };
    assert!(members(json!([add(&[1]), add(&[2])])).is_ok());
    let expected = Err("the request names 3 members; the limit is 2".to_owned());
    assert_eq!(members(json!([add(&[1, 2, 3])])), expected);
    assert_eq!(members(json!([add(&[1, 2]), add(&[3])])), expected);
}
