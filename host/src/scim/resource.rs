//! One resource in one state.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::scim::meta::Meta;
use crate::scim::schema::ResourceType;

/// The id of a resource: assigned by the service provider, unique, never reused (RFC 7643 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceId(pub Uuid);

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for ResourceId {
    type Err = uuid::Error;

    /// Only the hyphenated lower-case form that we hand out: RFC 7643 §3.1 makes `id` case-exact.
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        let id = Uuid::try_parse(text)?;
        if id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text {
            Ok(Self(id))
        } else {
            // Not our spelling, so not an id of ours: let the parser name an empty text as the error.
            Uuid::try_parse("").map(Self)
        }
    }
}

/// Attribute values by canonical name. Values of an extension stand in an object under its URN.
pub type Attributes = Map<String, Value>;

/// A resource as the schema says it should be.
///
/// INVARIANT: `attributes` is canonical: names in the schema's spelling, values of the schema's types, no `null`, no
/// empty list, no empty object, none of `id`, `meta`, `schemas` (they follow from the other fields), and nothing of
/// the attributes kept as rows or derived. Only `normalize`, `patch` and the store make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its type.
    pub resource_type: Arc<ResourceType>,
    /// Its id.
    pub id: ResourceId,
    /// Its values.
    pub attributes: Attributes,
    /// When it was made and changed, and its version.
    pub meta: Meta,
}

impl Resource {
    /// The URNs of the base schema and of the extensions that the resource has values of (RFC 7643 §3).
    pub fn schemas(&self) -> Vec<&str> {
        let extensions = self.resource_type.extensions.iter().map(|extension| extension.schema.id.as_str());
        std::iter::once(self.resource_type.schema.id.as_str())
            .chain(extensions.filter(|urn| self.attributes.contains_key(*urn)))
            .collect()
    }

    /// `meta` without `location`, which depends on the base URL.
    pub(crate) fn meta_object(&self) -> Map<String, Value> {
        let values = [
            ("resourceType", self.resource_type.name.clone()),
            ("created", self.meta.created.to_string()),
            ("lastModified", self.meta.last_modified.to_string()),
            ("version", self.meta.etag()),
        ];
        values.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    }
}

/// A member of a group: all that is stored of it. `display` and `$ref` are derived when it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Id of the member.
    pub id: ResourceId,
    /// Its resource type: `User` or `Group`.
    pub resource_type: String,
}

impl Member {
    /// The member as a value of `members`: `{"type", "value"}`.
    pub fn to_object(&self) -> Map<String, Value> {
        let values = [("type", self.resource_type.clone()), ("value", self.id.to_string())];
        values.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    }
}
