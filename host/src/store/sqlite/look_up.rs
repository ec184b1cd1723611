//! Answers look-ups: for a constraint from a snapshot, and for a commit from the writer's transaction.

use super::view::View;
use crate::decision::{LookUp, LookUpAnswer};
use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;
use crate::store::query::{Effort, Page};
use crate::store::{QueryError, StoreError};

impl View<'_> {
    /// The answer to a look-up. An id that is not one of ours names nothing, so it answers as an absent one.
    pub(super) fn answer(&self, look_up: &LookUp) -> Result<LookUpAnswer, QueryError> {
        match look_up {
            LookUp::Get { resource_type, id } => {
                let found = match (self.registry.resource_type(resource_type), id.parse::<ResourceId>()) {
                    (Some(_), Ok(id)) => self.version(resource_type, id)?.map(|version| (id, version)),
                    _ => None,
                };
                Ok(LookUpAnswer::Resources(found.into_iter().collect()))
            }
            LookUp::Find { resource_type, filter, limit } => {
                let resource_type = self.registry.resource_type(resource_type).ok_or_else(|| unknown(resource_type))?;
                let filter = parse(filter, resource_type)?;
                let found = self.first(resource_type, &filter, *limit as usize, Effort::LOOK_UP)?;
                Ok(LookUpAnswer::Resources(
                    found.into_iter().map(|resource| (resource.id, resource.meta.version)).collect(),
                ))
            }
            LookUp::Count { resource_type, filter } => {
                let resource_type = self.registry.resource_type(resource_type).ok_or_else(|| unknown(resource_type))?;
                let filter = parse(filter, resource_type)?;
                let total_alone = Page { offset: 0, limit: 0 };
                let matches = self.find(resource_type, Some(&filter), total_alone, Effort::LOOK_UP)?;
                Ok(LookUpAnswer::Count(matches.total))
            }
            LookUp::IsMember { group_id, member_id, transitive } => match (group_id.parse(), member_id.parse()) {
                (Ok(group), Ok(member)) => Ok(LookUpAnswer::Member(self.is_member(group, member, *transitive)?)),
                _ => Ok(LookUpAnswer::Member(false)),
            },
            LookUp::GroupsOf { id } => Ok(LookUpAnswer::Groups(self.groups_of(*id)?)),
        }
    }
}

/// Filters of look-ups are canonical spellings of filters that were parsed against the same schemas.
fn parse(filter: &str, resource_type: &crate::scim::schema::ResourceType) -> Result<Filter, StoreError> {
    Filter::parse(filter, resource_type)
        .map_err(|error| StoreError::LookUp(format!("`{filter}` is not a filter: {error}")))
}

fn unknown(resource_type: &str) -> StoreError {
    StoreError::LookUp(format!("`{resource_type}` is not a resource type"))
}
