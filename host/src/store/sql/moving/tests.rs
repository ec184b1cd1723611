//! Moves from a file with a row in every table, to the databases that there may be.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::tables::TABLES_OF_ONE_DATABASE;
use crate::causes::with_causes;
use crate::decision::Txn;
use crate::store::conformance::{World, user, user_type};
use crate::store::sql::driver::params;
use crate::store::sql::postgres::tests::{Database, node};
use crate::store::sql::tests::{file, fill, open, reopen};
use crate::store::{
    MoveError, MovePhase, MoveProgress, MoveState, MoveTo, MovedTable, Node, SqlStore, Store, StoreError, StoreOptions,
    TenantChange, give_up_move, move_to_postgres,
};

/// A file with a tenant that has something in every table.
fn filled() -> TempDir {
    let (directory, store) = open();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        store.create_tenant("gone", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        let acme = World::new(&store, "acme").await;
        fill(&store, &acme).await;
        store.create_tenant("last", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        store.delete_tenant("gone").await.unwrap();
        store.delete_tenant("last").await.unwrap();
    });
    directory
}

fn moved(
    from: &TempDir,
    to: &Database,
    node: &Node,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<Option<Vec<MovedTable>>, MoveError> {
    move_to_postgres(from.path(), MoveTo { url: &to.url, ca_file: None, node }, report)
}

fn moved_quietly(from: &TempDir, to: &Database) -> Result<Option<Vec<MovedTable>>, MoveError> {
    moved(from, to, &node("keys"), &mut |_| ())
}

fn serve(database: &Database, node: &Node) -> Result<SqlStore, StoreError> {
    SqlStore::postgres(&database.url, None, node, StoreOptions { snapshots_max: 4, ..StoreOptions::default() })
}

#[track_caller]
fn refuses<T>(done: Result<T, MoveError>, expected: &str) {
    let error = done.err().expect(expected);
    let said = with_causes(&error);
    assert!(said.contains(expected), "{said}");
}

#[test]
fn every_row_of_every_table_is_moved() {
    let (directory, database) = (filled(), Database::new());
    let file = file(&directory);
    file.execute_batch("INSERT INTO node VALUES (zeroblob(16), '', '', '', 0, 0, 0)").unwrap();
    let here = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), params![], |row| row.get(0)).unwrap()
    };
    let tables = moved_quietly(&directory, &database).unwrap().unwrap();
    // What the database has is what counts: not what the program says that it has moved.
    let there = "SELECT count(*) FROM pg_class WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relkind IN ('r', 'p') \
                 AND NOT relispartition AND relname <> 'schema_migration'";
    assert_eq!(database.count(there), (tables.len() + TABLES_OF_ONE_DATABASE.len()) as i64);
    for table in &tables {
        let name = &table.name;
        assert!(table.rows > 0, "`{name}` has no row: `fill` has forgotten it");
        if name != "setting" {
            let there = database.count(&format!("SELECT count(*) FROM {name}"));
            assert_eq!((here(name), there), (table.rows as i64, table.rows as i64), "{name}");
        }
    }
    for name in TABLES_OF_ONE_DATABASE {
        assert!(here(name) > 0, "`{name}` has no row in the file");
        assert_eq!(database.count(&format!("SELECT count(*) FROM {name}")), 0, "{name}");
    }
    assert_eq!(database.count("SELECT count(*) FROM setting WHERE key = 'indexes'"), 1);
}

#[tokio::test]
async fn what_was_moved_is_served_as_before() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let mut odd = user("odd");
    odd.attributes.insert("displayName".to_owned(), json!("a\0b\u{1}c\u{1}\0"));
    acme.create(&odd).await.unwrap();
    store.create_tenant("last", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let last = store.tenant_named("last").await.unwrap().unwrap();
    let forgetful = TenantChange { decisions_kept_days: Some(Some(30)), ..TenantChange::default() };
    acme.tenant.change(forgetful).await.unwrap();
    store.delete_tenant("last").await.unwrap();
    drop((acme, store));
    let accepted = "INSERT INTO async_request(tenant_id, txn, accepted_at, request, node) \
                    SELECT tenant_id, zeroblob(16), 0, '{}', zeroblob(16) FROM tenant";
    file(&directory).execute_batch(accepted).unwrap();

    let (database, here) = (Database::new(), node("keys"));
    let url = database.url.clone();
    let node = here.clone();
    tokio::task::spawn_blocking(move || {
        move_to_postgres(directory.path(), MoveTo { url: &url, ca_file: None, node: &node }, &mut |_| ()).unwrap();
    })
    .await
    .unwrap();
    let store = serve(&database, &here).unwrap();
    let tenant = store.tenant_named("acme").await.unwrap().unwrap();
    assert_eq!(tenant.decisions_kept_days, Some(30));
    let acme = World { tenant: store.tenant(tenant.id) };
    assert_eq!(acme.get(&odd).await, Some(odd));
    assert_eq!(acme.count(&user_type(), "displayName sw \"a\\u0000b\"").await, 1);
    // What the file's only server has accepted is the node's that comes after it.
    assert_eq!(store.unfinished().await.unwrap(), [(tenant.id, Txn(Uuid::nil()))]);
    // The id of a tenant that is gone is not used again.
    let next = store.create_tenant("next", jiff::Timestamp::UNIX_EPOCH).await.unwrap().unwrap();
    assert!(next.id.0 > last.id.0, "{next:?} after {last:?}");
    acme.user("ada").await;
}

#[test]
fn a_move_that_is_interrupted_goes_on_where_it_was_and_nothing_is_served_meanwhile() {
    let (directory, database) = (filled(), Database::new());
    // More than is copied at once.
    let large = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) \
                 INSERT INTO table_row SELECT tenant_id, 't', 1, 'k' || i, hex(zeroblob(1000000)) FROM tenant, n";
    file(&directory).execute_batch(large).unwrap();
    let here = node("keys");
    let mut pieces = 0;
    let mut interrupt = |progress: MoveProgress<'_>| {
        pieces += usize::from(progress.table == "table_row" && progress.rows > 0);
        assert!(pieces < 1, "interrupted");
    };
    catch_unwind(AssertUnwindSafe(|| moved(&directory, &database, &here, &mut interrupt).is_ok())).unwrap_err();
    let copied = database.count("SELECT count(*) FROM table_row");
    assert!((1..21).contains(&copied), "{copied}");

    let half = serve(&database, &here).err().unwrap();
    assert!(matches!(half, StoreError::HalfMoved), "{half}");
    let moving = reopen(&directory).err().unwrap();
    assert!(matches!(moving, StoreError::BeingMoved), "{moving}");

    let mut begins = Vec::new();
    let mut report =
        |progress: MoveProgress<'_>| begins.push((progress.phase, progress.table.to_owned(), progress.rows));
    assert!(moved(&directory, &database, &here, &mut report).unwrap().is_some());
    let first = |table: &str| begins.iter().find(|(phase, of, _)| *phase == MovePhase::Copy && of == table).unwrap().2;
    assert_eq!((first("table_row"), first("resource")), (copied as u64, 2));
    serve(&database, &here).unwrap();
    let away = reopen(&directory).err().unwrap();
    assert!(matches!(away, StoreError::MovedAway), "{away}");

    // Once more is nothing new; and whoever wants to go back can.
    assert_eq!(moved_quietly(&directory, &database).unwrap(), None);
    refuses(moved_quietly(&directory, &Database::new()), "has been moved already");
    assert_eq!(give_up_move(directory.path()).unwrap(), MoveState::Done);
    reopen(&directory).unwrap();
    refuses(moved_quietly(&directory, &database), "the database is not empty");
}

#[test]
fn what_is_moved_finds_its_place_in_partitions() {
    let (directory, database) = (filled(), Database::new());
    let here = node("keys");
    let mut interrupt = |progress: MoveProgress<'_>| assert!(progress.table != "decision", "interrupted");
    catch_unwind(AssertUnwindSafe(|| moved(&directory, &database, &here, &mut interrupt).is_ok())).unwrap_err();
    database.execute(
        "ALTER TABLE decision RENAME TO plain; CREATE TABLE decision (LIKE plain INCLUDING ALL) PARTITION BY RANGE (id); \
         DROP TABLE plain; \
         CREATE TABLE decision_first PARTITION OF decision FOR VALUES FROM (MINVALUE) TO ('00000000-0000-0000-0000-000000000000'); \
         CREATE TABLE decision_rest PARTITION OF decision FOR VALUES FROM ('00000000-0000-0000-0000-000000000000') TO (MAXVALUE)",
    );
    let tables = moved(&directory, &database, &here, &mut |_| ()).unwrap().unwrap();
    let decisions = tables.iter().find(|table| table.name == "decision").unwrap().rows as i64;
    assert_eq!((decisions > 0, database.count("SELECT count(*) FROM decision_rest")), (true, decisions));
    serve(&database, &here).unwrap();
}

#[test]
fn a_move_that_ended_between_the_two_marks_is_ended() {
    let (directory, database) = (filled(), Database::new());
    moved_quietly(&directory, &database).unwrap();
    file(&directory).execute_batch("UPDATE setting SET key = 'move.to' WHERE key = 'move.left'").unwrap();
    assert!(matches!(reopen(&directory), Err(StoreError::BeingMoved)));
    assert_eq!(moved_quietly(&directory, &database).unwrap(), None);
    assert!(matches!(reopen(&directory), Err(StoreError::MovedAway)));
}

#[test]
fn a_database_that_has_something_else_is_refused_and_the_file_is_served_as_before() {
    let directory = filled();
    let check = |prepare: &dyn Fn(&Database), expected: &str| {
        let database = Database::new();
        prepare(&database);
        refuses(moved_quietly(&directory, &database), expected);
        reopen(&directory).expect(expected);
    };
    check(&|database| drop(database.open()), "the database is not empty: make a new one");
    check(&|database| database.execute("CREATE TABLE theirs(x int)"), "the database is not empty");
    let half = |database: &Database| {
        drop(database.open());
        database.execute("INSERT INTO setting VALUES ('move.from', 'another')");
    };
    check(&half, "the database has half of what another folder");
}

#[test]
fn what_was_served_meanwhile_does_not_go_on_with_an_earlier_move() {
    let (directory, database) = (filled(), Database::new());
    let mut interrupt = |progress: MoveProgress<'_>| assert!(progress.table != "resource", "interrupted");
    let here = node("keys");
    catch_unwind(AssertUnwindSafe(|| moved(&directory, &database, &here, &mut interrupt).is_ok())).unwrap_err();
    assert_eq!(give_up_move(directory.path()).unwrap(), MoveState::Begun);
    drop(reopen(&directory).unwrap());
    refuses(moved_quietly(&directory, &database), "or this one before it was served again");
    // A new database will do.
    assert!(moved_quietly(&directory, &Database::new()).unwrap().is_some());
}

#[test]
fn two_sides_that_differ_are_found_and_not_served() {
    for damage in [
        "UPDATE resource SET version = version + 1",
        "DELETE FROM token",
        "INSERT INTO signing_policy VALUES (99, 1, '', 0)",
        "UPDATE waiver SET ticket = NULLIF('x', 'y')",
    ] {
        let (directory, database) = (filled(), Database::new());
        let mut is_damaged = false;
        let mut damages = |progress: MoveProgress<'_>| {
            if progress.phase == MovePhase::Compare && !is_damaged {
                is_damaged = true;
                database.execute(damage);
            }
        };
        let here = node("keys");
        refuses(moved(&directory, &database, &here, &mut damages), "is not the same on both sides");
        assert!(matches!(serve(&database, &here), Err(StoreError::HalfMoved)));
    }
}

#[test]
fn a_database_of_a_newer_program_or_with_other_keys_does_not_go_on() {
    let (directory, database) = (filled(), Database::new());
    let mut interrupt = |progress: MoveProgress<'_>| assert!(progress.table != "resource", "interrupted");
    let here = node("keys");
    catch_unwind(AssertUnwindSafe(|| moved(&directory, &database, &here, &mut interrupt).is_ok())).unwrap_err();
    refuses(moved(&directory, &database, &node("other"), &mut |_| ()), "another key");
    database.execute("INSERT INTO schema_migration VALUES (99, '')");
    refuses(moved_quietly(&directory, &database), "schema version 99");
}

#[test]
fn a_directory_without_a_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    refuses(moved_quietly(&directory, &Database::new()), "there is no database in");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
