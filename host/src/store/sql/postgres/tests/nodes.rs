//! Nodes with one database.

use jiff::SignedDuration;

use super::two_nodes;
use crate::decision::ConstraintName;
use crate::store::conformance::{World, new_node, tick};
use crate::store::{Active, Store, StoreError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_active_when_all_nodes_that_live_are_prepared_for_it() {
    let (database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let generation = acme.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
    // Nobody lives yet; who starts afterwards looks for it.
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 0, of: 0, failed: 0 });
    let (here, there) = (one.join(new_node("here")).await.unwrap(), other.join(new_node("there")).await.unwrap());
    let [(tenant, found)] = there.unprepared(9).await.unwrap().try_into().unwrap();
    assert_eq!(found, generation);
    here.prepared(tenant, generation, false).await.unwrap();
    assert_eq!(here.unprepared(9).await.unwrap(), []);
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 1, of: 2, failed: 0 });
    there.prepared(tenant, generation, false).await.unwrap();
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 2, of: 2, failed: 0 });
    // Of what all are prepared for, nothing is kept.
    let kept = "SELECT (SELECT count(*) FROM tenant_changed) + (SELECT count(*) FROM node_prepared)";
    assert_eq!(database.count(kept), 0);

    // A node that dies is waited for as long as it is taken to live.
    acme.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
    let [(tenant, generation)] = here.unprepared(9).await.unwrap().try_into().unwrap();
    here.prepared(tenant, generation, false).await.unwrap();
    assert!(!acme.tenant.active().await.unwrap().is_everywhere());
    database.execute("UPDATE node SET seen_at = seen_at - 6000000 WHERE listen = 'there'");
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 1, of: 1, failed: 0 });
    here.beat(SignedDuration::ZERO).await.unwrap();
    assert_eq!(database.count(kept), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_comes_with_a_change_and_with_no_write() {
    let (_database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let there = other.join(new_node("there")).await.unwrap();
    let hint = || tokio::time::timeout(std::time::Duration::from_millis(300), there.hint());
    acme.user("ada").await;
    assert!(hint().await.is_err(), "a write of a resource notifies");
    acme.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
    hint().await.expect("a hint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_with_the_same_id_is_refused_until_the_first_has_left_or_died() {
    let (database, one, other) = two_nodes();
    let node = new_node("first");
    let first = one.join(node.clone()).await.unwrap();
    let (store, again) = (other.clone(), node.clone());
    let second = tokio::spawn(async move { store.join(again).await });
    while !second.is_finished() {
        first.beat(SignedDuration::ZERO).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let refused = second.await.unwrap().err().unwrap().to_string();
    assert!(refused.contains("delete `node.id` in the copy") && refused.contains("first"), "{refused}");

    // It dies: the server sees its connections go.
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let second = other.join(node.clone()).await.unwrap();
    assert!(matches!(first.beat(SignedDuration::ZERO).await, Err(StoreError::NodeInUse { .. })));
    second.leave().await.unwrap();
    first.beat(SignedDuration::ZERO).await.unwrap();
    assert_eq!(one.nodes().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_was_filling_is_swept_and_what_a_live_one_fills_is_not() {
    let (database, one, other) = two_nodes();
    World::new(&one, "acme").await;
    let (here, dead) = (new_node("here"), new_node("dead"));
    let part = one.join(here.clone()).await.unwrap();
    drop(other.join(dead.clone()).await.unwrap());
    for (number, node) in [(1, &here), (2, &dead)] {
        let id = node.id;
        database.execute(&format!(
            "INSERT INTO member_set_hidden SELECT tenant_id, '{id}', {number}, 1, '{id}' FROM tenant; \
             INSERT INTO table_contents_hidden SELECT tenant_id, 't', {number}, 1, '{id}' FROM tenant; \
             INSERT INTO table_row SELECT tenant_id, 't', {number}, 'k', '{{}}' FROM tenant"
        ));
    }
    let rows = "SELECT count(*) FROM table_row";
    part.beat(SignedDuration::ZERO).await.unwrap();
    assert_eq!((database.count(rows), one.nodes().await.unwrap().len()), (2, 2));
    database.execute("UPDATE node SET seen_at = seen_at - 61000000 WHERE listen = 'dead'");
    for _ in 0..5 {
        part.beat(SignedDuration::ZERO).await.unwrap();
    }
    while database.count(rows) == 2 || database.count("SELECT count(*) FROM member_set_hidden") == 2 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(database.count("SELECT contents FROM table_row"), 1);
    assert_eq!(database.count("SELECT count(*) FROM member_set_hidden WHERE set_no = 1 AND filling = 1"), 1);
}
