//! Whether canonical attributes are those of a valid resource: what must be there is there, what may not change has not
//! changed. Types are right already: [`normalize`](crate::scim::normalize) sees to that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::index;
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::Attributes;
use crate::scim::schema::{Attribute, Mutability, ResourceType, Schema, Storage};
use crate::scim::secret::{SecretEdit, is_secret};
use crate::scim::violation::{Characteristic, Violation};

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

/// Checks that no required secret is taken away.
pub fn check_secrets(resource_type: &ResourceType, secrets: &[SecretEdit]) -> Result<(), ScimError> {
    let taken = secrets.iter().filter(|edit| edit.value.is_none());
    match required_secrets(resource_type).iter().find(|path| taken.clone().any(|edit| edit.path == **path)) {
        Some(path) => Err(missing(path)),
        None => Ok(()),
    }
}

/// Checks that a new resource has the required secrets.
pub fn check_new_secrets(resource_type: &ResourceType, secrets: &[SecretEdit]) -> Result<(), ScimError> {
    let given = |path: &str| secrets.iter().any(|edit| edit.path == path && edit.value.is_some());
    match required_secrets(resource_type).iter().find(|path| !given(path)) {
        Some(path) => Err(missing(path)),
        None => Ok(()),
    }
}

/// Checks a change. RFC 7643 §7, `immutable`: "The attribute MAY be defined at resource creation (e.g., POST) or at
/// record replacement via a request (e.g., a PUT). The attribute SHALL NOT be updated." So it may be set while it has no
/// value, and neither changed nor removed after.
///
/// Values of a multi-valued attribute come and go. One that is there before and after, by its `value`, keeps its
/// immutable sub-attributes; where `value` does not tell it from another, it cannot be said to have changed.
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
            if !has_part_held_fast(attribute) {
                continue;
            }
            if attribute.multi_valued {
                for (norm, old, new) in kept_values(attribute, old, new) {
                    unchanged_parts(attribute, Some(old), Some(new), &format!("{path}[value eq {norm}]"))?;
                }
            } else {
                unchanged_parts(attribute, old, new, &path)?;
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
            } else if !has_part_held_fast(attribute) {
                continue;
            } else if attribute.multi_valued {
                part.change(after, |object| {
                    let new = object.get_mut(&attribute.name);
                    keep_parts_of_values(attribute, value, new);
                });
            } else {
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
    if attribute.mutability != Mutability::Immutable || old.is_none() || is_same(old, new) {
        return Ok(());
    }
    Err(immutable(attribute, old, new, path))
}

/// The refusal to change a value that is there.
pub(crate) fn immutable(attribute: &Attribute, old: Option<&Value>, new: Option<&Value>, path: &str) -> ScimError {
    let violation = Violation::new(path, Characteristic::Mutability).before(attribute, old).after(attribute, new);
    ScimError::mutability(format!("`{path}` is immutable: it has a value, which cannot be changed or removed"))
        .about(violation)
}

fn unchanged_parts(
    attribute: &Attribute,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &str,
) -> Result<(), ScimError> {
    for sub in &attribute.sub_attributes {
        let (old, new) = (old.and_then(|value| value.get(&sub.name)), new.and_then(|value| value.get(&sub.name)));
        unchanged(sub, old, new, &format!("{path}.{}", sub.name))?;
    }
    Ok(())
}

/// The paths of required secrets that every resource of the type has.
fn required_secrets(resource_type: &ResourceType) -> Vec<String> {
    let parts = parts(resource_type).filter(|part| part.extension.is_none_or(|(_, required)| required));
    let secrets = parts.flat_map(|part| {
        let prefix = part.prefix();
        part.attributes()
            .filter(|attribute| attribute.required && is_secret(attribute))
            .map(move |attribute| format!("{prefix}{}", attribute.name))
    });
    secrets.collect()
}

fn has_part_held_fast(attribute: &Attribute) -> bool {
    attribute.sub_attributes.iter().any(|sub| is_held_fast(sub))
}

/// The order of values is no difference.
fn is_same(old: Option<&Value>, new: Option<&Value>) -> bool {
    let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new) else {
        return old == new;
    };
    let mut counts: HashMap<&Value, usize> = HashMap::with_capacity(old.len());
    for value in old {
        *counts.entry(value).or_default() += 1;
    }
    let take = |value: &Value| match counts.get_mut(value) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    old.len() == new.len() && new.iter().all(take)
}

/// The values that are there before and after, by their `value`, as a filter has it; those that it tells apart.
fn kept_values<'v>(
    attribute: &Attribute,
    old: Option<&'v Value>,
    new: Option<&'v Value>,
) -> Vec<(Value, &'v Value, &'v Value)> {
    let new = by_value(attribute, list(new));
    let old = by_value(attribute, list(old)).into_iter();
    let kept = old.filter_map(|(norm, old)| {
        let (old, new) = (old?, (*new.get(&norm)?)?);
        Some((old.get("value")?.clone(), old, new))
    });
    kept.collect()
}

/// Each value by its `value` as it is compared; `None` where several have it.
fn by_value<'v>(attribute: &Attribute, values: &'v [Value]) -> BTreeMap<String, Option<&'v Value>> {
    let mut found: BTreeMap<String, Option<&Value>> = BTreeMap::new();
    for value in values {
        if let Some(norm) = value_norm(attribute, value) {
            found.entry(norm).and_modify(|known| *known = None).or_insert(Some(value));
        }
    }
    found
}

fn value_norm(attribute: &Attribute, value: &Value) -> Option<String> {
    let sub = attribute.sub_attribute("value")?;
    index::normalise_value(sub, value.get(&sub.name)?)
}

fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(values)) => values,
        Some(single) => std::slice::from_ref(single),
        None => &[],
    }
}

/// Fills in the immutable parts that a PUT leaves out of values that stay.
fn keep_parts_of_values(attribute: &Attribute, old: &Value, new: Option<&mut Value>) {
    let Some(Value::Array(new)) = new else {
        return;
    };
    let old = by_value(attribute, list(Some(old)));
    let kept: Vec<Option<&Value>> = {
        let ambiguous = by_value(attribute, new);
        let one = |value: &Value| {
            let norm = value_norm(attribute, value)?;
            ambiguous.get(&norm)?.and_then(|_| *old.get(&norm)?)
        };
        new.iter().map(one).collect()
    };
    for (new, old) in new.iter_mut().zip(kept) {
        let (Value::Object(new), Some(old)) = (new, old) else {
            continue;
        };
        for sub in attribute.sub_attributes.iter().filter(|sub| is_held_fast(sub)) {
            if let Some(value) = old.get(&sub.name) {
                new.entry(sub.name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
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
        // Of a secret there is nothing to be seen here; see `check_secrets`.
        return if attribute.required && !is_secret(attribute) { Err(missing(&path())) } else { Ok(()) };
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
        let detail = format!("`{}` has {primaries} primary values; one is possible", path());
        let given = values.iter().filter(|value| is_primary(value)).cloned().collect();
        let violation = Violation::new(path(), Characteristic::Primary).after(attribute, Some(&given));
        return Err(ScimError::invalid_value(detail).about(violation));
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
    if attribute.canonical_only && !attribute.is_canonical(text) {
        let expected = attribute.canonical_values.join("`, `");
        let detail = format!("`{}` must be one of `{expected}`, and `{}` is not", path(), excerpt(text));
        let violation = Violation::new(path(), Characteristic::CanonicalValues).after(attribute, Some(value));
        return Err(ScimError::invalid_value(detail).about(violation));
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
        let detail = format!("`{}` would have {count} values; the limit is {max}", path());
        return Err(ScimError::invalid_value(detail).about(Violation::new(path(), Characteristic::Size)));
    }
    Ok(())
}

fn missing(path: &str) -> ScimError {
    let violation = Violation::new(path, Characteristic::Required);
    ScimError::invalid_value(format!("`{path}` is required")).about(violation)
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
                let Value::Object(object) = attributes.entry(schema.id.clone()).or_insert_with(empty_object) else {
                    return;
                };
                change(object);
                // An empty object is no value (RFC 7643 §2.5).
                if object.is_empty() {
                    attributes.remove(&schema.id);
                }
            }
        }
    }

    fn prefix(&self) -> String {
        self.extension.map_or_else(String::new, |(schema, _)| format!("{}:", schema.id))
    }
}
