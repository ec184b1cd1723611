//! From the [`MemberEdit`]s of a request to the [`MembersChange`] that they come to.
//!
//! What is needed for it depends on the edits: [`named_ids`] says which members to look up, [`needs_all`] whether all of
//! them are needed, [`new_ids`] which resources must exist. [`resolve`] does the rest. So adding one member to a million
//! is one look-up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::change::planned::MembersChange;
use crate::scim::error::ScimError;
use crate::scim::filter::eval;
use crate::scim::members::MemberEdit;
use crate::scim::resource::{Member, ResourceId};

/// Most comparisons of members that the filters of a request may make. A client has reason to send one filter with a
/// comparison or two, and a million members are many; each comparison takes some hundred nanoseconds.
pub const COMPARISONS_MAX: usize = 4_000_000;

/// Every id that the edits name, sorted, each once.
pub fn named_ids(edits: &[MemberEdit]) -> Vec<ResourceId> {
    ids(edits, MemberEdit::ids)
}

/// The ids that are to be members, sorted, each once: those that are not members now have to be resources.
pub fn new_ids(edits: &[MemberEdit]) -> Vec<ResourceId> {
    ids(edits, |edit| match edit {
        MemberEdit::Add(ids) | MemberEdit::Replace(ids) => ids,
        MemberEdit::Remove(_) | MemberEdit::RemoveAll | MemberEdit::RemoveWhere(_) => &[],
    })
}

/// Whether the edits cannot be resolved without all members that there are.
pub fn needs_all(edits: &[MemberEdit]) -> bool {
    edits.iter().any(|edit| match edit {
        MemberEdit::RemoveAll | MemberEdit::RemoveWhere(_) | MemberEdit::Replace(_) => true,
        MemberEdit::Add(_) | MemberEdit::Remove(_) => false,
    })
}

fn ids<'e>(edits: &'e [MemberEdit], pick: impl Fn(&'e MemberEdit) -> &'e [ResourceId]) -> Vec<ResourceId> {
    edits.iter().flat_map(pick).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the edits, in their order, change of the group's members. `current` are the members among [`named_ids`], or all
/// if the edits [need all](needs_all); `identify` gives the resource type of each of [`new_ids`] that is a resource.
pub fn resolve(
    group: ResourceId,
    edits: &[MemberEdit],
    current: &[Member],
    identify: &HashMap<ResourceId, String>,
) -> Result<MembersChange, ScimError> {
    let before: BTreeMap<ResourceId, &str> =
        current.iter().map(|member| (member.id, member.resource_type.as_str())).collect();
    let mut after = before.clone();
    let mut comparisons: usize = 0;
    for edit in edits {
        match edit {
            MemberEdit::Add(ids) => add(group, &mut after, ids, &before, identify)?,
            MemberEdit::Remove(ids) => ids.iter().for_each(|id| {
                after.remove(id);
            }),
            MemberEdit::RemoveAll => after.clear(),
            MemberEdit::RemoveWhere(filter) => {
                comparisons = comparisons.saturating_add(filter.attributes().len().saturating_mul(after.len()));
                if comparisons > COMPARISONS_MAX {
                    return Err(ScimError::too_many(format!(
                        "the filters compare members more than {COMPARISONS_MAX} times; remove them by id"
                    )));
                }
                after.retain(|id, resource_type| !eval::matches_value(filter, &member(*id, resource_type).to_object()));
            }
            MemberEdit::Replace(ids) => {
                after.clear();
                add(group, &mut after, ids, &before, identify)?;
            }
        }
    }
    let of = |these: &BTreeMap<ResourceId, &str>, others: &BTreeMap<ResourceId, &str>| {
        let only = these.iter().filter(|(id, _)| !others.contains_key(*id));
        only.map(|(id, resource_type)| member(*id, resource_type)).collect()
    };
    Ok(MembersChange { added: of(&after, &before), removed: of(&before, &after) })
}

fn add<'m>(
    group: ResourceId,
    members: &mut BTreeMap<ResourceId, &'m str>,
    ids: &[ResourceId],
    before: &BTreeMap<ResourceId, &'m str>,
    identify: &'m HashMap<ResourceId, String>,
) -> Result<(), ScimError> {
    for id in ids {
        if *id == group {
            return Err(ScimError::invalid_value(format!("the group `{id}` cannot be a member of itself")));
        }
        let known = before.get(id).copied().or_else(|| identify.get(id).map(String::as_str));
        let resource_type = known.ok_or_else(|| {
            ScimError::invalid_value(format!("`{id}` cannot be a member: there is no resource with that id"))
        })?;
        members.insert(*id, resource_type);
    }
    Ok(())
}

fn member(id: ResourceId, resource_type: &str) -> Member {
    Member { id, resource_type: resource_type.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::filter::Filter;
    use crate::scim::path::Path;
    use crate::scim::schema::SchemaRegistry;

    const GROUP: u128 = 100;

    fn id(number: u128) -> ResourceId {
        ResourceId(uuid::Uuid::from_u128(number))
    }

    fn ids(numbers: &[u128]) -> Vec<ResourceId> {
        numbers.iter().map(|number| id(*number)).collect()
    }

    fn where_type(name: &str) -> MemberEdit {
        let group = SchemaRegistry::core().resource_type("Group").unwrap().clone();
        let filter: Filter = *Path::parse(&format!("members[type eq \"{name}\"]"), &group).unwrap().filter.unwrap();
        MemberEdit::RemoveWhere(filter)
    }

    /// 1 and 2 are members, 9 is a member and a group, 3 and 4 are users.
    fn outcome(edits: &[MemberEdit]) -> Result<MembersChange, ScimError> {
        let all = [(1, "User"), (2, "User"), (9, "Group")].map(|(number, name)| member(id(number), name));
        let named = named_ids(edits);
        let current: Vec<Member> =
            all.into_iter().filter(|member| needs_all(edits) || named.contains(&member.id)).collect();
        let identify = [1, 2, 3, 4].map(|number| (id(number), "User".to_owned())).into_iter().collect();
        resolve(id(GROUP), edits, &current, &identify)
    }

    #[track_caller]
    fn check(edits: &[MemberEdit], added: &[u128], removed: &[u128]) {
        let change = outcome(edits).unwrap();
        let numbers = |members: &[Member]| members.iter().map(|member| member.id).collect::<Vec<_>>();
        assert_eq!((numbers(&change.added), numbers(&change.removed)), (ids(added), ids(removed)), "{edits:?}");
    }

    #[test]
    fn edits_come_to_what_really_changes() {
        use MemberEdit::{Add, Remove, RemoveAll, Replace};
        check(&[], &[], &[]);
        check(&[Add(ids(&[4, 3, 1]))], &[3, 4], &[]);
        check(&[Remove(ids(&[2, 3, 77]))], &[], &[2]);
        check(&[Remove(ids(&[2])), Add(ids(&[2]))], &[], &[]);
        check(&[Add(ids(&[3])), Remove(ids(&[3]))], &[], &[]);
        check(&[RemoveAll], &[], &[1, 2, 9]);
        check(&[RemoveAll, Add(ids(&[2, 3]))], &[3], &[1, 9]);
        check(&[Replace(ids(&[2, 3]))], &[3], &[1, 9]);
        check(&[where_type("group")], &[], &[9]);
        check(&[Add(ids(&[3])), where_type("User")], &[], &[1, 2]);
    }

    #[test]
    fn the_comparisons_of_all_filters_are_counted() {
        let group = SchemaRegistry::core().resource_type("Group").unwrap().clone();
        let path = format!("members[type eq \"x\"{}]", " and value pr".repeat(249));
        let edit = MemberEdit::RemoveWhere(*Path::parse(&path, &group).unwrap().filter.unwrap());
        let current: Vec<Member> = (1..=1_000).map(|number| member(id(number), "User")).collect();
        let outcome = |edits: usize| resolve(id(GROUP), &vec![edit.clone(); edits], &current, &HashMap::new());
        assert_eq!(outcome(16), Ok(MembersChange::default()));
        assert_eq!(
            outcome(17).unwrap_err().to_string(),
            "400 tooMany: the filters compare members more than 4000000 times; remove them by id"
        );
    }

    #[test]
    fn a_group_is_no_member_of_itself_and_a_member_has_to_exist() {
        let detail = |edits: &[MemberEdit]| outcome(edits).unwrap_err().detail;
        assert_eq!(
            detail(&[MemberEdit::Add(ids(&[GROUP]))]),
            format!("the group `{}` cannot be a member of itself", id(GROUP))
        );
        assert_eq!(
            detail(&[MemberEdit::Replace(ids(&[77]))]),
            format!("`{}` cannot be a member: there is no resource with that id", id(77))
        );
    }

    #[test]
    fn adding_and_removing_need_no_other_members() {
        let edits = [MemberEdit::Add(ids(&[3])), MemberEdit::Remove(ids(&[1]))];
        assert!(!needs_all(&edits));
        assert_eq!((named_ids(&edits), new_ids(&edits)), (ids(&[1, 3]), ids(&[3])));
    }
}
