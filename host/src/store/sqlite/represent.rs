//! Resources as they are shown: with members, groups and names. One [`Shower`] serves a page, and looks at each group and
//! each name once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::view::{ANCESTORS_MAX, View};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::StoreError;
use crate::store::query::{MembersShown, Reference, Relation, Represented, Wanted};

/// Members that an answer has from its first question: 1,000 rows are read in some 0.5 ms, and few groups have more.
pub(super) const MEMBERS_AT_ONCE: usize = 1_000;

/// Shows resources of one view.
pub(super) struct Shower<'a> {
    view: View<'a>,
    groups: HashMap<ResourceId, Option<Group>>,
}

/// A group, as one that has members sees it.
#[derive(Clone)]
struct Group {
    resource_type: Arc<ResourceType>,
    display: Option<String>,
    /// The groups that it is a direct member of.
    within: Option<Vec<ResourceId>>,
}

impl<'a> Shower<'a> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, groups: HashMap::new() }
    }

    /// The resource with what is wanted of it.
    pub(super) fn represent(&mut self, resource: Resource, wanted: Wanted) -> Result<Represented, StoreError> {
        let members = match wanted.members {
            true => {
                let first = self.view.member_references(resource.id, None, MEMBERS_AT_ONCE, wanted.member_displays)?;
                let more_after = if first.len() < MEMBERS_AT_ONCE { None } else { first.last().map(|last| last.id) };
                Some(MembersShown { first, more_after })
            }
            false => None,
        };
        let groups = if wanted.groups { Some(self.groups_of(resource.id)?) } else { None };
        Ok(Represented { resource, members, groups })
    }

    /// RFC 7643 §4.1.2, `groups`: "A list of groups to which the user belongs, either through direct membership, through
    /// nested groups, or dynamically calculated." The direct ones first, each kind by id. A group is visited once, so that
    /// groups that contain each other end the search, and no more than [`ANCESTORS_MAX`] are looked into or found.
    fn groups_of(&mut self, id: ResourceId) -> Result<Vec<Reference>, StoreError> {
        let direct = self.view.groups_of(id)?;
        let mut seen: HashSet<ResourceId> = direct.iter().copied().collect();
        let mut indirect = Vec::new();
        let mut next = direct.clone();
        let mut looked_into = 0;
        'search: while let Some(group) = next.pop() {
            looked_into += 1;
            if looked_into > ANCESTORS_MAX {
                break;
            }
            for outer in self.within(group)? {
                if indirect.len() == ANCESTORS_MAX {
                    break 'search;
                }
                if seen.insert(outer) {
                    indirect.push(outer);
                    next.push(outer);
                }
            }
        }
        indirect.sort_unstable();
        let direct = direct.into_iter().map(|group| (group, Relation::Direct));
        let mut references = Vec::new();
        for (id, relation) in direct.chain(indirect.into_iter().map(|group| (group, Relation::Indirect))) {
            if let Some(Group { resource_type, display, .. }) = self.group(id)? {
                references.push(Reference {
                    id,
                    resource_type: Arc::clone(resource_type),
                    relation,
                    display: display.clone(),
                });
            }
        }
        Ok(references)
    }

    fn within(&mut self, id: ResourceId) -> Result<Vec<ResourceId>, StoreError> {
        let view = self.view;
        match self.group(id)? {
            Some(group) => match &group.within {
                Some(within) => Ok(within.clone()),
                None => {
                    let within = view.first_groups_of(id, ANCESTORS_MAX)?;
                    Ok(group.within.insert(within).clone())
                }
            },
            None => Ok(Vec::new()),
        }
    }

    fn group(&mut self, id: ResourceId) -> Result<Option<&mut Group>, StoreError> {
        if !self.groups.contains_key(&id) {
            let types = self.view.schemas.resource_types().iter().filter(|kind| kind.row_attribute().is_some());
            let mut found = None;
            for resource_type in types {
                if let Some(display) = self.view.display(resource_type, id)? {
                    found = Some(Group { resource_type: Arc::clone(resource_type), display: display.0, within: None });
                    break;
                }
            }
            self.groups.insert(id, found);
        }
        Ok(self.groups.get_mut(&id).and_then(Option::as_mut))
    }
}

impl View<'_> {
    /// The members of a group as they are shown, by id, after one of them.
    pub(super) fn member_references(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
        displays: bool,
    ) -> Result<Vec<Reference>, StoreError> {
        let members = self.members(group, after, limit)?;
        let mut references = Vec::with_capacity(members.len());
        for member in members {
            let resource_type = self
                .schemas
                .resource_type(&member.resource_type)
                .ok_or_else(|| StoreError::Damaged(format!("a member is a `{}`", member.resource_type)))?;
            let display = if displays { self.display(resource_type, member.id)? } else { None };
            references.push(Reference {
                id: member.id,
                resource_type: Arc::clone(resource_type),
                relation: Relation::Member,
                display: display.and_then(|display| display.0),
            });
        }
        Ok(references)
    }
}
