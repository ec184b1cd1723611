//! A tenant's own schema, as the tenant gives it: the JSON of RFC 7643 §7, which is also what `/Schemas` shows.
//!
//! `schemas` and `meta` are passed over, so that what another service provider shows can be given as it is. Two members
//! of an attribute are ours, since the RFC does not speak of them: `indexed` (an `eq` filter on it is answered by an
//! index) and `canonicalOnly` (a value must be one of the canonical ones).
//!
//! Start at [`SchemaDocument::parse`]; `attribute` reads one attribute, `characteristics` checks what it says.

mod attribute;
mod characteristics;

pub(super) use characteristics::{canonical_possible, indexable, unique_possible};

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::scim::path::parse::excerpt;
use crate::scim::schema::problem::{Members, Problems, SchemaError};
use crate::scim::schema::{Attribute, Schema};
use crate::scim::urn;

/// Largest document in bytes. RFC 7643's own `User`, printed with indentation, has 27 KB for 21 attributes; a schema of
/// three times as many stays below this. A tenant's schemas stay in memory: [`SCHEMAS_MAX`] of them are 4 MiB.
pub const DOCUMENT_BYTES_MAX: usize = 128 * 1024;

/// Most schemas of a tenant. A base schema for each of
/// [`RESOURCE_TYPES_MAX`](super::resource_type_document::RESOURCE_TYPES_MAX) and as many extensions.
pub const SCHEMAS_MAX: usize = 32;

/// Most attributes of a schema, and most sub-attributes of an attribute. `User` has 21 of the one and `addresses` 8 of
/// the other. A name is looked up by comparing it with each, so this bounds what a look-up costs, too.
pub const ATTRIBUTES_MAX: usize = 100;

/// Longest name of an attribute in bytes. The longest of the RFC has 20 (`authenticationSchemes`); a path with two
/// names and a URN stays below a tenth of [`path_bytes_max`](crate::scim::limits::ScimLimits::path_bytes_max).
pub const NAME_BYTES_MAX: usize = 64;

/// Longest URN in bytes. The RFC's longest has 60 (`…:extension:enterprise:2.0:User`); see [`NAME_BYTES_MAX`].
pub const URN_BYTES_MAX: usize = 200;

/// Longest description in bytes: a paragraph. The RFC's longest has about 400.
pub const DESCRIPTION_BYTES_MAX: usize = 1024;

/// Most canonical values of an attribute, and their longest in bytes. The longest lists in use are those of ISO 3166
/// countries (249) and IANA time zones (about 450).
pub const CANONICAL_VALUES_MAX: usize = 500;

/// See [`CANONICAL_VALUES_MAX`].
pub const CANONICAL_VALUE_BYTES_MAX: usize = 200;

/// The beginning of the URNs that RFC 7643 §10 has registered, which a tenant cannot define.
const REGISTERED: &str = "urn:ietf:params:scim:";

/// The beginning of our own.
const OURS: &str = "urn:scruple:";

/// A schema of a tenant's own, checked by itself. Whether it fits the others is checked when they are put together
/// ([`SchemaRegistry::build`](super::SchemaRegistry::build)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDocument {
    schema: Arc<Schema>,
}

impl SchemaDocument {
    /// Reads a document as it was sent.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<SchemaError>> {
        Self::from_json(&super::problem::read_json(json, DOCUMENT_BYTES_MAX)?)
    }

    /// Reads a document, and tells everything that is wrong with it.
    pub fn from_json(document: &Value) -> Result<Self, Vec<SchemaError>> {
        let mut problems = Problems::default();
        let schema = read(document, &mut problems);
        problems.finish(schema.map(|schema| Self { schema: Arc::new(schema) }))
    }

    /// The document in its one spelling: every characteristic is there, ours only where they are set.
    pub fn to_json(&self) -> Value {
        let attributes: Vec<Value> = self.schema.attributes.iter().map(|attribute| attribute_json(attribute)).collect();
        json!({
            "schemas": [urn::SCHEMA],
            "id": self.schema.id,
            "name": self.schema.name,
            "description": self.schema.description,
            "attributes": attributes,
        })
    }

    /// The schema that it describes.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The schema's URN.
    pub fn id(&self) -> &str {
        &self.schema.id
    }
}

fn read(document: &Value, problems: &mut Problems) -> Option<Schema> {
    let mut members = Members::of(document, "", problems)?;
    members.only(&["schemas", "id", "name", "description", "attributes", "meta"]);
    let id = members.required_text("id", URN_BYTES_MAX);
    if let Some(Err(message)) = id.map(check_urn) {
        members.problem("id", message);
    }
    let name = members.required_text("name", NAME_BYTES_MAX);
    let description = members.description(DESCRIPTION_BYTES_MAX);
    if members.get("attributes").is_none_or(|attributes| attributes == &json!([])) {
        members.problem("attributes", "a schema needs at least one attribute");
    }
    let listed = members.list("attributes", ATTRIBUTES_MAX).unwrap_or_default();
    let attributes = attribute::read_all(listed, &members.place("attributes"), None, members.problems());
    Some(Schema { id: id?.to_owned(), name: name?.to_owned(), description, attributes })
}

/// RFC 8141 §2: `"urn:" NID ":" NSS`. Only letters, digits and `-._:` are taken of what an NSS can have: the URN stands
/// in paths and filters (RFC 7644 §3.10), where brackets, slashes and blanks mean something else.
fn check_urn(id: &str) -> Result<(), String> {
    let starts_with = |start: &str| id.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    for reserved in [REGISTERED, OURS] {
        if starts_with(reserved) {
            return Err(format!("`{}` begins with `{reserved}`, which is reserved", excerpt(id)));
        }
    }
    let parts: Vec<&str> = id.split(':').collect();
    let is_plain =
        |part: &&str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    match parts.as_slice() {
        [scheme, namespace, specific @ ..]
            if scheme.eq_ignore_ascii_case("urn")
                && is_namespace(namespace)
                && !specific.is_empty()
                && specific.iter().all(|part| !part.is_empty() && is_plain(part)) =>
        {
            Ok(())
        }
        _ => Err(format!(
            "`{}` is not a URN such as `urn:example:schemas:1.0:Device`; letters, digits and `-._:` are possible",
            excerpt(id)
        )),
    }
}

/// RFC 8141 §2: `NID = (alphanum) 0*30(ldh) (alphanum)`.
fn is_namespace(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// An attribute with what is ours.
pub(super) fn attribute_json(attribute: &Attribute) -> Value {
    // An attribute is plain data with text keys, which serde_json never refuses.
    let mut shown = match serde_json::to_value(attribute) {
        Ok(Value::Object(shown)) => shown,
        _ => Map::new(),
    };
    if attribute.indexed {
        shown.insert("indexed".to_owned(), Value::Bool(true));
    }
    if attribute.canonical_only {
        shown.insert("canonicalOnly".to_owned(), Value::Bool(true));
    }
    if !attribute.sub_attributes.is_empty() {
        let subs = attribute.sub_attributes.iter().map(|sub| attribute_json(sub)).collect();
        shown.insert("subAttributes".to_owned(), Value::Array(subs));
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests;
