//! Nodes, and what each of them is prepared for. Those of other stores on the same database are PostgreSQL's alone.

use jiff::SignedDuration;
use uuid::Uuid;

use super::world::World;
use crate::decision::ConstraintName;
use crate::scim::profile::Profile;
use crate::store::{Active, NewNode, Store, TenantChange};

pub(crate) fn new_node(listen: &str) -> NewNode {
    NewNode { id: Uuid::now_v7(), host: "host".to_owned(), listen: listen.to_owned(), version: "0.0.0".to_owned() }
}

pub(crate) async fn a_node_is_listed_from_its_start_to_its_end(store: &dyn Store) {
    assert_eq!(store.nodes().await.unwrap(), []);
    let node = new_node("127.0.0.1:1");
    let part = store.join(node.clone()).await.unwrap();
    let [first] = store.nodes().await.unwrap().try_into().unwrap();
    assert_eq!(first.node, node);
    let by_database = part.beat(SignedDuration::from_secs(90)).await.unwrap();
    let [later] = store.nodes().await.unwrap().try_into().unwrap();
    assert_eq!(later.started_at, first.started_at);
    assert!(later.seen_at >= by_database && by_database >= first.seen_at, "{first:?} {by_database} {later:?}");
    part.leave().await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), []);

    let again = store.join(node.clone()).await.unwrap();
    let [started] = store.nodes().await.unwrap().try_into().unwrap();
    assert!(started.started_at > first.started_at);
    again.leave().await.unwrap();
}

pub(crate) async fn a_change_is_looked_for_until_the_node_is_prepared(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let part = store.join(new_node("127.0.0.1:1")).await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), []);
    let everywhere = Active { nodes: 1, of: 1, failed: 0 };
    assert_eq!(acme.tenant.active().await.unwrap(), everywhere);

    let name = ConstraintName("c".to_owned());
    let generation = acme.tenant.activate(&name, None, "Ada", super::tick()).await.unwrap();
    let [(tenant, found)] = part.unprepared(9).await.unwrap().try_into().unwrap();
    assert_eq!(found, generation);
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 0, of: 1, failed: 0 });
    assert_eq!(other.tenant.active().await.unwrap(), everywhere);

    // It cannot be prepared: nobody looks for it, and everybody is told.
    part.prepared(tenant, generation, true).await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), []);
    assert_eq!(acme.tenant.active().await.unwrap(), Active { nodes: 0, of: 1, failed: 1 });
    part.prepared(tenant, generation, false).await.unwrap();
    assert_eq!(acme.tenant.active().await.unwrap(), everywhere);

    // What it was prepared for before does not count for a later one, and comes too late.
    let later =
        acme.tenant.change(TenantChange { profile: Some(Profile::Okta), ..TenantChange::default() }).await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), [(tenant, later.generation)]);
    part.prepared(tenant, generation, false).await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), [(tenant, later.generation)]);
    assert!(!acme.tenant.active().await.unwrap().is_everywhere());
    part.prepared(tenant, later.generation, false).await.unwrap();
    assert_eq!(acme.tenant.active().await.unwrap(), everywhere);
    part.leave().await.unwrap();
}

pub(crate) async fn a_deleted_tenant_is_not_waited_for(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let part = store.join(new_node("127.0.0.1:1")).await.unwrap();
    let name = ConstraintName("c".to_owned());
    let generation = acme.tenant.activate(&name, None, "Ada", super::tick()).await.unwrap();
    let [(tenant, found)] = part.unprepared(9).await.unwrap().try_into().unwrap();
    assert_eq!(found, generation);
    store.delete_tenant("acme").await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), []);
    part.prepared(tenant, generation, false).await.unwrap();
    assert_eq!(part.unprepared(9).await.unwrap(), []);
    part.leave().await.unwrap();
}
