//! That contents which nobody sees go, whatever happens, and that looks are by index.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::store::conformance::{World, put, set_of, stage};
use crate::store::sql::driver::{Connection, params};
use crate::store::sql::tests::{explain, file, in_memory, open, reopen};
use crate::store::{SqlStore, Store};

/// More than go at once.
const MANY: usize = 2_500;

async fn world() -> (TempDir, SqlStore, World) {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    (directory, store, acme)
}

fn many(first: usize) -> impl Iterator<Item = String> {
    (first..first + MANY).map(|n| n.to_string())
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), params![], |row| row.get(0)).unwrap()
}

/// Waits until so many rows are left, and nothing that is hidden.
async fn swept(directory: &TempDir, rows: usize) {
    let (connection, started) = (file(directory), Instant::now());
    while (count(&connection, "table_row"), count(&connection, "table_contents_hidden")) != (rows as i64, 0) {
        assert!(started.elapsed() < Duration::from_secs(30), "{} rows are left", count(&connection, "table_row"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn contents_of_no_revision_any_more_are_swept() {
    let (directory, _store, acme) = world().await;
    for first in 0..5 {
        put(&acme, "codes", set_of(many(first))).await.unwrap();
    }
    // Three revisions are kept.
    swept(&directory, 3 * MANY).await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let (directory, _store, acme) = world().await;
    for name in ["one", "two"] {
        put(&acme, name, set_of(["a"])).await.unwrap();
    }
    put(&acme, "three", set_of(many(0))).await.unwrap_err();
    swept(&directory, 2).await;
}

#[tokio::test]
async fn an_upload_that_was_under_way_when_the_program_ended_is_swept_by_the_next_one() {
    let (directory, store, acme) = world().await;
    put(&acme, "codes", set_of(["a"])).await.unwrap();
    drop((acme, store));
    file(&directory)
        .execute_batch(
            "INSERT INTO table_contents_hidden SELECT tenant_id, 'codes', 2, 1, NULL FROM tenant; \
             INSERT INTO table_row SELECT tenant_id, 'codes', 2, 'b', '{}' FROM tenant",
        )
        .unwrap();
    let store = reopen(&directory).unwrap();
    let acme = World { tenant: store.tenant(store.tenant_named("acme").await.unwrap().unwrap().id) };
    swept(&directory, 1).await;
    assert!(acme.snapshot().await.table_row("codes", "a").await.unwrap().unwrap().row.is_some());
}

#[tokio::test]
async fn staged_contents_outlive_the_program_and_go_when_others_take_their_place() {
    let (directory, store, acme) = world().await;
    let state = stage(&acme, "codes", set_of(many(0))).await;
    drop((acme, store));
    let store = reopen(&directory).unwrap();
    let acme = World { tenant: store.tenant(store.tenant_named("acme").await.unwrap().unwrap().id) };
    assert_eq!(acme.tenant.table_contents("codes", &state.digest).await.unwrap(), Some(state));
    // Two are kept.
    for first in [1, 2] {
        stage(&acme, "codes", set_of(many(first))).await;
    }
    let (connection, started) = (file(&directory), Instant::now());
    while count(&connection, "table_row") != 2 * MANY as i64 {
        assert!(started.elapsed() < Duration::from_secs(30), "{} rows are left", count(&connection, "table_row"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(count(&connection, "table_staged"), 2);
}

#[test]
fn a_look_searches_an_index_and_sorts_nothing() {
    let (connection, _) = in_memory();
    for sql in [
        "SELECT revision, contents FROM table_revision WHERE tenant_id = 1 AND name = 'a' ORDER BY revision DESC LIMIT 1",
        "SELECT body FROM table_row WHERE tenant_id = 1 AND name = 'a' AND contents = 1 AND key = 'k'",
        "SELECT key, body FROM table_row WHERE tenant_id = 1 AND name = 'a' AND contents = 1 AND key > 'k' ORDER BY key",
    ] {
        let plan = explain(&connection, sql);
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP"), "{sql}: {plan}");
    }
}
