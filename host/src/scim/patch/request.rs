//! The PATCH message (RFC 7644 §3.5.2).

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::normalize::get_ignoring_case;
use crate::scim::path::Path;
use crate::scim::path::parse::excerpt;
use crate::scim::schema::ResourceType;
use crate::scim::urn;

/// Most operations in a request. Clients send one for each attribute that changed, and for groups up to a hundred or
/// so, one a member. The keys of values without a path are counted apart, with the same limit. Each operation goes
/// through the values of its attribute (at most 1,000); what that comes to has a limit of its own, in `work`.
pub const OPERATIONS_MAX: usize = 1_000;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 7644 §3.5.2's own")]
pub enum OperationKind {
    Add,
    Remove,
    Replace,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchOperation {
    /// What it does.
    pub kind: OperationKind,
    /// To what; `None`: to the resource, by the names in the value.
    pub path: Option<Path>,
    /// With what. `null` is a value here.
    pub value: Option<Value>,
}

impl PatchOperation {
    pub(super) fn value(&self) -> Result<&Value, ScimError> {
        self.value.as_ref().ok_or_else(|| ScimError::invalid_value("an `add` or `replace` operation has no `value`"))
    }
}

/// Reads the message in the body of a PATCH on a resource of the type.
pub fn parse(resource_type: &ResourceType, body: &Map<String, Value>) -> Result<Vec<PatchOperation>, ScimError> {
    let schemas = get_ignoring_case(body, "schemas").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !schemas.iter().filter_map(Value::as_str).any(|schema| schema.eq_ignore_ascii_case(urn::PATCH_OP)) {
        return Err(ScimError::invalid_syntax(format!("`schemas` must name `{}`", urn::PATCH_OP)));
    }
    let operations = match get_ignoring_case(body, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(ScimError::invalid_syntax("`Operations` must be a list of at least one operation")),
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(ScimError::too_many(format!(
            "there are {} operations; the limit is {OPERATIONS_MAX}",
            operations.len()
        )));
    }
    operations.iter().map(|operation| parse_operation(resource_type, operation)).collect()
}

fn parse_operation(resource_type: &ResourceType, operation: &Value) -> Result<PatchOperation, ScimError> {
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
        Some(Value::String(path)) => Some(Path::parse(path, resource_type)?),
        Some(_) => return Err(ScimError::invalid_syntax("`path` must be a string")),
    };
    let value = get_ignoring_case(operation, "value").cloned();
    Ok(PatchOperation { kind, path, value })
}
