//! Operations on the attribute kept as rows: they become edits, whatever is there. `None`: nothing to be done.

use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::members::MemberEdit;
use crate::scim::normalize::value::{Place, member_ids};
use crate::scim::patch::request::OperationKind;
use crate::scim::path::Path;
use crate::scim::reading::Reading;
use crate::scim::violation::{Characteristic, Violation};

/// `add` and `replace`.
pub(super) fn write(
    reading: Reading<'_>,
    kind: OperationKind,
    path: &Path,
    value: &Value,
) -> Result<Option<MemberEdit>, ScimError> {
    let Some(attribute) = path.attribute.as_deref().filter(|_| path.filter.is_none() && path.sub_attribute.is_none())
    else {
        // RFC 7643 §4.2: the sub-attributes of a member are immutable.
        let detail = format!("`{path}` leads into a member, which cannot be changed: remove it and add another");
        return Err(unchangeable(detail, path, Some(value)));
    };
    let ids = member_ids(reading, attribute, value, Place::of(&attribute.name))?;
    Ok(match kind {
        OperationKind::Replace if ids.is_empty() => Some(MemberEdit::RemoveAll),
        OperationKind::Replace => Some(MemberEdit::Replace(ids)),
        _ if ids.is_empty() => None,
        _ => Some(MemberEdit::Add(ids)),
    })
}

/// `remove`. Who is no member is passed over: the client has what it asks for.
pub(super) fn remove(
    reading: Reading<'_>,
    path: &Path,
    value: Option<&Value>,
) -> Result<Option<MemberEdit>, ScimError> {
    let Some(attribute) = path.attribute.as_deref().filter(|_| path.sub_attribute.is_none()) else {
        let detail = format!("`{path}` leads into a member, which cannot be changed");
        return Err(unchangeable(detail, path, None));
    };
    if let Some(id) = path.value_wanted() {
        // A text that is no id of ours is nobody's.
        return Ok(id.parse().ok().map(|id| MemberEdit::Remove(vec![id])));
    }
    if let Some(filter) = &path.filter {
        let stored = |name: &str| matches!(name, "value" | "type");
        if let Some(other) = filter.attributes().iter().find(|attribute| !stored(&attribute.leaf().name)) {
            return Err(ScimError::invalid_filter(format!(
                "members can be selected by `value` and `type`, not by `{other}`"
            )));
        }
        return Ok(Some(MemberEdit::RemoveWhere((**filter).clone())));
    }
    match value {
        None | Some(Value::Null) => Ok(Some(MemberEdit::RemoveAll)),
        Some(value) => {
            let ids = member_ids(reading, attribute, value, Place::of(&attribute.name))?;
            Ok((!ids.is_empty()).then_some(MemberEdit::Remove(ids)))
        }
    }
}

fn unchangeable(detail: String, path: &Path, after: Option<&Value>) -> ScimError {
    let violation = Violation::new(path.to_string(), Characteristic::Mutability);
    ScimError::mutability(detail).about(match path.leaf() {
        Some(leaf) => violation.after(leaf, after),
        None => violation,
    })
}
