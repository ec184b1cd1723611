//! Tables: contents in force from one moment on, kept as long as there is room, looked into as of a snapshot.

use std::sync::Arc;

use super::world::{World, resting_on, tick, user};
use crate::change::MembersChange;
use crate::decision::{LookUp, LookUpAnswer};
use crate::store::{CommitError, FoundRow, NewTable, Store, TableChangeError, TableRevision, TablesKept};
use crate::tables::{Contents, TableLimits, json};

pub(crate) const KEPT: TablesKept = TablesKept { tables_max: 2, revisions_max: 3 };

/// A table from these keys to `{}`.
pub(crate) fn set_of<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Contents {
    let keys: Vec<String> = keys.into_iter().map(|key| key.as_ref().to_owned()).collect();
    json::read(&serde_json::to_vec(&keys).unwrap(), None, &TableLimits::DEFAULT).unwrap()
}

pub(crate) async fn put(
    world: &World,
    name: &str,
    contents: Contents,
) -> Result<(TableRevision, bool), TableChangeError> {
    let new = NewTable { name: name.to_owned(), contents: Arc::new(contents), by: "Ada".to_owned(), at: tick() };
    world.tenant.put_table(new, KEPT).await
}

pub(super) async fn put_keys(world: &World, name: &str, keys: &[&str]) -> TableRevision {
    let (table, added) = put(world, name, set_of(keys)).await.unwrap();
    assert!(added);
    table
}

/// Whether the key is there, by which revision; `None`: there is no such table.
pub(super) async fn look(world: &World, name: &str, key: &str) -> Option<(u32, bool)> {
    let found = world.snapshot().await.table_row(name, key).await.unwrap();
    found.map(|FoundRow { revision, row }| (revision, row.is_some()))
}

pub(super) async fn keys_of(world: &World, name: &str, revision: u32) -> Option<String> {
    let rows = world.tenant.table_rows(name, revision, None, 1_000).await.unwrap()?;
    Some(rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" "))
}

pub(super) async fn revisions(world: &World, name: &str) -> Vec<u32> {
    let history = world.tenant.table_history(name).await.unwrap();
    history.iter().map(|table| table.revision).collect()
}

pub(crate) async fn other_contents_are_a_new_revision_and_generation_and_the_same_are_none(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let first = put_keys(&acme, "codes", &["a", "b"]).await;
    assert_eq!((first.revision, first.generation, acme.generation().await), (1, 1, 1));
    let state = first.state.as_ref().unwrap();
    assert_eq!((state.rows, state.bytes, state.digest.len()), (2, 6, 64));
    assert_eq!(state.columns.as_ref().unwrap().names, ["key"]);

    assert_eq!(put(&acme, "codes", set_of(["b", "a"])).await.unwrap(), (first.clone(), false));
    assert_eq!(acme.generation().await, 1);
    let second = put_keys(&acme, "codes", &["a"]).await;
    assert_eq!((second.revision, second.generation, acme.generation().await), (2, 2, 2));
    assert_eq!(acme.tenant.tables().await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(acme.tenant.table_history("codes").await.unwrap(), [second, first]);
}

pub(crate) async fn a_look_answers_as_of_its_snapshot(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    put_keys(&acme, "codes", &["a", "B"]).await;
    let before = acme.snapshot().await;
    assert_eq!(
        before.table_row("codes", "a").await.unwrap(),
        Some(FoundRow { revision: 1, row: Some("{}".to_owned()) })
    );
    put_keys(&acme, "codes", &["c"]).await;
    assert_eq!(before.table_row("codes", "c").await.unwrap(), Some(FoundRow { revision: 1, row: None }));
    assert_eq!(before.model().await.unwrap().generation, 1);
    assert_eq!((look(&acme, "codes", "a").await, look(&acme, "codes", "c").await), (Some((2, false)), Some((2, true))));
    assert_eq!((look(&acme, "codes", "C").await, look(&acme, "Codes", "c").await), (Some((2, false)), None));
    assert_eq!((look(&other, "codes", "c").await, keys_of(&other, "codes", 2).await), (None, None));
}

pub(crate) async fn a_change_judged_by_an_older_table_is_not_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "codes", &["a"]).await;
    let resting = resting_on(
        LookUp::Count { resource_type: "User".to_owned(), filter: "active eq true".to_owned() },
        LookUpAnswer::Count(0),
    );
    let judged = super::world::admitted(
        acme.generation().await,
        None,
        Some(&user("ada")),
        MembersChange::default(),
        vec![resting],
    );
    put_keys(&acme, "codes", &["b"]).await;
    assert!(matches!(acme.tenant.commit(judged).await, Err(CommitError::GenerationMoved)));
}

pub(crate) async fn a_table_goes_back_and_away_and_comes_back(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "codes", &["a"]).await;
    put_keys(&acme, "codes", &["b"]).await;
    let back = acme.tenant.restore_table("codes", None, ("Bob", tick()), KEPT).await.unwrap();
    assert_eq!((back.revision, back.by.as_str(), look(&acme, "codes", "a").await), (3, "Bob", Some((3, true))));

    let gone = acme.tenant.remove_table("codes", ("Bob", tick()), KEPT).await.unwrap();
    assert_eq!((gone.revision, gone.state, gone.generation), (4, None, 4));
    assert_eq!((look(&acme, "codes", "a").await, acme.tenant.tables().await.unwrap()), (None, vec![]));
    let again = acme.tenant.remove_table("codes", ("Bob", tick()), KEPT).await;
    assert!(matches!(again, Err(TableChangeError::Unknown(_))), "{again:?}");

    let restored = acme.tenant.restore_table("codes", Some(2), ("Bob", tick()), KEPT).await.unwrap();
    assert_eq!((restored.revision, look(&acme, "codes", "b").await), (5, Some((5, true))));
    // To a removal nobody goes back, nor to what is not kept.
    for revision in [4, 1, 9] {
        let none = acme.tenant.restore_table("codes", Some(revision), ("Bob", tick()), KEPT).await;
        assert!(matches!(none, Err(TableChangeError::UnknownRevision { .. })), "{none:?}");
    }
    let unknown = acme.tenant.restore_table("other", None, ("Bob", tick()), KEPT).await;
    assert!(matches!(unknown, Err(TableChangeError::Unknown(_))), "{unknown:?}");
}

pub(crate) async fn so_many_revisions_are_kept_with_the_contents_that_they_have(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    for key in ["a", "b"] {
        put_keys(&acme, "codes", &[key]).await;
    }
    acme.tenant.restore_table("codes", Some(1), ("Ada", tick()), KEPT).await.unwrap();
    put_keys(&acme, "codes", &["d"]).await;
    put_keys(&acme, "codes", &["e"]).await;
    assert_eq!(revisions(&acme, "codes").await, [5, 4, 3]);
    // The contents of revision 1, which is gone, are those of revision 3.
    assert_eq!(keys_of(&acme, "codes", 3).await.as_deref(), Some("a"));
    assert_eq!(keys_of(&acme, "codes", 5).await.as_deref(), Some("e"));
    assert_eq!((keys_of(&acme, "codes", 1).await, keys_of(&acme, "codes", 2).await), (None, None));
}

pub(crate) async fn removed_tables_make_room_and_others_do_not(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    put_keys(&acme, "one", &["a"]).await;
    put_keys(&acme, "two", &["a"]).await;
    let third = put(&acme, "three", set_of(["a"])).await;
    assert!(matches!(third, Err(TableChangeError::TooMany { tables_max: 2 })), "{third:?}");
    assert!(revisions(&acme, "three").await.is_empty());

    acme.tenant.remove_table("one", ("Ada", tick()), KEPT).await.unwrap();
    assert_eq!(revisions(&acme, "one").await, [2, 1]);
    put_keys(&acme, "three", &["a"]).await;
    assert!(revisions(&acme, "one").await.is_empty());
    // A name that was forgotten begins anew, whatever is left of its contents.
    acme.tenant.remove_table("two", ("Ada", tick()), KEPT).await.unwrap();
    assert_eq!(put_keys(&acme, "one", &["b"]).await.revision, 1);
    assert_eq!((look(&acme, "one", "a").await, look(&acme, "one", "b").await), (Some((1, false)), Some((1, true))));
}

pub(crate) async fn contents_of_many_rows_come_in_pages(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    // More than are written at once.
    let keys: Vec<String> = (0..4_500).map(|n| format!("key-{n:04}")).collect();
    let (table, _) = put(&acme, "codes", set_of(&keys)).await.unwrap();
    assert_eq!(table.state.unwrap().rows, 4_500);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = acme.tenant.table_rows("codes", 1, after.as_deref(), 1_000).await.unwrap().unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(found, keys);
    assert_eq!(look(&acme, "codes", "key-4499").await, Some((1, true)));
}

pub(crate) async fn of_the_same_upload_at_the_same_time_one_is_a_revision(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            let acme = acme.clone();
            tokio::spawn(async move { put(&acme, "codes", set_of((0..2_500).map(|n| n.to_string()))).await.unwrap() })
        })
        .collect();
    let mut added = 0;
    for upload in uploads {
        let (table, is_new) = upload.await.unwrap();
        assert_eq!(table.revision, 1);
        added += u32::from(is_new);
    }
    assert_eq!((added, acme.generation().await), (1, 1));
}
