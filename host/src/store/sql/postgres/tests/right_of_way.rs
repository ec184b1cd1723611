//! The right of way of a resource: one node's at a time, and never kept by one that is gone.

use std::time::Duration;

use uuid::Uuid;

use super::{Database, two_nodes};
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::sql::postgres::right_of_way::HELD_MAX;
use crate::store::{RightOfWay, SqlStore, Store, StoreError};

const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

async fn ask(store: &SqlStore, resource: ResourceId) -> Result<Option<RightOfWay>, StoreError> {
    store.tenant(TenantId(1)).right_of_way(resource).await
}

fn another() -> ResourceId {
    ResourceId(Uuid::now_v7())
}

/// Asks on a task of its own, and sees to it that it waits.
async fn waits(store: &SqlStore, resource: ResourceId) -> tokio::task::JoinHandle<Option<RightOfWay>> {
    let store = store.clone();
    let waiting = tokio::spawn(async move { ask(&store, resource).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_has_it_at_a_time_and_it_goes_from_one_to_the_other() {
    let (database, first, second) = two_nodes();
    let (resource, before) = (another(), database.count(LOCKS));
    for (has, wants) in [(&first, &second), (&second, &first), (&first, &first)] {
        let held = ask(has, resource).await.unwrap().unwrap();
        assert!(!held.is_wanted().await);
        // Of another resource it is another one.
        drop(ask(wants, another()).await.unwrap().unwrap());
        let waiting = waits(wants, resource).await;
        assert!(held.is_wanted().await);
        drop(held);
        let passed = waiting.await.unwrap().unwrap();
        assert!(!passed.is_wanted().await);
        assert_eq!(database.count(LOCKS), before + 1);
        drop(passed);
        no_lock_is_left(&database, before).await;
    }
}

/// What is given back is so a moment later.
async fn no_lock_is_left(database: &Database, before: i64) {
    for _ in 0..100 {
        if database.count(LOCKS) == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} locks are still held", database.count(LOCKS) - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_or_dies_loses_it() {
    let (database, first, second) = two_nodes();
    let resource = another();
    // Nothing is heard of it, as of a node that stands still.
    let silent = ask(&first, resource).await.unwrap().unwrap();
    let passed = ask(&second, resource).await.unwrap().unwrap();
    drop(silent);
    // Its session ends, as that of a node does which dies.
    database.execute(&LOCKS.replace("count(*)", "pg_terminate_backend(pid)"));
    let again = ask(&first, resource).await.unwrap().unwrap();
    drop(passed);
    // What was given back had been lost before.
    let waiting = waits(&second, resource).await;
    drop(again);
    assert!(waiting.await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_while_he_waits_leaves_no_lock() {
    let (database, first, second) = two_nodes();
    let (resource, before) = (another(), database.count(LOCKS));
    let held = ask(&first, resource).await.unwrap().unwrap();
    waits(&second, resource).await.abort();
    drop(held);
    no_lock_is_left(&database, before).await;
    drop(ask(&first, resource).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_has_few_at_once_and_writes_all_the_same() {
    let (_database, first, second) = two_nodes();
    let held = futures_util::future::join_all((0..HELD_MAX).map(|_| ask(&first, another()))).await;
    assert!(held.iter().all(|held| matches!(held, Ok(Some(_)))));
    assert!(ask(&first, another()).await.unwrap().is_none());
    assert!(ask(&second, another()).await.unwrap().is_some());
    assert!(first.create_tenant("acme", jiff::Timestamp::UNIX_EPOCH).await.unwrap().is_some());
    drop(held);
    for _ in 0..100 {
        if ask(&first, another()).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("places are not given back");
}
