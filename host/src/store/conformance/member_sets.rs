//! Changes of more members than are listed: others take their place, in one moment.

use std::sync::Arc;

use serde_json::json;

use super::world::{World, admitted, changed, group, group_type, member, user_type};
use crate::change::members::Membership;
use crate::change::{Departure, MemberEdit, MembersChange, Removed};
use crate::decision::{LookUp, LookUpAnswer};
use crate::scim::resource::{Member, Resource};
use crate::store::{CommitError, Snapshot, Store};

/// The members that a group has become, as a plan that lists none of those that go.
fn replaced(before: &[&Resource], by: &[&Resource], lists_those_that_stay: bool) -> MembersChange {
    let membership = Membership::after(&[MemberEdit::Replace(by.iter().map(|one| one.id).collect())]);
    let members = |these: &[&Resource]| these.iter().map(|one| member(one)).collect::<Vec<Member>>();
    let (kept, gone): (Vec<Member>, Vec<Member>) =
        members(before).into_iter().partition(|member| membership.keeps(member));
    let added = members(by).into_iter().filter(|member| !kept.contains(member)).collect();
    let departure = Departure {
        removed: gone.len() as u64,
        kept: kept.len() as u64,
        kept_members: lists_those_that_stay.then_some(kept),
        membership,
    };
    MembersChange { added, removed: Removed::Many(Arc::new(departure)) }
}

async fn members(snapshot: &dyn Snapshot, group: &Resource) -> Vec<Member> {
    snapshot.members(group.id, None, 100).await.unwrap()
}

/// Everything that tells who is in the group says the same.
async fn check_members(world: &World, team: &Resource, inside: &[&Resource], outside: &[&Resource]) {
    let snapshot = world.snapshot().await;
    let expected: Vec<Member> = inside.iter().map(|one| member(one)).collect();
    assert_eq!(members(&*snapshot, team).await, expected);
    let everybody: Vec<_> = inside.iter().chain(outside).map(|one| one.id).collect();
    assert_eq!(snapshot.members_among(team.id, &everybody).await.unwrap(), expected);
    let glimpse = world.tenant.glimpse("Groups", team.id, &everybody).await.unwrap().unwrap();
    assert_eq!(glimpse.members_among(team.id, &everybody), Some(expected));
    let filter = format!("groups.value eq \"{}\"", team.id);
    assert_eq!(world.count(&user_type(), &filter).await, inside.len() as u64);
    for (one, is_in) in inside.iter().map(|one| (one, true)).chain(outside.iter().map(|one| (one, false))) {
        let groups = if is_in { vec![team.id] } else { Vec::new() };
        assert_eq!(snapshot.groups_of(one.id).await.unwrap(), groups);
        assert_eq!(world.is_member(team, one, false).await, is_in);
        assert_eq!(world.is_member(team, one, true).await, is_in);
        assert_eq!(world.answer(&LookUp::GroupsOf { id: one.id }).await, LookUpAnswer::Groups(groups));
        let filter = format!("members.value eq \"{}\"", one.id);
        assert_eq!(world.count(&group_type(), &filter).await, u64::from(is_in));
    }
}

pub(crate) async fn members_are_replaced_in_one_moment_as_often_as_wanted(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let [ada, bob, cy, dee] = [acme.user("a").await, acme.user("b").await, acme.user("c").await, acme.user("d").await];
    let mut team = acme.group("team", &[&ada, &bob, &cy]).await;
    check_members(&acme, &team, &[&ada, &bob, &cy], &[&dee]).await;
    let before = acme.snapshot().await;
    let old = members(&*before, &team).await;

    let mut now = vec![&ada, &bob, &cy];
    for (by, out, listed) in [
        (vec![&bob, &dee], vec![&ada, &cy], true),
        (vec![&ada, &bob, &cy], vec![&dee], false),
        (vec![], vec![&ada, &bob, &cy, &dee], false),
        (vec![&cy], vec![&ada, &bob, &dee], true),
    ] {
        let after = changed(&team, json!({}));
        acme.commit(Some(&team), Some(&after), replaced(&now, &by, listed), Vec::new()).await.unwrap();
        check_members(&acme, &after, &by, &out).await;
        (team, now) = (after, by);
    }
    assert_eq!(members(&*before, &team).await, old, "a snapshot is of its moment");

    // One by one, as in any other group.
    team = acme.add(&team, &[&ada]).await.unwrap();
    check_members(&acme, &team, &[&ada, &cy], &[&bob, &dee]).await;
    let after = changed(&team, json!({}));
    let gone = MembersChange { added: Vec::new(), removed: vec![member(&cy)].into() };
    acme.commit(Some(&team), Some(&after), gone, Vec::new()).await.unwrap();
    acme.delete(&ada).await.unwrap();
    check_members(&acme, &after, &[], &[&ada, &bob, &cy, &dee]).await;
}

pub(crate) async fn a_replacement_that_does_not_hold_any_more_replaces_nothing(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let [ada, bob, cy] = [acme.user("a").await, acme.user("b").await, acme.user("c").await];
    let team = acme.group("team", &[&ada]).await;
    let replacing = |by: &[&Resource]| {
        admitted(0, Some(&team), Some(&changed(&team, json!({}))), replaced(&[&ada], by, false), Vec::new())
    };

    acme.delete(&cy).await.unwrap();
    let refused = acme.tenant.commit(replacing(&[&bob, &cy])).await;
    assert!(matches!(refused, Err(CommitError::MemberMoved)), "{refused:?}");
    check_members(&acme, &team, &[&ada], &[&bob]).await;

    let newer = acme.add(&team, &[&bob]).await.unwrap();
    let refused = acme.tenant.commit(replacing(&[])).await;
    assert!(matches!(refused, Err(CommitError::VersionMoved)), "{refused:?}");
    check_members(&acme, &newer, &[&ada, &bob], &[]).await;
}

/// Of two replacements that were judged at the same time one is committed, whole.
pub(crate) async fn of_replacements_at_the_same_time_one_is_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let [ada, bob, cy] = [acme.user("a").await, acme.user("b").await, acme.user("c").await];
    let team = acme.group("team", &[&ada]).await;
    let after = changed(&team, json!({}));
    let replacing = |by: &[&Resource]| {
        acme.tenant.commit(admitted(0, Some(&team), Some(&after), replaced(&[&ada], by, true), Vec::new()))
    };
    let (first, second) = tokio::join!(replacing(&[&bob]), replacing(&[&cy]));
    let (winner, loser) = if first.is_ok() { (&bob, &cy) } else { (&cy, &bob) };
    assert_ne!(first.is_ok(), second.is_ok());
    check_members(&acme, &after, &[winner], &[&ada, loser]).await;
}

/// A group in a group: who is looked for upwards meets live members only.
pub(crate) async fn membership_through_groups_ends_where_a_replacement_took_it(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("a").await, acme.user("b").await);
    let inner = acme.group("inner", &[&ada]).await;
    let outer = group("outer");
    let change = MembersChange { added: vec![member(&inner)], removed: Removed::default() };
    acme.commit(None, Some(&outer), change, Vec::new()).await.unwrap();
    assert!(acme.is_member(&outer, &ada, true).await);
    let after = changed(&inner, json!({}));
    acme.commit(Some(&inner), Some(&after), replaced(&[&ada], &[&bob], true), Vec::new()).await.unwrap();
    assert!(!acme.is_member(&outer, &ada, true).await && acme.is_member(&outer, &bob, true).await);
    acme.commit(Some(&outer), Some(&changed(&outer, json!({}))), replaced(&[&inner], &[], true), Vec::new())
        .await
        .unwrap();
    assert!(!acme.is_member(&outer, &bob, true).await);
}
