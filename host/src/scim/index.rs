//! What of a resource can be looked up by its value, in the form in which it is compared.
//!
//! INVARIANT: to a filter, two values of an attribute stand to each other as the texts that [`normalise_value`] gives for
//! them do, byte by byte: equal, less or greater. So a look-up by those texts and an evaluation of the filter find the
//! same resources.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Number, Value};

use crate::scim::filter::Literal;
use crate::scim::path::AttributeRef;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, ResourceType, Schema, Storage, Type, Uniqueness};
use crate::scim::time;

/// One value that can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Canonical path of the attribute: `emails.value`.
    pub attribute: String,
    /// The value as it is compared.
    pub norm: String,
    /// Whether no other resource of the type may have it.
    pub unique: bool,
}

/// Every indexed value of the resource, sorted, each once.
pub fn entries(resource: &Resource) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    for attribute in resource.resource_type.base_attributes().filter(|attribute| attribute.name != "id") {
        collect(resource, None, attribute, &mut entries);
    }
    for extension in &resource.resource_type.extensions {
        if resource.attributes.contains_key(&extension.schema.id) {
            for attribute in &extension.schema.attributes {
                collect(resource, Some(&extension.schema), attribute, &mut entries);
            }
        }
    }
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// Every attribute and sub-attribute of the type that has index entries.
pub fn indexed(resource_type: &ResourceType) -> Vec<AttributeRef> {
    let base = resource_type.base_attributes().map(|attribute| (None, attribute));
    let extensions = resource_type.extensions.iter().map(|extension| &extension.schema);
    let extended =
        extensions.flat_map(|schema| schema.attributes.iter().map(move |attribute| (Some(schema), attribute)));
    base.chain(extended).flat_map(|(schema, attribute)| with_parts(schema, attribute)).filter(is_indexed).collect()
}

fn with_parts(schema: Option<&Arc<Schema>>, attribute: &Arc<Attribute>) -> Vec<AttributeRef> {
    let whole = AttributeRef { extension: schema.cloned(), attribute: attribute.clone(), sub_attribute: None };
    let parts = attribute.sub_attributes.iter().map(|part| whole.with_sub(part));
    parts.chain(std::iter::once(whole.clone())).collect()
}

/// Whether `eq` on the attribute can be answered from [`entries`]. Not so for what is kept elsewhere, and not for
/// `id`, which identifies the resource itself.
pub fn is_indexed(attribute: &AttributeRef) -> bool {
    let leaf = attribute.leaf();
    attribute.storage() == Storage::Inline && leaf.name != "id" && is_index_leaf(leaf)
}

fn is_index_leaf(attribute: &Attribute) -> bool {
    attribute.indexed || attribute.uniqueness != Uniqueness::None
}

fn collect(
    resource: &Resource,
    extension: Option<&Arc<Schema>>,
    attribute: &Arc<Attribute>,
    entries: &mut Vec<IndexEntry>,
) {
    if attribute.storage != Storage::Inline {
        return;
    }
    let whole = AttributeRef { extension: extension.cloned(), attribute: attribute.clone(), sub_attribute: None };
    let subs = attribute.sub_attributes.iter().filter(|sub| is_index_leaf(sub)).map(|sub| whole.with_sub(sub));
    for leaf in subs.chain(is_index_leaf(attribute).then(|| whole.clone())) {
        let name = leaf.to_string();
        let unique = leaf.leaf().uniqueness != Uniqueness::None;
        leaf.any(resource, &mut |value| {
            if let Some(norm) = normalise_value(leaf.leaf(), value) {
                entries.push(IndexEntry { attribute: name.clone(), norm, unique });
            }
            false
        });
    }
}

/// The form in which a value of the attribute is compared; `None` if it cannot be one.
pub fn normalise_value(attribute: &Attribute, value: &Value) -> Option<String> {
    match (attribute.kind, value) {
        (Type::String | Type::Reference | Type::Binary, Value::String(text)) => Some(text_norm(attribute, text)),
        (Type::DateTime, Value::String(text)) => time::parse(text).map(time_norm),
        (Type::Boolean, Value::Bool(boolean)) => Some(boolean.to_string()),
        (Type::Integer | Type::Decimal, Value::Number(number)) => Some(number_norm(number)),
        _ => None,
    }
}

/// The form in which a filter's literal is compared; `None` for `null` and for what no value equals.
pub fn normalise(attribute: &Attribute, literal: &Literal) -> Option<String> {
    match (attribute.kind, literal) {
        (Type::String | Type::Reference | Type::Binary, Literal::Text(text)) => Some(text_norm(attribute, text)),
        (Type::DateTime, Literal::Time(time)) => Some(time_norm(*time)),
        (Type::Boolean, Literal::Boolean(boolean)) => Some(boolean.to_string()),
        (Type::Integer | Type::Decimal, Literal::Number(number)) => Some(number_norm(number)),
        _ => None,
    }
}

fn text_norm(attribute: &Attribute, text: &str) -> String {
    if attribute.folds_case() { fold(text).into_owned() } else { text.to_owned() }
}

/// Full Unicode case folding. Lower-casing is not enough: `ß` and `SS`, `ς` and `σ` would stay different.
pub fn fold(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        Cow::Owned(caseless::default_case_fold_str(text))
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// One spelling for each moment, in the order of time: nanoseconds, raised so that none is negative, in as many digits as
/// the largest has.
fn time_norm(time: jiff::Timestamp) -> String {
    const RAISED_BY: i128 = 1 << 79;
    format!("{:020x}", time.as_nanosecond() + RAISED_BY)
}

/// One spelling for each number, in their order: 1, 1.0 and 1e0 are the same. First the number as a float, whose bits are
/// in order once the sign is turned; then, for whole numbers, all of their digits, since beyond 2^53 several of them are
/// one float.
pub(crate) fn number_norm(number: &Number) -> String {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    const SIGN: u64 = 1 << 63;
    // So that every whole number of 64 bits, with a sign or without, is positive.
    const RAISED_BY: i128 = 1 << 63;
    // There are no others in JSON. Adding nothing makes -0 into 0.
    let float = number.as_f64().unwrap_or_default() + 0.0;
    let bits = float.to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    let whole = match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => Some(i128::from(whole)),
        (None, Some(whole)) => Some(i128::from(whole)),
        (None, None) if float.fract() == 0.0 && float.abs() < EXACT_MAX => format!("{float:.0}").parse().ok(),
        (None, None) => None,
    };
    match whole {
        Some(whole) => format!("{ordered:016x}{:017x}", whole + RAISED_BY),
        None => format!("{ordered:016x}"),
    }
}

#[cfg(test)]
mod tests;
