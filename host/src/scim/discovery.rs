//! What the service provider says of itself (RFC 7644 §4, RFC 7643 §5 to §7).
//!
//! `base` is the URL that clients have: `https://host/scim/{tenant}/v2`, without a slash at the end.

use serde_json::{Map, Value, json};

use crate::scim::schema::{ResourceType, Schema};
use crate::scim::urn;

/// `/ServiceProviderConfig`. `max_results` is the size of the largest page.
pub fn service_provider_config(base: &str, max_results: usize) -> Value {
    json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": max_results },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token of the tenant in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

/// One of `/ResourceTypes`.
pub fn resource_type(resource_type: &ResourceType, base: &str) -> Value {
    let extensions: Vec<Value> = resource_type
        .extensions
        .iter()
        .map(|extension| json!({ "schema": extension.schema.id, "required": extension.required }))
        .collect();
    let mut document = json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": resource_type.name,
        "name": resource_type.name,
        "endpoint": resource_type.endpoint,
        "description": resource_type.description,
        "schema": resource_type.schema.id,
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", resource_type.name) },
    });
    if let (false, Value::Object(document)) = (extensions.is_empty(), &mut document) {
        document.insert("schemaExtensions".to_owned(), Value::Array(extensions));
    }
    document
}

/// One of `/Schemas`.
pub fn schema(schema: &Schema, base: &str) -> Value {
    // A schema is plain data with text keys, which serde_json never refuses.
    let mut document = match serde_json::to_value(schema) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    };
    document.insert("schemas".to_owned(), json!([urn::SCHEMA]));
    let location = format!("{base}/Schemas/{}", schema.id);
    document.insert("meta".to_owned(), json!({ "resourceType": "Schema", "location": location }));
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaRegistry;

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

    #[test]
    fn the_configuration_promises_what_is_served() {
        let config = service_provider_config(BASE, 7);
        let supported = |name: &str| config[name]["supported"].as_bool().unwrap();
        assert!(supported("patch") && supported("filter") && supported("etag"));
        assert!(!supported("bulk") && !supported("sort") && !supported("changePassword"));
        assert_eq!(config["filter"]["maxResults"], 7);
    }
}
