//! The server's own secrets: one key file in the data folder, from which every other key is derived, and the
//! operator's token.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use uuid::Uuid;

use crate::store::{Node, TokenHash};

/// The key file's name.
pub const KEY_FILE: &str = "secret.key";
const NODE_FILE: &str = "node.id";
const OPERATOR_FILE: &str = "operator-token.hash";

/// The files of a data folder that belong to what is stored: without them nobody would be known there any more. The server's id is
/// not one of them: a copy is another server.
pub const KEPT: [&str; 2] = [KEY_FILE, OPERATOR_FILE];

/// Random bytes in a token: 256 bits, so that guessing is no attack whatever the request rate.
const TOKEN_BYTES: usize = 32;

/// The fewest characters an operator's token from the environment may have: 128 bits in hexadecimal.
pub const OPERATOR_TOKEN_CHARS_MIN: usize = 32;

/// A secret could not be read or made.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// The file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not as long as it was written.
    #[error("`{}` is damaged: {found} bytes instead of 32; restore it from a backup, or delete it and make new tokens", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// The file with the server's id is not as long as it was written.
    #[error("`{}` is damaged: {found} bytes instead of 16; delete it: what this server had accepted and not finished is left", path.display())]
    DamagedNode {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// The operating system has no random numbers.
    #[error("the operating system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// A token that is easy to guess.
    #[error("SCRUPLE_ADMIN_TOKEN has {found} characters; it needs at least {OPERATOR_TOKEN_CHARS_MIN}")]
    ShortOperatorToken {
        /// Its length.
        found: usize,
    },
}

/// Keys derived from the server's key file.
pub struct Secrets {
    token_key: [u8; 32],
    /// Authenticates compiled components on disk.
    pub cache_key: [u8; 32],
    /// Authenticates and covers the cursors of lists.
    pub cursor_key: [u8; 32],
    mark: String,
}

impl Secrets {
    /// Reads the key file of a data folder, or makes it.
    pub fn open(data: &Path) -> Result<Self, SecretsError> {
        let path = data.join(KEY_FILE);
        let key: [u8; 32] = match read(&path)? {
            Some(bytes) => bytes
                .try_into()
                .map_err(|bytes: Vec<u8>| SecretsError::Damaged { path: path.clone(), found: bytes.len() })?,
            None => {
                let key = random::<32>()?;
                write_private(&path, &key)?;
                key
            }
        };
        // Contexts as BLAKE3's key derivation wants them: hard-coded, unique, and never reused for another purpose.
        Ok(Self {
            token_key: blake3::derive_key("scruple 2026-11 token hash", &key),
            cache_key: blake3::derive_key("scruple 2026-11 compiled component", &key),
            cursor_key: blake3::derive_key("scruple 2026-11 list cursor", &key),
            mark: blake3::Hash::from(blake3::derive_key("scruple 2026-11 mark of the keys", &key)).to_hex().to_string(),
        })
    }

    /// This server among others with the same database: its id is made once.
    pub fn node(&self, data: &Path) -> Result<Node, SecretsError> {
        let path = data.join(NODE_FILE);
        let id = match read(&path)? {
            Some(bytes) => {
                let bytes: [u8; 16] = bytes
                    .try_into()
                    .map_err(|bytes: Vec<u8>| SecretsError::DamagedNode { path: path.clone(), found: bytes.len() })?;
                Uuid::from_bytes(bytes)
            }
            None => {
                let id = Uuid::from_bytes(random::<16>()?);
                write_private(&path, id.as_bytes())?;
                id
            }
        };
        Ok(Node { id, keys: self.mark.clone() })
    }

    /// Keyed hash of a token: what is stored and looked up in its place.
    pub fn hash(&self, token: &str) -> TokenHash {
        TokenHash(*blake3::keyed_hash(&self.token_key, token.as_bytes()).as_bytes())
    }

    /// The hash of the operator's token, from the environment, else from the data folder, else of a new one, which is
    /// then also returned, to be shown once.
    pub fn operator(&self, data: &Path, given: Option<&str>) -> Result<(TokenHash, Option<String>), SecretsError> {
        if let Some(token) = given {
            let found = token.chars().count();
            if found < OPERATOR_TOKEN_CHARS_MIN {
                return Err(SecretsError::ShortOperatorToken { found });
            }
            return Ok((self.hash(token), None));
        }
        let path = data.join(OPERATOR_FILE);
        match read(&path)? {
            Some(bytes) => {
                let hash = bytes
                    .try_into()
                    .map_err(|bytes: Vec<u8>| SecretsError::Damaged { path: path.clone(), found: bytes.len() })?;
                Ok((TokenHash(hash), None))
            }
            None => {
                let token = new_token()?;
                let hash = self.hash(&token);
                write_private(&path, &hash.0)?;
                Ok((hash, Some(token)))
            }
        }
    }
}

/// A new token: `scr_` and 64 hexadecimal digits. The prefix lets secret scanners find one that was leaked.
pub fn new_token() -> Result<String, SecretsError> {
    let bytes = random::<TOKEN_BYTES>()?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("scr_{digits}"))
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SecretsError::Random)?;
    Ok(bytes)
}

/// Those of [`KEPT`] that a data folder has, by name. The key file has to be there.
pub fn kept(data: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, SecretsError> {
    let mut found = Vec::new();
    for name in KEPT {
        let path = data.join(name);
        match read(&path)? {
            Some(bytes) => found.push((name, bytes)),
            None if name == KEY_FILE => return Err(SecretsError::Io { path, source: io::ErrorKind::NotFound.into() }),
            None => {}
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SecretsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SecretsError::Io { path: path.to_owned(), source }),
    }
}

/// Writes aside and renames, so that a crash leaves no half key behind; readable by the owner alone.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let aside = path.with_extension("new");
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    })();
    written.map_err(|source| SecretsError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_stay_the_same_when_the_folder_is_opened_again() {
        let data = tempfile::tempdir().unwrap();
        let first = Secrets::open(data.path()).unwrap();
        let second = Secrets::open(data.path()).unwrap();
        assert_eq!(first.hash("a").0, second.hash("a").0);
        assert_eq!(first.cache_key, second.cache_key);
        assert_ne!(first.hash("a").0, first.hash("b").0);
    }

    #[test]
    fn the_key_file_is_readable_by_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        Secrets::open(data.path()).unwrap();
        let mode = fs::metadata(data.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_truncated_key_file_is_refused() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join(KEY_FILE), [1; 31]).unwrap();
        assert!(matches!(Secrets::open(data.path()), Err(SecretsError::Damaged { found: 31, .. })));
    }

    #[test]
    fn the_operators_token_is_shown_at_the_first_start_only() {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(data.path()).unwrap();
        let (first, shown) = secrets.operator(data.path(), None).unwrap();
        let (second, again) = secrets.operator(data.path(), None).unwrap();
        assert_eq!(first, secrets.hash(&shown.unwrap()));
        assert_eq!((second, again), (first, None));
    }

    #[test]
    fn a_short_operators_token_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(data.path()).unwrap();
        let refused = secrets.operator(data.path(), Some("hunter2"));
        assert!(matches!(refused, Err(SecretsError::ShortOperatorToken { found: 7 })));
    }
}
