//! What the service provider says of itself (RFC 7644 §4, RFC 7643 §5 to §7).
//!
//! `base` is the URL that clients have: `https://host/scim/{tenant}/v2`, without a slash at the end.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::scim::schema::{ResourceType, Schema};
use crate::scim::urn;

/// What of the specification is supported. PATCH and filters always are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// Bulk requests (RFC 7644 §3.7).
    pub bulk: Option<BulkLimits>,
    /// The most resources of a response.
    pub max_results: usize,
    /// Sorting (RFC 7644 §3.4.2.3).
    pub sort: bool,
    /// Changing a password.
    pub change_password: bool,
    /// Entity tags (RFC 7644 §3.14).
    pub etag: bool,
    /// How lists are paged. RFC 9865 §4 has it optional: `None` does not say.
    pub pagination: Option<Pagination>,
    /// Whether a client may be answered before its request is carried out (RFC 9967 §2.5.1.1).
    pub respond_async: bool,
}

/// How large a bulk request can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkLimits {
    /// The most operations.
    pub max_operations: usize,
    /// The largest body in bytes.
    pub max_payload_size: usize,
}

/// `pagination` of RFC 9865 §4. What is `None` is not shown: "Clients MUST NOT interpret the lack of published Service
/// Provider Configuration values to mean that no defaults or limits on page sizes or cursor lifetimes exist".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    /// Whether pages can be asked for by cursor.
    pub cursor: bool,
    /// Whether pages can be asked for by index.
    pub index: bool,
    /// How pages are given when the client does not say.
    pub default_method: Option<PaginationMethod>,
    /// How many resources a page has when the client does not say.
    pub default_page_size: Option<usize>,
    /// The most resources of a page.
    pub max_page_size: Option<usize>,
    /// For how long at least a cursor is valid, in seconds.
    pub cursor_timeout_s: Option<u64>,
}

/// How the pages of a list follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PaginationMethod {
    /// By `cursor` (RFC 9865 §2).
    Cursor,
    /// By `startIndex` (RFC 7644 §3.4.2.4).
    Index,
}

/// `/ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §4, RFC 9967 §4).
pub fn service_provider_config(base: &str, features: &Features) -> Value {
    // RFC 7643 §5 requires both limits, whether or not there are bulk requests.
    let limits = features.bulk.unwrap_or(BulkLimits { max_operations: 0, max_payload_size: 0 });
    let mut config = json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": {
            "supported": features.bulk.is_some(),
            "maxOperations": limits.max_operations,
            "maxPayloadSize": limits.max_payload_size,
        },
        "filter": { "supported": true, "maxResults": features.max_results },
        "changePassword": { "supported": features.change_password },
        "sort": { "supported": features.sort },
        "etag": { "supported": features.etag },
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
    });
    if let (Some(pagination), Value::Object(config)) = (&features.pagination, &mut config) {
        config.insert("pagination".to_owned(), pagination.to_object());
    }
    // RFC 9967 §4: "when absent indicates the SCIM Service Provider does not support or is not currently configured for
    // Security Events". No event is delivered as a stream, so there are no `eventUris`.
    if let (true, Value::Object(config)) = (features.respond_async, &mut config) {
        config.insert("securityEvents".to_owned(), json!({ "asyncRequest": "request" }));
    }
    config
}

impl Pagination {
    fn to_object(self) -> Value {
        let members = [
            ("cursor", Some(json!(self.cursor))),
            ("index", Some(json!(self.index))),
            ("defaultPaginationMethod", self.default_method.map(|method| json!(method))),
            ("defaultPageSize", self.default_page_size.map(Value::from)),
            ("maxPageSize", self.max_page_size.map(Value::from)),
            ("cursorTimeout", self.cursor_timeout_s.map(Value::from)),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect())
    }
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
mod tests;
