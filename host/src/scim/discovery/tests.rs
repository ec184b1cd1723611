//! What discovery shows.

use std::sync::Arc;

use super::*;
use crate::scim::schema::{Attribute, SchemaRegistry};

const BASE: &str = "https://example.com/scim/acme/v2";

#[test]
fn a_resource_type_names_its_endpoint_schema_and_extensions() {
    let registry = SchemaRegistry::core();
    assert_eq!(
        resource_type(registry.resource_type("User").unwrap(), BASE),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": "User",
            "name": "User",
            "endpoint": "/Users",
            "description": "User Account",
            "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
            "schemaExtensions": [
                { "schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false }
            ],
            "meta": { "resourceType": "ResourceType", "location": "https://example.com/scim/acme/v2/ResourceTypes/User" }
        })
    );
    let group = resource_type(registry.resource_type("Group").unwrap(), BASE);
    assert_eq!(group.get("schemaExtensions"), None);
}

#[test]
fn a_schema_shows_the_rfcs_characteristics_and_none_of_ours() {
    let registry = SchemaRegistry::core();
    let document = schema(registry.schema(urn::GROUP).unwrap(), BASE);
    assert_eq!(document["meta"]["location"], format!("{BASE}/Schemas/{}", urn::GROUP));
    let display_name = &document["attributes"][0];
    assert_eq!(
        *display_name,
        json!({
            "name": "displayName", "type": "string", "multiValued": false, "required": true, "caseExact": false,
            "mutability": "readWrite", "returned": "default", "uniqueness": "none",
            "description": "A human-readable name for the group."
        })
    );
    assert_eq!(document["attributes"][1]["subAttributes"][1]["referenceTypes"], json!(["User", "Group"]));
    let read_again: Schema = serde_json::from_value(json!({
        "id": document["id"], "name": document["name"], "description": document["description"],
        "attributes": document["attributes"]
    }))
    .unwrap();
    assert_eq!(read_again.attributes.len(), 2);
}

const LEAST: Features = Features {
    bulk: None,
    max_results: 7,
    sort: false,
    change_password: false,
    etag: false,
    pagination: None,
    respond_async: false,
};

#[test]
fn the_configuration_promises_what_is_served_and_no_more() {
    let check = |features: &Features, expected: &[&str]| {
        let config = service_provider_config(BASE, features);
        let all = ["patch", "bulk", "filter", "changePassword", "sort", "etag"];
        let supported: Vec<&str> = all.into_iter().filter(|name| config[name]["supported"] == true).collect();
        assert_eq!(supported, expected);
        assert!(all.iter().all(|name| config[name]["supported"].is_boolean()), "{config}");
        assert_eq!(config["filter"]["maxResults"], 7);
        config
    };
    let config = check(&LEAST, &["patch", "filter"]);
    assert_eq!(config["bulk"], json!({ "supported": false, "maxOperations": 0, "maxPayloadSize": 0 }));
    assert_eq!(config.get("pagination"), None);
    assert_eq!(config.get("securityEvents"), None);

    let bulk = Some(BulkLimits { max_operations: 3, max_payload_size: 4 });
    let most = Features { bulk, sort: true, change_password: true, etag: true, ..LEAST };
    let config = check(&most, &["patch", "bulk", "filter", "changePassword", "sort", "etag"]);
    assert_eq!(config["bulk"], json!({ "supported": true, "maxOperations": 3, "maxPayloadSize": 4 }));
}

#[test]
fn asynchronous_requests_are_shown_as_rfc_9967_names_them() {
    let config = service_provider_config(BASE, &Features { respond_async: true, ..LEAST });
    assert_eq!(config["securityEvents"], json!({ "asyncRequest": "request" }));
}

#[test]
fn pagination_is_shown_as_rfc_9865_names_it() {
    let check = |pagination: Pagination, expected: Value| {
        let features = Features { pagination: Some(pagination), ..LEAST };
        assert_eq!(service_provider_config(BASE, &features)["pagination"], expected);
    };
    // The example of RFC 9865 §4.
    let example = Pagination {
        cursor: true,
        index: true,
        default_method: Some(PaginationMethod::Cursor),
        default_page_size: Some(100),
        max_page_size: Some(250),
        cursor_timeout_s: Some(3600),
    };
    check(
        example,
        json!({
            "cursor": true, "index": true, "defaultPaginationMethod": "cursor", "defaultPageSize": 100,
            "maxPageSize": 250, "cursorTimeout": 3600
        }),
    );
    let by_index = Pagination {
        cursor: false,
        index: true,
        default_method: Some(PaginationMethod::Index),
        default_page_size: None,
        max_page_size: None,
        cursor_timeout_s: None,
    };
    check(by_index, json!({ "cursor": false, "index": true, "defaultPaginationMethod": "index" }));
}

#[test]
fn what_discovery_shows_has_the_attributes_of_its_schema() {
    fn check(document: &Value, attributes: &[Arc<Attribute>]) {
        for (name, value) in document.as_object().unwrap() {
            let attribute = attributes.iter().find(|attribute| attribute.name == *name);
            let attribute = attribute.unwrap_or_else(|| panic!("`{name}` is in no schema"));
            assert_eq!(value.is_array(), attribute.multi_valued, "{name}");
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            values.iter().filter(|value| value.is_object()).for_each(|value| check(value, &attribute.sub_attributes));
        }
        for attribute in attributes.iter().filter(|attribute| attribute.required) {
            assert!(document.get(&attribute.name).is_some(), "`{}` is required", attribute.name);
        }
    }
    let registry = SchemaRegistry::core();
    let of = |urn: &str| registry.schema(urn).unwrap();
    let user = resource_type(registry.resource_type("User").unwrap(), BASE);
    let config = service_provider_config(BASE, &Features { respond_async: true, ..LEAST });
    let documents = [
        (urn::RESOURCE_TYPE, user),
        (urn::SERVICE_PROVIDER_CONFIG, config),
        (urn::SCHEMA, schema(of(urn::USER), BASE)),
    ];
    for (urn, mut document) in documents {
        // RFC 7643 §3.1: common attributes are in no schema.
        for common in ["schemas", "meta"] {
            document.as_object_mut().unwrap().remove(common).unwrap();
        }
        check(&document, &of(urn).attributes);
    }
}
