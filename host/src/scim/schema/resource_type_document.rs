//! A tenant's resource type, as the tenant gives it: the JSON of RFC 7643 §6, which is also what `/ResourceTypes`
//! shows.
//!
//! It is either a type of the tenant's own, with one of its schemas as the base, or `User` or `Group` with further
//! extensions. What it names is looked up when the tenant's definitions are put together
//! ([`SchemaRegistry::build`](super::SchemaRegistry::build)).

use serde_json::{Value, json};

use crate::scim::path::parse::excerpt;
use crate::scim::schema::document::{DESCRIPTION_BYTES_MAX, NAME_BYTES_MAX, URN_BYTES_MAX};
use crate::scim::schema::problem::{Members, Problems, SchemaError, read_json};
use crate::scim::urn;

/// Most resource types of a tenant, `User` and `Group` with it. Directories of more than people and groups have a
/// handful: devices, applications, roles, agents.
pub const RESOURCE_TYPES_MAX: usize = 16;

/// Most extensions of a resource type. A write looks at each of them; `User` has one by itself.
pub const EXTENSIONS_MAX: usize = 8;

/// Largest document in bytes: two URNs and a flag for each extension, a description, and the names are below 6 KB.
pub const RESOURCE_TYPE_BYTES_MAX: usize = 16 * 1024;

/// Path segments that RFC 7644 §3.2 table 2 gives a meaning of their own, and the one where asynchronous requests are.
const RESERVED_SEGMENTS: [&str; 7] =
    ["Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search", "AsyncRequests"];

/// `meta.resourceType` of what discovery shows (RFC 7643 §5 to §7).
const RESERVED_NAMES: [&str; 3] = ["Schema", "ResourceType", "ServiceProviderConfig"];

/// A resource type of a tenant, checked by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTypeDocument {
    pub(super) name: String,
    pub(super) endpoint: String,
    pub(super) description: String,
    pub(super) schema: String,
    pub(super) extensions: Vec<ExtensionDocument>,
}

/// An extension, by its schema's URN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExtensionDocument {
    pub(super) schema: String,
    pub(super) required: bool,
}

impl ResourceTypeDocument {
    /// Reads a document as it was sent.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<SchemaError>> {
        Self::from_json(&read_json(json, RESOURCE_TYPE_BYTES_MAX)?)
    }

    /// Reads a document, and tells everything that is wrong with it.
    pub fn from_json(document: &Value) -> Result<Self, Vec<SchemaError>> {
        let mut problems = Problems::default();
        let read = read(document, &mut problems);
        problems.finish(read)
    }

    /// The document in its one spelling.
    pub fn to_json(&self) -> Value {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .map(|extension| json!({ "schema": extension.schema, "required": extension.required }))
            .collect();
        json!({
            "schemas": [urn::RESOURCE_TYPE],
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.schema,
            "schemaExtensions": extensions,
        })
    }

    /// The name, which is also the id.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn read(document: &Value, problems: &mut Problems) -> Option<ResourceTypeDocument> {
    let mut members = Members::of(document, "", problems)?;
    members.only(&["schemas", "id", "name", "endpoint", "description", "schema", "schemaExtensions", "meta"]);
    let name = members.required_text("name", NAME_BYTES_MAX);
    if let Some(Err(message)) = name.map(check_name) {
        members.problem("name", message);
    }
    // RFC 7643 §6, id: "This is often the same value as the "name" attribute." Here it is.
    if let (Some(id), Some(name)) = (members.text("id", NAME_BYTES_MAX), name)
        && id != name
    {
        members.problem("id", format!("must be the name, `{}`, or be left out", excerpt(name)));
    }
    let endpoint = members.required_text("endpoint", NAME_BYTES_MAX);
    if let Some(Err(message)) = endpoint.map(check_endpoint) {
        members.problem("endpoint", message);
    }
    let description = members.description(DESCRIPTION_BYTES_MAX);
    let schema = members.required_text("schema", URN_BYTES_MAX);
    let listed = members.list("schemaExtensions", EXTENSIONS_MAX).unwrap_or_default();
    let place = members.place("schemaExtensions");
    let mut extensions: Vec<ExtensionDocument> = Vec::with_capacity(listed.len());
    for (index, value) in listed.iter().enumerate() {
        let place = format!("{place}/{index}");
        if let Some(extension) = read_extension(value, &place, members.problems()) {
            let is_same = |other: &str| other.eq_ignore_ascii_case(&extension.schema);
            if schema.is_some_and(is_same) || extensions.iter().any(|other| is_same(&other.schema)) {
                let message = format!("`{}` is in this resource type already", excerpt(&extension.schema));
                members.problems().add(format!("{place}/schema"), message);
            }
            extensions.push(extension);
        }
    }
    Some(ResourceTypeDocument {
        name: name?.to_owned(),
        endpoint: endpoint?.to_owned(),
        description,
        schema: schema?.to_owned(),
        extensions,
    })
}

fn read_extension(value: &Value, pointer: &str, problems: &mut Problems) -> Option<ExtensionDocument> {
    let mut members = Members::of(value, pointer, problems)?;
    members.only(&["schema", "required"]);
    let schema = members.required_text("schema", URN_BYTES_MAX);
    let required = members.flag("required").unwrap_or_default();
    Some(ExtensionDocument { schema: schema?.to_owned(), required })
}

fn check_name(name: &str) -> Result<(), String> {
    if !is_word(name) {
        return Err(format!("`{}` is not a name: a letter, then letters, digits, `-` and `_`", excerpt(name)));
    }
    match RESERVED_NAMES.iter().find(|reserved| reserved.eq_ignore_ascii_case(name)) {
        Some(reserved) => Err(format!("`{reserved}` is reserved for what discovery shows")),
        None => Ok(()),
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let segment = endpoint.strip_prefix('/').unwrap_or_default();
    if let Some(reserved) = RESERVED_SEGMENTS.iter().find(|reserved| reserved.eq_ignore_ascii_case(segment)) {
        return Err(format!("`/{reserved}` is reserved"));
    }
    if is_word(segment) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not an endpoint such as `/Devices`: a slash, a letter, then letters, digits, `-` and `_`",
        excerpt(endpoint)
    ))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
