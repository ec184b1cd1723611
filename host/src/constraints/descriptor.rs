//! [`Descriptor`]: what a component says of itself, checked once at upload and stored as JSON beside it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::change::Action;
use crate::scim::path::Path;
use crate::scim::schema::{ResourceType, SchemaRegistry};

use super::bindings::exports::scruple::constraint::about;
use super::check_component::ComponentShape;
use super::grants::{GrantedPath, Names};
use super::limits::Limits;
use super::settings::compile_schema;
use super::writes::{EVERYTHING, NotWritable, parse_write};

/// What a component says of itself. As JSON it has the fields' names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// Lower-case, dash-separated.
    pub name: String,
    /// The author's version.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// JSON Schema (2020-12) of the settings; `{}` when there are none.
    pub settings_schema: Value,
    /// Resource types it judges; empty for all.
    pub resource_types: Vec<String>,
    /// Actions it judges.
    pub actions: Vec<DescribedAction>,
    /// Canonical paths it may read; empty for everything.
    pub reads: Vec<String>,
    /// Canonical paths a rewriter may edit, or `*` for all of them; empty for a check.
    pub writes: Vec<String>,
    /// `directory:User`, `tables:protected-accounts`, `tables:*`.
    pub capabilities: Vec<String>,
    /// Key and value, for people.
    pub labels: Vec<(String, String)>,
}

/// An action a component declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum DescribedAction {
    Create,
    Update,
    Delete,
    Assess,
}

/// What goes beyond reading the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// To look up resources of a type.
    Directory(String),
    /// To look into a table of the tenant.
    Table(String),
    /// To look into tables whose names the tenant chooses, such as those that settings name.
    AnyTable,
}

impl Capability {
    /// Whether who may do this may do the other.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::AnyTable, Self::Table(_)))
    }
}

/// A descriptor is not valid. Each message names the field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum DescriptorError {
    /// Too long a text.
    #[error("`{field}` of the descriptor has {bytes} bytes, more than the limit of {bytes_max}")]
    TooLong { field: &'static str, bytes: usize, bytes_max: usize },
    /// Too long a list.
    #[error("`{field}` of the descriptor has {entries} entries, more than the limit of {entries_max}")]
    TooMany { field: &'static str, entries: usize, entries_max: usize },
    /// No name.
    #[error("the descriptor's name `{0}` is not made of lower-case letters, digits and dashes")]
    Name(String),
    /// No version.
    #[error("the descriptor's version is empty")]
    Version,
    /// It judges nothing.
    #[error("the descriptor has no actions: the constraint would never be asked")]
    NoActions,
    /// A type that is not there.
    #[error("the descriptor names the resource type `{name}`; there are {known}")]
    ResourceType { name: String, known: String },
    /// A path that leads nowhere.
    #[error("`{path}` in `{field}` of the descriptor is not an attribute of {resource_types}")]
    Path { field: &'static str, path: String, resource_types: String },
    /// A path that nobody may edit.
    #[error("`{path}` in `writes` of the descriptor cannot be edited: {why}")]
    Unwritable { path: String, why: &'static str },
    /// A rewriter that could do nothing.
    #[error(
        "the component exports `rewrite` and its descriptor has no `writes`: it could edit nothing. Name the attributes, \
         or `{EVERYTHING}` for all of them"
    )]
    NoWrites,
    /// Something else than a rewriter that would edit.
    #[error("the descriptor has `writes`, and the component does not export `rewrite`")]
    WritesWithoutRewrite,
    /// A rewriter that would never be asked.
    #[error(
        "the component exports `rewrite` alone, and its descriptor has neither the action `create` nor `update`: of what \
         is deleted there is nothing to rewrite"
    )]
    NothingToRewrite,
    /// A rewriter that would look things up.
    #[error(
        "the component exports `rewrite` alone, and a rewriter has no `directory`: the capability `{0}` is of no use"
    )]
    NoDirectory(String),
    /// A capability that is none.
    #[error("the capability `{0}` of the descriptor is not `directory:ResourceType`, `tables:name` or `tables:*`")]
    Capability(String),
    /// A schema that is none.
    #[error("the settings schema of the descriptor is not valid: {0}")]
    SettingsSchema(String),
    /// Stored JSON that is no descriptor.
    #[error("the stored descriptor is damaged: {0}")]
    Damaged(String),
}

impl DescriptorError {
    /// Whether it hangs on the tenant's schemas.
    pub fn is_of_schemas(&self) -> bool {
        matches!(self, Self::ResourceType { .. } | Self::Path { .. })
    }
}

impl Descriptor {
    /// Checks what a component has said, and spells paths canonically.
    pub(super) fn check(
        described: about::Descriptor,
        schemas: &SchemaRegistry,
        limits: &Limits,
    ) -> Result<Self, DescriptorError> {
        check_sizes(&described, limits)?;
        let mut descriptor = Self {
            settings_schema: settings_schema(&described.settings_schema)?,
            name: described.name,
            version: described.version,
            summary: described.summary,
            resource_types: described.resource_types,
            actions: described.actions.into_iter().map(DescribedAction::from).collect(),
            reads: described.reads,
            writes: described.writes,
            capabilities: described.capabilities,
            labels: described.labels,
        };
        descriptor.check_meaning(schemas)?;
        descriptor.reads = descriptor.canonical("reads", &descriptor.reads, schemas)?;
        descriptor.writes = descriptor.canonical_writes(schemas)?;
        Ok(descriptor)
    }

    /// Checks that it says what the component's exports say.
    pub(super) fn check_exports(&self, shape: &ComponentShape) -> Result<(), DescriptorError> {
        match (shape.rewrites, self.writes.is_empty()) {
            (true, true) => return Err(DescriptorError::NoWrites),
            (false, false) => return Err(DescriptorError::WritesWithoutRewrite),
            (true, false) | (false, true) => {}
        }
        if shape.checks {
            return Ok(());
        }
        let rewritable = |action| matches!(action, &DescribedAction::Create | &DescribedAction::Update);
        if !self.actions.iter().any(rewritable) {
            return Err(DescriptorError::NothingToRewrite);
        }
        let looks_up = |text: &&String| matches!(Capability::parse(text), Some(Capability::Directory(_)));
        match self.capabilities.iter().find(looks_up) {
            Some(capability) => Err(DescriptorError::NoDirectory(capability.clone())),
            None => Ok(()),
        }
    }

    /// Reads a stored descriptor.
    pub fn from_json(json: &Value) -> Result<Self, DescriptorError> {
        Self::deserialize(json).map_err(|error| DescriptorError::Damaged(error.to_string()))
    }

    /// The descriptor as it is stored and shown.
    pub fn to_json(&self) -> Value {
        // Serialising plain fields into a value cannot fail.
        serde_json::to_value(self).unwrap_or_else(|_| json!({}))
    }

    /// Whether it judges such operations.
    pub fn judges(&self, resource_type: &str, action: Action) -> bool {
        (self.resource_types.is_empty() || self.resource_types.iter().any(|name| name == resource_type))
            && self.actions.contains(&DescribedAction::from(action))
    }

    /// The resource types it may see: those it judges and those it may look up.
    pub(super) fn seen_types<'a>(&'a self, schemas: &'a SchemaRegistry) -> impl Iterator<Item = &'a Arc<ResourceType>> {
        schemas.resource_types().iter().filter(|known| {
            self.resource_types.is_empty()
                || self.resource_types.contains(&known.name)
                || self.capabilities.iter().any(
                    |text| matches!(Capability::parse(text), Some(Capability::Directory(name)) if name == known.name),
                )
        })
    }

    fn check_meaning(&self, schemas: &SchemaRegistry) -> Result<(), DescriptorError> {
        if !is_name(&self.name) {
            return Err(DescriptorError::Name(self.name.clone()));
        }
        if self.version.is_empty() {
            return Err(DescriptorError::Version);
        }
        if self.actions.is_empty() {
            return Err(DescriptorError::NoActions);
        }
        self.resource_types.iter().try_for_each(|name| check_type(name, schemas))?;
        for text in &self.capabilities {
            match Capability::parse(text) {
                Some(Capability::Directory(name)) => check_type(&name, schemas)?,
                Some(Capability::Table(_) | Capability::AnyTable) => {}
                None => return Err(DescriptorError::Capability(text.clone())),
            }
        }
        Ok(())
    }

    fn canonical(
        &self,
        field: &'static str,
        paths: &[String],
        schemas: &SchemaRegistry,
    ) -> Result<Vec<String>, DescriptorError> {
        let canonical = |path: &String| {
            parse_read(path, self, schemas).map(|path| path.text).ok_or_else(|| self.unknown_path(field, path, schemas))
        };
        paths.iter().map(canonical).collect()
    }

    fn canonical_writes(&self, schemas: &SchemaRegistry) -> Result<Vec<String>, DescriptorError> {
        let canonical = |path: &String| match parse_write(path, self, schemas) {
            _ if path == EVERYTHING => Ok(path.clone()),
            Ok(path) => Ok(path.text),
            Err(NotWritable::Unknown) => Err(self.unknown_path("writes", path, schemas)),
            Err(NotWritable::Never(why)) => Err(DescriptorError::Unwritable { path: path.clone(), why }),
        };
        self.writes.iter().map(canonical).collect()
    }

    fn unknown_path(&self, field: &'static str, path: &str, schemas: &SchemaRegistry) -> DescriptorError {
        let seen: Vec<&str> = self.seen_types(schemas).map(|seen| seen.name.as_str()).collect();
        DescriptorError::Path { field, path: path.to_owned(), resource_types: seen.join(", ") }
    }
}

impl Capability {
    /// Parses `directory:User`, `tables:name` or `tables:*`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("tables", "*") => Some(Self::AnyTable),
            ("directory", name) if !name.is_empty() => Some(Self::Directory(name.to_owned())),
            ("tables", name) if is_name(name) => Some(Self::Table(name.to_owned())),
            _ => None,
        }
    }
}

impl From<Action> for DescribedAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
        }
    }
}

/// A path for a grant: an attribute of one of the types that the component sees, without a value filter, since a grant
/// is of attributes and not of values.
pub(super) fn parse_read(text: &str, descriptor: &Descriptor, schemas: &SchemaRegistry) -> Option<GrantedPath> {
    descriptor
        .seen_types(schemas)
        .filter_map(|resource_type| Path::parse(text, resource_type).ok())
        .find(|path| path.filter.is_none())
        .map(|path| GrantedPath { text: path.to_string(), names: Names::of_path(&path) })
}

fn check_sizes(described: &about::Descriptor, limits: &Limits) -> Result<(), DescriptorError> {
    let texts = [
        ("name", &described.name, limits.code_bytes_max),
        ("version", &described.version, limits.code_bytes_max),
        ("summary", &described.summary, limits.descriptor_text_bytes_max),
        ("settings-schema", &described.settings_schema, limits.settings_bytes_max),
    ];
    for (field, text, bytes_max) in texts {
        check_text(field, text, bytes_max)?;
    }
    let lists = [
        ("resource-types", &described.resource_types),
        ("reads", &described.reads),
        ("writes", &described.writes),
        ("capabilities", &described.capabilities),
    ];
    for (field, items) in lists {
        check_entries(field, items.len(), limits)?;
        items.iter().try_for_each(|text| check_text(field, text, limits.descriptor_text_bytes_max))?;
    }
    check_entries("actions", described.actions.len(), limits)?;
    check_entries("labels", described.labels.len(), limits)?;
    described.labels.iter().try_for_each(|(key, value)| {
        check_text("labels", key, limits.descriptor_text_bytes_max)?;
        check_text("labels", value, limits.descriptor_text_bytes_max)
    })
}

fn check_text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), DescriptorError> {
    if text.len() > bytes_max {
        return Err(DescriptorError::TooLong { field, bytes: text.len(), bytes_max });
    }
    Ok(())
}

fn check_entries(field: &'static str, entries: usize, limits: &Limits) -> Result<(), DescriptorError> {
    let entries_max = limits.descriptor_entries_max;
    if entries > entries_max { Err(DescriptorError::TooMany { field, entries, entries_max }) } else { Ok(()) }
}

fn check_type(name: &str, schemas: &SchemaRegistry) -> Result<(), DescriptorError> {
    if schemas.resource_type(name).is_some() {
        return Ok(());
    }
    let known: Vec<String> = schemas.resource_types().iter().map(|known| format!("`{}`", known.name)).collect();
    Err(DescriptorError::ResourceType { name: name.to_owned(), known: known.join(", ") })
}

fn settings_schema(text: &str) -> Result<Value, DescriptorError> {
    let schema: Value =
        serde_json::from_str(text).map_err(|error| DescriptorError::SettingsSchema(error.to_string()))?;
    if !schema.is_object() {
        return Err(DescriptorError::SettingsSchema("it is not a JSON object".to_owned()));
    }
    compile_schema(&schema).map_err(DescriptorError::SettingsSchema)?;
    Ok(schema)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
