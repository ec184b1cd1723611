//! Edits of the attribute kept as rows (`members`), as a request asks for them.
//!
//! A group may have a million members, so a request is not applied to them: it is turned into edits, and
//! `change::members` turns those into what really changes once somebody has told which of the named ids are
//! members now.

use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;

/// One edit, in the order of the request. None of them needs the members that are there.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberEdit {
    /// These too.
    Add(Vec<ResourceId>),
    /// Not these any more; the ones that are no members are passed over.
    Remove(Vec<ResourceId>),
    /// None any more.
    RemoveAll,
    /// None of those that match, `type eq "User"`.
    RemoveWhere(Filter),
    /// These and no others.
    Replace(Vec<ResourceId>),
}

impl MemberEdit {
    /// The members that it names.
    pub fn ids(&self) -> &[ResourceId] {
        match self {
            Self::Add(ids) | Self::Remove(ids) | Self::Replace(ids) => ids,
            Self::RemoveAll | Self::RemoveWhere(_) => &[],
        }
    }
}
