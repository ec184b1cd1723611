//! Which characteristics of a resource type a stored state does not have, for the report before a tenant's schemas
//! change.
//!
//! A write stops at the first thing that is wrong; here all of it is told, since nobody can send the state again.
//! Whether a value is unique only the store knows.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::limits::ScimLimits;
use crate::scim::normalize::value::{Place, normalize_single};
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::Attributes;
use crate::scim::schema::{Attribute, Mutability, ResourceType, Returned, Storage};

/// Most violations that are told of one resource. A state in the wrong form has one for each of its values, and the
/// first twenty say so.
pub const VIOLATIONS_MAX: usize = 20;

/// What a state does not have as the resource type says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaViolation {
    /// Canonical path of the attribute: `emails.type`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// Whether the state may stay as it is nevertheless. What is to be secret may not: no state has a secret.
    pub may_stay: bool,
}

/// Compares a state with the type that it is to have. The state is canonical as another type says. How large it is is no
/// question: it was within the limits of the request that wrote it.
pub fn violations(new: &Arc<ResourceType>, attributes: &Attributes) -> Vec<SchemaViolation> {
    let reading = Reading { limits: &ScimLimits::OF_STORED, ..Reading::strict(new) };
    let mut found = Found { reading, violations: Vec::new() };
    let of_extensions = |name: &str| new.extensions.iter().any(|extension| extension.schema.id == name);
    for (name, value) in attributes.iter().filter(|(name, _)| !of_extensions(name)) {
        if !new.base_attributes().any(|attribute| attribute.name == *name) {
            found.unknown(name.clone(), value);
        }
    }
    for attribute in new.base_attributes() {
        check(attribute, attributes.get(&attribute.name), &attribute.name, &mut found);
    }
    for extension in &new.extensions {
        let schema = &extension.schema;
        let empty = Map::new();
        let object = match attributes.get(&schema.id).and_then(Value::as_object) {
            Some(object) => object,
            None if extension.required => &empty,
            None => continue,
        };
        for (name, value) in object {
            if !schema.attributes.iter().any(|attribute| attribute.name == *name) {
                found.unknown(format!("{}:{name}", schema.id), value);
            }
        }
        for attribute in &schema.attributes {
            check(attribute, object.get(&attribute.name), &format!("{}:{}", schema.id, attribute.name), &mut found);
        }
    }
    found.violations
}

struct Found<'r> {
    reading: Reading<'r>,
    violations: Vec<SchemaViolation>,
}

impl Found<'_> {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(SchemaViolation { path: path.into(), message: message.into(), may_stay: true });
        }
    }

    /// Told however many others there are.
    fn not_secret(&mut self, path: &str) {
        let message = "has a value, which would not be kept".to_owned();
        self.violations.push(SchemaViolation { path: path.to_owned(), message, may_stay: false });
    }

    fn unknown(&mut self, path: String, value: &Value) {
        if !value.is_null() {
            self.add(path, "has a value and would not be an attribute any more");
        }
    }
}

fn check(attribute: &Attribute, value: Option<&Value>, path: &str, found: &mut Found<'_>) {
    if attribute.storage != Storage::Inline {
        return;
    }
    let Some(value) = value else {
        if attribute.required && attribute.mutability != Mutability::ReadOnly {
            found.add(path, "is required and has no value");
        }
        return;
    };
    if attribute.returned == Returned::Never {
        found.not_secret(path);
        return;
    }
    let values = match (value, attribute.multi_valued) {
        (Value::Array(values), true) => values.as_slice(),
        (Value::Array(values), false) => {
            found.add(path, format!("has one value, and {} are stored", values.len()));
            return;
        }
        (_, true) => {
            found.add(path, "has a list of values, and a single one is stored");
            return;
        }
        (single, false) => std::slice::from_ref(single),
    };
    for value in values {
        if attribute.sub_attributes.is_empty() {
            check_value(attribute, value, path, found);
        } else {
            check_parts(attribute, value, path, found);
        }
    }
}

fn check_parts(attribute: &Attribute, value: &Value, path: &str, found: &mut Found<'_>) {
    let Value::Object(object) = value else {
        found.add(path, "is complex, and a simple value is stored");
        return;
    };
    for (name, value) in object {
        if !attribute.sub_attributes.iter().any(|sub| sub.name == *name) {
            found.unknown(format!("{path}.{name}"), value);
        }
    }
    for sub in &attribute.sub_attributes {
        check(sub, object.get(&sub.name), &format!("{path}.{}", sub.name), found);
    }
}

/// A value that would be read as another one than is stored is as wrong as one that could not be read.
fn check_value(attribute: &Attribute, value: &Value, path: &str, found: &mut Found<'_>) {
    match normalize_single(found.reading, attribute, value, Place::of(path)) {
        Ok(Some(read)) if read == *value => {}
        Ok(_) => found.add(path, "has a value that is not of its type"),
        Err(error) => found.add(path, error.detail),
    }
    if let Value::String(text) = value
        && attribute.mutability != Mutability::ReadOnly
    {
        if attribute.required && text.is_empty() {
            found.add(path, "is required and is empty");
        }
        if attribute.canonical_only && !attribute.is_canonical(text) {
            let expected = attribute.canonical_values.join("`, `");
            found.add(path, format!("must be one of `{expected}`, and `{}` is stored", excerpt(text)));
        }
    }
}

#[cfg(test)]
mod tests;
