//! Resources as they are shown: with members, groups and names. One [`Shower`] serves a page, and looks at each group and
//! each name once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::postgres::FORESEEN_MAX;
use super::view::{ANCESTORS_MAX, View};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::StoreError;
use crate::store::query::{MembersShown, Reference, Relation, Represented, Wanted};

/// Members that an answer has from its first question: 1,000 rows are read in some 0.5 ms, and few groups have more.
pub(super) const MEMBERS_AT_ONCE: usize = 1_000;

/// Members that the resources of an answer have from it, all together: a page of 1,000 groups of 1,000 members each
/// would be a million.
const MEMBERS_OF_ANSWER: usize = 10_000;

/// Groups of one that are foreseen at once, each in two or three questions.
const GROUPS_FORESEEN: usize = FORESEEN_MAX / 4;

/// Shows resources of one view.
pub(super) struct Shower<'a> {
    view: View<'a>,
    /// Of [`MEMBERS_OF_ANSWER`].
    members_left: usize,
    groups: HashMap<ResourceId, Option<Group>>,
    rows_left: usize,
    exceeded: bool,
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
        Self::within_rows(view, usize::MAX)
    }

    /// Reads no more than so many members, groups and names. If that was not enough, what it shows is not whole, and
    /// [`exceeded`](Self::exceeded) says so.
    pub(super) fn within_rows(view: View<'a>, rows_max: usize) -> Self {
        Self { view, members_left: MEMBERS_OF_ANSWER, groups: HashMap::new(), rows_left: rows_max, exceeded: false }
    }

    /// Whether there was more to read than it might.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded
    }

    fn spend(&mut self, rows: usize) {
        self.exceeded |= rows > self.rows_left;
        self.rows_left = self.rows_left.saturating_sub(rows);
    }

    /// Rows to ask for: one more than may be read tells that there are too many.
    fn at_most(&self, wanted: usize) -> usize {
        self.rows_left.saturating_add(1).min(wanted)
    }

    /// Those are going to be represented; see [`foresee`](super::driver::Connection::foresee). No more of them than are read whatever
    /// the first ones have.
    pub(super) fn foresee(&self, resources: impl Iterator<Item = (ResourceId, Wanted)>) -> Result<(), StoreError> {
        let (mut members_left, mut groups_left) = (self.members_left / MEMBERS_AT_ONCE, FORESEEN_MAX);
        for (id, wanted) in resources {
            if wanted.members && members_left > 0 {
                members_left -= 1;
                self.view.foresee_members(id, self.at_most(MEMBERS_AT_ONCE))?;
            }
            if wanted.groups && groups_left > 0 {
                groups_left -= 1;
                self.view.foresee_groups_of(id, self.at_most(usize::MAX))?;
            }
        }
        Ok(())
    }

    /// The resource with what is wanted of it.
    pub(super) fn represent(&mut self, resource: Resource, wanted: Wanted) -> Result<Represented, StoreError> {
        let members = match wanted.members {
            true => {
                let limit = self.at_most(self.members_left.min(MEMBERS_AT_ONCE));
                let first = self.view.member_references(resource.id, None, limit, wanted.member_displays)?;
                self.members_left = self.members_left.saturating_sub(first.len());
                self.spend(first.len());
                Some(MembersShown { is_whole: first.len() < limit, first })
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
        let direct = self.view.first_groups_of(id, self.at_most(usize::MAX))?;
        self.spend(direct.len());
        for group in direct.iter().filter(|group| !self.groups.contains_key(group)).take(GROUPS_FORESEEN) {
            self.group_types().try_for_each(|resource_type| self.view.foresee_display(resource_type, *group))?;
            self.view.foresee_groups_of(*group, self.at_most(ANCESTORS_MAX))?;
        }
        let mut seen: HashSet<ResourceId> = direct.iter().copied().collect();
        let mut indirect = Vec::new();
        let mut next = direct.clone();
        let mut looked_into = 0;
        'search: while let Some(group) = next.pop() {
            looked_into += 1;
            if looked_into > ANCESTORS_MAX || self.exceeded {
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
        let (view, limit) = (self.view, self.at_most(ANCESTORS_MAX));
        let (within, read) = match self.group(id)? {
            Some(group) => match &group.within {
                Some(within) => (within.clone(), 0),
                None => {
                    let within = group.within.insert(view.first_groups_of(id, limit)?);
                    (within.clone(), within.len())
                }
            },
            None => (Vec::new(), 0),
        };
        self.spend(read);
        Ok(within)
    }

    /// Those that have members.
    fn group_types(&self) -> impl Iterator<Item = &'a Arc<ResourceType>> + use<'a> {
        self.view.schemas.resource_types().iter().filter(|kind| kind.row_attribute().is_some())
    }

    fn group(&mut self, id: ResourceId) -> Result<Option<&mut Group>, StoreError> {
        if !self.groups.contains_key(&id) {
            self.spend(1);
            let mut found = None;
            for resource_type in self.group_types() {
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
        for (place, member) in members.iter().enumerate() {
            if displays && place % FORESEEN_MAX == 0 {
                for member in members.iter().skip(place).take(FORESEEN_MAX) {
                    if let Some(resource_type) = self.schemas.resource_type(&member.resource_type) {
                        self.foresee_display(resource_type, member.id)?;
                    }
                }
            }
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
