//! Signing keys, signatures, and the policy: what it holds for is decided where the change is made.

use super::administration::{new_version, state};
use super::change_sets::changes;
use super::tables::KEPT;
use super::world::{World, tick};
use crate::decision::ConstraintName;
use crate::signature::{PrivateKey, Signature};
use crate::store::{
    ActivateError, AddVersionError, ChangeSetError, NewSigningKey, NewSigningPolicy, NewVersion, Signing, SigningKey,
    SigningKeyError, SigningPolicyError, Store, Unsigned,
};

fn private(seed: u8) -> PrivateKey {
    PrivateKey::from_random(&[seed; 32])
}

async fn add_key(world: &World, name: &str, seed: u8) -> Result<SigningKey, SigningKeyError> {
    let key = private(seed).public();
    world
        .tenant
        .add_signing_key(NewSigningKey { name: name.to_owned(), key, by: "Ada".to_owned(), at: tick() }, 2)
        .await
}

async fn require(world: &World, required: u32, keys: &[&str]) -> Result<Signing, SigningPolicyError> {
    let keys = keys.iter().map(|name| (*name).to_owned()).collect();
    world.tenant.set_signing_policy(NewSigningPolicy { required, keys, by: "Ada".to_owned(), at: tick() }).await
}

/// Stores keep what was checked above them.
fn signed(plugin: &str, digest: &str, seeds: &[u8]) -> NewVersion {
    let signatures: Vec<Signature> = seeds.iter().map(|seed| private(*seed).sign(digest)).collect();
    NewVersion { signatures, ..new_version(plugin, digest) }
}

async fn signers(world: &World, digest: Option<&str>) -> Vec<(String, String)> {
    let found = world.tenant.signatures(digest).await.unwrap();
    found.into_iter().map(|signed| (signed.digest, signed.key)).collect()
}

fn pair(digest: &str, key: &str) -> (String, String) {
    (digest.to_owned(), key.to_owned())
}

pub(crate) async fn components_are_signed_by_keys_that_are_known(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let release = add_key(&acme, "release", 1).await.unwrap();
    assert_eq!(add_key(&acme, "release", 1).await.unwrap(), release, "the same again is no change");
    assert!(matches!(add_key(&acme, "release", 2).await, Err(SigningKeyError::NameTaken(name)) if name == "release"));
    assert!(matches!(add_key(&acme, "build", 1).await, Err(SigningKeyError::Known(name)) if name == "release"));
    add_key(&acme, "build", 2).await.unwrap();
    assert!(matches!(add_key(&acme, "third", 3).await, Err(SigningKeyError::TooMany(2))));
    add_key(&other, "theirs", 3).await.unwrap();

    acme.tenant.add_version(signed("p", "aa", &[1])).await.unwrap();
    let (_, added) = acme.tenant.add_version(signed("p", "aa", &[2])).await.unwrap();
    assert!(!added, "the same bytes with another signature");
    acme.tenant.add_version(signed("p", "bb", &[2])).await.unwrap();
    let unknown = acme.tenant.add_version(signed("p", "cc", &[1, 3])).await;
    assert!(
        matches!(unknown, Err(AddVersionError::UnknownKey(key)) if key == private(3).public().id()),
        "another tenant's"
    );
    assert_eq!(acme.tenant.versions(None).await.unwrap().len(), 2, "nothing of it was added");
    assert_eq!(signers(&acme, Some("aa")).await, [pair("aa", "build"), pair("aa", "release")]);
    assert_eq!(signers(&acme, None).await.len(), 3);
    assert!(signers(&other, None).await.is_empty());

    assert_eq!(
        acme.tenant.remove_signing_key("build").await.unwrap().map(|key| key.made.name),
        Some("build".to_owned())
    );
    assert_eq!(acme.tenant.remove_signing_key("build").await.unwrap(), None);
    assert_eq!(signers(&acme, None).await, [pair("aa", "release")]);
    add_key(&acme, "build", 2).await.unwrap();
    assert_eq!(signers(&acme, None).await, [pair("aa", "release")], "signatures go with their key");
}

pub(crate) async fn what_is_not_signed_as_required_is_neither_taken_nor_put_to_work(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    for (name, seed) in [("release", 1), ("review", 2)] {
        add_key(&acme, name, seed).await.unwrap();
    }
    let constraint = ConstraintName("c".to_owned());
    acme.tenant.add_version(signed("p", "aa", &[1])).await.unwrap();
    acme.tenant.activate(&constraint, Some(state("p", 0)), "Ada", tick()).await.unwrap();
    assert!(
        matches!(require(&acme, 1, &["nobody"]).await, Err(SigningPolicyError::UnknownKey(name)) if name == "nobody")
    );
    assert_eq!(acme.tenant.signing().await.unwrap().required, 0, "the policy is as it was");

    let set = require(&acme, 2, &["release", "review"]).await.unwrap();
    assert_eq!((set.required, set.keys.iter().filter(|key| key.counts).count()), (2, 2));
    assert_eq!(set.set.map(|(by, _)| by), Some("Ada".to_owned()));
    assert_eq!(acme.tenant.activations().await.unwrap().1.len(), 1, "what is in force stays so");
    assert_eq!(acme.generation().await, 1);
    let expected = Unsigned {
        digest: "aa".to_owned(),
        required: 2,
        counting: vec!["release".to_owned(), "review".to_owned()],
        by: vec!["release".to_owned()],
    };
    let refused = acme.tenant.activate(&constraint, Some(state("p", 1)), "Ada", tick()).await;
    assert!(matches!(refused, Err(ActivateError::Unsigned(unsigned)) if unsigned == expected));
    let refused = acme.tenant.apply(changes(1, &[("c", Some(state("p", 1)))], &[]), KEPT).await;
    assert!(matches!(refused, Err(ChangeSetError::Unsigned { unsigned, .. }) if unsigned == expected));
    let refused = acme.tenant.add_version(signed("p", "bb", &[2])).await;
    assert!(matches!(refused, Err(AddVersionError::Unsigned(unsigned)) if unsigned.by == ["review"]));
    assert!(signers(&acme, Some("bb")).await.is_empty(), "nothing of it is kept");
    assert_eq!((acme.generation().await, acme.tenant.versions(None).await.unwrap().len()), (1, 1));

    // The second signature makes it whole; another tenant asks for none.
    acme.tenant.add_version(signed("p", "aa", &[2])).await.unwrap();
    acme.tenant.activate(&constraint, Some(state("p", 1)), "Ada", tick()).await.unwrap();
    acme.tenant.apply(changes(2, &[("c", Some(state("p", 2)))], &[]), KEPT).await.unwrap();
    other.tenant.activate(&constraint, Some(state("p", 1)), "Bob", tick()).await.unwrap();

    // A key that is gone does not count, and what it has left is not enough.
    acme.tenant.remove_signing_key("review").await.unwrap();
    let refused = acme.tenant.activate(&constraint, Some(state("p", 3)), "Ada", tick()).await;
    assert!(matches!(refused, Err(ActivateError::Unsigned(unsigned)) if unsigned.counting == ["release"]));
    acme.tenant.activate(&constraint, None, "Ada", tick()).await.unwrap();
    require(&acme, 0, &[]).await.unwrap();
    acme.tenant.activate(&constraint, Some(state("p", 3)), "Ada", tick()).await.unwrap();
}
