use super::*;

fn devices() -> Value {
    json!({ "name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device" })
}

#[track_caller]
fn check(change: Value, expected: &[&str]) {
    let mut document = devices();
    document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let found = match ResourceTypeDocument::from_json(&document) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{document}");
}

#[test]
fn a_resource_type_is_what_rfc_7643_section_6_says() {
    check(json!({}), &[]);
    check(json!({ "id": "Device", "schemas": [], "meta": {} }), &[]);
    check(json!({ "id": "Other" }), &["/id: must be the name, `Device`, or be left out"]);
    check(json!({ "name": "schema" }), &["/name: `Schema` is reserved for what discovery shows"]);
    check(json!({ "name": "a b" }), &["/name: `a b` is not a name: a letter, then letters, digits, `-` and `_`"]);
    check(json!({ "schema": null }), &["/schema: `schema` is required"]);
    let extension = json!({ "schema": "urn:example:A" });
    check(
        json!({ "schemaExtensions": [extension, extension] }),
        &["/schemaExtensions/1/schema: `urn:example:A` is in this resource type already"],
    );
    check(
        json!({ "schemaExtensions": [{ "schema": "URN:example:device" }] }),
        &["/schemaExtensions/0/schema: `URN:example:device` is in this resource type already"],
    );
    check(
        json!({ "schemaExtensions": [{ "schema": "urn:example:A", "required": 1 }] }),
        &["/schemaExtensions/0/required: must be true or false, not a number"],
    );
}

#[test]
fn an_endpoint_is_one_segment_that_is_not_reserved() {
    for endpoint in
        ["/me", "/Bulk", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/.search", "/asyncRequests"]
    {
        let errors =
            ResourceTypeDocument::from_json(&json!({ "name": "D", "endpoint": endpoint, "schema": "urn:example:D" }));
        assert!(errors.unwrap_err()[0].message.ends_with("is reserved"), "{endpoint}");
    }
    for endpoint in ["Devices", "/", "/a/b", "/1a", "/ä", "//a"] {
        check(
            json!({ "endpoint": endpoint }),
            &[&format!(
                "/endpoint: `{endpoint}` is not an endpoint such as `/Devices`: a slash, a letter, then letters, digits, `-` and `_`"
            )],
        );
    }
}

#[test]
fn a_document_that_is_printed_is_read_as_itself() {
    let document = ResourceTypeDocument::from_json(&devices()).unwrap();
    assert_eq!(ResourceTypeDocument::from_json(&document.to_json()), Ok(document));
}
