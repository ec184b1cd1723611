//! Sends ahead what a plan names: components and contents of tables. Nothing is in force by that.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use reqwest::{Method, header};
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::manifest::{Component, Contents, Manifest, Table};
use crate::cli::output::{items, text};
use crate::cli::signatures::{Given, known_keys, with};
use crate::cli::table::media_type;
use crate::signature::Signature;

/// Sends what the server has not; the message that says what is wanted.
pub(super) async fn send(client: &Client, tenant: &str, manifest: &Manifest) -> Result<Map<String, Value>, Failure> {
    let mut wanted = Map::new();
    if let Some(constraints) = &manifest.constraints {
        components(client, tenant, manifest).await?;
        let constraints = constraints.iter().map(|constraint| (constraint.name.clone(), constraint.to_json()));
        wanted.insert("constraints".to_owned(), Value::Object(constraints.collect()));
    }
    if let Some(tables) = &manifest.tables {
        let mut digests = Map::new();
        for table in tables {
            digests.insert(table.name.clone(), json!({ "digest": contents(client, tenant, table).await? }));
        }
        wanted.insert("tables".to_owned(), Value::Object(digests));
    }
    if let Some(waivers) = &manifest.waivers {
        wanted.insert("waivers".to_owned(), waivers.iter().map(|waiver| waiver.body.clone()).collect());
    }
    Ok(wanted)
}

/// Uploads each component that no version of its plugin has, or not with all the signatures beside it that the server can check.
async fn components(client: &Client, tenant: &str, manifest: &Manifest) -> Result<(), Failure> {
    let mut known: Option<Known> = None;
    for constraint in manifest.constraints.iter().flatten() {
        let Component::File { path, bytes, digest } = &constraint.component else { continue };
        let known = match &mut known {
            Some(known) => known,
            none => none.insert(Known::of(client, tenant).await?),
        };
        let mut signatures = Given::default().of(bytes, path)?.document.signatures;
        signatures.retain(|signature| known.keys.contains(&signature.key.to_string()));
        if !known.lacks((constraint.plugin.clone(), digest.clone()), &signatures) {
            continue;
        }
        let segments = ["tenants", tenant, "plugins", &constraint.plugin, "versions"];
        let request = client.request(Method::POST, &segments)?.header(header::CONTENT_TYPE, "application/wasm");
        client.send(with(request, &signatures).body(bytes.clone())).await.map_err(|failure| of_file(path, failure))?;
    }
    Ok(())
}

/// What the server has.
struct Known {
    /// Ids of the keys that it can check signatures with.
    keys: HashSet<String>,
    /// By plugin and digest of each version, the ids of the keys that have signed it.
    versions: HashMap<(String, String), HashSet<String>>,
}

impl Known {
    async fn of(client: &Client, tenant: &str) -> Result<Self, Failure> {
        let found = client.get(&["tenants", tenant, "plugins"]).await?;
        let version = |version: &Value| {
            let by = items(version, "signed_by").iter().map(|signer| text(signer, "id")).collect();
            ((text(version, "plugin"), text(version, "digest")), by)
        };
        let versions = items(&found, "versions").iter().map(version).collect();
        Ok(Self { keys: known_keys(client, tenant).await?, versions })
    }

    /// Whether the server has not got all of this; it has afterwards.
    fn lacks(&mut self, version: (String, String), signatures: &[Signature]) -> bool {
        let is_new = !self.versions.contains_key(&version);
        let by = self.versions.entry(version).or_default();
        let before = by.len();
        by.extend(signatures.iter().map(|signature| signature.key.to_string()));
        is_new || by.len() > before
    }
}

/// The digest of a table's contents, which the server has by then.
async fn contents(client: &Client, tenant: &str, table: &Table) -> Result<String, Failure> {
    let (path, bytes, key) = match &table.contents {
        Contents::Digest(digest) => return Ok(digest.clone()),
        Contents::File { path, bytes, key } => (path, bytes, key),
    };
    let request = client.request(Method::POST, &["tenants", tenant, "tables", &table.name, "staged"])?;
    let request = request.header(header::CONTENT_TYPE, media_type(path)).body(bytes.clone());
    let request = match key {
        Some(key) => request.query(&[("key", key)]),
        None => request,
    };
    let staged = client.send(request).await.map_err(|failure| of_file(path, failure))?;
    Ok(text(&staged, "digest"))
}

/// With the file that the server has refused.
fn of_file(path: &Path, failure: Failure) -> Failure {
    let told = |text: String| format!("`{}`: {text}", path.display());
    match failure {
        Failure::Component(text) => Failure::Component(told(text)),
        Failure::Server(text) => Failure::Server(told(text)),
        other => other,
    }
}
