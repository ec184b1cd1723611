//! Whose signatures a tenant knows, and whose it wants to see before a component is taken or put to work.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use crate::signature::{KeyId, PublicKey, Signature};
use crate::store::StoreError;

/// A key to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigningKey {
    /// Its name in the tenant.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// Who made it known: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A key that a tenant knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// What was made known.
    pub made: NewSigningKey,
    /// Whether the tenant's policy names it.
    pub counts: bool,
}

/// What a tenant wants to see signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// By how many of the keys that count; 0: by none. It can be more than there are, if one was removed: then nothing passes.
    pub required: u32,
    /// Every key, by name.
    pub keys: Vec<SigningKey>,
    /// Who has set it so and when, if anybody has.
    pub set: Option<(String, Timestamp)>,
}

/// A policy to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigningPolicy {
    /// By how many.
    pub required: u32,
    /// Names of the keys that count.
    pub keys: Vec<String>,
    /// Who sets it: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A signature of a component by a key that the tenant knows. It was checked when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The key's name.
    pub key: String,
    /// The signature.
    pub signature: Signature,
}

/// A component that fewer keys have signed than the tenant wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// By how many it has to be signed.
    pub required: u32,
    /// Names of the keys that count.
    pub counting: Vec<String>,
    /// Which of them have signed it.
    pub by: Vec<String>,
}

impl Signing {
    /// The key of that id.
    pub fn key(&self, id: KeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.made.key.id() == id)
    }

    /// What a component lacks that these keys have signed; `None` if it is signed as the tenant wants.
    pub fn lacking(&self, digest: &str, signed_by: &[&str]) -> Option<Unsigned> {
        let counting = || self.keys.iter().filter(|key| key.counts).map(|key| key.made.name.clone());
        let by: Vec<String> = counting().filter(|name| signed_by.contains(&name.as_str())).collect();
        let enough = usize::try_from(self.required).is_ok_and(|required| by.len() >= required);
        let lacking =
            || Unsigned { digest: digest.to_owned(), required: self.required, counting: counting().collect(), by };
        (!enough).then(lacking)
    }
}

/// Names in a sentence.
fn quoted(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, required, counting, by } = self;
        write!(f, "the component sha256:{digest} is not signed as this tenant requires, ")?;
        match (required, counting.as_slice()) {
            (_, []) => {
                return f
                    .write_str("no key counts any more, so that nothing can be; the signing policy has to name some");
            }
            (1, [one]) => write!(f, "by the key `{one}`")?,
            (1, several) => write!(f, "by one of the keys {}", quoted(several, ", "))?,
            (_, several) => write!(f, "by {required} of the keys {}", quoted(several, ", "))?,
        }
        match by.as_slice() {
            [] => f.write_str("; it is signed by none of them"),
            some => write!(f, "; it is signed by {} alone", quoted(some, " and ")),
        }
    }
}

impl std::error::Error for Unsigned {}

/// A key was not made known. Nothing has changed.
#[derive(Debug, Error)]
pub enum SigningKeyError {
    /// Another key has the name. One is never put in another's place.
    #[error(
        "there is a signing key `{0}` already, which is another one: give this one another name, or remove that one first"
    )]
    NameTaken(String),
    /// The key is known under another name.
    #[error("this key is known already, as `{0}`")]
    Known(String),
    /// There are as many as there may be.
    #[error("there are {0} signing keys already, as many as a tenant may have")]
    TooMany(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A policy was not set. The one before still holds.
#[derive(Debug, Error)]
pub enum SigningPolicyError {
    /// It names a key that the tenant does not know.
    #[error("there is no signing key `{0}`")]
    UnknownKey(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A version was not added.
#[derive(Debug, Error)]
pub enum AddVersionError {
    /// The tenant wants it signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// The key of a signature is not, or not any more, one that the tenant knows.
    #[error("the tenant knows no key {0}")]
    UnknownKey(KeyId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A constraint was not put into a state.
#[derive(Debug, Error)]
pub enum ActivateError {
    /// The tenant wants its component signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
