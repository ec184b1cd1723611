//! From the [`MemberEdit`]s of a request to the [`MembersChange`] that they come to.
//!
//! [`Resolving`] is shown the members that the edits depend on, in any number of pages: those among
//! [`named_ids`](Resolving::named_ids), or all of them if the edits [need all](needs_all). It keeps what the request names
//! and no more, so that adding one member to a million is one look-up, and replacing the million is a walk along them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::change::planned::{Departure, MembersChange, Removed};
use crate::scim::error::ScimError;
use crate::scim::filter::eval;
use crate::scim::members::MemberEdit;
use crate::scim::resource::{Member, ResourceId};

/// Most comparisons of members that the filters of a request may make. A client has reason to send one filter with a
/// comparison or two, and a million members are many; each comparison takes some hundred nanoseconds.
pub const COMPARISONS_MAX: usize = 4_000_000;

/// Whether the edits cannot be resolved without all members that there are.
pub fn needs_all(edits: &[MemberEdit]) -> bool {
    edits.iter().any(|edit| match edit {
        MemberEdit::RemoveAll | MemberEdit::RemoveWhere(_) | MemberEdit::Replace(_) => true,
        MemberEdit::Add(_) | MemberEdit::Remove(_) => false,
    })
}

/// Whether somebody is a member after the edits of a request: known of each without a look at the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// With their ids sorted, each with what it compares.
    edits: Vec<(MemberEdit, usize)>,
}

impl Membership {
    /// After these.
    pub fn after(edits: &[MemberEdit]) -> Self {
        let sorted = |ids: &[ResourceId]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        let prepare = |edit: &MemberEdit| match edit {
            MemberEdit::Add(ids) => (MemberEdit::Add(sorted(ids)), 0),
            MemberEdit::Remove(ids) => (MemberEdit::Remove(sorted(ids)), 0),
            MemberEdit::Replace(ids) => (MemberEdit::Replace(sorted(ids)), 0),
            MemberEdit::RemoveAll => (MemberEdit::RemoveAll, 0),
            MemberEdit::RemoveWhere(filter) => (edit.clone(), filter.attributes().len()),
        };
        Self { edits: edits.iter().map(prepare).collect() }
    }

    /// Whether one who is a member stays one.
    pub fn keeps(&self, member: &Member) -> bool {
        self.follow(member, true, &mut 0)
    }

    /// Carries the edits out on one.
    fn follow(&self, one: &Member, is_member: bool, comparisons: &mut usize) -> bool {
        let is_in = |ids: &[ResourceId]| ids.binary_search(&one.id).is_ok();
        self.edits.iter().fold(is_member, |is_member, (edit, compares)| match edit {
            MemberEdit::Add(ids) => is_member || is_in(ids),
            MemberEdit::Remove(ids) => is_member && !is_in(ids),
            MemberEdit::RemoveAll => false,
            MemberEdit::RemoveWhere(filter) => {
                is_member && {
                    *comparisons = comparisons.saturating_add(*compares);
                    !eval::matches_value(filter, &one.to_object())
                }
            }
            MemberEdit::Replace(ids) => is_in(ids),
        })
    }
}

/// Works out what the edits, in their order, change of a group's members.
#[derive(Debug)]
pub struct Resolving<'e> {
    group: ResourceId,
    edits: &'e [MemberEdit],
    membership: Membership,
    /// Sorted.
    named: Vec<ResourceId>,
    /// Those of them that are members.
    present: HashSet<ResourceId>,
    kept: Tally,
    removed: Tally,
    /// Of each of the two.
    listed_max: usize,
    comparisons: usize,
}

/// How many there are, and who: of many, the first.
#[derive(Debug, Default)]
struct Tally {
    total: u64,
    first: Vec<Member>,
}

impl Tally {
    fn count(&mut self, member: &Member, listed_max: usize) {
        self.total = self.total.saturating_add(1);
        if self.first.len() < listed_max {
            self.first.push(member.clone());
        }
    }

    /// All of them, if all are listed.
    fn whole(self) -> Option<Vec<Member>> {
        (self.total == self.first.len() as u64).then_some(self.first)
    }
}

impl<'e> Resolving<'e> {
    /// Begins. Of the members that go and that nobody has named, up to `listed_max` are listed.
    pub fn new(group: ResourceId, edits: &'e [MemberEdit], listed_max: usize) -> Self {
        Self {
            // Those that the request names are listed whatever their number: they are in memory already.
            listed_max: if needs_all(edits) { listed_max } else { usize::MAX },
            group,
            edits,
            membership: Membership::after(edits),
            named: ids(edits, MemberEdit::ids),
            present: HashSet::new(),
            kept: Tally::default(),
            removed: Tally::default(),
            comparisons: 0,
        }
    }

    /// Every id that the edits name, sorted, each once.
    pub fn named_ids(&self) -> &[ResourceId] {
        &self.named
    }

    /// Looks at some of the members, in the order of their ids; at each only once.
    pub fn look_at(&mut self, members: &[Member]) -> Result<(), ScimError> {
        for member in members {
            if self.named.binary_search(&member.id).is_ok() {
                self.present.insert(member.id);
            }
            let stays = self.membership.follow(member, true, &mut self.comparisons);
            let tally = if stays { &mut self.kept } else { &mut self.removed };
            tally.count(member, self.listed_max);
        }
        self.check_comparisons()
    }

    /// The ids that are to be members and are none: they have to be resources. Sorted, each once.
    pub fn strangers(&self) -> Vec<ResourceId> {
        let mut ids = ids(self.edits, |edit| match edit {
            MemberEdit::Add(ids) | MemberEdit::Replace(ids) => ids,
            MemberEdit::Remove(_) | MemberEdit::RemoveAll | MemberEdit::RemoveWhere(_) => &[],
        });
        ids.retain(|id| !self.present.contains(id));
        ids
    }

    /// What changes. `identify` gives the resource type of each of the [`strangers`](Self::strangers) that is a resource.
    pub fn finish(mut self, mut identify: HashMap<ResourceId, String>) -> Result<MembersChange, ScimError> {
        for edit in self.edits {
            if let MemberEdit::Add(ids) | MemberEdit::Replace(ids) = edit {
                ids.iter().try_for_each(|id| self.check(*id, &identify))?;
            }
        }
        let mut added = Vec::new();
        for id in &self.named {
            let Some(resource_type) = identify.remove(id) else { continue };
            let member = Member { id: *id, resource_type };
            if self.membership.follow(&member, false, &mut self.comparisons) {
                added.push(member);
            }
        }
        self.check_comparisons()?;
        let (removed, kept) = (self.removed.total, self.kept.total);
        let removed = match self.removed.whole() {
            Some(these) => Removed::These(these),
            None => {
                let kept_members = self.kept.whole();
                Removed::Many(Arc::new(Departure { membership: self.membership, removed, kept, kept_members }))
            }
        };
        Ok(MembersChange { added, removed })
    }

    fn check(&self, id: ResourceId, identify: &HashMap<ResourceId, String>) -> Result<(), ScimError> {
        if id == self.group {
            return Err(ScimError::invalid_value(format!("the group `{id}` cannot be a member of itself")));
        }
        if self.present.contains(&id) || identify.contains_key(&id) {
            return Ok(());
        }
        Err(ScimError::invalid_value(format!("`{id}` cannot be a member: there is no resource with that id")))
    }

    fn check_comparisons(&self) -> Result<(), ScimError> {
        if self.comparisons > COMPARISONS_MAX {
            return Err(ScimError::too_many(format!(
                "the filters compare members more than {COMPARISONS_MAX} times; remove them by id"
            )));
        }
        Ok(())
    }
}

fn ids<'e>(edits: &'e [MemberEdit], pick: impl Fn(&'e MemberEdit) -> &'e [ResourceId]) -> Vec<ResourceId> {
    edits.iter().flat_map(pick).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests;
