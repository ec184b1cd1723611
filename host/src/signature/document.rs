//! A component's signatures in a file beside it: `write-once.wasm.sig`, and the same text in an OCI artifact.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Signature, SignatureError, check_number};

/// The form of the document that this program reads and writes.
const VERSION: u32 = 1;

/// A file with as many signatures as there may be has 2 KB.
const BYTES_MAX: usize = 16 << 10;

/// A component's signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// At most [`SIGNATURES_MAX`](super::SIGNATURES_MAX), each by another key. Nobody has checked them.
    pub signatures: Vec<Signature>,
}

/// The document by the letter.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    digest: String,
    signatures: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    signature: String,
}

impl Document {
    /// Reads it.
    pub fn read(text: &str) -> Result<Self, DocumentError> {
        if text.len() > BYTES_MAX {
            return Err(DocumentError::TooLarge);
        }
        let read: Text = serde_json::from_str(text).map_err(|error| DocumentError::Json(error.to_string()))?;
        if read.version != VERSION {
            return Err(DocumentError::Version(read.version));
        }
        let hexadecimal = |digest: &&str| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = read.digest.strip_prefix("sha256:").filter(hexadecimal).ok_or(DocumentError::Digest)?;
        let signatures: Vec<Signature> = read
            .signatures
            .iter()
            .map(|entry| Signature::read(&entry.key, &entry.signature))
            .collect::<Result<_, _>>()?;
        check_number(&signatures)?;
        Ok(Self { digest: digest.to_ascii_lowercase(), signatures })
    }

    /// As JSON, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.text()).unwrap_or_default()
    }

    /// As JSON for a file.
    pub fn to_file(&self) -> String {
        serde_json::to_string_pretty(&self.text()).unwrap_or_default() + "\n"
    }

    fn text(&self) -> Text {
        let entry = |one: &Signature| Entry { key: one.key.to_string(), signature: one.base64() };
        Text {
            version: VERSION,
            digest: format!("sha256:{}", self.digest),
            signatures: self.signatures.iter().map(entry).collect(),
        }
    }

    /// Adds a signature, in place of an earlier one by the same key.
    pub fn add(&mut self, signature: Signature) -> Result<(), SignatureError> {
        self.signatures.retain(|one| one.key != signature.key);
        self.signatures.push(signature);
        check_number(&self.signatures)
    }
}

/// A file that has no signatures that could be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// Larger than any such file.
    #[error("it is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// Not the JSON that it should be.
    #[error("it is not a file of signatures: {0}")]
    Json(String),
    /// Of a later program.
    #[error("version {0} is not known; this program reads version {VERSION}")]
    Version(u32),
    /// A digest that is none.
    #[error("`digest` is not `sha256:` and 64 hexadecimal digits")]
    Digest,
    /// A signature that cannot be one.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}
