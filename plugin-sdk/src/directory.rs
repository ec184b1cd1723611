//! Other resources of the same tenant, as they stand before this operation. Ask for them with
//! [`About::looks_up`](crate::About::looks_up).
//!
//! The decision is committed only if every answer still holds then, so a rule over look-ups is not broken by two
//! operations at once. Put other people's text into a filter with [`filter`](crate::filter).

use crate::document::{Document, ReadError};
use crate::filter::{equals, equals_any};
use crate::platform;

/// Resources that the host returns from one look-up at the most.
const FOUND_MAX: u32 = 100;

/// Ids in one filter: a comparison with one has 50 bytes, a filter no more than 2 KiB.
const COUNTED_AT_ONCE: usize = 30;

/// One resource by its id.
///
/// # Errors
/// See [`ReadError`].
pub fn get(resource_type: &str, id: &str) -> Result<Option<Document>, ReadError> {
    Ok(platform::directory_get(resource_type, id)?.map(Document))
}

/// The resources that match a SCIM filter, in a stable order, at most `limit`. The host has a cap of its own.
///
/// # Errors
/// See [`ReadError`].
pub fn find(resource_type: &str, filter: &str, limit: u32) -> Result<Vec<Document>, ReadError> {
    Ok(platform::directory_find(resource_type, filter, limit)?.into_iter().map(Document).collect())
}

/// How many resources match a SCIM filter.
///
/// # Errors
/// See [`ReadError`].
pub fn count(resource_type: &str, filter: &str) -> Result<u64, ReadError> {
    platform::directory_count(resource_type, filter)
}

/// Whether any resource matches a SCIM filter. Costs no more when many do, where [`count`] does.
///
/// # Errors
/// See [`ReadError`].
pub fn exists(resource_type: &str, filter: &str) -> Result<bool, ReadError> {
    Ok(!find(resource_type, filter, 1)?.is_empty())
}

/// How many of the resources with these ids there are and match a SCIM filter: for those that an operation names, as in
/// `count_among("User", &operation.removed("members")?, "active eq true")`. A look-up for each 30 of them.
///
/// # Errors
/// See [`ReadError`].
pub fn count_among(resource_type: &str, ids: &[String], filter: &str) -> Result<u64, ReadError> {
    ids.chunks(COUNTED_AT_ONCE).try_fold(0u64, |sum, some| {
        let Some(named) = equals_any("id", some) else { return Ok(sum) };
        Ok(sum.saturating_add(count(resource_type, &format!("({filter}) and ({named})"))?))
    })
}

/// The users who are members of the group itself and match a SCIM filter, in a stable order, at most `limit`.
///
/// # Errors
/// See [`ReadError`].
pub fn members(group_id: &str, filter: &str, limit: u32) -> Result<Vec<Document>, ReadError> {
    find("User", &among_members(group_id, filter), limit)
}

/// How many users are members of the group itself and match a SCIM filter. As every look-up it answers as of before the
/// operation: add those who [join](crate::Operation::added), subtract those who [leave](crate::Operation::removed).
///
/// # Errors
/// See [`ReadError`].
pub fn count_members(group_id: &str, filter: &str) -> Result<u64, ReadError> {
    count("User", &among_members(group_id, filter))
}

/// How many users beside this one are members of the group itself and match a SCIM filter, counted as far as `enough`. Of a
/// group of any size it looks at no more, as long as that is below a hundred.
///
/// # Errors
/// See [`ReadError`].
pub fn count_others(group_id: &str, user_id: &str, filter: &str, enough: u64) -> Result<u64, ReadError> {
    match u32::try_from(enough) {
        Ok(enough) if enough < FOUND_MAX => {
            let found = members(group_id, filter, enough.saturating_add(1))?;
            let others = found.iter().filter(|user| user.id().is_some_and(|id| id != user_id)).count() as u64;
            Ok(others.min(u64::from(enough)))
        }
        _ => Ok(count_members(group_id, filter)?.saturating_sub(count_among("User", &[user_id.to_owned()], filter)?)),
    }
}

/// `groups` of a user names the groups that have the user as a member; the host has an index of it. The filter comes first:
/// it may be answered by an index that has fewer entries than the group has members.
fn among_members(group_id: &str, filter: &str) -> String {
    format!("({filter}) and {}", equals("groups.value", group_id))
}

/// Whether the member belongs to the group itself.
///
/// # Errors
/// See [`ReadError`].
pub fn is_member(group_id: &str, member_id: &str) -> Result<bool, ReadError> {
    platform::directory_is_member(group_id, member_id, false)
}

/// Whether the member belongs to the group, itself or through groups in it.
///
/// # Errors
/// See [`ReadError`].
pub fn is_member_transitively(group_id: &str, member_id: &str) -> Result<bool, ReadError> {
    platform::directory_is_member(group_id, member_id, true)
}
