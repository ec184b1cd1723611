//! Signatures of a component that is at hand: the file beside it, and what of it a server is sent.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::RequestBuilder;

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::output::{items, text};
use crate::constraints::compile::digest;
use crate::signature::{Document, KeyId, PrivateKey, PublicKey, Signature};

/// The header that a server takes and gives signatures in.
pub(super) const HEADER: &str = "scruple-signature";

/// Which signatures a component is sent with.
#[derive(Debug, Default, Args)]
pub(super) struct Given {
    /// File with the component's signatures. Without it the one beside the component counts, if there is one: `FILE.sig`.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Sign it with this private key (Ed25519, PKCS #8 in PEM), too. The signature is sent, and not written to a file.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Where the signatures of a component are.
pub(super) fn beside(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

fn text_of(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", path.display())))
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKey, Failure> {
    let key = PrivateKey::from_pem(&text_of(path)?);
    key.map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

pub(super) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let key = PublicKey::from_pem(&text_of(path)?);
    key.map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

/// A file of signatures.
pub(super) fn document(path: &Path) -> Result<Document, Failure> {
    Document::read(&text_of(path)?).map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

impl Given {
    /// The component's signatures: of the file that is named, or beside it, and by the key.
    pub(super) fn of(&self, component: &[u8], path: &Path) -> Result<Found, Failure> {
        let digest = digest(component);
        let file = Some(beside(path)).filter(|beside| self.signature.is_none() && beside.exists());
        let beside = file.map(|file| of_component(&file, &digest)).transpose()?;
        self.with(beside, digest)
    }

    /// The same of a component that came from a registry with these, which are as good as a file beside it.
    pub(super) fn of_artifact(&self, component: &[u8], came_with: Option<Document>) -> Result<Found, Failure> {
        self.with(came_with, digest(component))
    }

    fn with(&self, found: Option<Document>, digest: String) -> Result<Found, Failure> {
        let named = self.signature.as_deref().map(|file| of_component(file, &digest)).transpose()?;
        let mut asked_for: HashSet<KeyId> =
            named.iter().flat_map(|named| &named.signatures).map(|one| one.key).collect();
        let none = || Document { digest: digest.clone(), signatures: Vec::new() };
        let mut document = named.or(found).unwrap_or_else(none);
        if let Some(key) = &self.key {
            let signature = private_key(key)?.sign(&digest);
            asked_for.insert(signature.key);
            document.add(signature).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(Found { document, asked_for })
    }
}

/// The signatures in a file, which have to be of this component.
fn of_component(file: &Path, digest: &str) -> Result<Document, Failure> {
    let document = document(file)?;
    if document.digest == digest {
        return Ok(document);
    }
    Err(Failure::Usage(format!(
        "`{}` has the signatures of another component (sha256:{}), and this one is sha256:{digest}: sign it anew, or remove \
         the file",
        file.display(),
        document.digest
    )))
}

/// Signatures of a component, not checked by anybody yet.
pub(super) struct Found {
    pub(super) document: Document,
    /// By the keys of these: somebody has named the file that they are in, or the key.
    asked_for: HashSet<KeyId>,
}

impl Found {
    /// What the server is sent: what was asked for, else what it can check. The others are counted. A tenant that knows no key
    /// takes a component whose author signs all the same.
    pub(super) async fn sendable(&self, client: &Client, tenant: &str) -> Result<(Vec<Signature>, usize), Failure> {
        let all = &self.document.signatures;
        if all.iter().all(|one| self.asked_for.contains(&one.key)) {
            return Ok((all.clone(), 0));
        }
        let known = known_keys(client, tenant).await?;
        let (sent, left): (Vec<Signature>, Vec<_>) =
            all.iter().partition(|one| self.asked_for.contains(&one.key) || known.contains(&one.key.to_string()));
        Ok((sent, left.len()))
    }
}

/// The ids of the keys that a tenant knows.
pub(super) async fn known_keys(client: &Client, tenant: &str) -> Result<HashSet<String>, Failure> {
    let known = client.get(&["tenants", tenant, "signing-keys"]).await?;
    Ok(items(&known, "keys").iter().map(|key| text(key, "id")).collect())
}

/// A request with the signatures that the server is to keep.
pub(super) fn with(request: RequestBuilder, signatures: &[Signature]) -> RequestBuilder {
    let words: Vec<String> = signatures.iter().map(|one| format!("{} {}", one.key, one.base64())).collect();
    if words.is_empty() { request } else { request.header(HEADER, words.join(", ")) }
}

/// The signatures that a server has given, of a component.
pub(super) fn received(header: &str, digest: &str) -> Result<Document, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::Server(format!("the server's signatures cannot be read: {error}"));
    let read = |word: &str| {
        let (key, base64) = word.trim().split_once(' ').unwrap_or((word, ""));
        Signature::read(key, base64).map_err(|error| wrong(&error))
    };
    let signatures = header.split(',').map(read).collect::<Result<Vec<_>, _>>()?;
    let mut document = Document { digest: digest.to_owned(), signatures: Vec::new() };
    // A tenant may have more keys than a file has room for.
    for signature in signatures.into_iter().take(crate::signature::SIGNATURES_MAX) {
        document.add(signature).map_err(|error| wrong(&error))?;
    }
    Ok(document)
}

/// So many signatures.
pub(super) fn counted(number: usize) -> String {
    if number == 1 { "1 signature".to_owned() } else { format!("{number} signatures") }
}

/// Whether every one of these keys has signed a component; else why not.
pub(super) fn check(document: &Document, digest: &str, keys: &[(PathBuf, PublicKey)]) -> Result<Vec<KeyId>, Failure> {
    let unexpected = |(path, key): &(PathBuf, PublicKey), why: String| {
        Failure::Unexpected(format!("not signed by the key in `{}` ({}): {why}", path.display(), key.id()))
    };
    let mut good = Vec::new();
    for named in keys {
        let id = named.1.id();
        let signature = document.signatures.iter().find(|one| one.key == id);
        let signature = signature.ok_or_else(|| unexpected(named, "there is no signature by it".to_owned()))?;
        named.1.verify(digest, signature).map_err(|error| unexpected(named, error.to_string()))?;
        good.push(id);
    }
    Ok(good)
}

/// Writes a file as a whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("cannot write `{}`: {error}", path.display()));
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let aside = PathBuf::from(aside);
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    })();
    if written.is_err() {
        // What could not be written may not be there at all.
        let _ = fs::remove_file(&aside);
    }
    written.map_err(failed)
}
