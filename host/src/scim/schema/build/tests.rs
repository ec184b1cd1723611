use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scim::discovery;
use crate::scim::schema::reindexed::index_form;
use crate::scim::schema::{Attribute, Uniqueness};
use crate::scim::urn;

fn definitions(schemas: &[Value], resource_types: &[Value], tightenings: &[Value]) -> Definitions {
    Definitions {
        schemas: schemas.iter().map(|document| SchemaDocument::from_json(document).unwrap()).collect(),
        resource_types: resource_types
            .iter()
            .map(|document| ResourceTypeDocument::from_json(document).unwrap())
            .collect(),
        tightenings: tightenings.iter().map(|document| Tightening::from_json(document).unwrap()).collect(),
    }
}

fn schema(id: &str) -> Value {
    json!({ "id": id, "name": "S", "attributes": [{ "name": "serial", "type": "string" }] })
}

fn resource_type(name: &str, endpoint: &str, schema: &str, extensions: &[&str]) -> Value {
    let extensions: Vec<Value> = extensions.iter().map(|urn| json!({ "schema": urn, "required": true })).collect();
    json!({ "name": name, "endpoint": endpoint, "schema": schema, "schemaExtensions": extensions })
}

#[track_caller]
fn refused(definitions: &Definitions, expected: &[&str]) {
    let errors: Vec<String> = SchemaRegistry::build(definitions).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn without_definitions_every_tenant_has_the_same_types() {
    let (one, other) = (SchemaRegistry::build(&Definitions::default()).unwrap(), SchemaRegistry::core());
    assert!(one.resource_types().iter().zip(other.resource_types()).all(|(one, other)| Arc::ptr_eq(one, other)));
}

#[test]
fn own_types_and_extensions_stand_beside_the_core() {
    let registry = SchemaRegistry::build(&definitions(
        &[schema("urn:example:Device"), schema("urn:example:Badge")],
        &[
            resource_type("Device", "/Devices", "urn:example:device", &[urn::ENTERPRISE_USER]),
            resource_type("User", "/Users", urn::USER, &[urn::ENTERPRISE_USER, "urn:example:Badge"]),
        ],
        &[],
    ))
    .unwrap();
    let device = registry.by_endpoint("Devices").unwrap();
    assert!(device.attribute("SERIAL").is_some() && device.attribute("externalId").is_some());
    let user = registry.resource_type("User").unwrap();
    assert_eq!(user.description, "User Account");
    assert!(user.extensions.iter().all(|extension| extension.required));
    assert!(user.extension("urn:example:badge").is_some());
    let ids: Vec<&str> = registry.schemas().iter().map(|schema| schema.id.as_str()).collect();
    assert_eq!(ids[..5], [urn::USER, urn::ENTERPRISE_USER, "urn:example:Badge", urn::GROUP, "urn:example:Device"]);
    let core = SchemaRegistry::core();
    assert!(Arc::ptr_eq(&user.schema, &core.resource_type("User").unwrap().schema));
    assert_eq!(index_form(core.resource_type("User").unwrap()), index_form(user));
}

#[test]
fn what_does_not_fit_together_is_told_with_its_place() {
    refused(
        &definitions(
            &[schema("urn:example:A"), schema("URN:EXAMPLE:a"), schema("urn:example:A:B")],
            &[
                resource_type("Device", "/users", "urn:example:A", &["urn:example:X"]),
                resource_type("device", "/Other", "urn:example:A", &[]),
                resource_type("Role", "/Roles", urn::USER, &[]),
            ],
            &[],
        ),
        &[
            "/schemas/1/id: `URN:EXAMPLE:a` is the id of another schema, too",
            "/schemas/2/id: `urn:example:A:B` could be an attribute of the schema `urn:example:A`",
            "/resourceTypes/0/schemaExtensions/0/schema: `urn:example:X` is neither one of the tenant's schemas nor a core extension",
            "/resourceTypes/0/endpoint: `/users` is the endpoint of `User`",
            "/resourceTypes/1/name: `device` is the name of another resource type, too",
            "/resourceTypes/2/schema: `urn:ietf:params:scim:schemas:core:2.0:User` is not one of the tenant's schemas",
        ],
    );
    let mut pointing = schema("urn:example:A");
    pointing["attributes"] =
        json!([{ "name": "owner", "type": "reference", "referenceTypes": ["User", "uri", "Robot"] }]);
    refused(
        &definitions(&[pointing], &[], &[]),
        &["/schemas/0/attributes/0/referenceTypes/2: `Robot` is neither a resource type nor `external` or `uri`"],
    );
}

#[test]
fn user_and_group_stay_what_the_rfc_says() {
    refused(
        &definitions(&[schema("urn:example:A")], &[resource_type("User", "/People", "urn:example:A", &[])], &[]),
        &[
            "/resourceTypes/0/endpoint: must be `/Users`, which RFC 7643 gives to `User`, not `/People`",
            "/resourceTypes/0/schema: must be `urn:ietf:params:scim:schemas:core:2.0:User`, which RFC 7643 gives to `User`, not `urn:example:A`",
            "/resourceTypes/0/schemaExtensions: must have `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`, which `User` has by itself",
        ],
    );
}

#[test]
fn limits_are_told() {
    let many: Vec<Value> = (0..=SCHEMAS_MAX).map(|number| schema(&format!("urn:example:s{number}"))).collect();
    refused(&definitions(&many, &[], &[]), &["/schemas: the tenant would have 33; the limit is 32"]);
    let mut indexed = schema("urn:example:A");
    indexed["attributes"] = (0..=INDEXED_MAX)
        .map(|number| json!({ "name": format!("a{number}"), "type": "string", "indexed": true }))
        .collect();
    refused(
        &definitions(&[indexed], &[resource_type("D", "/D", "urn:example:A", &[])], &[]),
        &["/resourceTypes: `D` would have 42 indexed attributes; the limit is 40"],
    );
}

#[test]
fn a_tightened_attribute_is_shown_so_and_only_in_its_type() {
    let registry = SchemaRegistry::build(&definitions(
        &[],
        &[],
        &[
            json!({ "resourceType": "User", "path": "externalId", "mutability": "immutable", "required": true }),
            json!({ "resourceType": "User", "path": "userType", "canonicalValues": ["Employee"] }),
        ],
    ))
    .unwrap();
    let shown = |urn: &str| discovery::schema(registry.schema(urn).unwrap(), "b");
    let user = shown(urn::USER);
    let attribute =
        |name: &str| user["attributes"].as_array().unwrap().iter().find(|shown| shown["name"] == name).cloned();
    let external_id = attribute("externalId").unwrap();
    assert_eq!((&external_id["mutability"], &external_id["required"]), (&json!("immutable"), &json!(true)));
    assert_eq!(attribute("userType").unwrap()["canonicalValues"], json!(["Employee"]));
    assert_eq!(attribute("id"), None);
    let group = shown(urn::GROUP);
    assert!(group["attributes"].as_array().unwrap().iter().all(|shown| shown["name"] != "externalId"));
    assert!(!registry.resource_type("Group").unwrap().attribute("externalId").unwrap().required);
}

#[test]
fn the_index_changes_with_what_is_indexed_unique_or_compared_and_with_nothing_else() {
    let core = SchemaRegistry::core();
    let form = |registry: &SchemaRegistry| index_form(registry.resource_type("User").unwrap());
    let check = |path: &str, set: (&str, Value), changes: bool| {
        let tightening = json!({ "resourceType": "User", "path": path, set.0: set.1 });
        let new = SchemaRegistry::build(&definitions(&[], &[], &[tightening])).unwrap();
        assert_eq!(form(&core) != form(&new), changes, "{path}");
    };
    check("externalId", ("uniqueness", json!("server")), true);
    check("title", ("indexed", json!(true)), true);
    check("emails.value", ("uniqueness", json!("server")), true);
    check("externalId", ("required", json!(true)), false);
    check("userType", ("canonicalValues", json!(["a"])), false);
}

#[test]
fn a_schema_that_two_types_share_is_tightened_in_both_or_in_none() {
    let schemas = [schema("urn:example:A")];
    let types =
        [resource_type("One", "/Ones", "urn:example:A", &[]), resource_type("Two", "/Twos", "urn:example:A", &[])];
    let set = |name: &str, path: &str| json!({ "resourceType": name, "path": path, "required": true });
    for path in ["serial", "externalId"] {
        refused(
            &definitions(&schemas, &types, &[set("One", path)]),
            &[
                "/tightenings/0/path: the schema `urn:example:A` is that of `One`, `Two`: make its attributes stricter in all of them alike, or in none",
            ],
        );
        assert!(SchemaRegistry::build(&definitions(&schemas, &types, &[set("One", path), set("Two", path)])).is_ok());
    }
    refused(
        &definitions(&schemas, &types, &[set("One", "serial"), set("Two", "serial"), set("One", "SERIAL")]),
        &["/tightenings/2/path: `serial` is made stricter by /tightenings/0, too"],
    );
}

fn any_attribute(depth: u32) -> BoxedStrategy<Value> {
    let kinds = ["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"];
    let simple = (
        "[a-zA-Z$1][a-zA-Z0-9_]{0,3}",
        prop::sample::select(kinds.to_vec()),
        any::<[bool; 5]>(),
        prop::sample::select(vec!["readOnly", "readWrite", "immutable", "writeOnly"]),
        prop::sample::select(vec!["always", "never", "default", "request"]),
        prop::sample::select(vec!["none", "none", "server"]),
        prop::collection::vec("[a-b]{1,2}", 0..3),
    );
    let subs = if depth == 0 {
        Just(Vec::new()).boxed()
    } else {
        prop::collection::vec(any_attribute(depth - 1), 0..3).boxed()
    };
    (simple, subs)
        .prop_map(|((name, kind, flags, mutability, returned, uniqueness, values), subs)| {
            let [multi_valued, required, case_exact, indexed, canonical_only] = flags;
            let mut attribute = json!({
                "name": name, "type": kind, "multiValued": multi_valued, "required": required, "indexed": indexed,
                "mutability": mutability, "returned": returned, "uniqueness": uniqueness
            });
            if kind == "string" {
                attribute["caseExact"] = json!(case_exact);
                attribute["canonicalValues"] = json!(values);
                attribute["canonicalOnly"] = json!(canonical_only);
            }
            if kind == "complex" {
                attribute["subAttributes"] = json!(subs);
            }
            attribute
        })
        .boxed()
}

/// What is ours and `/Schemas` does not show.
fn without_ours(attribute: &Attribute) -> Attribute {
    Attribute {
        indexed: attribute.uniqueness != Uniqueness::None,
        canonical_only: false,
        sub_attributes: attribute.sub_attributes.iter().map(|sub| Arc::new(without_ours(sub))).collect(),
        ..attribute.clone()
    }
}

proptest! {
    #[test]
    fn a_schema_that_is_shown_is_read_as_itself(attributes in prop::collection::vec(any_attribute(1), 1..4)) {
        // Single ones as well, so that many of them are valid.
        let alone = attributes.iter().map(|attribute| vec![attribute.clone()]).collect::<Vec<_>>();
        for attributes in alone.into_iter().chain([attributes]) {
            let given = json!({ "id": "urn:example:A", "name": "A", "attributes": attributes });
            let Ok(document) = SchemaDocument::from_json(&given) else { continue };
            prop_assert_eq!(SchemaDocument::from_json(&document.to_json()), Ok(document.clone()));
            let definitions = Definitions {
                schemas: vec![document.clone()],
                resource_types: vec![ResourceTypeDocument::from_json(&resource_type("D", "/Ds", "urn:example:A", &[])).unwrap()],
                tightenings: Vec::new(),
            };
            let registry = SchemaRegistry::build(&definitions).unwrap();
            let shown = discovery::schema(registry.schema("urn:example:A").unwrap(), "https://example.com");
            let read = SchemaDocument::from_json(&shown).unwrap();
            let expected: Vec<_> = document.schema().attributes.iter().map(|attribute| Arc::new(without_ours(attribute))).collect();
            prop_assert_eq!(&read.schema().attributes, &expected);
        }
    }
}
