//! Attribute paths (RFC 7644 §3.5.2 figure 1, §3.10): `name.givenName`, `emails[type eq "work"].value`,
//! `urn:…:User:department`. Parsed against a resource type, so that a path that parses names something that exists.
//!
//! Start at [`Path::parse`] ([`parse`]) and [`Path::select`] ([`select`]). An [`AttributeRef`] is a path without a
//! filter: what a filter compares, what a grant names, what a difference leads to.

pub mod parse;
pub mod select;

use std::fmt;
use std::sync::Arc;

use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::schema::{Attribute, ResourceType, Schema, Storage};

pub use parse::PathError;

/// An attribute, or a sub-attribute of one, of a resource type.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeRef {
    /// The extension it belongs to; `None` for the base schema and the common attributes.
    pub extension: Option<Arc<Schema>>,
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// The sub-attribute, when the path goes on with a dot.
    pub sub_attribute: Option<Arc<Attribute>>,
}

/// A path into a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The extension it points into; `None` for the base schema and the common attributes.
    pub extension: Option<Arc<Schema>>,
    /// The attribute; `None` when the path is an extension's URN alone.
    pub attribute: Option<Arc<Attribute>>,
    /// Which values of a multi-valued attribute.
    pub filter: Option<Box<Filter>>,
    /// The sub-attribute.
    pub sub_attribute: Option<Arc<Attribute>>,
}

impl AttributeRef {
    /// Reads a path without a filter: `userName`, `name.familyName`, `urn:…:User:manager.value`.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self, PathError> {
        let path = Path::parse(text, resource_type)?;
        if path.filter.is_some() {
            return Err(PathError::Filtered { path: parse::excerpt(text) });
        }
        path.attribute_ref().ok_or_else(|| PathError::SchemaAlone { path: parse::excerpt(text) })
    }

    /// An attribute of the base schema, or one of the common attributes.
    pub fn of(attribute: &Arc<Attribute>) -> Self {
        Self { extension: None, attribute: attribute.clone(), sub_attribute: None }
    }

    /// One of its sub-attributes.
    pub fn with_sub(&self, sub_attribute: &Arc<Attribute>) -> Self {
        Self { sub_attribute: Some(sub_attribute.clone()), ..self.clone() }
    }

    /// The attribute that has the values: the sub-attribute if there is one.
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub_attribute.as_ref().unwrap_or(&self.attribute)
    }

    /// Where the values are kept.
    pub fn storage(&self) -> Storage {
        self.attribute.storage
    }
}

impl From<AttributeRef> for Path {
    fn from(attribute: AttributeRef) -> Self {
        Self {
            extension: attribute.extension,
            attribute: Some(attribute.attribute),
            filter: None,
            sub_attribute: attribute.sub_attribute,
        }
    }
}

impl Path {
    /// The attribute it leads to, without its filter; `None` for an extension's URN alone.
    pub fn attribute_ref(&self) -> Option<AttributeRef> {
        self.attribute.as_ref().map(|attribute| AttributeRef {
            extension: self.extension.clone(),
            attribute: attribute.clone(),
            sub_attribute: self.sub_attribute.clone(),
        })
    }

    /// The attribute that has the values: the sub-attribute if there is one; `None` for an extension's URN alone.
    pub fn leaf(&self) -> Option<&Arc<Attribute>> {
        self.sub_attribute.as_ref().or(self.attribute.as_ref())
    }

    /// Where the values are kept. [`Path::select`] sees only what is kept inline: for rows and derived values the
    /// caller has to ask whoever has them.
    pub fn attribute_storage(&self) -> Storage {
        self.attribute.as_ref().map_or(Storage::Inline, |attribute| attribute.storage)
    }

    /// Every attribute that the path rests on: the one it leads to and those of its filter.
    pub fn attributes(&self) -> Vec<AttributeRef> {
        let mut all: Vec<AttributeRef> = self.attribute_ref().into_iter().collect();
        if let (Some(filter), Some(attribute)) = (&self.filter, &self.attribute) {
            let outer =
                AttributeRef { extension: self.extension.clone(), attribute: attribute.clone(), sub_attribute: None };
            all.extend(filter.attributes().iter().map(|inner| outer.with_sub(inner.leaf())));
        }
        all
    }

    /// The one value that the filter asks for: `x` of `members[value eq "x"]`.
    pub fn value_wanted(&self) -> Option<&str> {
        match self.filter.as_deref() {
            Some(Filter::Compare { attribute, operator: Operator::Eq, value: Literal::Text(text) })
                if attribute.leaf().name == "value" =>
            {
                Some(text)
            }
            _ => None,
        }
    }
}

impl fmt::Display for AttributeRef {
    /// Canonical: names in the schema's spelling, extensions by URN, the base schema without.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = &self.extension {
            write!(f, "{}:", extension.id)?;
        }
        f.write_str(&self.attribute.name)?;
        match &self.sub_attribute {
            Some(sub_attribute) => write!(f, ".{}", sub_attribute.name),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Path {
    /// Canonical, like that of [`AttributeRef`]; the filter as [`Filter`] prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.extension, &self.attribute) {
            (Some(extension), Some(attribute)) => write!(f, "{}:{}", extension.id, attribute.name)?,
            (Some(extension), None) => f.write_str(&extension.id)?,
            (None, Some(attribute)) => f.write_str(&attribute.name)?,
            (None, None) => {}
        }
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub_attribute {
            Some(sub_attribute) => write!(f, ".{}", sub_attribute.name),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
