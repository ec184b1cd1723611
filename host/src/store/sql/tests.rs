//! The conformance tests on SQLite, and what is SQLite's alone: the file, the batches, the costs.

mod full;

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::view::View;
use super::*;
use crate::change::{MembersChange, Removed};
use crate::decision::ConstraintName;
use crate::scim::profile::Profile;
use crate::scim::resource::Resource;
use crate::store::conformance::{World, admitted, changed, conformance, member, tick, user, user_type};
use crate::store::schema::{Dialect, MIGRATIONS, NEWEST};
use crate::store::write_set::WriteSet;
use crate::store::{CommitError, DecisionQuery, NewToken, NewVersion};

pub(super) fn open() -> (TempDir, SqlStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = reopen(&directory).unwrap();
    (directory, store)
}

pub(super) fn reopen(directory: &TempDir) -> Result<SqlStore, StoreError> {
    SqlStore::sqlite(directory.path(), StoreOptions::default())
}

pub(super) fn file(directory: &TempDir) -> Connection {
    Connection::Sqlite(rusqlite::Connection::open(directory.path().join(FILE)).unwrap())
}

conformance!(open);

/// Fills every table with something of the tenant's.
pub(super) async fn fill(store: &SqlStore, world: &World) {
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
        component: StoredComponent::Here(vec![1]),
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
                INSERT INTO async_request SELECT tenant_id, zeroblob(16), 0, NULL, '', NULL, NULL FROM tenant; \
                 INSERT INTO member_set SELECT tenant_id, zeroblob(16), 1 FROM tenant; \
                 INSERT INTO member_set_hidden SELECT tenant_id, zeroblob(16), 2, 1, NULL FROM tenant; \
                 INSERT INTO waiver SELECT tenant_id, zeroblob(16), '', '', zeroblob(16), NULL, NULL, 0, '', '', 0, NULL, NULL, 0, NULL, \
                   NULL FROM tenant; \
                 INSERT INTO signing_key SELECT tenant_id, 'k', zeroblob(32), 1, '', 0 FROM tenant; \
                 INSERT INTO signing_policy SELECT tenant_id, 1, '', 0 FROM tenant; \
                 INSERT INTO component_signature SELECT tenant_id, 'aa', zeroblob(32), zeroblob(64) FROM tenant; \
                 INSERT INTO table_staged SELECT tenant_id, 't', 2, '', 0, 0, NULL, 0 FROM tenant; \
                 INSERT INTO table_revision(tenant_id, name, revision, generation, made_by, made_at) \
                   SELECT tenant_id, 't', 1, 1, '', 0 FROM tenant; \
                 INSERT INTO table_row SELECT tenant_id, 't', 1, 'k', '{}' FROM tenant; \
                 INSERT INTO table_contents_hidden SELECT tenant_id, 't', 2, 1, NULL FROM tenant; \
                 INSERT INTO node_prepared SELECT tenant_id, zeroblob(16), 1, 0 FROM tenant";
    store.inner.writer.write(|connection| Ok::<_, StoreError>(connection.execute_batch(rest)?)).await.unwrap();
}

/// Rows by table, without the tables that belong to no tenant.
fn rows(connection: &Connection) -> Vec<(String, i64)> {
    let mut statement = connection
        .prepare_cached(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name NOT IN ('name', 'node', 'setting', 'schema_migration') ORDER BY name",
        )
        .unwrap();
    let tables: Vec<String> =
        statement.query_map(params![], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let count = |table: &String| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), params![], |row| row.get(0)).unwrap()
    };
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
    file(&directory).execute("UPDATE tenant SET name = NULL", params![]).unwrap();
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
    let patience = Duration::from_millis(50);
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
    let older = rusqlite::Connection::open(directory.path().join(FILE)).unwrap();
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
    let tables: i64 =
        file(&directory).query_row("SELECT count(*) FROM sqlite_schema", params![], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);

    std::fs::write(directory.path().join(FILE), b"this is no database at all, whatever its name says").unwrap();
    assert!(matches!(reopen(&directory), Err(StoreError::Database(_))));
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_not_an_absent_one() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    file(&directory).execute("UPDATE resource SET body = '{'", params![]).unwrap();
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
        snapshot.show(Box::new(move |_| Ok(query.clone()))).await.unwrap()
    };
    let first = page(None).await;
    assert_eq!((first.resources.len(), first.total), (0, None));
    let second = page(first.next).await;
    assert_eq!(second.next, None);
    let names: Vec<_> = second.resources.iter().map(|shown| &shown.resource.attributes["userName"]).collect();
    assert_eq!(names, [&last.attributes["userName"]]);
}

/// Keeps the writer busy until the returned sender is dropped or used, so that what follows is one batch.
fn block(store: &SqlStore) -> std::sync::mpsc::Sender<()> {
    let (release, wait) = std::sync::mpsc::channel();
    let inner = Arc::clone(&store.inner);
    tokio::spawn(async move {
        // Once: what follows may be in its batch, and has it run again.
        let mut is_busy = true;
        let work = move |_: &Connection| {
            let waits = std::mem::take(&mut is_busy);
            Ok::<_, StoreError>(waits && wait.recv().is_ok())
        };
        inner.writer.write(work).await.unwrap();
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
            connection.execute("DELETE FROM resource", params![])?;
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
    let count: i64 = file(&directory).query_row("SELECT count(*) FROM resource", params![], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn more_snapshots_than_the_maximum_wait_and_brief_questions_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { snapshots_max: 1, batch_max: 1 };
    let store = SqlStore::sqlite(directory.path(), options).unwrap();
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
    let options = StoreOptions { snapshots_max: 8, ..StoreOptions::default() };
    let store = SqlStore::sqlite(directory.path(), options).unwrap();
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
    let patience = Duration::from_secs(5);
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
        let answer = tokio::time::timeout(Duration::from_secs(5), store.ping()).await;
        release.send(()).unwrap();
        busy.await.unwrap();
        answer.expect("the store waits for its caller's threads").unwrap();
    });
}

/// How many rows a commit changes: the writer's own count.
async fn rows_changed(store: &SqlStore, tenant: TenantId, write: WriteSet) -> u64 {
    let shared = Arc::clone(&store.inner.shared);
    let commit = move |connection: &Connection| {
        let changes = || match connection {
            Connection::Sqlite(connection) => connection.total_changes(),
            Connection::Postgres(_) => panic!("only SQLite counts them"),
        };
        let before = changes();
        commit::commit(connection, tenant, &shared, &write).map(|()| changes() - before)
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
    let (connection, names) = (Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap()), Names::default());
    migrate::migrate(&connection).unwrap();
    names::add(&connection, &SchemaRegistry::core()).unwrap();
    names.learn(&connection).unwrap();
    (connection, names)
}

/// How SQLite would go about a query.
pub(super) fn explain(connection: &Connection, sql: &str) -> String {
    let Connection::Sqlite(connection) = connection else { panic!("only SQLite tells its plans so") };
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
        let options = StoreOptions { batch_max, ..StoreOptions::default() };
        let store = SqlStore::sqlite(directory.path(), options).unwrap();
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
