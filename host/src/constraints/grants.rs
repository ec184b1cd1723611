//! [`Grants`]: what a constraint may read, and what a rewriter may edit ([`super::writes`]). Asked for by the descriptor,
//! granted by the tenant, enforced at each read and each edit.
//!
//! A grant is attribute-level: `name` covers `name.givenName`, and `emails.value` covers `emails[type eq "work"].value`
//! if `emails.type` is granted too, since the filter tells something of it. Two rules stand above every grant:
//!
//! * `returned: never` (a password) is never covered, not even by "everything";
//! * `id`, `meta` and `schemas` always are: they say which resource it is and in which state, and nothing of a person.
//!   (`externalId` is an attribute like any other.)

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::scim::filter::Filter;
use crate::scim::path::{AttributeRef, Path};
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Returned, SchemaRegistry};

use super::descriptor::{Capability, Descriptor, parse_read};
use super::writes::{EVERYTHING, NotWritable, Writes, parse_write};

/// What a constraint may read and edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    reads: Reads,
    writes: Writes,
    directory: BTreeSet<String>,
    tables: Tables,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tables {
    all: bool,
    named: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reads {
    All,
    Only(Vec<GrantedPath>),
}

/// A granted attribute by its canonical names. Resource types are not told apart: `displayName` is granted of a user
/// as of a group, if the constraint sees both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrantedPath {
    pub(super) text: String,
    pub(super) names: Names,
}

/// Names of an attribute: the extension's URN, the attribute, the sub-attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    extension: Option<String>,
    attribute: Option<String>,
    sub_attribute: Option<String>,
}

/// The grants are not ones that can be given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrantsError {
    /// Not the object that is expected.
    #[error("grants are an object with `reads`, `writes` and `capabilities`, each a list of texts: {0}")]
    Shape(String),
    /// Not a path of any resource type that the plugin sees.
    #[error("the granted {what} `{path}` is not an attribute of {resource_types}")]
    UnknownPath {
        /// `read` or `write`.
        what: &'static str,
        /// As it was given.
        path: String,
        /// The types that were tried.
        resource_types: String,
    },
    /// Nobody may edit it.
    #[error("the granted write `{path}` cannot be edited: {why}")]
    Unwritable {
        /// As it was given.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// Not a capability.
    #[error("the granted capability `{0}` is not `directory:ResourceType`, `tables:name` or `tables:*`")]
    UnknownCapability(String),
    /// More than the plugin asks for.
    #[error("the {what} `{item}` is not asked for by the plugin; it asks for {asked}")]
    NotAskedFor {
        /// `read`, `write` or `capability`.
        what: &'static str,
        /// Which one.
        item: String,
        /// What it does ask for.
        asked: String,
    },
}

impl Grants {
    /// Nothing at all: for `describe`.
    pub fn none() -> Self {
        let (directory, tables) = (BTreeSet::new(), Tables::default());
        Self { reads: Reads::Only(Vec::new()), writes: Writes::NotAsked, directory, tables }
    }

    /// Everything that the descriptor asks for. Without any `reads`, it asks for every attribute.
    pub fn asked_for(descriptor: &Descriptor, schemas: &SchemaRegistry) -> Self {
        let writes = Writes::asked_for(descriptor, schemas);
        let mut grants = Self { reads: Reads::All, writes, ..Self::none() };
        if !descriptor.reads.is_empty() {
            // A descriptor was checked when it was made: what does not parse any more grants nothing.
            let paths = descriptor.reads.iter().filter_map(|read| parse_read(read, descriptor, schemas)).collect();
            grants.reads = Reads::Only(paths);
        }
        descriptor.capabilities.iter().filter_map(|text| Capability::parse(text)).for_each(|item| grants.allow(item));
        grants
    }

    /// What the tenant gives: `{"reads": ["userName"], "capabilities": ["directory:User"]}`, and for a rewriter `writes`
    /// beside them, at most what the descriptor asks for. A key left out, or no grants at all (`None`, `null`), gives exactly that.
    pub fn parse(json: Option<&Value>, descriptor: &Descriptor, schemas: &SchemaRegistry) -> Result<Self, GrantsError> {
        let mut grants = Self::asked_for(descriptor, schemas);
        let object = match json {
            None | Some(Value::Null) => return Ok(grants),
            Some(Value::Object(object)) => object,
            Some(other) => return Err(GrantsError::Shape(format!("`{other}` is no object"))),
        };
        if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "reads" | "writes" | "capabilities")) {
            return Err(GrantsError::Shape(format!("`{key}` is not known")));
        }
        if let Some(reads) = texts(object, "reads")? {
            let given = reads
                .into_iter()
                .map(|read| grants.check_read(read, descriptor, schemas))
                .collect::<Result<Vec<_>, _>>()?;
            grants.reads = Reads::Only(given);
        }
        if let Some(writes) = texts(object, "writes")? {
            grants.writes = grants.check_writes(&writes, descriptor, schemas)?;
        }
        if let Some(capabilities) = texts(object, "capabilities")? {
            let given = capabilities
                .into_iter()
                .map(|capability| check_capability(capability, descriptor))
                .collect::<Result<Vec<_>, _>>()?;
            (grants.directory, grants.tables) = Default::default();
            given.into_iter().for_each(|item| grants.allow(item));
        }
        Ok(grants)
    }

    /// The grants as they are stored and shown.
    pub fn to_json(&self) -> Value {
        let capabilities: Vec<String> = (self.directory.iter().map(|name| format!("directory:{name}")))
            .chain(self.tables.all.then(|| "tables:*".to_owned()))
            .chain(self.tables.named.iter().map(|name| format!("tables:{name}")))
            .collect();
        let mut grants = Map::new();
        if let Reads::Only(paths) = &self.reads {
            let reads: Vec<&str> = paths.iter().map(|path| path.text.as_str()).collect();
            grants.insert("reads".to_owned(), json!(reads));
        }
        if let Some(writes) = self.writes.texts() {
            grants.insert("writes".to_owned(), json!(writes));
        }
        grants.insert("capabilities".to_owned(), json!(capabilities));
        Value::Object(grants)
    }

    /// What may be edited.
    pub(super) fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Whether the path may be read: what it leads to, and everything its value filter compares.
    pub fn covers(&self, path: &Path) -> bool {
        let (attribute, sub_attribute) = (path.attribute.as_deref(), path.sub_attribute.as_deref());
        if is_hidden(attribute) || is_hidden(sub_attribute) {
            return false;
        }
        let names = Names {
            extension: path.extension.as_ref().map(|schema| schema.id.clone()),
            attribute: attribute.map(|attribute| attribute.name.clone()),
            sub_attribute: sub_attribute.map(|attribute| attribute.name.clone()),
        };
        self.covers_names(&names) && path.filter.as_deref().is_none_or(|filter| self.covers_inner(&names, filter))
    }

    /// Whether an attribute may be read as a whole.
    pub fn covers_attribute(&self, attribute: &AttributeRef) -> bool {
        !is_hidden(Some(&attribute.attribute))
            && !is_hidden(attribute.sub_attribute.as_deref())
            && self.covers_names(&Names::of(attribute))
    }

    /// Whether everything that the value filter of a path compares may be read, whatever the path leads to.
    pub(super) fn covers_value_filter(&self, path: &Path) -> bool {
        let outer = Names { sub_attribute: None, ..Names::of_path(path) };
        path.filter.as_deref().is_none_or(|filter| self.covers_inner(&outer, filter))
    }

    /// Whether everything that a filter compares may be read.
    pub fn covers_filter(&self, filter: &Filter) -> bool {
        match filter {
            Filter::Compare { attribute, .. } => self.covers_compared(attribute),
            Filter::Present(attribute) => self.covers_attribute(attribute),
            Filter::ValuePath { attribute, filter } => {
                !is_hidden(Some(&attribute.attribute)) && self.covers_inner(&Names::of(attribute), filter)
            }
            Filter::And(filters) | Filter::Or(filters) => filters.iter().all(|filter| self.covers_filter(filter)),
            Filter::Not(filter) => self.covers_filter(filter),
        }
    }

    /// Whether resources of the type may be looked up.
    pub fn directory(&self, resource_type: &str) -> bool {
        self.directory.contains(resource_type)
    }

    /// Whether a table may be looked into.
    pub fn table(&self, name: &str) -> bool {
        self.tables.all || self.tables.named.contains(name)
    }

    /// Everything of a resource that may be read, as JSON; without what is kept apart (members, groups).
    pub fn project(&self, resource: &Resource) -> Map<String, Value> {
        let mut projected = Map::new();
        for (name, value) in &resource.attributes {
            let kept = match (resource.resource_type.extension(name), value) {
                (Some(schema), Value::Object(attributes)) => {
                    let kept: Map<String, Value> = attributes
                        .iter()
                        .filter_map(|(inner, value)| {
                            let attribute = schema.attribute(inner).map(|attribute| &**attribute);
                            Some((inner.clone(), self.project_attribute(Some(name), inner, attribute, value)?))
                        })
                        .collect();
                    (!kept.is_empty()).then_some(Value::Object(kept))
                }
                _ => {
                    let attribute = resource.resource_type.schema.attribute(name).map(|attribute| &**attribute);
                    self.project_attribute(None, name, attribute, value)
                }
            };
            projected.extend(kept.map(|kept| (name.clone(), kept)));
        }
        projected
    }

    /// What may be read of one value of an attribute that differs.
    pub(super) fn project_difference(&self, attribute: &AttributeRef, value: &Value) -> Option<Value> {
        let whole = self.covers_attribute(attribute);
        if attribute.sub_attribute.is_some() || is_hidden(Some(&attribute.attribute)) {
            return whole.then(|| value.clone());
        }
        self.project_value(&mut Names::of(attribute), whole, Some(&attribute.attribute), value)
    }

    /// What may be read of one attribute's value.
    fn project_attribute(
        &self,
        extension: Option<&String>,
        name: &str,
        attribute: Option<&Attribute>,
        value: &Value,
    ) -> Option<Value> {
        if is_hidden(attribute) {
            return None;
        }
        let mut names = Names { extension: extension.cloned(), attribute: Some(name.to_owned()), sub_attribute: None };
        let whole = self.covers_names(&names);
        let projected = match value {
            Value::Array(values) => {
                let kept = values.iter().filter_map(|value| self.project_value(&mut names, whole, attribute, value));
                Value::Array(kept.collect())
            }
            value => self.project_value(&mut names, whole, attribute, value)?,
        };
        (projected != Value::Array(Vec::new())).then_some(projected)
    }

    fn project_value(
        &self,
        names: &mut Names,
        whole: bool,
        attribute: Option<&Attribute>,
        value: &Value,
    ) -> Option<Value> {
        let Value::Object(parts) = value else {
            return whole.then(|| value.clone());
        };
        let mut kept = Map::new();
        for (name, part) in parts {
            names.sub_attribute = Some(name.clone());
            let hidden = is_hidden(attribute.and_then(|attribute| attribute.sub_attribute(name)).map(|sub| &**sub));
            if !hidden && (whole || self.covers_names(names)) {
                kept.insert(name.clone(), part.clone());
            }
        }
        names.sub_attribute = None;
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    /// Comparing a complex attribute compares its `value`.
    fn covers_compared(&self, attribute: &AttributeRef) -> bool {
        if self.covers_attribute(attribute) {
            return true;
        }
        let mut names = Names::of(attribute);
        match (&attribute.sub_attribute, attribute.attribute.sub_attribute("value")) {
            (None, Some(value)) if !is_hidden(Some(&attribute.attribute)) && !is_hidden(Some(value)) => {
                names.sub_attribute = Some(value.name.clone());
                self.covers_names(&names)
            }
            _ => false,
        }
    }

    /// Whether a filter inside `attribute[…]` compares only what is granted. Its attributes are sub-attributes.
    fn covers_inner(&self, outer: &Names, filter: &Filter) -> bool {
        match filter {
            Filter::Compare { attribute, .. } | Filter::Present(attribute) | Filter::ValuePath { attribute, .. } => {
                let names = Names { sub_attribute: Some(attribute.attribute.name.clone()), ..outer.clone() };
                !is_hidden(Some(&attribute.attribute)) && self.covers_names(&names)
            }
            Filter::And(filters) | Filter::Or(filters) => filters.iter().all(|filter| self.covers_inner(outer, filter)),
            Filter::Not(filter) => self.covers_inner(outer, filter),
        }
    }

    fn covers_names(&self, names: &Names) -> bool {
        match &self.reads {
            Reads::All => true,
            _ if names.is_always_readable() => true,
            Reads::Only(paths) => paths.iter().any(|path| path.names.covers(names)),
        }
    }

    fn check_read(
        &self,
        read: &str,
        descriptor: &Descriptor,
        schemas: &SchemaRegistry,
    ) -> Result<GrantedPath, GrantsError> {
        let path = parse_read(read, descriptor, schemas).ok_or_else(|| GrantsError::UnknownPath {
            what: "read",
            path: read.to_owned(),
            resource_types: seen_names(descriptor, schemas),
        })?;
        if self.covers_names(&path.names) {
            Ok(path)
        } else {
            Err(GrantsError::NotAskedFor { what: "read", item: read.to_owned(), asked: listed(&descriptor.reads) })
        }
    }

    fn check_writes(
        &self,
        texts: &[&str],
        descriptor: &Descriptor,
        schemas: &SchemaRegistry,
    ) -> Result<Writes, GrantsError> {
        let not_asked_for = |text: &str| {
            let asked = listed(&descriptor.writes);
            GrantsError::NotAskedFor { what: "write", item: text.to_owned(), asked }
        };
        if let Some(everything) = texts.iter().find(|text| **text == EVERYTHING) {
            let asked = self.writes == Writes::Everything;
            return if asked { Ok(Writes::Everything) } else { Err(not_asked_for(everything)) };
        }
        let check = |text: &&str| {
            let path = parse_write(text, descriptor, schemas).map_err(|why| match why {
                NotWritable::Unknown => GrantsError::UnknownPath {
                    what: "write",
                    path: (*text).to_owned(),
                    resource_types: seen_names(descriptor, schemas),
                },
                NotWritable::Never(why) => GrantsError::Unwritable { path: (*text).to_owned(), why },
            })?;
            if self.writes.covers_names(&path.names) { Ok(path) } else { Err(not_asked_for(text)) }
        };
        let paths: Vec<GrantedPath> = texts.iter().map(check).collect::<Result<_, _>>()?;
        // Of what is no rewriter nothing can be granted, and that is what it has.
        Ok(if self.writes == Writes::NotAsked { Writes::NotAsked } else { Writes::Only(paths) })
    }

    fn allow(&mut self, capability: Capability) {
        match capability {
            Capability::Directory(resource_type) => self.directory.insert(resource_type),
            Capability::Table(name) => self.tables.named.insert(name),
            Capability::AnyTable => !std::mem::replace(&mut self.tables.all, true),
        };
    }
}

impl Names {
    pub(super) fn of_path(path: &Path) -> Self {
        Self {
            extension: path.extension.as_ref().map(|schema| schema.id.clone()),
            attribute: path.attribute.as_ref().map(|attribute| attribute.name.clone()),
            sub_attribute: path.sub_attribute.as_ref().map(|attribute| attribute.name.clone()),
        }
    }

    pub(super) fn of(attribute: &AttributeRef) -> Self {
        Self {
            extension: attribute.extension.as_ref().map(|schema| schema.id.clone()),
            attribute: Some(attribute.attribute.name.clone()),
            sub_attribute: attribute.sub_attribute.as_ref().map(|sub| sub.name.clone()),
        }
    }

    /// Whether a grant of this is one of `other` too: the same, or something above it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.extension == other.extension
            && (self.attribute.is_none() || self.attribute == other.attribute)
            && (self.sub_attribute.is_none() || self.sub_attribute == other.sub_attribute)
    }

    fn is_always_readable(&self) -> bool {
        self.extension.is_none() && matches!(self.attribute.as_deref(), Some("id" | "meta" | "schemas"))
    }
}

fn seen_names(descriptor: &Descriptor, schemas: &SchemaRegistry) -> String {
    descriptor.seen_types(schemas).map(|seen| seen.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn is_hidden(attribute: Option<&Attribute>) -> bool {
    attribute.is_some_and(|attribute| attribute.returned == Returned::Never)
}

fn check_capability(text: &str, descriptor: &Descriptor) -> Result<Capability, GrantsError> {
    let capability = Capability::parse(text).ok_or_else(|| GrantsError::UnknownCapability(text.to_owned()))?;
    let asked = descriptor.capabilities.iter().filter_map(|asked| Capability::parse(asked));
    if asked.into_iter().any(|asked| asked.covers(&capability)) {
        Ok(capability)
    } else {
        let asked = listed(&descriptor.capabilities);
        Err(GrantsError::NotAskedFor { what: "capability", item: text.to_owned(), asked })
    }
}

fn texts<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<Vec<&'a str>>, GrantsError> {
    let shape = || GrantsError::Shape(format!("`{key}` is no list of texts"));
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(shape)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(shape()),
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
}
