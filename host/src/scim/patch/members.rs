//! Operations on the attribute kept as rows: they become edits, whatever is there.

use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::members::MemberEdit;
use crate::scim::normalize::value::{Place, member_ids};
use crate::scim::patch::request::OperationKind;
use crate::scim::path::Path;

/// `add` and `replace`.
pub(super) fn write(
    edits: &mut Vec<MemberEdit>,
    kind: OperationKind,
    path: &Path,
    value: &Value,
) -> Result<(), ScimError> {
    let Some(attribute) = path.attribute.as_deref().filter(|_| path.filter.is_none() && path.sub_attribute.is_none())
    else {
        // RFC 7643 §4.2: the sub-attributes of a member are immutable.
        return Err(ScimError::mutability(format!(
            "`{path}` leads into a member, which cannot be changed: remove it and add another"
        )));
    };
    let ids = member_ids(attribute, value, Place::of(&attribute.name))?;
    match kind {
        OperationKind::Replace if ids.is_empty() => edits.push(MemberEdit::RemoveAll),
        OperationKind::Replace => edits.push(MemberEdit::Replace(ids)),
        _ if ids.is_empty() => {}
        _ => edits.push(MemberEdit::Add(ids)),
    }
    Ok(())
}

/// `remove`. Who is no member is passed over: the client has what it asks for.
pub(super) fn remove(edits: &mut Vec<MemberEdit>, path: &Path, value: Option<&Value>) -> Result<(), ScimError> {
    let Some(attribute) = path.attribute.as_deref().filter(|_| path.sub_attribute.is_none()) else {
        return Err(ScimError::mutability(format!("`{path}` leads into a member, which cannot be changed")));
    };
    if let Some(id) = path.value_wanted() {
        // A text that is no id of ours is nobody's.
        edits.extend(id.parse().ok().map(|id| MemberEdit::Remove(vec![id])));
        return Ok(());
    }
    if let Some(filter) = &path.filter {
        let stored = |name: &str| matches!(name, "value" | "type");
        if let Some(other) = filter.attributes().iter().find(|attribute| !stored(&attribute.leaf().name)) {
            return Err(ScimError::invalid_filter(format!(
                "members can be selected by `value` and `type`, not by `{other}`"
            )));
        }
        edits.push(MemberEdit::RemoveWhere((**filter).clone()));
        return Ok(());
    }
    match value {
        None | Some(Value::Null) => edits.push(MemberEdit::RemoveAll),
        Some(value) => {
            let ids = member_ids(attribute, value, Place::of(&attribute.name))?;
            if !ids.is_empty() {
                edits.push(MemberEdit::Remove(ids));
            }
        }
    }
    Ok(())
}
