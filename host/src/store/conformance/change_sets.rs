//! Changes to several constraints and tables: all or none, in one step, for the generation that they were made for.

use std::sync::Arc;

use super::administration::state;
use super::tables::{KEPT, keys_of, look, put_keys, revisions, set_of};
use super::waivers::{matching, second, waiver};
use super::world::{World, id_at, tick};
use crate::decision::{ConstraintName, WaiverId};
use crate::store::{
    ActivationState, ChangeSet, ChangeSetError, NewTable, Store, StoreError, TableChangeError, TableState,
};
use crate::tables::Contents;

/// Sends contents ahead.
pub(crate) async fn stage(world: &World, name: &str, contents: Contents) -> TableState {
    let new = NewTable { name: name.to_owned(), contents: Arc::new(contents), by: "Ada".to_owned(), at: tick() };
    world.tenant.stage_table(new, KEPT).await.unwrap().0
}

pub(super) fn changes(
    generation: i64,
    constraints: &[(&str, Option<ActivationState>)],
    tables: &[(&str, Option<&str>)],
) -> ChangeSet {
    ChangeSet {
        generation,
        constraints: constraints
            .iter()
            .map(|(name, state)| (ConstraintName((*name).to_owned()), state.clone()))
            .collect(),
        tables: tables.iter().map(|(name, digest)| ((*name).to_owned(), digest.map(str::to_owned))).collect(),
        waivers: Vec::new(),
        revoked: Vec::new(),
        by: "Eve".to_owned(),
        at: tick(),
    }
}

/// What is in force: constraints with their revisions and generations, tables likewise.
async fn in_force(world: &World) -> Vec<(String, u32, i64)> {
    let (_, activations) = world.tenant.activations().await.unwrap();
    let constraints = activations.into_iter().map(|one| (one.name.0, one.revision, one.generation));
    let tables = world.tenant.tables().await.unwrap().into_iter().map(|one| (one.name, one.revision, one.generation));
    constraints.chain(tables).collect()
}

fn row(name: &str, revision: u32, generation: i64) -> (String, u32, i64) {
    (name.to_owned(), revision, generation)
}

pub(crate) async fn a_change_set_takes_effect_as_a_whole_and_in_one_generation(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let old = ConstraintName("old".to_owned());
    acme.tenant.activate(&old, Some(state("p", 0)), "Ada", tick()).await.unwrap();
    put_keys(&acme, "gone", &["a"]).await;
    let codes = stage(&acme, "codes", set_of(["x", "y"])).await;
    let set = changes(
        2,
        &[("one", Some(state("p", 1))), ("two", Some(state("q", 2))), ("old", None)],
        &[("codes", Some(&codes.digest)), ("gone", None)],
    );
    assert_eq!(acme.tenant.apply(set, KEPT).await.unwrap(), 3);
    assert_eq!(acme.generation().await, 3);
    assert_eq!(in_force(&acme).await, [row("one", 1, 3), row("two", 1, 3), row("codes", 1, 3)]);
    assert_eq!((look(&acme, "codes", "y").await, look(&acme, "gone", "a").await), (Some((1, true)), None));
    let history = acme.tenant.activation_history(&old).await.unwrap();
    let states: Vec<_> = history.iter().map(|one| (one.by.as_str(), one.state.is_some())).collect();
    assert_eq!(states, [("Eve", false), ("Ada", true)]);
    assert_eq!(acme.tenant.table_history("gone").await.unwrap()[0].by, "Eve");
}

pub(crate) async fn a_change_set_that_cannot_be_made_in_full_is_not_made_at_all(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "codes", &["a"]).await;
    let before = in_force(&acme).await;
    let staged = stage(&acme, "codes", set_of(["b"])).await;
    let unknown = set_of(["never sent"]).digest;
    for tables in [
        [("codes", Some(staged.digest.as_str())), ("other", Some(unknown.as_str()))],
        [("codes", Some(staged.digest.as_str())), ("nowhere", None)],
    ] {
        let failed = acme.tenant.apply(changes(1, &[("one", Some(state("p", 1)))], &tables), KEPT).await;
        assert!(matches!(failed, Err(ChangeSetError::Table(_))), "{failed:?}");
        assert_eq!((in_force(&acme).await, acme.generation().await), (before.clone(), 1));
        assert!(acme.tenant.activation_history(&ConstraintName("one".to_owned())).await.unwrap().is_empty());
    }
    // What was staged is staged still.
    let set = changes(1, &[], &[("codes", Some(&staged.digest))]);
    assert_eq!(acme.tenant.apply(set, KEPT).await.unwrap(), 2);
    assert_eq!(look(&acme, "codes", "b").await, Some((2, true)));
}

pub(crate) async fn a_change_set_for_another_generation_is_not_made(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    put_keys(&acme, "codes", &["a"]).await;
    for generation in [0, 2] {
        let failed = acme.tenant.apply(changes(generation, &[("one", Some(state("p", 1)))], &[]), KEPT).await;
        assert!(matches!(failed, Err(ChangeSetError::GenerationMoved)), "{failed:?}");
    }
    assert_eq!((in_force(&acme).await, acme.generation().await), (vec![row("codes", 1, 1)], 1));
    // Another tenant's contents are not there to be put in force.
    let digest = set_of(["a"]).digest;
    let failed = other.tenant.apply(changes(0, &[], &[("codes", Some(&digest))]), KEPT).await;
    assert!(
        matches!(failed, Err(ChangeSetError::Table(TableChangeError::UnknownContents { .. }))),
        "another tenant's contents were found: {failed:?}"
    );
    store.delete_tenant("other").await.unwrap();
    let failed = other.tenant.apply(changes(0, &[("one", None)], &[]), KEPT).await;
    assert!(matches!(failed, Err(ChangeSetError::Store(StoreError::NoTenant))), "{failed:?}");
}

pub(crate) async fn a_change_set_without_changes_is_no_step(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "codes", &["a"]).await;
    assert_eq!(acme.tenant.apply(changes(1, &[], &[]), KEPT).await.unwrap(), 1);
    assert_eq!(acme.generation().await, 1);
    let failed = acme.tenant.apply(changes(0, &[], &[]), KEPT).await;
    assert!(matches!(failed, Err(ChangeSetError::GenerationMoved)), "{failed:?}");
}

pub(crate) async fn waivers_come_and_go_with_a_change_set_or_not_at_all(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let until = second(2_000_000_000);
    let old = acme.tenant.add_waiver(waiver(matching("active eq true"), until)).await.unwrap().made;
    let others = other.tenant.add_waiver(waiver(matching("active eq true"), until)).await.unwrap().made;
    let new = waiver(matching("active eq false"), until);
    let set = |revoked: &[WaiverId]| ChangeSet {
        waivers: vec![new.clone()],
        revoked: revoked.to_vec(),
        ..changes(1, &[("one", Some(state("p", 1)))], &[])
    };
    // One of another tenant, and one that nobody has made.
    for unknown in [others.id, WaiverId(id_at(tick()))] {
        let failed = acme.tenant.apply(set(&[old.id, unknown]), KEPT).await;
        assert!(matches!(failed, Err(ChangeSetError::UnknownWaiver(id)) if id == unknown), "{failed:?}");
        let there = acme.tenant.waivers(10).await.unwrap();
        assert_eq!((there.len(), there[0].revoked.is_some(), acme.generation().await), (1, false, 1));
        assert!(in_force(&acme).await.is_empty());
    }
    let set = set(&[old.id]);
    let (by, at) = (set.by.clone(), set.at);
    assert_eq!(acme.tenant.apply(set, KEPT).await.unwrap(), 2);
    assert_eq!((acme.generation().await, in_force(&acme).await), (2, vec![row("one", 1, 2)]));
    let there = acme.tenant.waivers(10).await.unwrap();
    assert_eq!((&there[0].made, &there[0].revoked), (&new, &None));
    assert_eq!((&there[1].made, &there[1].revoked), (&old, &Some((by, at))));
    // What is taken back alone is a step, too.
    let set = ChangeSet { revoked: vec![new.id], ..changes(2, &[], &[]) };
    assert_eq!(acme.tenant.apply(set, KEPT).await.unwrap(), 3);
    assert!(other.tenant.waivers(10).await.unwrap()[0].revoked.is_none());
}

pub(crate) async fn staged_contents_are_seen_by_nobody_until_they_are_in_force(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let keys: Vec<String> = (0..2_500).map(|n| format!("key-{n:04}")).collect();
    let staged = stage(&acme, "codes", set_of(&keys)).await;
    assert_eq!((staged.rows, acme.generation().await), (2_500, 0));
    assert_eq!((look(&acme, "codes", "key-0001").await, revisions(&acme, "codes").await), (None, vec![]));
    assert!(acme.tenant.tables().await.unwrap().is_empty());
    assert_eq!(acme.tenant.table_contents("codes", &staged.digest).await.unwrap(), Some(staged.clone()));
    assert_eq!(acme.tenant.table_contents("other", &staged.digest).await.unwrap(), None);
    assert_eq!(other.tenant.table_contents("codes", &staged.digest).await.unwrap(), None);

    acme.tenant.apply(changes(0, &[], &[("codes", Some(&staged.digest))]), KEPT).await.unwrap();
    assert_eq!(look(&acme, "codes", "key-2499").await, Some((1, true)));
    // From then on it is a revision like any other.
    put_keys(&acme, "codes", &["b"]).await;
    acme.tenant.restore_table("codes", Some(1), ("Ada", tick()), KEPT).await.unwrap();
    assert_eq!(look(&acme, "codes", "key-2499").await, Some((3, true)));
}

pub(crate) async fn contents_that_a_table_has_or_had_need_not_be_sent_again(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "codes", &["a"]).await;
    put_keys(&acme, "codes", &["b"]).await;
    for keys in ["a", "b"] {
        let new =
            NewTable { name: "codes".to_owned(), contents: Arc::new(set_of([keys])), by: "Ada".to_owned(), at: tick() };
        assert!(!acme.tenant.stage_table(new, KEPT).await.unwrap().1, "{keys} was written again");
    }
    let set = changes(2, &[], &[("codes", Some(&set_of(["a"]).digest))]);
    acme.tenant.apply(set, KEPT).await.unwrap();
    assert_eq!(
        (look(&acme, "codes", "a").await, keys_of(&acme, "codes", 1).await),
        (Some((3, true)), Some("a".into()))
    );
}

pub(crate) async fn as_many_contents_are_staged_as_there_may_be_tables(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let mut staged = Vec::new();
    for key in ["a", "b", "c"] {
        staged.push(stage(&acme, "codes", set_of([key])).await);
    }
    let mut found = Vec::new();
    for state in &staged {
        found.push(acme.tenant.table_contents("codes", &state.digest).await.unwrap().is_some());
    }
    assert_eq!(found, [false, true, true]);
}

pub(crate) async fn tables_that_go_make_room_for_those_that_come_with_them(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "one", &["a"]).await;
    put_keys(&acme, "two", &["a"]).await;
    let three = stage(&acme, "three", set_of(["a"])).await;
    let set = changes(2, &[], &[("three", Some(&three.digest))]);
    let failed = acme.tenant.apply(set, KEPT).await;
    assert!(
        matches!(failed, Err(ChangeSetError::Table(TableChangeError::TooMany { tables_max: 2 }))),
        "a table too many: {failed:?}"
    );
    let set = changes(2, &[], &[("three", Some(&three.digest)), ("one", None)]);
    acme.tenant.apply(set, KEPT).await.unwrap();
    assert_eq!(in_force(&acme).await, [row("three", 1, 3), row("two", 1, 2)]);
}
