//! From text to [`Path`].

use std::sync::Arc;

use thiserror::Error;

use crate::scim::error::ScimError;
use crate::scim::filter::FilterError;
use crate::scim::filter::parser::{self, Manner};
use crate::scim::path::Path;
use crate::scim::reading::Reading;
use crate::scim::schema::{Attribute, ResourceType, Schema, Type};

/// How much of a client's text an error repeats, in bytes: enough to recognise it, not enough to fill a log.
const EXCERPT_BYTES_MAX: usize = 100;

/// A text that is no path into the resource type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Longer than the limit.
    #[error("the path has {length} bytes; the limit is {max}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// There is nothing.
    #[error("the path is empty")]
    Empty,
    /// The resource type has no attribute of that name.
    #[error("`{name}` is not an attribute of {owner}")]
    UnknownAttribute {
        /// The name as it was sent.
        name: String,
        /// A resource type or a complex attribute.
        owner: String,
    },
    /// The path starts with a URN of another schema.
    #[error("`{urn}` names no schema of {resource_type}, or no attribute of it")]
    UnknownSchema {
        /// The text as it was sent.
        urn: String,
        /// The resource type.
        resource_type: String,
    },
    /// A sub-attribute or a filter on an attribute that has no sub-attributes.
    #[error("`{attribute}` has no sub-attributes")]
    NotComplex {
        /// The attribute.
        attribute: String,
    },
    /// A URN where an attribute is needed.
    #[error("`{path}` names a schema and no attribute of it")]
    SchemaAlone {
        /// The text as it was sent.
        path: String,
    },
    /// A value filter where an attribute alone is needed.
    #[error("`{path}` has a value filter, which is not possible here")]
    Filtered {
        /// The text as it was sent.
        path: String,
    },
    /// The value filter is not one.
    #[error("in the value filter: {0}")]
    Filter(#[from] FilterError),
}

impl PathError {
    /// Whether nothing is wrong with the path but that it names something the resource type does not have.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::UnknownAttribute { .. } | Self::UnknownSchema { .. } => true,
            Self::Filter(error) => error.is_unknown(),
            Self::TooLong { .. }
            | Self::Empty
            | Self::NotComplex { .. }
            | Self::SchemaAlone { .. }
            | Self::Filtered { .. } => false,
        }
    }
}

impl From<PathError> for ScimError {
    fn from(error: PathError) -> Self {
        ScimError::invalid_path(error.to_string())
    }
}

/// What a name without a filter leads to.
pub(crate) struct Named<'r> {
    pub(crate) extension: Option<&'r Arc<Schema>>,
    pub(crate) attribute: Option<&'r Arc<Attribute>>,
    pub(crate) sub_attribute: Option<&'r Arc<Attribute>>,
}

impl Path {
    /// Reads a path. Names and URNs may be in any case; the attributes of the base schema may be prefixed with its
    /// URN, those of an extension must be (RFC 7644 §3.10).
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self, PathError> {
        Self::parse_in(text, resource_type, Manner::STRICT)
    }

    /// Reads a path by a tenant's rules.
    pub fn parse_with(text: &str, reading: Reading<'_>) -> Result<Self, PathError> {
        Self::parse_in(text, reading.resource_type, reading.into())
    }

    fn parse_in(text: &str, resource_type: &ResourceType, manner: Manner<'_>) -> Result<Self, PathError> {
        let max = manner.limits.path_bytes_max;
        if text.len() > max {
            return Err(PathError::TooLong { length: text.len(), max });
        }
        let Some((before, filtered)) = text.split_once('[') else {
            return resolve(text, resource_type).map(|named| Path {
                extension: named.extension.cloned(),
                attribute: named.attribute.cloned(),
                filter: None,
                sub_attribute: named.sub_attribute.cloned(),
            });
        };
        let named = resolve(before, resource_type)?;
        let Some(attribute) = named.attribute else {
            return Err(PathError::SchemaAlone { path: excerpt(before) });
        };
        if let Some(sub_attribute) = named.sub_attribute {
            return Err(PathError::NotComplex { attribute: format!("{}.{}", attribute.name, sub_attribute.name) });
        }
        if attribute.kind != Type::Complex {
            return Err(PathError::NotComplex { attribute: attribute.name.clone() });
        }
        let position = text.len() - filtered.len();
        let (filter, sub_name) = parser::parse_value_filter(text, position, attribute, manner)?;
        let sub_attribute = sub_name.map(|name| sub_attribute(attribute, name)).transpose()?;
        Ok(Path {
            extension: named.extension.cloned(),
            attribute: Some(attribute.clone()),
            filter: Some(Box::new(filter)),
            sub_attribute: sub_attribute.cloned(),
        })
    }
}

/// Finds what a name leads to. Common attributes belong to no schema, but clients prefix them like any other.
pub(crate) fn resolve<'r>(text: &str, resource_type: &'r ResourceType) -> Result<Named<'r>, PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    // Only a URN has a colon: attribute names consist of letters, digits, `-`, `_` and `$` (RFC 7643 §2.1).
    let (extension, names) = if text.contains(':') { split_urn(text, resource_type)? } else { (None, text) };
    if names.is_empty() {
        return Ok(Named { extension, attribute: None, sub_attribute: None });
    }
    let (name, sub_name) = match names.split_once('.') {
        Some((name, sub_name)) => (name, Some(sub_name)),
        None => (names, None),
    };
    let found = match extension {
        Some(schema) => schema.attribute(name),
        None => resource_type.attribute(name),
    };
    let attribute = found.ok_or_else(|| PathError::UnknownAttribute {
        name: excerpt(name),
        owner: extension.map_or_else(|| resource_type.name.clone(), |schema| schema.id.clone()),
    })?;
    let sub_attribute = sub_name.map(|sub_name| sub_attribute(attribute, sub_name)).transpose()?;
    Ok(Named { extension, attribute: Some(attribute), sub_attribute })
}

/// Finds an attribute that only one extension has, by its name without the URN. Only filters may leave the URN out: Entra
/// ID asks `manager eq "…"`, while a write under the wrong name is better refused than guessed.
pub(crate) fn resolve_in_extensions<'r>(text: &str, resource_type: &'r ResourceType) -> Option<Named<'r>> {
    let (name, sub_name) = match text.split_once('.') {
        Some((name, sub_name)) => (name, Some(sub_name)),
        None => (text, None),
    };
    let schemas = resource_type.extensions.iter().map(|extension| &extension.schema);
    let mut found = schemas.filter_map(|schema| schema.attribute(name).map(|attribute| (schema, attribute)));
    let (extension, attribute) = found.next().filter(|_| resource_type.attribute(name).is_none())?;
    if found.next().is_some() {
        return None;
    }
    let sub_attribute = match sub_name {
        Some(sub_name) => Some(attribute.sub_attribute(sub_name)?),
        None => None,
    };
    Some(Named { extension: Some(extension), attribute: Some(attribute), sub_attribute })
}

fn sub_attribute<'r>(attribute: &'r Attribute, name: &str) -> Result<&'r Arc<Attribute>, PathError> {
    if attribute.kind != Type::Complex {
        return Err(PathError::NotComplex { attribute: attribute.name.clone() });
    }
    attribute
        .sub_attribute(name)
        .ok_or_else(|| PathError::UnknownAttribute { name: excerpt(name), owner: format!("`{}`", attribute.name) })
}

/// Splits `urn:…:User:department` into the extension (`None` for the base schema) and the names after it.
fn split_urn<'r, 't>(
    text: &'t str,
    resource_type: &'r ResourceType,
) -> Result<(Option<&'r Arc<Schema>>, &'t str), PathError> {
    let unknown = || PathError::UnknownSchema { urn: excerpt(text), resource_type: resource_type.name.clone() };
    if let Some(names) = after_urn(text, &resource_type.schema.id) {
        return if names.is_empty() { Err(PathError::SchemaAlone { path: excerpt(text) }) } else { Ok((None, names)) };
    }
    resource_type
        .extensions
        .iter()
        .filter_map(|extension| after_urn(text, &extension.schema.id).map(|names| (&extension.schema, names)))
        // One URN may be the beginning of another; the longer one is meant.
        .max_by_key(|(schema, _)| schema.id.len())
        .map(|(schema, names)| (Some(schema), names))
        .ok_or_else(unknown)
}

fn after_urn<'t>(text: &'t str, urn: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(urn.len())?;
    if !start.eq_ignore_ascii_case(urn) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':').filter(|names| !names.is_empty()) }
}

/// The beginning of a client's text, for an error.
pub(crate) fn excerpt(text: &str) -> String {
    excerpt_of(text, EXCERPT_BYTES_MAX)
}

/// At most so many bytes of a text.
pub(crate) fn excerpt_of(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max);
    format!("{}…", text.get(..end).unwrap_or_default())
}
