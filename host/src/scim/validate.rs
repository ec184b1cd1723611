//! Whether canonical attributes are those of a valid resource: what must be there is there, what may not change has not
//! changed. Types are right already: [`normalize`](crate::scim::normalize) sees to that.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::Attributes;
use crate::scim::schema::{Attribute, Mutability, ResourceType, Schema, Storage};

/// Checks one state: required attributes, canonical values where they are binding, one `primary` at most.
pub fn validate(reading: Reading<'_>, attributes: &Attributes) -> Result<(), ScimError> {
    let mut count: usize = 0;
    for part in parts(reading.resource_type) {
        let Some(object) = part.object(attributes) else {
            continue;
        };
        for attribute in part.attributes() {
            let value = object.get(&attribute.name);
            count += usize::from(value.is_some());
            check_attribute(reading, attribute, value, &part.prefix())?;
        }
    }
    let max = reading.limits.attributes_max;
    if count > max {
        return Err(ScimError::invalid_value(format!(
            "the resource would have {count} attributes; the limit is {max}"
        )));
    }
    Ok(())
}

/// Checks a change. RFC 7643 §7, `immutable`: "The attribute MAY be defined at resource creation (e.g., POST) or at
/// record replacement via a request (e.g., a PUT). The attribute SHALL NOT be updated." So it may be set while it has no
/// value, and neither changed nor removed after.
///
/// A sub-attribute of a multi-valued attribute is compared only if that attribute is immutable as a whole: values come
/// and go, and a changed one cannot be told from another one.
pub fn check_immutable(resource_type: &ResourceType, before: &Attributes, after: &Attributes) -> Result<(), ScimError> {
    for part in parts(resource_type) {
        let Some(old) = part.object(before) else {
            continue;
        };
        let empty = Map::new();
        let new = part.object(after).unwrap_or(&empty);
        for attribute in part.attributes() {
            let (old, new) = (old.get(&attribute.name), new.get(&attribute.name));
            let path = format!("{}{}", part.prefix(), attribute.name);
            unchanged(attribute, old, new, &path)?;
            if !attribute.multi_valued {
                for sub in &attribute.sub_attributes {
                    let sub_of = |value: Option<&'_ Value>| value.and_then(|value| value.get(&sub.name)).cloned();
                    unchanged(sub, sub_of(old).as_ref(), sub_of(new).as_ref(), &format!("{path}.{}", sub.name))?;
                }
            }
        }
    }
    Ok(())
}

/// Puts immutable attributes that a PUT leaves out back to what they are. RFC 7644 §3.5.1: "immutable: If one or more
/// values are already set for the attribute, the input value(s) MUST match"; one that is left out has nothing to match.
/// So with what a tenant has made read-only after it was set: "readOnly: Any values provided SHALL be ignored."
pub fn keep_immutable(resource_type: &ResourceType, before: &Attributes, after: &mut Attributes) {
    for part in parts(resource_type) {
        let Some(old) = part.object(before) else {
            continue;
        };
        for attribute in part.attributes() {
            let Some(value) = old.get(&attribute.name) else {
                continue;
            };
            if is_held_fast(attribute) {
                part.change(after, |object| {
                    object.entry(attribute.name.clone()).or_insert_with(|| value.clone());
                });
            } else if !attribute.multi_valued {
                keep_immutable_parts(&part, attribute, value, after);
            }
        }
    }
}

fn is_held_fast(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::Immutable | Mutability::ReadOnly)
}

fn keep_immutable_parts(part: &Part<'_>, attribute: &Attribute, old: &Value, after: &mut Attributes) {
    for sub in attribute.sub_attributes.iter().filter(|sub| is_held_fast(sub)) {
        let Some(kept) = old.get(&sub.name) else {
            continue;
        };
        part.change(after, |object| {
            if let Value::Object(complex) = object.entry(attribute.name.clone()).or_insert_with(empty_object) {
                complex.entry(sub.name.clone()).or_insert_with(|| kept.clone());
            }
        });
    }
}

fn unchanged(attribute: &Attribute, old: Option<&Value>, new: Option<&Value>, path: &str) -> Result<(), ScimError> {
    if attribute.mutability != Mutability::Immutable || old.is_none() || old == new {
        return Ok(());
    }
    Err(ScimError::mutability(format!("`{path}` is immutable: it has a value, which cannot be changed or removed")))
}

fn check_attribute(
    reading: Reading<'_>,
    attribute: &Attribute,
    value: Option<&Value>,
    prefix: &str,
) -> Result<(), ScimError> {
    if attribute.storage != Storage::Inline || attribute.mutability == Mutability::ReadOnly {
        return Ok(());
    }
    let path = || format!("{prefix}{}", attribute.name);
    let Some(value) = value else {
        return if attribute.required { Err(missing(&path())) } else { Ok(()) };
    };
    let values = match value {
        Value::Array(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    // A PATCH adds to what is there, so the sum is counted, not only what a client gives.
    check_values(reading, &path, values.len())?;
    for value in values {
        check_value(attribute, value, &path)?;
        for sub in &attribute.sub_attributes {
            check_attribute(reading, sub, value.get(&sub.name), &format!("{}.", path()))?;
        }
    }
    // RFC 7643 §2.4: "The primary attribute value "true" MUST appear no more than once."
    let primaries = values.iter().filter(|value| is_primary(value)).count();
    if attribute.multi_valued && primaries > 1 {
        return Err(ScimError::invalid_value(format!("`{}` has {primaries} primary values; one is possible", path())));
    }
    Ok(())
}

fn check_value(attribute: &Attribute, value: &Value, path: &dyn Fn() -> String) -> Result<(), ScimError> {
    let Value::String(text) = value else {
        return Ok(());
    };
    if attribute.required && text.is_empty() {
        return Err(missing(&path()));
    }
    let is_canonical = |text: &str| {
        attribute.canonical_values.iter().any(|canonical| {
            if attribute.folds_case() { canonical.eq_ignore_ascii_case(text) } else { canonical == text }
        })
    };
    if attribute.canonical_only && !is_canonical(text) {
        let expected = attribute.canonical_values.join("`, `");
        return Err(ScimError::invalid_value(format!(
            "`{}` must be one of `{expected}`, and `{}` is not",
            path(),
            excerpt(text)
        )));
    }
    Ok(())
}

/// Whether a value of a multi-valued attribute is the primary one.
pub(crate) fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

/// Whether an addition leads beyond the limit of values.
pub(crate) fn check_values(reading: Reading<'_>, path: &dyn Fn() -> String, count: usize) -> Result<(), ScimError> {
    let max = reading.limits.values_max;
    if count > max {
        return Err(ScimError::invalid_value(format!("`{}` would have {count} values; the limit is {max}", path())));
    }
    Ok(())
}

fn missing(path: &str) -> ScimError {
    ScimError::invalid_value(format!("`{path}` is required"))
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

/// The base schema with the common attributes, or an extension.
struct Part<'r> {
    base: Option<&'r ResourceType>,
    extension: Option<(&'r Schema, bool)>,
}

fn parts(resource_type: &ResourceType) -> impl Iterator<Item = Part<'_>> {
    let extensions = resource_type
        .extensions
        .iter()
        .map(|extension| Part { base: None, extension: Some((&extension.schema, extension.required)) });
    std::iter::once(Part { base: Some(resource_type), extension: None }).chain(extensions)
}

impl<'r> Part<'r> {
    fn attributes(&self) -> impl Iterator<Item = &'r Arc<Attribute>> + use<'r> {
        let base = self.base.into_iter().flat_map(ResourceType::base_attributes);
        base.chain(self.extension.into_iter().flat_map(|(schema, _)| &schema.attributes))
    }

    /// Its object; for an extension that is not there: none, unless every resource must have it.
    fn object<'a>(&self, attributes: &'a Attributes) -> Option<&'a Map<String, Value>> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        match self.extension {
            None => Some(attributes),
            Some((schema, required)) => {
                let object = attributes.get(&schema.id).and_then(Value::as_object);
                object.or(if required { Some(&EMPTY) } else { None })
            }
        }
    }

    /// Gives its object to `change`, made if it is not there.
    fn change(&self, attributes: &mut Attributes, change: impl FnOnce(&mut Map<String, Value>)) {
        match self.extension {
            None => change(attributes),
            Some((schema, _)) => {
                if let Value::Object(object) = attributes.entry(schema.id.clone()).or_insert_with(empty_object) {
                    change(object);
                }
            }
        }
    }

    fn prefix(&self) -> String {
        self.extension.map_or_else(String::new, |(schema, _)| format!("{}:", schema.id))
    }
}
