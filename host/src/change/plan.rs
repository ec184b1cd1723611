//! From a request to a [`Draft`]: what the resource would be, valid by its schema, but for the members.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::planned::{Action, Draft};
use crate::scim::error::ScimError;
use crate::scim::members::MemberEdit;
use crate::scim::meta::Meta;
use crate::scim::normalize::normalize;
use crate::scim::patch::{self, PatchOperation, Patched};
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::validate::{check_immutable, check_new_secrets, check_secrets, keep_immutable, validate};

/// POST of a resource that gets this id.
pub fn plan_create(
    reading: Reading<'_>,
    id: ResourceId,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<Draft, ScimError> {
    let normalized = normalize(reading, body)?;
    validate(reading, &normalized.attributes)?;
    check_new_secrets(reading.resource_type, &normalized.secrets)?;
    let secrets = normalized.secrets.into_iter().filter(|edit| edit.value.is_some()).collect();
    let members = normalized.members.filter(|ids| !ids.is_empty());
    Ok(Draft {
        action: Action::Create,
        before: None,
        after: Some(Resource {
            resource_type: Arc::clone(reading.resource_type),
            id,
            attributes: normalized.attributes,
            meta: Meta::first(now),
        }),
        member_edits: members.map(MemberEdit::Add).into_iter().collect(),
        secrets,
    })
}

/// PUT. What the body leaves out has no value afterwards (RFC 7644 §3.5.1: "MAY be assumed to be not asserted by the
/// client … MAY assume that any existing values are to be cleared"), members too; but for immutable attributes, which
/// keep theirs, and secrets, which no client can have read to send them back.
pub fn plan_replace(
    reading: Reading<'_>,
    before: Resource,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<Draft, ScimError> {
    let normalized = normalize(reading, body)?;
    let mut attributes = normalized.attributes;
    keep_immutable(&before.resource_type, &before.attributes, &mut attributes);
    let member_edits = match (before.resource_type.row_attribute(), normalized.members) {
        (None, _) => Vec::new(),
        (Some(_), Some(ids)) if !ids.is_empty() => vec![MemberEdit::Replace(ids)],
        (Some(_), _) => vec![MemberEdit::RemoveAll],
    };
    updated(reading, before, Patched { attributes, member_edits, secrets: normalized.secrets }, now)
}

/// PATCH.
pub fn plan_patch(
    reading: Reading<'_>,
    before: Resource,
    operations: &[PatchOperation],
    now: Timestamp,
) -> Result<Draft, ScimError> {
    let patched = patch::apply(reading, &before, operations)?;
    updated(reading, before, patched, now)
}

/// DELETE.
pub fn plan_delete(before: Resource) -> Draft {
    Draft { action: Action::Delete, before: Some(before), after: None, member_edits: Vec::new(), secrets: Vec::new() }
}

fn updated(reading: Reading<'_>, before: Resource, patched: Patched, now: Timestamp) -> Result<Draft, ScimError> {
    let Patched { attributes, member_edits, secrets } = patched;
    check_secrets(reading.resource_type, &secrets)?;
    check_immutable(&before.resource_type, &before.attributes, &attributes)?;
    validate(reading, &attributes)?;
    let after = Resource {
        resource_type: before.resource_type.clone(),
        id: before.id,
        attributes,
        meta: before.meta.next(now),
    };
    Ok(Draft { action: Action::Update, before: Some(before), after: Some(after), member_edits, secrets })
}

#[cfg(test)]
mod tests;
