//! The PATCH message (RFC 7644 §3.5.2).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::normalize::get_ignoring_case;
use crate::scim::path::Path;
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::ResourceId;
use crate::scim::urn;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 7644 §3.5.2's own")]
pub enum OperationKind {
    Add,
    Remove,
    Replace,
}

/// One operation.
#[derive(Clone, PartialEq)]
pub struct PatchOperation {
    /// What it does.
    pub kind: OperationKind,
    /// To what; `None`: to the resource, by the names in the value.
    pub path: Option<Path>,
    /// With what. `null` is a value here.
    pub value: Option<Value>,
}

impl fmt::Debug for PatchOperation {
    /// Without the value, which may be or hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatchOperation").field("kind", &self.kind).field("path", &self.path).finish_non_exhaustive()
    }
}

impl PatchOperation {
    pub(super) fn value(&self) -> Result<&Value, ScimError> {
        self.value.as_ref().ok_or_else(|| ScimError::invalid_value("an `add` or `replace` operation has no `value`"))
    }
}

/// The ids that stand anywhere in the message, each once: whom it may speak of. Whether it makes sense is for [`parse`] to say.
pub fn named_ids(body: &Map<String, Value>) -> Vec<ResourceId> {
    let mut ids = BTreeSet::new();
    // Of a path, each text in its filter.
    let mut look_at = |text: &str| ids.extend(text.split('"').filter_map(|part| part.parse::<ResourceId>().ok()));
    let mut left: Vec<&Value> = body.values().collect();
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => look_at(text),
            Value::Array(values) => left.extend(values),
            Value::Object(values) => {
                values.keys().for_each(|path| look_at(path));
                left.extend(values.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    ids.into_iter().collect()
}

/// Reads the message in the body of a PATCH on a resource of the type.
///
/// A lenient reader passes over operations on attributes that the type does not have, so there may be none left.
pub fn parse(reading: Reading<'_>, body: &Map<String, Value>) -> Result<Vec<PatchOperation>, ScimError> {
    reading.check_depth(body)?;
    let schemas = get_ignoring_case(body, "schemas").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names_patch = |schema: &str| schema.eq_ignore_ascii_case(urn::PATCH_OP);
    if !reading.is_lenient() && !schemas.iter().filter_map(Value::as_str).any(names_patch) {
        return Err(ScimError::invalid_syntax(format!("`schemas` must name `{}`", urn::PATCH_OP)));
    }
    let operations = match get_ignoring_case(body, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(ScimError::invalid_syntax("`Operations` must be a list of at least one operation")),
    };
    let max = reading.limits.operations_max;
    if operations.len() > max {
        return Err(ScimError::too_many(format!("there are {} operations; the limit is {max}", operations.len())));
    }
    operations.iter().filter_map(|operation| parse_operation(reading, operation).transpose()).collect()
}

/// `None`: to be passed over.
fn parse_operation(reading: Reading<'_>, operation: &Value) -> Result<Option<PatchOperation>, ScimError> {
    let Value::Object(operation) = operation else {
        return Err(ScimError::invalid_syntax("an operation must be an object"));
    };
    // Entra ID writes `Add`, `Replace`, `Remove`.
    let kind = match get_ignoring_case(operation, "op").and_then(Value::as_str) {
        Some(op) if op.eq_ignore_ascii_case("add") => OperationKind::Add,
        Some(op) if op.eq_ignore_ascii_case("remove") => OperationKind::Remove,
        Some(op) if op.eq_ignore_ascii_case("replace") => OperationKind::Replace,
        Some(op) => {
            let found = excerpt(op);
            return Err(ScimError::invalid_syntax(format!("`op` must be add, remove or replace, not `{found}`")));
        }
        None => return Err(ScimError::invalid_syntax("an operation has no `op`")),
    };
    let path = match get_ignoring_case(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.is_empty() => None,
        Some(Value::String(path)) => match Path::parse_with(path, reading) {
            Ok(path) => Some(path),
            Err(error) if reading.is_lenient() && error.is_unknown() => return Ok(None),
            Err(error) => return Err(error.into()),
        },
        Some(_) => return Err(ScimError::invalid_syntax("`path` must be a string")),
    };
    let value = get_ignoring_case(operation, "value").cloned();
    Ok(Some(PatchOperation { kind, path, value }))
}
