//! What a request would make of the state before; and of a group's members, which the state does not have.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Change, Precondition, WriteError};
use crate::change::members::Resolving;
use crate::change::{Draft, MembersChange, members, plan};
use crate::pipeline::moment::Moment;
use crate::scim::error::ScimError;
use crate::scim::patch;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;

/// Members looked at in one page of the store, to replace, clear or filter the members of a group.
const MEMBERS_PAGE: usize = 10_000;

/// Reads the state before and applies the request to it.
pub(super) async fn draft(
    moment: &Moment,
    reading: Reading<'_>,
    change: &Change,
    at: Timestamp,
    new_id: ResourceId,
) -> Result<Draft, WriteError> {
    let before = |id, precondition| before(moment, reading.resource_type, id, precondition);
    Ok(match change {
        Change::Create { body } => plan::plan_create(reading, new_id, body, at)?,
        Change::Replace { id, body, precondition } => {
            plan::plan_replace(reading, before(*id, precondition).await?, body, at)?
        }
        Change::Patch { id, body, precondition } => {
            let operations = patch::parse(reading, body)?;
            plan::plan_patch(reading, before(*id, precondition).await?, &operations, at)?
        }
        Change::Delete { id, precondition } => plan::plan_delete(before(*id, precondition).await?),
    })
}

async fn before(
    moment: &Moment,
    resource_type: &Arc<ResourceType>,
    id: ResourceId,
    precondition: &Precondition,
) -> Result<Resource, WriteError> {
    let resource = moment
        .resource(resource_type, id)
        .await?
        .ok_or_else(|| ScimError::not_found(&format!("{} `{id}`", resource_type.name)))?;
    precondition.check(&resource)?;
    Ok(resource)
}

/// Asks the store which of the named members are members, and works out what changes. Members that no edit speaks of
/// are not looked at, unless the edits speak of all: then they are gone through, a page at a time.
pub(super) async fn settle_members(
    moment: &Moment,
    draft: &Draft,
    listed_max: usize,
) -> Result<MembersChange, WriteError> {
    let edits = draft.member_edits.as_slice();
    let Some(group) = draft.after.as_ref().map(|group| group.id).filter(|_| !edits.is_empty()) else {
        return Ok(MembersChange::default());
    };
    let mut resolving = Resolving::new(group, edits, listed_max);
    if draft.before.is_some() && members::needs_all(edits) {
        let mut after = None;
        loop {
            let page = moment.members(group, after, MEMBERS_PAGE).await?;
            resolving.look_at(&page)?;
            after = page.last().map(|last| last.id);
            if page.len() < MEMBERS_PAGE {
                break;
            }
        }
    } else if draft.before.is_some() {
        let present = moment.members_among(group, resolving.named_ids()).await?;
        resolving.look_at(&present)?;
    }
    let strangers = moment.identify(&resolving.strangers()).await?;
    let strangers = strangers.into_iter().map(|member| (member.id, member.resource_type)).collect();
    Ok(resolving.finish(strangers)?)
}
