//! What resources may look like: attributes with their characteristics (RFC 7643 §2 and §7), schemas, resource types.
//!
//! A schema is data. `User` and `Group` are the JSON documents beside this file ([`core`]); nothing else in the crate
//! knows the name of one of their attributes unless the RFC gives it a meaning of its own (`members`, `groups`,
//! `active`).
//!
//! A tenant adds schemas ([`document`]) and resource types ([`resource_type_document`]) of its own and makes attributes
//! stricter ([`tightening`]). Start at [`SchemaRegistry::build`], which puts them together.

pub mod build;
pub mod core;
mod definitions_document;
pub mod demand;
pub mod document;
pub mod problem;
pub mod registry;
pub mod reindexed;
pub mod resource_type_document;
pub mod tightening;
pub mod violations;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use build::Definitions;
pub use document::SchemaDocument;
pub use problem::SchemaError;
pub use registry::SchemaRegistry;
pub use resource_type_document::ResourceTypeDocument;
pub use tightening::Tightening;

/// The type of an attribute's values (RFC 7643 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are RFC 7643 §2.3's own")]
pub enum Type {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// When a value may be written (RFC 7643 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are RFC 7643 §7's own")]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When a value is part of a response (RFC 7643 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are RFC 7643 §7's own")]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// Among which resources a value must be unique (RFC 7643 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are RFC 7643 §7's own")]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// Where the values of an attribute are kept. Ours: the RFC does not speak of storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Storage {
    /// In the resource itself.
    #[default]
    Inline,
    /// As rows of their own (`members`), so that one value of a million can change without touching the others.
    Rows,
    /// Nowhere: computed from other resources when asked for (`groups`).
    Derived,
    /// Nowhere: the resource type has no such attribute, but a filter over several types asks for it.
    #[serde(skip)]
    Absent,
}

/// One attribute or sub-attribute (RFC 7643 §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// Name in its canonical spelling. Compared without regard to case.
    pub name: String,
    /// Type of the values.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether there can be several values.
    #[serde(default)]
    pub multi_valued: bool,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Whether a resource must have it.
    #[serde(default)]
    pub required: bool,
    /// Suggested values; informative in the core schemas ("work", "home").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// Whether comparisons of strings see case.
    #[serde(default)]
    pub case_exact: bool,
    /// When it may be written.
    #[serde(default = "read_write")]
    pub mutability: Mutability,
    /// When it is returned.
    #[serde(default = "returned_default")]
    pub returned: Returned,
    /// Among which resources a value must be unique.
    #[serde(default = "not_unique")]
    pub uniqueness: Uniqueness,
    /// What a `reference` may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
    /// The parts of a `complex` attribute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Arc<Attribute>>,
    /// Whether `eq` on it is answered by an index. Not part of the RFC's schema, so not shown.
    #[serde(default, skip_serializing)]
    pub indexed: bool,
    /// Whether a value must be one of `canonical_values`. Not part of the RFC's schema, so not shown: §7 leaves it to
    /// the service provider whether to restrict values to the canonical ones.
    #[serde(default, skip_serializing)]
    pub canonical_only: bool,
    /// Where its values are kept. Not part of the RFC's schema, so not shown.
    #[serde(default, skip_serializing)]
    pub storage: Storage,
}

fn read_write() -> Mutability {
    Mutability::ReadWrite
}
fn returned_default() -> Returned {
    Returned::Default
}
fn not_unique() -> Uniqueness {
    Uniqueness::None
}

impl Attribute {
    /// Whether values are compared without regard to case. Of strings alone: references and binary values are
    /// case-exact (RFC 7643 §2.3.6, §2.3.7).
    pub fn folds_case(&self) -> bool {
        self.kind == Type::String && !self.case_exact
    }

    /// Whether the text is one of the canonical values.
    pub fn is_canonical(&self, text: &str) -> bool {
        self.canonical_values
            .iter()
            .any(|canonical| if self.folds_case() { canonical.eq_ignore_ascii_case(text) } else { canonical == text })
    }

    /// The sub-attribute of that name, in any spelling of case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.sub_attributes.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }
}

/// A schema (RFC 7643 §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// URN.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Attributes, in the order of the RFC.
    pub attributes: Vec<Arc<Attribute>>,
}

impl Schema {
    /// The attribute of that name, in any spelling of case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// An extension of a resource type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaExtension {
    /// The extension's schema.
    pub schema: Arc<Schema>,
    /// Whether every resource must have it.
    pub required: bool,
}

/// A resource type (RFC 7643 §6) with its schemas at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// `User`, `Group`; also its id.
    pub name: String,
    /// Path below the tenant's base, with a leading slash: `/Users`.
    pub endpoint: String,
    /// For people.
    pub description: String,
    /// The base schema.
    pub schema: Arc<Schema>,
    /// Extensions, each under its URN in a resource.
    pub extensions: Vec<SchemaExtension>,
    /// The attributes that a resource has whatever its schema, as this type has them: a tenant may have made
    /// `externalId` stricter for users and not for groups.
    pub common: Arc<[Arc<Attribute>]>,
}

impl ResourceType {
    /// The extension of that URN, in any spelling of case.
    pub fn extension(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.extensions.iter().map(|extension| &extension.schema).find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The attribute of that name in the base schema, or the common attribute, in any spelling of case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.base_attributes().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// The attributes of RFC 7643 §3 and §3.1: `schemas`, `id`, `externalId`, `meta`.
    pub fn common_attributes(&self) -> &[Arc<Attribute>] {
        &self.common
    }

    /// Every attribute that stands at the top of a resource: those of the base schema, then the common ones.
    pub fn base_attributes(&self) -> impl Iterator<Item = &Arc<Attribute>> {
        self.schema.attributes.iter().chain(self.common.iter())
    }

    /// The attribute whose values are kept as rows (`members` of a `Group`), if the type has one.
    pub fn row_attribute(&self) -> Option<&Arc<Attribute>> {
        self.schema.attributes.iter().find(|attribute| attribute.storage == Storage::Rows)
    }

    /// The attribute computed from other resources (`groups` of a `User`), if the type has one.
    pub fn derived_attribute(&self) -> Option<&Arc<Attribute>> {
        self.schema.attributes.iter().find(|attribute| attribute.storage == Storage::Derived)
    }
}
