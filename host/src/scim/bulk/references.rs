//! References to resources that the same request creates (RFC 7644 §3.7.2).
//!
//! `bulkId:qwerty` stands for an id wherever an id can stand: as a text of its own anywhere in the data, between quotes in
//! the filter of a PATCH path, and as the id in a path.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::scim::bulk::request::BulkOperation;
use crate::scim::error::ScimError;
use crate::scim::path::parse::excerpt;

/// The ids of the resources that were created so far, by `bulkId`.
pub type Ids = HashMap<String, String>;

const PREFIX: &str = "bulkId:";

/// What the operation refers to.
pub fn of(operation: &BulkOperation) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(bulk_id) = operation.id.as_deref().and_then(|id| id.strip_prefix(PREFIX)) {
        found.insert(bulk_id.to_owned());
    }
    operation.data.values().for_each(|value| collect(value, &mut found));
    found
}

/// What a value refers to.
pub(super) fn in_value(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(named(text).map(str::to_owned)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text that is a reference, or those between quotes in it: `members[value eq "bulkId:qwerty"]`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.strip_prefix(PREFIX);
    let quoted = text.split('"').skip(1).step_by(2).filter_map(|part| part.strip_prefix(PREFIX));
    whole.into_iter().chain(quoted.filter(move |_| whole.is_none()))
}

/// The operation with ids in the place of its references.
///
/// One to a resource that there is not is an error of the operation, since what it would be carried out on is not known:
/// 409, which §3.7.1 has for references that cannot be resolved.
pub fn resolve(operation: &BulkOperation, ids: &Ids) -> Result<BulkOperation, ScimError> {
    if let Some(missing) = of(operation).into_iter().find(|bulk_id| !ids.contains_key(bulk_id)) {
        let found = excerpt(&missing);
        let detail = format!("`bulkId:{found}` refers to no resource that this request has created");
        return Err(ScimError::refused(409, None, detail));
    }
    let mut resolved = operation.clone();
    if let Some(id) = &mut resolved.id {
        replace(id, ids);
    }
    replace_in(&mut resolved.data, ids);
    Ok(resolved)
}

fn replace_in(object: &mut Map<String, Value>, ids: &Ids) {
    object.values_mut().for_each(|value| replace_value(value, ids));
}

fn replace_value(value: &mut Value, ids: &Ids) {
    match value {
        Value::String(text) => replace(text, ids),
        Value::Array(values) => values.iter_mut().for_each(|value| replace_value(value, ids)),
        Value::Object(object) => replace_in(object, ids),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace(text: &mut String, ids: &Ids) {
    let id_of = |part: &str| ids.get(part.strip_prefix(PREFIX)?);
    if let Some(id) = id_of(text) {
        text.clone_from(id);
    } else if text.contains(PREFIX) {
        let parts: Vec<&str> = text.split('"').map(|part| id_of(part).map_or(part, String::as_str)).collect();
        *text = parts.join("\"");
    }
}
