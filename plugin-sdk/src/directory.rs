//! Other resources of the same tenant, as they stand before this operation. Ask for them with
//! [`About::looks_up`](crate::About::looks_up).
//!
//! The decision is committed only if every answer still holds then, so a rule over look-ups is not broken by two
//! operations at once. Put other people's text into a filter with [`quoted`](crate::quoted).

use crate::document::{Document, ReadError};
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
