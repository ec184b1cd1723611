//! Who has to sign a tenant's components, and which of those in force are not signed so.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use tracing::info;

use crate::decision::TenantId;
use crate::pipeline::Pipeline;
use crate::signature::PublicKey;
use crate::store::{
    Activation, NewSigningKey, NewSigningPolicy, Signed, Signing, SigningKey, SigningKeyError, SigningPolicyError,
    StoreError, Unsigned,
};

/// Keys that a tenant may know: one for each of its build servers and of those who look at what they build.
pub const SIGNING_KEYS_MAX: usize = 32;

/// A policy was not set. The one before still holds.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Nobody could ever satisfy it.
    #[error(
        "signatures by {required} keys are required, and the number of keys that are named is {named}: name at least as many"
    )]
    TooFew {
        /// How many signatures.
        required: u32,
        /// How many keys.
        named: usize,
    },
    /// Keys are named and none has to sign.
    #[error("keys are named, and 0 of them have to sign: require at least 1, or name none")]
    NoneRequired,
    /// A key is named twice, which is one signature all the same.
    #[error("the key `{0}` is named twice")]
    Twice(String),
    /// It names a key that the tenant does not know, or the store failed.
    #[error(transparent)]
    Store(#[from] SigningPolicyError),
}

/// Keys, policy and signatures of a tenant.
pub struct SigningState {
    /// Keys and policy.
    pub signing: Signing,
    by_digest: BTreeMap<String, Vec<Signed>>,
}

impl SigningState {
    /// Who has signed a component.
    pub fn signed(&self, digest: &str) -> &[Signed] {
        self.by_digest.get(digest).map_or(&[], Vec::as_slice)
    }

    /// What a component lacks to be put to work now.
    pub fn lacking(&self, digest: &str) -> Option<Unsigned> {
        let by: Vec<&str> = self.signed(digest).iter().map(|signed| signed.key.as_str()).collect();
        self.signing.lacking(digest, &by)
    }

    /// What the components of constraints in force lack, by constraint.
    pub fn lacking_in_force(&self, activations: &[Activation]) -> Vec<(String, Unsigned)> {
        let components = activations.iter().filter_map(|one| Some((one.name.0.clone(), &one.state.as_ref()?.digest)));
        components.filter_map(|(name, digest)| Some((name, self.lacking(digest)?))).collect()
    }
}

impl Pipeline {
    /// Keys, policy and signatures.
    pub async fn signing_state(&self, tenant: TenantId) -> Result<SigningState, StoreError> {
        let store = self.store.tenant(tenant);
        let signing = store.signing().await?;
        let mut by_digest: BTreeMap<String, Vec<Signed>> = BTreeMap::new();
        // Without keys there are no signatures: of most tenants nothing need be read.
        if !signing.keys.is_empty() {
            for signed in store.signatures(None).await? {
                by_digest.entry(signed.digest.clone()).or_default().push(signed);
            }
        }
        Ok(SigningState { signing, by_digest })
    }

    /// Makes a key known. It counts only once the policy names it.
    pub async fn add_signing_key(
        &self,
        tenant: TenantId,
        name: String,
        key: PublicKey,
        by: &str,
    ) -> Result<SigningKey, SigningKeyError> {
        let new = NewSigningKey { name, key, by: by.to_owned(), at: self.clock.now() };
        let added = self.store.tenant(tenant).add_signing_key(new, SIGNING_KEYS_MAX).await?;
        info!(tenant.id = tenant.0, key.name = added.made.name, key.id = %added.made.key.id(), by, "knows a signing key");
        Ok(added)
    }

    /// Forgets a key; `None` if there is none of that name. What it has signed is in force as before, and is not put to work
    /// again if it counted.
    pub async fn remove_signing_key(
        &self,
        tenant: TenantId,
        name: &str,
        by: &str,
    ) -> Result<Option<SigningKey>, StoreError> {
        let removed = self.store.tenant(tenant).remove_signing_key(name).await?;
        if let Some(key) = &removed {
            info!(tenant.id = tenant.0, key.name = name, key.id = %key.made.key.id(), by, "has forgotten a signing key");
        }
        Ok(removed)
    }

    /// Sets who has to sign what is taken and put to work from now on. What is in force stays so.
    pub async fn set_signing_policy(
        &self,
        tenant: TenantId,
        required: u32,
        keys: Vec<String>,
        by: &str,
    ) -> Result<Signing, PolicyError> {
        let mut names = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|name| !names.insert(*name)) {
            return Err(PolicyError::Twice(twice.clone()));
        }
        if required == 0 && !keys.is_empty() {
            return Err(PolicyError::NoneRequired);
        }
        if usize::try_from(required).is_ok_and(|required| required > keys.len()) {
            return Err(PolicyError::TooFew { required, named: keys.len() });
        }
        let new = NewSigningPolicy { required, keys, by: by.to_owned(), at: self.clock.now() };
        let set = self.store.tenant(tenant).set_signing_policy(new).await?;
        info!(tenant.id = tenant.0, required, by, "has another signing policy");
        Ok(set)
    }
}
