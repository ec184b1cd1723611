//! Tenants, tokens, plugin versions, activations.

use serde_json::json;
use uuid::Uuid;

use super::world::{World, tick, user_type};
use crate::decision::{ConstraintName, FailurePolicy, Mode, TenantId};
use crate::store::{ActivationState, NewToken, NewVersion, Store, StoreError, StoredComponent, TokenHash};

pub(crate) async fn a_tenant_is_made_once_and_found_by_name(store: &dyn Store) {
    let at = tick();
    let acme = store.create_tenant("acme", at).await.unwrap().unwrap();
    assert_eq!((acme.name.as_str(), acme.generation, acme.created_at), ("acme", 0, at));
    assert_eq!(store.create_tenant("acme", tick()).await.unwrap(), None);
    store.create_tenant("a", tick()).await.unwrap().unwrap();
    let names: Vec<String> = store.tenants().await.unwrap().into_iter().map(|tenant| tenant.name).collect();
    assert_eq!(names, ["a", "acme"]);
    assert_eq!(store.tenant_named("acme").await.unwrap(), Some(acme));
    assert_eq!(store.tenant_named("ACME").await.unwrap(), None);
    store.ping().await.unwrap();
}

fn new_token(hash: u8) -> NewToken {
    NewToken {
        id: Uuid::from_u128(u128::from(hash)),
        hash: TokenHash([hash; 32]),
        label: format!("token {hash}"),
        scopes: vec!["scim".to_owned(), "admin".to_owned()],
        created_at: tick(),
        expires_at: hash.is_multiple_of(2).then(tick),
        user: None,
    }
}

pub(crate) async fn a_token_leads_to_its_tenant_until_it_is_revoked(store: &dyn Store) {
    let acme = store.create_tenant("acme", tick()).await.unwrap().unwrap();
    let other = World::new(store, "other").await;
    let tenant = store.tenant(acme.id);
    let first = tenant.create_token(new_token(1)).await.unwrap();
    let second = tenant.create_token(new_token(2)).await.unwrap();
    assert_eq!(tenant.tokens().await.unwrap(), [first.clone(), second.clone()]);

    let owner = store.token_owner(&TokenHash([2; 32])).await.unwrap().unwrap();
    assert_eq!((owner.tenant, owner.token), (acme, second.clone()));
    assert!(store.token_owner(&TokenHash([3; 32])).await.unwrap().is_none());

    assert!(!other.tenant.revoke_token(second.id, tick()).await.unwrap(), "another tenant's token was revoked");
    assert!(tenant.revoke_token(second.id, tick()).await.unwrap());
    assert!(!tenant.revoke_token(second.id, tick()).await.unwrap());
    assert!(store.token_owner(&TokenHash([2; 32])).await.unwrap().is_none());
    assert_eq!(tenant.tokens().await.unwrap(), [first]);
}

pub(super) fn new_version(plugin: &str, digest: &str) -> NewVersion {
    NewVersion {
        plugin: plugin.to_owned(),
        digest: digest.to_owned(),
        component: StoredComponent::Here(digest.as_bytes().to_vec()),
        world: "scruple:constraint/constraint@0.1.0".to_owned(),
        descriptor: json!({ "name": plugin }),
        tag: Some("v1".to_owned()),
        created_at: tick(),
        signatures: Vec::new(),
    }
}

pub(crate) async fn a_component_may_be_elsewhere_and_come_here_later(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let elsewhere = StoredComponent::InBucket { size: 2 };
    let in_bucket =
        |plugin: &str, digest: &str| NewVersion { component: elsewhere.clone(), ..new_version(plugin, digest) };
    let (first, added) = acme.tenant.add_version(in_bucket("p", "aa")).await.unwrap();
    assert_eq!((first.version, first.size, added), (1, 2, true));
    assert_eq!(store.component("aa").await.unwrap(), Some(elsewhere.clone()));

    // Who brings the bytes has them here, and who brings none takes none away.
    other.tenant.add_version(new_version("q", "aa")).await.unwrap();
    assert_eq!(store.component("aa").await.unwrap(), Some(StoredComponent::Here(b"aa".to_vec())));
    acme.tenant.add_version(in_bucket("r", "aa")).await.unwrap();
    assert_eq!(store.component("aa").await.unwrap(), Some(StoredComponent::Here(b"aa".to_vec())));
}

pub(crate) async fn the_same_component_again_is_the_same_version(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let (first, added) = acme.tenant.add_version(new_version("p", "aa")).await.unwrap();
    assert_eq!((first.version, first.size, added), (1, 2, true));
    let (again, added) = acme.tenant.add_version(new_version("p", "aa")).await.unwrap();
    assert_eq!((again, added), (first.clone(), false));
    let (second, _) = acme.tenant.add_version(new_version("p", "bb")).await.unwrap();
    let (elsewhere, _) = acme.tenant.add_version(new_version("q", "aa")).await.unwrap();
    assert_eq!((second.version, elsewhere.version), (2, 1));
    other.tenant.add_version(new_version("p", "aa")).await.unwrap();

    assert_eq!(acme.tenant.versions(Some("p")).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(acme.tenant.versions(None).await.unwrap(), [first, second, elsewhere]);
    assert_eq!(store.component("bb").await.unwrap(), Some(StoredComponent::Here(b"bb".to_vec())));
    assert_eq!(store.component("cc").await.unwrap(), None);

    // What two tenants share outlives one of them.
    store.delete_tenant("acme").await.unwrap();
    assert_eq!(store.component("bb").await.unwrap(), None);
    assert_eq!(store.component("aa").await.unwrap(), Some(StoredComponent::Here(b"aa".to_vec())));
}

pub(super) fn state(plugin: &str, order: i32) -> ActivationState {
    ActivationState {
        plugin: plugin.to_owned(),
        version: 3,
        digest: "aa".to_owned(),
        descriptor: json!({ "name": plugin }),
        settings: json!({ "z": 1, "a": [2] }),
        grants: json!({ "reads": ["userName"], "capabilities": [] }),
        mode: Mode::Warn,
        on_fault: FailurePolicy::Allow,
        order,
    }
}

pub(crate) async fn every_activation_raises_the_generation_and_is_kept(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let (late, early) = (ConstraintName("late".to_owned()), ConstraintName("early".to_owned()));
    let at = tick();
    assert_eq!(acme.tenant.activate(&late, Some(state("p", 2)), "Ada", at).await.unwrap(), 1);
    assert_eq!(acme.tenant.activate(&early, Some(state("q", 1)), "Ada", at).await.unwrap(), 2);
    assert_eq!(acme.tenant.activate(&late, Some(state("p", 5)), "Bob", at).await.unwrap(), 3);

    let (model, activations) = acme.tenant.activations().await.unwrap();
    let in_force: Vec<_> =
        activations.iter().map(|one| (one.name.0.as_str(), one.revision, one.generation, one.by.as_str())).collect();
    assert_eq!((model.generation, in_force), (3, vec![("early", 1, 2, "Ada"), ("late", 2, 3, "Bob")]));
    assert_eq!(activations[1].state, Some(state("p", 5)));
    assert_eq!(acme.generation().await, 3);

    assert_eq!(acme.tenant.activate(&late, None, "Ada", at).await.unwrap(), 4);
    assert_eq!(acme.tenant.activations().await.unwrap().1.len(), 1);
    let history = acme.tenant.activation_history(&late).await.unwrap();
    let states: Vec<_> = history.into_iter().map(|one| (one.revision, one.state)).collect();
    assert_eq!(states, [(3, None), (2, Some(state("p", 5))), (1, Some(state("p", 2)))]);
    assert!(other.tenant.activations().await.unwrap().1.is_empty());
    assert_eq!(other.tenant.model().await.unwrap().generation, 0);
}

pub(crate) async fn a_presumed_model_is_that_of_the_snapshot_or_known_not_to_be(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = acme.user("ada").await;
    // Once it is known, and once it has to be read.
    for generation in [0, 1] {
        let snapshot = acme.snapshot().await;
        assert_eq!(snapshot.presumed_model().await.unwrap().generation, generation);
        assert!(!snapshot.is_outdated());
        let name = ConstraintName(format!("of-{generation}"));
        acme.tenant.activate(&name, Some(state("p", 1)), "Ada", tick()).await.unwrap();
        snapshot.resource(&user_type(), ada.id).await.unwrap();
        let of_snapshot = snapshot.model().await.unwrap().generation;
        assert_eq!(snapshot.is_outdated(), of_snapshot != generation, "{of_snapshot}");
        // Another one begins with what is in force now.
        let next = acme.snapshot().await;
        assert_eq!(next.presumed_model().await.unwrap().generation, generation + 1);
        next.resource(&user_type(), ada.id).await.unwrap();
        assert!(!next.is_outdated());
    }
    // After a question about resources it is the snapshot's.
    let snapshot = acme.snapshot().await;
    snapshot.resource(&user_type(), ada.id).await.unwrap();
    acme.tenant.activate(&ConstraintName("late".to_owned()), Some(state("p", 1)), "Ada", tick()).await.unwrap();
    assert_eq!((snapshot.presumed_model().await.unwrap().generation, snapshot.is_outdated()), (2, false));
    // And of who is not there, there is none.
    let nobody = store.tenant(TenantId(1_000_000)).snapshot().await.unwrap();
    assert!(matches!(nobody.presumed_model().await, Err(StoreError::NoTenant)));
}

pub(crate) async fn a_deleted_tenant_is_gone_for_those_who_still_hold_it(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = acme.user("ada").await;
    assert!(store.delete_tenant("acme").await.unwrap());
    assert!(!store.delete_tenant("acme").await.unwrap());
    let write = acme.tenant.create_token(new_token(9)).await;
    assert!(matches!(write, Err(StoreError::NoTenant)), "{write:?}");
    assert!(matches!(acme.snapshot().await.model().await, Err(StoreError::NoTenant)));

    let again = World::new(store, "acme").await;
    assert_eq!(again.get(&ada).await, None);
    let read = acme.snapshot().await.resource(&user_type(), ada.id).await;
    assert!(matches!(read, Err(StoreError::NoTenant)), "the new tenant has the old one's id: {read:?}");
}
