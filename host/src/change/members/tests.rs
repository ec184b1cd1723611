//! What edits come to.

use super::*;
use crate::scim::filter::Filter;
use crate::scim::path::Path;
use crate::scim::schema::SchemaRegistry;

const GROUP: u128 = 100_000;

const LISTED_MAX: usize = 50;

fn id(number: u128) -> ResourceId {
    ResourceId(uuid::Uuid::from_u128(number))
}

fn ids_of(numbers: &[u128]) -> Vec<ResourceId> {
    numbers.iter().map(|number| id(*number)).collect()
}

fn member(number: u128, resource_type: &str) -> Member {
    Member { id: id(number), resource_type: resource_type.to_owned() }
}

fn where_path(path: &str) -> MemberEdit {
    let group = SchemaRegistry::core().resource_type("Group").unwrap().clone();
    let filter: Filter = *Path::parse(path, &group).unwrap().filter.unwrap();
    MemberEdit::RemoveWhere(filter)
}

fn where_type(name: &str) -> MemberEdit {
    where_path(&format!("members[type eq \"{name}\"]"))
}

/// What the edits do to these members, read two at a time, where those of `known` are users.
fn resolve(edits: &[MemberEdit], members: &[Member], known: &[u128]) -> Result<MembersChange, ScimError> {
    let mut resolving = Resolving::new(id(GROUP), edits, LISTED_MAX);
    let named = resolving.named_ids().to_vec();
    let current: Vec<Member> =
        members.iter().filter(|member| needs_all(edits) || named.contains(&member.id)).cloned().collect();
    current.chunks(2).try_for_each(|page| resolving.look_at(page))?;
    let strangers = resolving.strangers();
    let known = known.iter().map(|number| id(*number)).filter(|id| strangers.contains(id));
    resolving.finish(known.map(|id| (id, "User".to_owned())).collect())
}

/// 1 and 2 are members, 9 is a member and a group, 3 and 4 are users.
fn outcome(edits: &[MemberEdit]) -> Result<MembersChange, ScimError> {
    resolve(edits, &[member(1, "User"), member(2, "User"), member(9, "Group")], &[1, 2, 3, 4])
}

fn listed(removed: &Removed) -> &[Member] {
    match removed {
        Removed::These(these) => these,
        Removed::Many(departure) => panic!("{departure:?}"),
    }
}

#[track_caller]
fn check(edits: &[MemberEdit], added: &[u128], removed: &[u128]) {
    let change = outcome(edits).unwrap();
    let numbers = |members: &[Member]| members.iter().map(|member| member.id).collect::<Vec<_>>();
    assert_eq!(
        (numbers(&change.added), numbers(listed(&change.removed))),
        (ids_of(added), ids_of(removed)),
        "{edits:?}"
    );
}

#[test]
fn edits_come_to_what_really_changes() {
    use MemberEdit::{Add, Remove, RemoveAll, Replace};
    check(&[], &[], &[]);
    check(&[Add(ids_of(&[4, 3, 1]))], &[3, 4], &[]);
    check(&[Remove(ids_of(&[2, 3, 77]))], &[], &[2]);
    check(&[Remove(ids_of(&[2])), Add(ids_of(&[2]))], &[], &[]);
    check(&[Add(ids_of(&[3])), Remove(ids_of(&[3]))], &[], &[]);
    check(&[RemoveAll], &[], &[1, 2, 9]);
    check(&[RemoveAll, Add(ids_of(&[2, 3]))], &[3], &[1, 9]);
    check(&[Replace(ids_of(&[2, 3]))], &[3], &[1, 9]);
    check(&[Replace(ids_of(&[3, 3, 4])), Remove(ids_of(&[4]))], &[3], &[1, 2, 9]);
    check(&[where_type("group")], &[], &[9]);
    check(&[Add(ids_of(&[3])), where_type("User")], &[], &[1, 2]);
}

/// More than are listed: the edits tell who goes.
#[test]
fn of_many_that_go_it_is_known_who_and_how_many() {
    let many = LISTED_MAX as u128 + 150;
    let members: Vec<Member> =
        (1..=many).map(|number| member(number, if number % 100 == 0 { "Group" } else { "User" })).collect();
    let departure = |edits: &[MemberEdit]| match resolve(edits, &members, &[1, 2, 90_000]).unwrap() {
        MembersChange { added, removed: Removed::Many(departure) } => (added, departure),
        MembersChange { removed, .. } => panic!("{} are listed", removed.count()),
    };
    let (added, replaced) = departure(&[MemberEdit::Replace(ids_of(&[90_000, 2, 7]))]);
    assert_eq!(added, [member(90_000, "User")]);
    assert_eq!((replaced.removed, replaced.kept), (many as u64 - 2, 2));
    assert_eq!(replaced.kept_members, Some(vec![member(2, "User"), member(7, "User")]));
    assert!(replaced.membership.keeps(&member(7, "User")) && !replaced.membership.keeps(&member(8, "User")));

    let (added, users) = departure(&[MemberEdit::Add(ids_of(&[90_000])), where_type("User")]);
    assert_eq!((added, users.kept), (Vec::new(), many as u64 / 100));
    assert!(users.membership.keeps(&member(100, "Group")) && !users.membership.keeps(&member(101, "User")));

    let all_named: Vec<u128> = (1..=many).collect();
    let named = resolve(&[MemberEdit::Remove(ids_of(&all_named))], &members, &[]).unwrap();
    assert_eq!(listed(&named.removed).len() as u128, many, "whoever is named is listed");
}

#[test]
fn the_comparisons_of_all_filters_are_counted() {
    let edit = where_path(&format!("members[type eq \"x\"{}]", " and value pr".repeat(249)));
    let current: Vec<Member> = (1..=1_000).map(|number| member(number, "User")).collect();
    let outcome = |edits: usize| resolve(&vec![edit.clone(); edits], &current, &[]);
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
        detail(&[MemberEdit::Add(ids_of(&[GROUP]))]),
        format!("the group `{}` cannot be a member of itself", id(GROUP))
    );
    assert_eq!(
        detail(&[MemberEdit::Replace(ids_of(&[77]))]),
        format!("`{}` cannot be a member: there is no resource with that id", id(77))
    );
}

#[test]
fn adding_and_removing_need_no_other_members() {
    let edits = [MemberEdit::Add(ids_of(&[3])), MemberEdit::Remove(ids_of(&[1]))];
    assert!(!needs_all(&edits));
    let resolving = Resolving::new(id(GROUP), &edits, LISTED_MAX);
    assert_eq!((resolving.named_ids(), resolving.strangers()), (&ids_of(&[1, 3])[..], ids_of(&[3])));
}
