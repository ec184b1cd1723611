//! Named groups keep a minimum of active members, whether members leave, are deactivated, or the group goes.
//!
//! Look-ups answer as of before the operation, so what it takes away is subtracted and what it brings is added.

use scruple_sdk::{Document, Operation, ReadError, Reason, ScimType, directory, quoted};

use crate::{GroupMinimum, Settings, same};

/// A user who leaves or is deactivated counts no more in any of the groups.
pub(crate) fn by_user(operation: &Operation, before: &Document, settings: &Settings) -> Result<Vec<Reason>, ReadError> {
    let mut reasons = Vec::new();
    if !operation.turns_off("active")? {
        return Ok(reasons);
    }
    let user_id = before.id().unwrap_or_default();
    for rule in &settings.groups {
        let filter = format!("displayName eq {}", quoted(&rule.display_name));
        for group_id in directory::find("Group", &filter, 10)?.iter().filter_map(Document::id) {
            if directory::is_member(&group_id, &user_id)? {
                reasons.extend(too_few(rule, active_members(&group_id)?.saturating_sub(1)));
            }
        }
    }
    Ok(reasons)
}

/// A group that loses members, its name, or itself.
pub(crate) fn by_group(
    operation: &Operation,
    before: &Document,
    settings: &Settings,
) -> Result<Option<Reason>, ReadError> {
    let name = before.text("displayName")?.unwrap_or_default();
    let Some(rule) = settings.groups.iter().find(|rule| same(&rule.display_name, &name)) else { return Ok(None) };
    let Some(after) = operation.after() else {
        let message = format!("group `{name}` needs {} active members and cannot be deleted", rule.minimum);
        return Ok(Some(Reason::new("protected-group-deleted", message)));
    };
    let new_name = after.text("displayName")?.unwrap_or_default();
    if !same(&new_name, &name) {
        let message = format!("group `{name}` is protected by its name and cannot be renamed to `{new_name}`");
        let renamed = Reason::new("protected-group-renamed", message).path("displayName");
        return Ok(Some(renamed.scim_type(ScimType::Mutability)));
    }
    let (lost, gained) = (active(&operation.removed("members")?)?, active(&operation.added("members")?)?);
    if lost == 0 {
        return Ok(None);
    }
    let now = active_members(&before.id().unwrap_or_default())?;
    Ok(too_few(rule, now.saturating_add(gained).saturating_sub(lost)))
}

fn too_few(rule: &GroupMinimum, left: u64) -> Option<Reason> {
    (left < rule.minimum).then(|| {
        let GroupMinimum { display_name, minimum } = rule;
        let message = format!("group `{display_name}` needs {minimum} active members and would have {left}");
        Reason::new("too-few-active-members", message)
    })
}

fn active_members(group_id: &str) -> Result<u64, ReadError> {
    directory::count("User", &format!("groups.value eq {} and active eq true", quoted(group_id)))
}

/// How many of these are active users.
fn active(ids: &[String]) -> Result<u64, ReadError> {
    ids.iter().try_fold(0u64, |sum, id| {
        let active = directory::get("User", id)?.map(|user| user.flag("active")).transpose()?.flatten();
        Ok(sum.saturating_add(u64::from(active == Some(true))))
    })
}
