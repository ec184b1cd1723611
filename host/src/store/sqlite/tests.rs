//! The conformance tests on SQLite, and what is SQLite's alone: the file, the batches, the costs.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::view::View;
use super::*;
use crate::change::{MembersChange, Removed};
use crate::scim::profile::Profile;
use crate::scim::resource::Resource;
use crate::store::conformance::{World, admitted, changed, conformance, member, tick, user, user_type};
use crate::store::schema::{Dialect, MIGRATIONS, NEWEST};

pub(super) fn open() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = reopen(&directory).unwrap();
    (directory, store)
}

pub(super) fn reopen(directory: &TempDir) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(directory.path(), SqliteOptions::default())
}

pub(super) fn file(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join(FILE)).unwrap()
}

conformance!(open;
    a_tenant_is_made_once_and_found_by_name,
    a_token_leads_to_its_tenant_until_it_is_revoked,
    the_same_component_again_is_the_same_version,
    every_activation_raises_the_generation_and_is_kept,
    a_deleted_tenant_is_gone_for_those_who_still_hold_it,
    what_is_committed_reads_back_and_is_in_the_log,
    a_change_judged_in_an_older_version_is_not_committed,
    a_change_judged_by_older_constraints_is_not_committed,
    a_unique_value_is_taken_in_any_spelling_until_it_is_given_up,
    a_decision_whose_look_up_has_changed_is_not_committed,
    a_look_up_of_a_constraint_in_shadow_holds_nothing_up,
    an_id_that_is_none_of_ours_names_nothing,
    only_what_is_there_becomes_a_member,
    what_is_deleted_leaves_its_groups_which_change_by_that,
    a_snapshot_does_not_see_what_is_written_after_its_first_question,
    tenants_do_not_see_each_other,
    of_two_writes_that_break_a_rule_together_one_is_committed,
    a_filter_finds_what_it_says,
    pages_without_a_filter_follow_each_other_by_id,
    members_come_in_pages_and_with_names,
    membership_reaches_through_groups_that_contain_each_other,
    a_look_up_that_must_look_at_too_many_is_refused,
    a_constraint_is_refused_the_look_up_that_a_commit_could_not_check,
    the_look_ups_of_a_decision_share_what_they_may_cost,
    a_user_is_in_the_groups_that_contain_its_groups_each_once,
    whoever_is_in_many_groups_is_shown_in_all_of_them,
    members_are_shown_with_their_names_only_if_somebody_asks,
    what_makes_no_sense_to_the_model_is_refused_in_its_own_words,
    a_walk_by_place_meets_what_is_there_throughout_whatever_is_written_meanwhile,
    a_page_in_an_order_continues_where_the_last_one_ended,
    pages_go_through_one_type_after_the_other,
    a_total_is_told_by_place_where_an_index_knows_it,
    an_accepted_request_is_kept_until_it_is_finished_and_then_its_outcome,
    the_oldest_outcomes_go_and_unfinished_requests_stay,
    the_decisions_of_an_accepted_request_are_found_by_it,
    what_is_set_of_a_tenant_is_set_and_the_rest_stays,
    members_are_replaced_in_one_moment_as_often_as_wanted,
    a_replacement_that_does_not_hold_any_more_replaces_nothing,
    of_replacements_at_the_same_time_one_is_committed,
    membership_through_groups_ends_where_a_replacement_took_it,
    other_contents_are_a_new_revision_and_generation_and_the_same_are_none,
    a_look_answers_as_of_its_snapshot,
    a_change_judged_by_an_older_table_is_not_committed,
    a_table_goes_back_and_away_and_comes_back,
    so_many_revisions_are_kept_with_the_contents_that_they_have,
    removed_tables_make_room_and_others_do_not,
    contents_of_many_rows_come_in_pages,
    of_the_same_upload_at_the_same_time_one_is_a_revision,
    a_change_set_takes_effect_as_a_whole_and_in_one_generation,
    a_change_set_that_cannot_be_made_in_full_is_not_made_at_all,
    a_change_set_for_another_generation_is_not_made,
    a_change_set_without_changes_is_no_step,
    waivers_come_and_go_with_a_change_set_or_not_at_all,
    staged_contents_are_seen_by_nobody_until_they_are_in_force,
    contents_that_a_table_has_or_had_need_not_be_sent_again,
    as_many_contents_are_staged_as_there_may_be_tables,
    tables_that_go_make_room_for_those_that_come_with_them,
    waivers_are_in_force_until_they_end_and_stay_in_the_list,
    a_waiver_is_counted_with_the_change_that_is_committed_by_it,
    a_refusal_is_recorded_in_full,
    components_are_signed_by_keys_that_are_known,
    what_is_not_signed_as_required_is_neither_taken_nor_put_to_work,
    the_log_is_searched_by_time_outcome_constraint_and_resource,
);

/// Fills every table with something of the tenant's.
async fn fill(store: &SqliteStore, world: &World) {
    let ada = world.user("ada").await;
    world.group("team", &[&ada]).await;
    let token = NewToken {
        id: ada.id.0,
        hash: TokenHash([1; 32]),
        label: String::new(),
        scopes: Vec::new(),
        created_at: tick(),
        expires_at: None,
        user: None,
    };
    world.tenant.create_token(token).await.unwrap();
    let version = NewVersion {
        plugin: "p".to_owned(),
        digest: "aa".to_owned(),
        component: vec![1],
        world: String::new(),
        descriptor: json!({}),
        tag: None,
        created_at: tick(),
        signatures: Vec::new(),
    };
    world.tenant.add_version(version).await.unwrap();
    world.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
    assert!(store.token_owner(&TokenHash([1; 32])).await.unwrap().is_some());
    let rest = "INSERT INTO definitions SELECT tenant_id, '{}' FROM tenant; \
                INSERT INTO secret SELECT tenant_id, zeroblob(16), 1, '' FROM tenant; \
                INSERT INTO async_request SELECT tenant_id, zeroblob(16), 0, NULL, '', NULL FROM tenant; \
                 INSERT INTO member_set SELECT tenant_id, zeroblob(16), 1 FROM tenant; \
                 INSERT INTO member_set_hidden SELECT tenant_id, zeroblob(16), 2, 1 FROM tenant; \
                 INSERT INTO waiver SELECT tenant_id, zeroblob(16), '', '', zeroblob(16), NULL, NULL, 0, '', '', 0, NULL, NULL, 0, NULL, \
                   NULL FROM tenant; \
                 INSERT INTO signing_key SELECT tenant_id, 'k', zeroblob(32), 1, '', 0 FROM tenant; \
                 INSERT INTO signing_policy SELECT tenant_id, 1, '', 0 FROM tenant; \
                 INSERT INTO component_signature SELECT tenant_id, 'aa', zeroblob(32), zeroblob(64) FROM tenant; \
                 INSERT INTO table_staged SELECT tenant_id, 't', 2, '', 0, 0, NULL, 0 FROM tenant; \
                 INSERT INTO table_revision(tenant_id, name, revision, generation, made_by, made_at) \
                   SELECT tenant_id, 't', 1, 1, '', 0 FROM tenant; \
                 INSERT INTO table_row SELECT tenant_id, 't', 1, 'k', '{}' FROM tenant; \
                 INSERT INTO table_contents_hidden SELECT tenant_id, 't', 2, 1 FROM tenant";
    store.inner.writer.write(|connection| Ok::<_, StoreError>(connection.execute_batch(rest)?)).await.unwrap();
}

/// Rows by table, without the tables that belong to no tenant.
fn rows(connection: &Connection) -> Vec<(String, i64)> {
    let mut statement = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name NOT IN ('name', 'setting', 'schema_migration') ORDER BY name",
        )
        .unwrap();
    let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let count =
        |table: &String| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    tables.iter().map(|table| (table.clone(), count(table))).collect()
}

#[tokio::test]
async fn a_deleted_tenant_leaves_no_row_in_any_table() {
    let (directory, store) = open();
    fill(&store, &World::new(&store, "acme").await).await;
    let file = file(&directory);
    assert!(rows(&file).iter().all(|(_, rows)| *rows > 0), "{:?}", rows(&file));
    store.delete_tenant("acme").await.unwrap();
    assert!(rows(&file).iter().all(|(_, rows)| *rows == 0), "{:?}", rows(&file));
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_finished_at_the_next_start() {
    let (directory, store) = open();
    fill(&store, &World::new(&store, "acme").await).await;
    drop(store);
    file(&directory).execute("UPDATE tenant SET name = NULL", []).unwrap();
    let store = reopen(&directory).unwrap();
    assert_eq!(store.tenants().await.unwrap(), []);
    assert!(rows(&file(&directory)).iter().all(|(_, rows)| *rows == 0));
}

#[tokio::test]
async fn a_deletion_is_finished_though_its_caller_goes_away() {
    let (directory, store) = open();
    fill(&store, &World::new(&store, "acme").await).await;
    let release = block(&store);
    tokio::task::yield_now().await;
    let patience = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, store.delete_tenant("acme")).await.is_err(), "nobody went away");
    release.send(()).unwrap();
    for _ in 0..100 {
        if rows(&file(&directory)).iter().all(|(_, rows)| *rows == 0) {
            return;
        }
        tokio::time::sleep(patience).await;
    }
    panic!("{:?}", rows(&file(&directory)));
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    drop((acme, store));
    assert!(!directory.path().join("scruple.db-wal").exists(), "the log was not emptied");

    let store = reopen(&directory).unwrap();
    let tenant = store.tenant_named("acme").await.unwrap().unwrap();
    let acme = World { tenant: store.tenant(tenant.id) };
    assert_eq!(acme.get(&ada).await, Some(ada));
    assert_eq!(acme.count(&user_type(), "userName eq \"ada\"").await, 1);
}

#[tokio::test]
async fn indexes_of_other_schemas_are_made_anew() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    drop((acme, store));
    file(&directory)
        .execute_batch("UPDATE setting SET value = 'old'; DELETE FROM resource_key; DELETE FROM resource_attr")
        .unwrap();

    let store = reopen(&directory).unwrap();
    let tenant = store.tenant_named("acme").await.unwrap().unwrap();
    let acme = World { tenant: store.tenant(tenant.id) };
    assert_eq!(acme.count(&user_type(), "userName eq \"ada\"").await, 1);
    assert_eq!(acme.count(&user_type(), "active eq true").await, 1);
    assert!(matches!(acme.create(&user("ADA")).await, Err(CommitError::Duplicate { .. })));
    acme.delete(&ada).await.unwrap();
}

#[test]
fn a_file_that_is_not_as_this_program_knows_it_is_refused() {
    let check = |damage: &str, expected: &str| {
        let (directory, store) = open();
        drop(store);
        file(&directory).execute_batch(damage).unwrap();
        let error = reopen(&directory).err().expect(damage);
        assert!(error.to_string().contains(expected), "{damage}: {error}");
    };
    let newer = format!("schema version 99, but this program knows only {NEWEST}");
    check("INSERT INTO schema_migration VALUES (99, x'00')", &newer);
    check("UPDATE schema_migration SET checksum = zeroblob(32)", "migration 1 of the database is not the one");
    check("PRAGMA application_id = 7", "not made by this program");
}

#[tokio::test]
async fn a_file_that_an_older_program_wrote_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let older = file(&directory);
    older.pragma_update(None, "application_id", 0x5343_5255).unwrap();
    older.execute_batch("CREATE TABLE schema_migration(version INTEGER PRIMARY KEY, checksum BLOB NOT NULL)").unwrap();
    for migration in &MIGRATIONS[..2] {
        older.execute_batch(&Dialect::Sqlite.render(migration.template)).unwrap();
        let applied = rusqlite::params![migration.version, migration.checksum()];
        older.execute("INSERT INTO schema_migration VALUES (?1, ?2)", applied).unwrap();
    }
    let written = "INSERT INTO tenant VALUES (7, 'acme', 3, 0, 'okta'); \
                   INSERT INTO decision VALUES (7, zeroblob(16), 0, 'allowed', zeroblob(16), '', '{}')";
    older.execute_batch(written).unwrap();
    drop(older);

    let store = reopen(&directory).unwrap();
    let acme = store.tenant_named("acme").await.unwrap().unwrap();
    assert_eq!((acme.generation, acme.profile, acme.respond_async), (3, Profile::Okta, false));
    let decisions = store.tenant(acme.id).decisions(DecisionQuery { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(decisions.decisions.len(), 1);
    World { tenant: store.tenant(acme.id) }.user("ada").await;
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    file(&directory).execute_batch("CREATE TABLE theirs(x)").unwrap();
    assert!(matches!(reopen(&directory), Err(StoreError::NotOurs)));
    let tables: i64 = file(&directory).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);

    std::fs::write(directory.path().join(FILE), b"this is no database at all, whatever its name says").unwrap();
    assert!(matches!(reopen(&directory), Err(StoreError::Database(_))));
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_not_an_absent_one() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    file(&directory).execute("UPDATE resource SET body = '{'", []).unwrap();
    let read = acme.snapshot().await.resource(&user_type(), ada.id).await;
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
}

#[tokio::test]
async fn a_walk_that_no_index_helps_goes_on_where_its_effort_ended() {
    let (_directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let last = acme.user("last").await;
    // Before it, more than one query may look at.
    let crowd = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                 INSERT INTO resource SELECT tenant_id, rtype, CAST(printf('%016d', i) AS BLOB), 1, 0, 0, \
                 '{\"userName\":\"crowd\"}' FROM n, (SELECT tenant_id, rtype FROM resource)";
    store
        .inner
        .writer
        .write(|connection| {
            connection.execute_batch("UPDATE resource SET id = CAST('zzzzzzzzzzzzzzzz' AS BLOB)")?;
            Ok::<_, StoreError>(connection.execute_batch(crowd)?)
        })
        .await
        .unwrap();
    let filter = crate::scim::filter::Filter::parse("userName co \"last\"", &user_type()).unwrap();
    let snapshot = acme.snapshot().await;
    let by_offset = snapshot.find(&user_type(), Some(&filter), crate::store::Page { offset: 0, limit: 1 }).await;
    assert!(matches!(by_offset, Err(crate::store::QueryError::TooMany { .. })), "{by_offset:?}");
    let page = async |after| {
        let one = crate::store::query::Among {
            resource_type: user_type(),
            filter: Some(filter.clone()),
            sort: None,
            wanted: crate::store::Wanted::default(),
        };
        let from = crate::store::query::From::After(after);
        let query = crate::store::query::Query::Page { among: vec![one], from, limit: 5 };
        snapshot.show(Box::new(move |_| Ok(query))).await.unwrap()
    };
    let first = page(None).await;
    assert_eq!((first.resources.len(), first.total), (0, None));
    let second = page(first.next).await;
    assert_eq!(second.next, None);
    let names: Vec<_> = second.resources.iter().map(|shown| &shown.resource.attributes["userName"]).collect();
    assert_eq!(names, [&last.attributes["userName"]]);
}

/// Keeps the writer busy until the returned sender is dropped or used, so that what follows is one batch.
fn block(store: &SqliteStore) -> std::sync::mpsc::Sender<()> {
    let (release, wait) = std::sync::mpsc::channel();
    let inner = Arc::clone(&store.inner);
    tokio::spawn(async move {
        inner.writer.write(move |_| Ok::<_, StoreError>(wait.recv().is_ok())).await.unwrap();
    });
    release
}

#[tokio::test]
async fn a_request_that_fails_or_panics_takes_nothing_from_the_others_of_its_batch() {
    let (_directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let (good, also_good) = (user("good"), user("also-good"));
    let release = block(&store);
    tokio::task::yield_now().await;
    let create = |resource: &Resource| {
        let change = admitted(0, None, Some(resource), MembersChange::default(), Vec::new());
        let tenant = Arc::clone(&acme.tenant);
        tokio::spawn(async move { tenant.commit(change).await })
    };
    let first = create(&good);
    let twin = create(&user("GOOD"));
    let inner = Arc::clone(&store.inner);
    let panics = tokio::spawn(async move {
        let broken = |connection: &Connection| -> Result<(), StoreError> {
            connection.execute("DELETE FROM resource", [])?;
            panic!("a bug")
        };
        inner.writer.write(broken).await
    });
    let last = create(&also_good);
    tokio::task::yield_now().await;
    release.send(()).unwrap();

    first.await.unwrap().unwrap();
    assert!(matches!(twin.await.unwrap(), Err(CommitError::Duplicate { .. })));
    assert!(matches!(panics.await.unwrap(), Err(StoreError::Damaged(_))));
    last.await.unwrap().unwrap();
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 2);
    assert_eq!(acme.get(&good).await, Some(good));
}

#[tokio::test]
async fn a_transaction_that_fails_fails_every_request_in_it() {
    let (_directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let release = block(&store);
    tokio::task::yield_now().await;
    let ada = user("ada");
    let change = admitted(0, None, Some(&ada), MembersChange::default(), Vec::new());
    let tenant = Arc::clone(&acme.tenant);
    let before = tokio::spawn(async move { tenant.commit(change).await });
    let inner = Arc::clone(&store.inner);
    let breaks = tokio::spawn(async move {
        // What SQLite does by itself when the disk is full.
        inner.writer.write(|connection| Ok::<_, StoreError>(connection.execute_batch("ROLLBACK")?)).await
    });
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    let failed = before.await.unwrap();
    assert!(matches!(failed, Err(CommitError::Store(StoreError::Database(_)))), "{failed:?}");
    assert!(breaks.await.unwrap().is_err());
    assert_eq!(acme.get(&ada).await, None);
    acme.create(&ada).await.unwrap();
}

#[tokio::test]
async fn what_is_queued_when_the_store_is_dropped_is_finished() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let release = block(&store);
    tokio::task::yield_now().await;
    let ada = user("ada");
    let change = admitted(0, None, Some(&ada), MembersChange::default(), Vec::new());
    let queued = tokio::spawn({
        let tenant = Arc::clone(&acme.tenant);
        async move { tenant.commit(change).await }
    });
    tokio::task::yield_now().await;
    drop((acme, store));
    release.send(()).unwrap();
    queued.await.unwrap().unwrap();
    let count: i64 = file(&directory).query_row("SELECT count(*) FROM resource", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn more_snapshots_than_the_maximum_wait_and_brief_questions_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { snapshots_max: 1, batch_max: 1 };
    let store = SqliteStore::open(directory.path(), options).unwrap();
    let tenant = store.create_tenant("acme", tick()).await.unwrap().unwrap();
    let acme = store.tenant(tenant.id);
    let held = acme.snapshot().await.unwrap();
    held.model().await.unwrap();
    let waiting = tokio::spawn({
        let acme = Arc::clone(&acme);
        async move { acme.snapshot().await.map(|_| ()) }
    });
    acme.activations().await.unwrap();
    store.ping().await.unwrap();
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_tenant_with_many_snapshots_leaves_some_to_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { snapshots_max: 8, ..SqliteOptions::default() };
    let store = SqliteStore::open(directory.path(), options).unwrap();
    let (slow, other) = (World::new(&store, "slow").await, World::new(&store, "other").await);
    let mut holding = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let slow = slow.clone();
        holding.spawn(async move {
            let held = slow.snapshot().await;
            held.model().await.unwrap();
            std::future::pending::<()>().await;
        });
    }
    tokio::task::yield_now().await;
    let patience = std::time::Duration::from_secs(5);
    tokio::time::timeout(patience, other.generation()).await.expect("another tenant has to wait");
    holding.shutdown().await;
    assert_eq!(slow.generation().await, 0, "what was held is not given back");
}

#[test]
fn a_caller_whose_threads_are_all_busy_is_answered_nevertheless() {
    let (_directory, store) = open();
    let caller = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    caller.block_on(async {
        let busy = tokio::task::spawn_blocking(move || wait.recv().is_ok());
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), store.ping()).await;
        release.send(()).unwrap();
        busy.await.unwrap();
        answer.expect("the store waits for its caller's threads").unwrap();
    });
}

/// How many rows a commit changes: the writer's own count.
async fn rows_changed(store: &SqliteStore, tenant: TenantId, write: WriteSet) -> u64 {
    let shared = Arc::clone(&store.inner.shared);
    let commit = move |connection: &Connection| {
        let before = connection.total_changes();
        commit::commit(connection, tenant, &shared, &write).map(|()| connection.total_changes() - before)
    };
    store.inner.writer.write(commit).await.unwrap()
}

#[tokio::test]
async fn adding_a_member_to_a_large_group_touches_as_few_rows_as_to_a_small_one() {
    let (_directory, store) = open();
    let tenant = store.create_tenant("acme", tick()).await.unwrap().unwrap().id;
    let acme = World { tenant: store.tenant(tenant) };
    let mut users = Vec::new();
    for number in 0..300 {
        users.push(acme.user(&format!("u{number}")).await);
    }
    let new = acme.user("new").await;
    let mut costs = Vec::new();
    for size in [1, 300] {
        let members: Vec<&Resource> = users.iter().take(size).collect();
        let group = acme.group(&format!("g{size}"), &members).await;
        let after = changed(&group, json!({}));
        let change = MembersChange { added: vec![member(&new)], removed: Removed::default() };
        let change = admitted(0, Some(&group), Some(&after), change, Vec::new());
        costs.push(rows_changed(&store, tenant, WriteSet::of(&change).unwrap()).await);
    }
    // The group's row, the member's row, the decision.
    assert_eq!(costs, [3, 3]);
}

/// An empty database with its names, for tests below the store.
pub(super) fn in_memory() -> (Connection, Names) {
    let connection = Connection::open_in_memory().unwrap();
    migrate::migrate(&connection).unwrap();
    let names = Names::load(&connection, &SchemaRegistry::core()).unwrap();
    (connection, names)
}

/// How SQLite would go about a query.
pub(super) fn explain(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
    steps.join("; ")
}

/// Prints what the store costs here: `cargo test -p scruple --lib -- --ignored --nocapture what_the_store_costs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn what_the_store_costs() {
    for (batch_max, clients, each) in [(256, 1, 500), (256, 64, 100), (1, 64, 30)] {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions { batch_max, ..SqliteOptions::default() };
        let store = SqliteStore::open(directory.path(), options).unwrap();
        let acme = World::new(&store, "acme").await;
        let changes: Vec<Vec<_>> = (0..clients)
            .map(|client| {
                let one = |number| user(&format!("u{client}-{number}"));
                (0..each)
                    .map(|number| admitted(0, None, Some(&one(number)), MembersChange::default(), Vec::new()))
                    .collect()
            })
            .collect();
        let ids: Vec<_> = changes.iter().flatten().map(|change| change.planned().id).collect();
        let started = std::time::Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for changes in changes {
            let tenant = Arc::clone(&acme.tenant);
            tasks.spawn(async move {
                for change in changes {
                    tenant.commit(change).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let per_second = ids.len() as f64 / started.elapsed().as_secs_f64();
        println!("batch_max {batch_max}, {clients} clients: {per_second:.0} creates/s");

        let started = std::time::Instant::now();
        for id in &ids {
            acme.snapshot().await.resource(&user_type(), *id).await.unwrap().unwrap();
        }
        println!("snapshot and one get: {:?}", started.elapsed() / u32::try_from(ids.len()).unwrap());
        let snapshot = acme.snapshot().await;
        let started = std::time::Instant::now();
        for id in &ids {
            snapshot.resource(&user_type(), *id).await.unwrap().unwrap();
        }
        println!("one get more: {:?}", started.elapsed() / u32::try_from(ids.len()).unwrap());
        let started = std::time::Instant::now();
        let ids_there = ids.clone();
        let shared = Arc::clone(&store.inner.shared);
        let tenant = store.tenant_named("acme").await.unwrap().unwrap().id;
        let read = move |connection: &Connection| -> Result<(), StoreError> {
            let schemas = SchemaRegistry::core();
            let view = View { connection, tenant, names: &shared.names, schemas: &schemas };
            ids_there.iter().try_for_each(|id| view.resource(&user_type(), *id).map(|_| ()))
        };
        store.inner.pool.read(read).await.unwrap();
        println!("one get without the hop: {:?}", started.elapsed() / u32::try_from(ids.len()).unwrap());
    }
}
