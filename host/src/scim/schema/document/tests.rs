use super::*;
use crate::scim::schema::{Mutability, Type, Uniqueness};

fn with_attribute(attribute: Value) -> Value {
    json!({ "id": "urn:example:schemas:1.0:Device", "name": "Device", "attributes": [attribute] })
}

#[track_caller]
fn check(document: &Value, expected: &[&str]) {
    let found = match SchemaDocument::from_json(document) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{document}");
}

#[test]
fn a_schema_is_read_as_schemas_shows_it() {
    let document = SchemaDocument::from_json(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": "urn:example:schemas:1.0:Device", "name": "Device", "description": "",
        "meta": { "resourceType": "Schema", "location": "https://example.com/v2/Schemas/urn:example:schemas:1.0:Device" },
        "attributes": [
            { "name": "serial", "type": "string", "required": true, "caseExact": true, "uniqueness": "server" },
            { "name": "owner", "type": "complex", "description": null, "subAttributes": [
                { "name": "value", "type": "string", "indexed": true },
                { "name": "$ref", "type": "reference", "referenceTypes": ["User"] }
            ] }
        ]
    }))
    .unwrap();
    let schema = document.schema();
    let serial = schema.attribute("SERIAL").unwrap();
    assert!(serial.required && serial.case_exact && serial.indexed && !serial.multi_valued);
    assert_eq!((serial.uniqueness, serial.mutability), (Uniqueness::Server, Mutability::ReadWrite));
    let reference = schema.attribute("owner").unwrap().sub_attribute("$ref").unwrap();
    assert!(reference.kind == Type::Reference && reference.case_exact);
}

#[test]
fn a_document_that_is_printed_is_read_as_itself() {
    let given = with_attribute(json!({
        "name": "state", "type": "string", "canonicalValues": ["new", "old"], "canonicalOnly": true, "indexed": true
    }));
    let document = SchemaDocument::from_json(&given).unwrap();
    let printed = document.to_json();
    assert_eq!(SchemaDocument::from_json(&printed), Ok(document));
    assert_eq!(printed["attributes"][0]["canonicalOnly"], true);
    assert_eq!(printed["attributes"][0]["indexed"], true);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    check(
        &json!({
            "id": "urn:ietf:params:scim:schemas:core:2.0:User", "description": 7, "a/b": 1,
            "attributes": [{ "name": "a", "type": "text" }, { "name": "1a", "type": "string" }, 5]
        }),
        &[
            "/a~1b: `a/b` is not known here; known are `schemas`, `id`, `name`, `description`, `attributes`, `meta`",
            "/id: `urn:ietf:params:scim:schemas:core:2.0:User` begins with `urn:ietf:params:scim:`, which is reserved",
            "/name: `name` is required",
            "/description: must be a text, not a number",
            "/attributes/0/type: must be one of `string`, `boolean`, `decimal`, `integer`, `dateTime`, `binary`, `reference`, `complex`, not `text`",
            "/attributes/1/name: `1a` is not a name: a letter, then letters, digits, `-`, `_` and `$` (RFC 7643 §2.1)",
            "/attributes/2: must be an object, not a number",
        ],
    );
    check(&json!([]), &["must be an object, not a list"]);
    check(&json!({ "id": "urn:ab:c", "name": "n" }), &["/attributes: a schema needs at least one attribute"]);
}

#[test]
fn an_id_is_a_urn_and_nobody_elses() {
    let check = |id: &str, valid: bool| {
        let mut document = with_attribute(json!({ "name": "a", "type": "string" }));
        document["id"] = json!(id);
        assert_eq!(SchemaDocument::from_json(&document).is_ok(), valid, "{id}");
    };
    check("urn:example:params:scim:schemas:extension:2.0:User", true);
    check("URN:ex-1:a", true);
    check("URN:IETF:params:scim:schemas:core:2.0:Mine", false);
    check("urn:scruple:x", false);
    for id in [
        "urn:x:a",
        "urn:-a:b",
        "urn:example",
        "urn:example:",
        "urn:example::a",
        "urn:example:a/b",
        "urn:example:a[b]",
        "https://example.com/x",
    ] {
        check(id, false);
    }
    check(&format!("urn:example:{}", "a".repeat(URN_BYTES_MAX)), false);
}

#[test]
fn names_are_those_of_the_rfc_and_each_is_there_once() {
    let check = |names: [&str; 2], expected: &[&str]| {
        let attributes = names.map(|name| json!({ "name": name, "type": "string" }));
        check(&json!({ "id": "urn:example:a", "name": "A", "attributes": attributes }), expected);
    };
    check(["a", "b-_$9"], &[]);
    check(["a", "A"], &["/attributes/1/name: `a` is the name of another, too"]);
    check(["EXTERNALID", "b"], &["/attributes/0/name: `externalId` is an attribute that every resource has"]);
    check(
        ["a", "$ref"],
        &["/attributes/1/name: `$ref` is not a name: a letter, then letters, digits, `-`, `_` and `$` (RFC 7643 §2.1)"],
    );
    check(
        ["a", "b.c"],
        &["/attributes/1/name: `b.c` is not a name: a letter, then letters, digits, `-`, `_` and `$` (RFC 7643 §2.1)"],
    );
}

#[test]
fn characteristics_that_contradict_each_other_are_refused() {
    let of = |kind: &str, more: Value, expected: &[&str]| {
        let mut attribute = json!({ "name": "a", "type": kind });
        attribute.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let expected: Vec<String> = expected.iter().map(|message| format!("/attributes/0/{message}")).collect();
        check(&with_attribute(attribute), &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    of("string", json!({}), &[]);
    of(
        "binary",
        json!({ "caseExact": false }),
        &["caseExact: binary values and references are case-exact (RFC 7643 §2.3.6, §2.3.7)"],
    );
    of("boolean", json!({ "caseExact": true }), &["caseExact: only texts have case"]);
    of(
        "string",
        json!({ "referenceTypes": ["User"] }),
        &["referenceTypes: only an attribute of type `reference` has `referenceTypes`"],
    );
    of(
        "string",
        json!({ "required": true, "mutability": "readOnly" }),
        &["required: what is `readOnly` cannot be given, so it cannot be required"],
    );
    of(
        "string",
        json!({ "required": true, "returned": "never" }),
        &["required: what is `returned: never` is not kept, so it cannot be required"],
    );
    of(
        "string",
        json!({ "mutability": "writeOnly" }),
        &["returned: what is `writeOnly` is never returned: set `returned` to `never`"],
    );
    of(
        "string",
        json!({ "returned": "never", "indexed": true }),
        &["indexed: what is `returned: never` is not kept, so it has no index"],
    );
    of(
        "string",
        json!({ "uniqueness": "global" }),
        &["uniqueness: uniqueness is kept within the tenant, which is `server`, not `global`"],
    );
    of(
        "string",
        json!({ "uniqueness": "server", "multiValued": true }),
        &["uniqueness: a multi-valued attribute cannot be unique; a sub-attribute of it can"],
    );
    of("boolean", json!({ "uniqueness": "server" }), &["uniqueness: a boolean cannot be unique: it has two values"]);
    of(
        "integer",
        json!({ "canonicalValues": ["1"] }),
        &["canonicalValues: only an attribute of type `string` or `reference` has canonical values"],
    );
    of("string", json!({ "canonicalValues": ["a", "A"] }), &["canonicalValues: `A` is there more than once"]);
    of("string", json!({ "canonicalValues": ["a", "A"], "caseExact": true }), &[]);
    of(
        "string",
        json!({ "canonicalValues": [1, ""] }),
        &["canonicalValues/0: must be a text, not a number", "canonicalValues/1: is empty"],
    );
    of(
        "string",
        json!({ "canonicalOnly": true }),
        &["canonicalOnly: there are no `canonicalValues` that a value could be one of"],
    );
    of(
        "string",
        json!({ "subAttributes": [{ "name": "b", "type": "string" }] }),
        &["subAttributes: only an attribute of type `complex` has sub-attributes"],
    );
    of("complex", json!({}), &["subAttributes: an attribute of type `complex` needs sub-attributes"]);
    of(
        "complex",
        json!({ "subAttributes": [{ "name": "b", "type": "complex", "subAttributes": [] }] }),
        &["subAttributes/0/type: a sub-attribute cannot be `complex` (RFC 7643 §2.3.8)"],
    );
    of(
        "complex",
        json!({ "multiValued": true, "subAttributes": [{ "name": "primary", "type": "string" }] }),
        &["subAttributes/0/type: `primary` of a multi-valued attribute is one boolean (RFC 7643 §2.4)"],
    );
    of(
        "complex",
        json!({ "returned": "never", "subAttributes": [{ "name": "b", "type": "string", "indexed": true }] }),
        &["subAttributes/0/indexed: what is `returned: never` is not kept, so it has no index"],
    );
    of(
        "string",
        json!({ "storage": "rows" }),
        &[
            "storage: `storage` is not known here; known are `name`, `type`, `multiValued`, `description`, `required`, `canonicalValues`, `caseExact`, `mutability`, `returned`, `uniqueness`, `referenceTypes`, `subAttributes`, `indexed`, `canonicalOnly`",
        ],
    );
}

#[test]
fn what_is_beyond_a_limit_is_refused_with_the_limit() {
    let attributes: Vec<Value> =
        (0..=ATTRIBUTES_MAX).map(|n| json!({ "name": format!("a{n}"), "type": "string" })).collect();
    check(
        &json!({ "id": "urn:example:a", "name": "A", "attributes": attributes }),
        &["/attributes: has 101 values; the limit is 100"],
    );
    check(
        &with_attribute(json!({ "name": "a".repeat(65), "type": "string", "description": "d".repeat(1025) })),
        &[
            "/attributes/0/name: has 65 bytes; the limit is 64",
            "/attributes/0/description: has 1025 bytes; the limit is 1024",
        ],
    );
    let errors = SchemaDocument::parse(&vec![b' '; DOCUMENT_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(errors[0].to_string(), "the document has 131073 bytes; the limit is 131072");
    assert!(SchemaDocument::parse(b"{").unwrap_err()[0].message.starts_with("the document is not JSON: "));
}
