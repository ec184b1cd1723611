use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::scim::schema::{
    Definitions, ResourceType, ResourceTypeDocument, SchemaDocument, SchemaRegistry, Tightening,
};
use crate::scim::urn;

fn user(tightenings: &Value) -> Arc<ResourceType> {
    let tightenings = tightenings.as_array().unwrap().iter().map(|set| {
        let mut set = set.clone();
        set["resourceType"] = json!("User");
        Tightening::from_json(&set).unwrap()
    });
    let definitions = Definitions { tightenings: tightenings.collect(), ..Definitions::default() };
    SchemaRegistry::build(&definitions).unwrap().resource_type("User").unwrap().clone()
}

#[track_caller]
fn check(new: &Arc<ResourceType>, state: &Value, expected: &[&str]) {
    let found = violations(new, state.as_object().unwrap());
    let found: Vec<String> =
        found.iter().map(|violation| format!("{}: {}", violation.path, violation.message)).collect();
    assert_eq!(found, expected, "{state}");
}

#[test]
fn what_was_let_in_by_larger_limits_is_not_too_large() {
    let many: Vec<Value> = (0..2_000).map(|number| json!({ "value": format!("{number}@x") })).collect();
    check(&user(&json!([])), &json!({ "userName": "ada", "emails": many, "title": "x".repeat(100_000) }), &[]);
}

#[test]
fn a_state_that_is_as_the_type_says_breaks_nothing() {
    let state = json!({
        "userName": "ada", "active": true, "externalId": "1", "emails": [{ "value": "a@x", "type": "work" }],
        urn::ENTERPRISE_USER: { "department": "d", "manager": { "value": "1" } }
    });
    check(&user(&json!([])), &state, &[]);
    check(
        &user(&json!([{ "path": "externalId", "required": true, "uniqueness": "server", "mutability": "immutable" }])),
        &state,
        &[],
    );
}

#[test]
fn what_a_tightening_demands_and_a_state_lacks_is_told_by_path() {
    let new = user(&json!([
        { "path": "externalId", "required": true },
        { "path": "userType", "canonicalValues": ["Employee", "Contractor"] },
        { "path": "emails.type", "required": true, "canonicalValues": ["work"] },
        { "path": "nickName", "indexed": true },
        { "path": format!("{}:department", urn::ENTERPRISE_USER), "required": true }
    ]));
    let enterprise = |rest: &str| format!("{}:{rest}", urn::ENTERPRISE_USER);
    check(
        &new,
        &json!({
            "userName": "ada", "userType": "guest", "nickName": "n".repeat(801),
            "emails": [{ "value": "a@x" }, { "value": "b@x", "type": "home" }, { "value": "c@x", "type": "WORK" }],
            urn::ENTERPRISE_USER: { "division": "d" }
        }),
        &[
            "nickName: `nickName` has 801 bytes; the limit is 800",
            "userType: must be one of `Employee`, `Contractor`, and `guest` is stored",
            "emails.type: is required and has no value",
            "emails.type: must be one of `work`, and `home` is stored",
            "externalId: is required and has no value",
            &format!("{}: is required and has no value", enterprise("department")),
        ],
    );
    // An extension that may be absent demands nothing while it is.
    check(&new, &json!({ "userName": "ada", "externalId": "1" }), &[]);
}

#[test]
fn what_another_schema_makes_of_a_state_is_told() {
    let schema = |attributes: Value| {
        let schema = json!({ "id": "urn:example:Badge", "name": "Badge", "attributes": attributes });
        let user = json!({
            "name": "User", "endpoint": "/Users", "schema": urn::USER,
            "schemaExtensions": [{ "schema": urn::ENTERPRISE_USER }, { "schema": "urn:example:Badge", "required": true }]
        });
        let definitions = Definitions {
            schemas: vec![SchemaDocument::from_json(&schema).unwrap()],
            resource_types: vec![ResourceTypeDocument::from_json(&user).unwrap()],
            tightenings: Vec::new(),
        };
        SchemaRegistry::build(&definitions).unwrap().resource_type("User").unwrap().clone()
    };
    let badge = schema(json!([
        { "name": "number", "type": "integer", "required": true },
        { "name": "codes", "type": "string", "multiValued": true },
        { "name": "site", "type": "complex", "subAttributes": [{ "name": "value", "type": "string" }] },
        { "name": "pin", "type": "string", "returned": "never" }
    ]));
    check(&badge, &json!({ "userName": "ada" }), &["urn:example:Badge:number: is required and has no value"]);
    check(
        &badge,
        &json!({
            "userName": "ada", "urn:example:Gone": { "a": 1 },
            "urn:example:Badge": { "number": "7", "codes": "x", "site": { "value": "s", "floor": 1 }, "pin": "1", "old": 1 }
        }),
        &[
            "urn:example:Gone: has a value and would not be an attribute any more",
            "urn:example:Badge:old: has a value and would not be an attribute any more",
            "urn:example:Badge:number: `urn:example:Badge:number` must be an integer, not the text `7`",
            "urn:example:Badge:codes: has a list of values, and a single one is stored",
            "urn:example:Badge:site.floor: has a value and would not be an attribute any more",
            "urn:example:Badge:pin: has a value, which would not be kept",
        ],
    );
    check(
        &badge,
        &json!({ "userName": "ada", "urn:example:Badge": { "number": [1, 2], "site": "s" } }),
        &[
            "urn:example:Badge:number: has one value, and 2 are stored",
            "urn:example:Badge:site: is complex, and a simple value is stored",
        ],
    );
}
