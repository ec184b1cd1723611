//! A rewriter's edits, from WIT to operations of a PATCH: counted, read, and held against the grant.
//!
//! Whether they can be made, and what they leave, is [`change::rewrite`](crate::change::rewrite)'s to say.

use serde_json::Value;

use super::bindings::scruple::constraint::types;
use super::convert::check_count;
use super::grants::Grants;
use super::limits::Limits;
use super::writes::Writes;
use crate::change::rewrite::unwritable;
use crate::decision::ConstraintFault;
use crate::scim::patch::{OperationKind, PatchOperation};
use crate::scim::path::Path;
use crate::scim::path::parse::excerpt;
use crate::scim::schema::ResourceType;

/// The edits, if each is one that the contract allows and the grant covers. The first that is not fails all.
pub(super) fn edits_from_wit(
    edits: Vec<types::Edit>,
    resource_type: &ResourceType,
    grants: &Grants,
    limits: &Limits,
) -> Result<Vec<PatchOperation>, ConstraintFault> {
    check_count("rewriter's answer", edits.len(), limits.edits_max, "edits")?;
    let read = |edit| {
        let edit = edit_from_wit(edit, resource_type, limits)?;
        edit.path.as_ref().map_or(Ok(()), |path| check_grant(path, grants))?;
        Ok(edit)
    };
    edits.into_iter().map(read).collect()
}

fn edit_from_wit(
    edit: types::Edit,
    resource_type: &ResourceType,
    limits: &Limits,
) -> Result<PatchOperation, ConstraintFault> {
    let (kind, path, json) = match edit {
        types::Edit::Set((path, json)) => (OperationKind::Replace, path, Some(json)),
        types::Edit::Append((path, json)) => (OperationKind::Add, path, Some(json)),
        types::Edit::Remove(path) => (OperationKind::Remove, path, None),
    };
    let shown = excerpt(&path);
    if path.len() > limits.path_bytes_max {
        let (bytes, most) = (path.len(), limits.path_bytes_max);
        return Err(bad_edit(format!("the path `{shown}` has {bytes} bytes, more than the limit of {most}")));
    }
    let path = Path::parse(&path, resource_type)
        .map_err(|error| bad_edit(format!("`{shown}` is no path of {}: {error}", resource_type.name)))?;
    let value = json.map(|json| serde_json::from_str::<Value>(&json)).transpose();
    let value = value.map_err(|error| bad_edit(format!("the value for `{path}` is not JSON: {error}")))?;
    if kind == OperationKind::Add {
        check_append(&path, value.as_ref())?;
    }
    Ok(PatchOperation { kind, path: Some(path), value })
}

/// PATCH would take `add` for a `replace` where there can be one value, and several values in a list.
fn check_append(path: &Path, value: Option<&Value>) -> Result<(), ConstraintFault> {
    let is_list = path.attribute.as_ref().is_some_and(|attribute| attribute.multi_valued);
    if !is_list || path.filter.is_some() || path.sub_attribute.is_some() {
        return Err(bad_edit(format!("nothing can be appended to `{path}`: it is no multi-valued attribute")));
    }
    if matches!(value, Some(Value::Array(_) | Value::Null)) {
        return Err(bad_edit(format!("one value can be appended to `{path}` at a time, and no list")));
    }
    Ok(())
}

fn check_grant(path: &Path, grants: &Grants) -> Result<(), ConstraintFault> {
    if let Some(why) = unwritable(path) {
        return Err(bad_edit(format!("`{path}` cannot be edited: {why}")));
    }
    if grants.writes().covers(path) {
        return Ok(());
    }
    let granted = match grants.writes() {
        Writes::Only(paths) if !paths.is_empty() => {
            paths.iter().map(|path| format!("`{}`", path.text)).collect::<Vec<_>>().join(", ")
        }
        _ => "nothing".to_owned(),
    };
    Err(bad_edit(format!("to edit `{path}` is not granted; granted is {granted}")))
}

fn bad_edit(detail: String) -> ConstraintFault {
    ConstraintFault::BadEdit { detail }
}
