//! The conformance tests on PostgreSQL, and what is PostgreSQL's alone.

mod nodes;
mod faults;
mod foreseen;
mod partitions;
mod proxy;
mod right_of_way;
mod statements;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

use crate::causes::with_causes;
use crate::change::MembersChange;
use crate::decision::{AdmittedChange, ConstraintName};
use crate::store::conformance::{World, admitted, conformance, tick, user, user_type};
use crate::store::schema::NEWEST;
use crate::store::{CommitError, Node, SqlStore, Store, StoreError, StoreOptions};

/// Where the tests' server is.
const ADDRESS: &str = "SCRUPLE_TEST_DATABASE";

/// A database of its own, which goes with the test.
pub(in crate::store::sql) struct Database {
    name: String,
    pub(in crate::store::sql) url: String,
}

impl Database {
    /// Makes one.
    pub(in crate::store::sql) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let address = std::env::var(ADDRESS).unwrap_or_else(|_| {
            panic!("{ADDRESS} is not set: `tests/postgres.sh COMMAND` runs a command with a server of its own")
        });
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        administer(&address, &format!("CREATE DATABASE {name}"));
        let (server, _) = address.rsplit_once('/').expect("an address ends with a database");
        Self { url: format!("{server}/{name}"), name }
    }

    /// Opens the store in it.
    pub(in crate::store::sql) fn open(&self) -> SqlStore {
        let options = StoreOptions { snapshots_max: 16, ..StoreOptions::default() };
        SqlStore::postgres(&self.url, None, &node("keys"), options).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let address = std::env::var(ADDRESS).unwrap_or_default();
        administer(&address, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

impl Database {
    /// Runs a statement in it.
    pub(in crate::store::sql) fn execute(&self, sql: &str) {
        administer(&self.url, sql);
    }

    /// What a statement counts.
    pub(in crate::store::sql) fn count(&self, sql: &str) -> i64 {
        let (config, sql): (Config, String) = (self.url.parse().unwrap(), sql.to_owned());
        let work = async move {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            client.query_one(&sql, &[]).await.unwrap().get(0)
        };
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(work)).join().unwrap()
    }
}

pub(in crate::store::sql) fn node(keys: &str) -> Node {
    Node { id: Uuid::now_v7(), keys: keys.to_owned() }
}

/// Runs a statement on the server, from a thread that may wait.
pub(super) fn administer(address: &str, sql: &str) {
    let (config, sql): (Config, String) = (address.parse().unwrap(), sql.to_owned());
    let work = async move {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&sql).await.unwrap();
    };
    std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(work)).join().unwrap();
}

fn open() -> (Database, SqlStore) {
    let database = Database::new();
    let store = database.open();
    (database, store)
}

conformance!(open);

/// Opens the store, and says why not.
fn try_open(url: &str, keys: &str) -> Result<SqlStore, String> {
    SqlStore::postgres(url, None, &node(keys), StoreOptions::default()).map_err(|error| with_causes(&error))
}

fn refused(url: &str, expected: &str) {
    let error = try_open(url, "keys").err().unwrap_or_else(|| panic!("`{url}` is opened"));
    assert!(error.contains(expected), "{url}: {error}");
}

#[test]
fn nodes_that_start_at_once_make_the_tables_once() {
    let database = Database::new();
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let url = database.url.clone();
            std::thread::spawn(move || try_open(&url, "keys").map(drop))
        })
        .collect();
    for node in nodes {
        node.join().unwrap().unwrap();
    }
    let applied = database.count("SELECT count(*) FROM schema_migration");
    assert_eq!(applied, NEWEST);
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_do() {
    let database = Database::new();
    let url = database.url.as_str();
    drop(try_open(url, "keys").unwrap());

    let error = try_open(url, "other keys").err().unwrap();
    assert!(error.contains("copy `secret.key`"), "{error}");
    database.execute(&format!("INSERT INTO schema_migration VALUES ({}, ''::bytea)", NEWEST + 1));
    refused(url, &format!("schema version {}, but this program knows only {NEWEST}", NEWEST + 1));
    database.execute(&format!("DELETE FROM schema_migration WHERE version > {NEWEST}"));
    database.execute(
        "UPDATE schema_migration SET checksum = ''::bytea || decode(repeat('00', 32), 'hex') WHERE version = 1",
    );
    refused(url, "migration 1 of the database is not the one");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let database = Database::new();
    database.execute("CREATE TABLE theirs(id int)");
    refused(&database.url, "was not made by this program");
    assert_eq!(database.count("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1);
}

#[test]
fn a_server_that_is_not_there_or_not_for_us_is_told() {
    refused("postgres://nobody@127.0.0.1:1/scruple", "the database cannot be reached");
    refused("postgres://nobody@127.0.0.1:port/scruple", "the address of the database cannot be read");
    refused("mysql://nobody@127.0.0.1/scruple", "the address of the database cannot be read");
    let database = Database::new();
    let (server, _) = database.url.rsplit_once('/').unwrap();
    refused(&format!("{server}/not_there"), "does not exist");
    database.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name));
    refused(&database.url, "read-only");
}

fn creation(generation: i64, user_name: &str) -> Arc<AdmittedChange> {
    admitted(generation, None, Some(&user(user_name)), MembersChange::default(), Vec::new())
}

/// Two nodes with one database.
fn two_nodes() -> (Database, SqlStore, SqlStore) {
    let database = Database::new();
    let (one, other) = (database.open(), database.open());
    (database, one, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_sets_the_other_finds_at_once() {
    let (_database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let there = World { tenant: other.tenant(other.tenant_named("acme").await.unwrap().unwrap().id) };
    assert_eq!(there.tenant.model().await.unwrap().generation, 0);

    let generation = acme.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
    assert_eq!(there.tenant.model().await.unwrap().generation, generation);
    let ada = acme.user("ada").await;
    let found = there.snapshot().await.resource(&user_type(), ada.id).await.unwrap();
    assert_eq!(found, Some(ada));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_by_a_node_that_has_not_heard_of_new_constraints() {
    let (_database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let there = World { tenant: other.tenant(other.tenant_named("acme").await.unwrap().unwrap().id) };
    let name = ConstraintName("c".to_owned());
    for round in 0..100 {
        let generation = there.tenant.model().await.unwrap().generation;
        let late = creation(generation, &format!("late-{round}"));
        let beside = creation(generation, &format!("beside-{round}"));
        // One at the same time, which comes before or is refused; and one that begins when the constraint is in force.
        let (beside, new) = tokio::join!(there.tenant.commit(beside), acme.tenant.activate(&name, None, "Ada", tick()));
        assert_eq!(new.unwrap(), generation + 1);
        assert!(matches!(beside, Ok(()) | Err(CommitError::GenerationMoved)), "{round}: {beside:?}");
        let late = there.tenant.commit(late).await;
        assert!(matches!(late, Err(CommitError::GenerationMoved)), "{round}: {late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_are_deleted_by_another_node_leave_nothing_behind() {
    let (database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let there = World { tenant: other.tenant(other.tenant_named("acme").await.unwrap().unwrap().id) };
    let mut team = acme.group("team", &[]).await;
    for round in 0..100 {
        let ada = acme.user(&format!("ada-{round}")).await;
        let new = [&ada];
        let (added, deleted) = tokio::join!(acme.add(&team, &new), there.delete(&ada));
        deleted.unwrap();
        if !matches!(added, Ok(_) | Err(CommitError::MemberMoved)) {
            panic!("{round}: {added:?}");
        }
        // If the deletion came later, it has changed the group as well.
        team = acme.get(&team).await.unwrap();
        assert_eq!(database.count("SELECT count(*) FROM group_member"), 0, "{round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_write_at_once_are_all_counted() {
    let (database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let there = World { tenant: other.tenant(other.tenant_named("acme").await.unwrap().unwrap().id) };
    let writers = (0..64).map(|writer| {
        let tenant = Arc::clone(if writer % 2 == 0 { &acme.tenant } else { &there.tenant });
        tokio::spawn(async move {
            for number in 0..10 {
                tenant.commit(creation(0, &format!("u-{writer}-{number}"))).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 640);
    assert_eq!(database.count("SELECT count(*) FROM resource"), 640);
    assert_eq!(database.count("SELECT count(*) FROM decision"), 640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_server_went_away_is_there_again_when_the_server_is() {
    let database = Database::new();
    let store = database.open();
    let acme = World::new(&store, "acme").await;
    acme.user("ada").await;
    // As a restart does: every session is ended, those at rest and those at work.
    administer(
        &std::env::var(ADDRESS).unwrap(),
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            database.name
        ),
    );
    for name in ["bob", "cyd", "dan"] {
        let refused = acme.tenant.commit(creation(0, name)).await;
        assert!(matches!(&refused, Ok(()) | Err(CommitError::Store(StoreError::Unreachable(_)))), "{refused:?}");
    }
    acme.tenant.commit(creation(0, "eve")).await.unwrap();
    let count = acme.snapshot().await.count(&user_type(), None).await;
    assert!(count.is_ok(), "{count:?}");
}
