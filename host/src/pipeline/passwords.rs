//! Hashes of secrets that clients set (`password`). RFC 7643 §4.1.1: "the cleartext value … MUST NOT be persisted".
//!
//! A hash is made to be dear, so it is made away from the async workers, and few at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::decision::KeptSecret;
use crate::scim::secret::SecretEdit;

/// A secret could not be hashed.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The function refuses it: it is too long, or there are no random numbers for the salt.
    #[error("the hash function failed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The thread that was to hash it is gone.
    #[error("the hashing was cut off")]
    Cut(#[source] tokio::task::JoinError),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

/// Hashes secrets with Argon2id in the parameters that OWASP and RFC 9106 §4 suggest for little memory (19 MiB, two
/// passes): about 20 ms of a core each.
pub struct Passwords {
    /// As many at once as there are cores: 19 MiB each, and more at once would only take turns.
    turns: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { turns: Semaphore::new(cores) }
    }
}

impl Passwords {
    /// What is kept of the secrets.
    pub async fn keep(&self, edits: &[SecretEdit]) -> Result<Arc<[KeptSecret]>, PasswordError> {
        if edits.is_empty() {
            return Ok(Arc::default());
        }
        let _turn = self.turns.acquire().await.map_err(|_| PasswordError::Closed)?;
        let edits = edits.to_vec();
        let hashing = move || {
            let kept = edits.into_iter().map(|edit| {
                let hash = edit.value.as_ref().map(|secret| hash(secret.expose())).transpose()?;
                Ok(KeptSecret { path: edit.path, hash })
            });
            kept.collect::<Result<_, PasswordError>>()
        };
        tokio::task::spawn_blocking(hashing).await.map_err(PasswordError::Cut)?
    }
}

fn hash(secret: &str) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(secret.as_bytes()).map_err(PasswordError::Hash)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;
    use serde_json::json;

    use super::*;
    use crate::scim::secret::Secret;

    #[tokio::test]
    async fn a_hash_tells_the_password_from_others_and_never_is_the_same_twice() {
        let edit = |value: Option<&str>| SecretEdit {
            path: "password".to_owned(),
            value: value.map(|text| Secret::from(&json!(text))),
        };
        let kept = Passwords::default().keep(&[edit(Some("t1meMa$heen")), edit(Some("t1meMa$heen")), edit(None)]).await;
        let kept = kept.unwrap();
        let hashes: Vec<&str> = kept.iter().filter_map(|kept| kept.hash.as_deref()).collect();
        assert_eq!((kept.len(), hashes.len()), (3, 2));
        assert_ne!(hashes[0], hashes[1]);
        let hash = PasswordHash::new(hashes[0]).unwrap();
        assert!(Argon2::default().verify_password(b"t1meMa$heen", &hash).is_ok());
        assert!(Argon2::default().verify_password(b"t1meMasheen", &hash).is_err());
    }
}
