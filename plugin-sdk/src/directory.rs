//! Other resources of the same tenant, as they stand before this operation. Ask for them with
//! [`About::looks_up`](crate::About::looks_up).
//!
//! The decision is committed only if every answer still holds then, so a rule over look-ups is not broken by two
//! operations at once. Put other people's text into a filter with [`filter`](crate::filter).

use crate::document::{Document, ReadError};
use crate::filter::equals;
use crate::platform;

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

/// How many of the resources with these ids there are and match a SCIM filter. Reads each of them: for the few that an
/// operation names, as in `count_among("User", &operation.removed("members")?, "active eq true")`.
///
/// # Errors
/// See [`ReadError`].
pub fn count_among(resource_type: &str, ids: &[String], filter: &str) -> Result<u64, ReadError> {
    ids.iter().try_fold(0u64, |sum, id| {
        let matches = get(resource_type, id)?.map_or(Ok(false), |resource| resource.matches(filter))?;
        Ok(sum.saturating_add(u64::from(matches)))
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

/// `groups` of a user names the groups that have the user as a member; the host has an index of it.
fn among_members(group_id: &str, filter: &str) -> String {
    format!("{} and ({filter})", equals("groups.value", group_id))
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
