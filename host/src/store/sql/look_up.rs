//! Answers look-ups: for constraints from a snapshot, and for a commit from the writer's transaction. The same code with
//! the same limits, so that a look-up that costs too much is refused to the constraint and never to the commit.

use std::collections::HashMap;
use std::sync::Arc;

use super::budget::Budget;
use super::view::View;
use crate::decision::LookUp;
use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;
use crate::scim::schema::ResourceType;
use crate::store::query::{Effort, Found, Page, Wanted};
use crate::store::{QueryError, StoreError};

/// The look-ups of one decision, whoever of its constraints asks them: each is answered once, and all of them share one
/// budget.
pub(super) struct LookUps {
    budget: Budget,
    found: HashMap<LookUp, Found>,
}

impl LookUps {
    /// While constraints ask.
    pub(super) fn asked() -> Self {
        Self::within(Effort::LOOK_UPS)
    }

    /// At the commit.
    pub(super) fn asked_again() -> Self {
        Self::within(Effort::LOOK_UPS_AGAIN)
    }

    fn within(all: Effort) -> Self {
        Self { budget: Budget::shared(Effort::LOOK_UP, all), found: HashMap::new() }
    }

    /// What a look-up comes to.
    pub(super) fn find(&mut self, view: &View<'_>, look_up: &LookUp) -> Result<Found, QueryError> {
        if let Some(found) = self.found.get(look_up) {
            return Ok(found.clone());
        }
        let found = view.look_up(look_up, &mut self.budget)?;
        self.found.insert(look_up.clone(), found.clone());
        Ok(found)
    }
}

impl View<'_> {
    /// An id that is not one of ours names nothing, so it answers as an absent one, at no cost.
    fn look_up(&self, look_up: &LookUp, budget: &mut Budget) -> Result<Found, QueryError> {
        match look_up {
            LookUp::Get { resource_type, id } => {
                let (Some(resource_type), Ok(id)) = (self.schemas.resource_type(resource_type), id.parse()) else {
                    return Ok(Found::Resources(Vec::new()));
                };
                budget.next_question()?;
                Ok(Found::Resources(self.resource(resource_type, id)?.map(Arc::new).into_iter().collect()))
            }
            LookUp::Find { resource_type, filter, limit } => {
                let (resource_type, filter) = self.parse(resource_type, filter)?;
                budget.next_question()?;
                let found = self.first(resource_type, &filter, *limit as usize, budget)?;
                Ok(Found::Resources(found.into_iter().map(Arc::new).collect()))
            }
            LookUp::Count { resource_type, filter } => {
                let (resource_type, filter) = self.parse(resource_type, filter)?;
                budget.next_question()?;
                let total_alone = Page { offset: 0, limit: 0 };
                Ok(Found::Count(self.find(resource_type, Some(&filter), total_alone, budget, Wanted::default())?.total))
            }
            LookUp::IsMember { group_id, member_id, transitive } => {
                let (Ok(group), Ok(member)) = (group_id.parse(), member_id.parse()) else {
                    return Ok(Found::Member(false));
                };
                budget.next_question()?;
                Ok(Found::Member(self.is_member(group, member, *transitive, budget)?))
            }
            LookUp::GroupsOf { id } => {
                budget.next_question()?;
                Ok(Found::Groups(self.counted_groups_of(*id, budget)?))
            }
        }
    }

    fn counted_groups_of(&self, id: ResourceId, budget: &mut Budget) -> Result<Vec<ResourceId>, QueryError> {
        let groups = self.first_groups_of(id, budget.entries_max().saturating_add(1))?;
        budget.spend_entries(groups.len())?;
        Ok(groups)
    }

    /// Filters of look-ups are canonical spellings of filters that were parsed against the same schemas.
    fn parse(&self, resource_type: &str, filter: &str) -> Result<(&Arc<ResourceType>, Filter), StoreError> {
        let known = self.schemas.resource_type(resource_type);
        let known = known.ok_or_else(|| StoreError::LookUp(format!("`{resource_type}` is not a resource type")))?;
        let filter = Filter::parse(filter, known)
            .map_err(|error| StoreError::LookUp(format!("`{filter}` is not a filter: {error}")))?;
        Ok((known, filter))
    }
}
