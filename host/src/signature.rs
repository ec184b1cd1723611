//! Signatures of components: whose key has said that these bytes are what a tenant is to run. Pure.
//!
//! What is signed is a line of text with the component's digest ([`text`]), so that any tool that knows Ed25519 can make and
//! check a signature. Keys are what `openssl genpkey -algorithm ed25519` makes: PKCS #8 and SubjectPublicKeyInfo in PEM
//! (RFC 8410). A key is known by its [`KeyId`], which nobody chooses.

mod document;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use document::{Document, DocumentError};

/// Signatures of one component at the most, in a request and in a file: as many as an organisation has people who look at
/// it, and 1.3 KB in a header.
pub const SIGNATURES_MAX: usize = 8;

/// Bytes of a key in PEM at the most. One has 120; a chain of certificates or a key of another algorithm is told from a key
/// that is damaged by what it says, not by its length.
const PEM_BYTES_MAX: usize = 4096;

/// What a signature of a component is over: a domain, so that it says nothing in any other protocol, and the SHA-256 digest of
/// the component in hexadecimal. No line end.
pub fn text(digest: &str) -> String {
    format!("scruple plugin v1 sha256:{digest}")
}

/// SHA-256 of the 32 bytes of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 32]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeyId {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let wrong = || SignatureError::KeyId(shortened(text));
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 64 || !text.bytes().all(digits) {
            return Err(wrong());
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(id))
    }
}

/// A key that signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From SubjectPublicKeyInfo in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        if pem.len() > PEM_BYTES_MAX {
            return Err(KeyError::NotPublic);
        }
        let key = VerifyingKey::from_public_key_pem(pem.trim()).map_err(|_| KeyError::NotPublic)?;
        // With a key of small order everybody can sign.
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }

    /// In PEM.
    pub fn to_pem(&self) -> String {
        // Fails for no key: its form is of one length.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// From the 32 bytes of RFC 8032 §5.1.5.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| KeyError::NotPublic)
    }

    /// The same 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What the key is known by.
    pub fn id(&self) -> KeyId {
        KeyId(Sha256::digest(self.0.as_bytes()).into())
    }

    /// Whether a signature was made with this key and is over this digest. Strictly: of the signatures that some
    /// implementations accept and others do not, none is.
    pub fn verify(&self, digest: &str, signature: &Signature) -> Result<(), SignatureError> {
        let bytes = ed25519_dalek::Signature::from_bytes(&signature.bytes);
        let good = signature.key == self.id() && self.0.verify_strict(text(digest).as_bytes(), &bytes).is_ok();
        let wrong = || SignatureError::Wrong { key: signature.key, digest: digest.to_owned() };
        good.then_some(()).ok_or_else(wrong)
    }
}

/// A key that signatures are made with. Not printed by anything.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// From PKCS #8 in PEM, without a password.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("ENCRYPTED PRIVATE KEY") {
            return Err(KeyError::Encrypted);
        }
        if pem.len() > PEM_BYTES_MAX {
            return Err(KeyError::NotPrivate);
        }
        SigningKey::from_pkcs8_pem(pem.trim()).map(Self).map_err(|_| KeyError::NotPrivate)
    }

    /// A new one, of 32 random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// In PEM.
    pub fn to_pem(&self) -> String {
        // Without the public key, as openssl writes it (RFC 8410 §7): that is the form which everybody reads.
        let pair = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string()).unwrap_or_default()
    }

    /// The key that its signatures are checked with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs the component with this SHA-256 digest, in hexadecimal.
    pub fn sign(&self, digest: &str) -> Signature {
        Signature { key: self.public().id(), bytes: self.0.sign(text(digest).as_bytes()).to_bytes() }
    }
}

/// A signature of some component, by some key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// By which key.
    pub key: KeyId,
    /// The 64 bytes of RFC 8032 §5.1.6.
    pub bytes: [u8; 64],
}

impl Signature {
    /// From a key's id and the bytes in base64.
    pub fn read(key: &str, base64: &str) -> Result<Self, SignatureError> {
        let key: KeyId = key.parse()?;
        let bytes = STANDARD.decode(base64).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self { key, bytes: bytes.ok_or(SignatureError::Unreadable { key })? })
    }

    /// The bytes in base64.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.bytes)
    }
}

/// Refuses more signatures than there may be, and two by one key.
pub fn check_number(signatures: &[Signature]) -> Result<(), SignatureError> {
    if signatures.len() > SIGNATURES_MAX {
        return Err(SignatureError::TooMany { found: signatures.len() });
    }
    let mut keys: Vec<KeyId> = signatures.iter().map(|signature| signature.key).collect();
    keys.sort_unstable();
    match keys.windows(2).find_map(|pair| if let [one, other] = pair { (one == other).then_some(*one) } else { None }) {
        Some(key) => Err(SignatureError::Twice(key)),
        None => Ok(()),
    }
}

/// What somebody wrote, and not too much of it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Somebody is about to hand out what must not leave their computer.
    #[error(
        "this is a private key: send the public one (`openssl pkey -in KEY -pubout`), and keep this one to yourself"
    )]
    Private,
    /// Not a key, or of another algorithm.
    #[error("this is not a public Ed25519 key in PEM, as `openssl pkey -in KEY -pubout` writes it")]
    NotPublic,
    /// Not a key, or of another algorithm.
    #[error("this is not a private Ed25519 key in PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` makes it")]
    NotPrivate,
    /// Under a password.
    #[error("the private key has a password: give it without one (`openssl pkey -in KEY`)")]
    Encrypted,
    /// A key of small order.
    #[error("with this public key everybody can sign: it belongs to no private key")]
    Weak,
}

/// A signature says nothing about a component.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A key id that is none.
    #[error("`{0}` is not the id of a key: 64 digits, 0 to 9 and a to f")]
    KeyId(String),
    /// The bytes are not 64 in base64.
    #[error("the signature by the key {key} is not 64 bytes in base64")]
    Unreadable {
        /// The key.
        key: KeyId,
    },
    /// More than there may be.
    #[error("{found} signatures are more than the limit of {SIGNATURES_MAX}")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// Two by one key.
    #[error("there are two signatures by the key {0}")]
    Twice(KeyId),
    /// Not made with that key, or over something else.
    #[error(
        "the signature by the key {key} is not one of this component (sha256:{digest}): it was changed, or belongs to another component or key"
    )]
    Wrong {
        /// The key.
        key: KeyId,
        /// The component.
        digest: String,
    },
}
