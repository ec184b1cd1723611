//! `scruple plugin pull`: a component back from a server, or from an OCI registry, to a file.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::spinner;
use crate::cli::client::Client;
use crate::cli::oci::{self, RegistryArgs, is_reference};
use crate::cli::output::{Output, items, text};
use crate::cli::signatures::{HEADER, beside, check, counted, public_key, received, write_whole};
use crate::cli::{Failure, TenantArg};
use crate::constraints::compile::digest;
use crate::signature::Document;

#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    #[command(flatten)]
    tenant: TenantArg,
    /// `NAME`, the newest version of that plugin; `NAME@VERSION`; `NAME:TAG`; or `oci://host/repository:tag`.
    what: String,
    /// Where to write it; its signatures go beside it (`FILE.sig`). [default: the plugin's or repository's name, with `.wasm`]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace files that are there and are not the same.
    #[arg(long)]
    force: bool,
    /// A public key that must have signed it, else nothing is written. Can be given more than once: then all must have.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// A component that was fetched.
struct Fetched {
    component: Vec<u8>,
    signatures: Option<Document>,
    /// What it is called where nothing else is said.
    name: String,
    /// Where it was: for people, and members for programs.
    from: (String, Value),
}

impl Pull {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        // Before anything is fetched.
        let keys =
            self.key.iter().map(|path| Ok((path.clone(), public_key(path)?))).collect::<Result<Vec<_>, Failure>>()?;
        let spinner = spinner("fetching");
        let fetched = match is_reference(&self.what) {
            true => self.of_registry().await,
            false => of_server(client, client.tenant(&self.tenant)?, &self.what).await,
        };
        spinner.finish_and_clear();
        let Fetched { component, signatures, name, from } = fetched?;
        let digest = digest(&component);
        let none = || Document { digest: digest.clone(), signatures: Vec::new() };
        let signatures = signatures.unwrap_or_else(none);
        let good = check(&signatures, &digest, &keys)?;
        let file = self.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.wasm")));
        let signed = !signatures.signatures.is_empty();
        let mut files = vec![(file.clone(), component)];
        if signed {
            files.push((beside(&file), signatures.to_file().into_bytes()));
        }
        write(&files, self.force)?;
        let (said, mut members) = from;
        let mut said = format!("{said}: {} bytes, sha256 {digest}\nwrote {}", text(&members, "size"), file.display());
        if signed {
            let checked = match good.len() {
                0 => "nobody has checked them here: name keys with `--key`".to_owned(),
                _ => "signed by every key that was named".to_owned(),
            };
            let (beside, number) = (beside(&file), counted(signatures.signatures.len()));
            said.push_str(&format!("\nwrote {}: {number}; {checked}", beside.display()));
        }
        if let Some(members) = members.as_object_mut() {
            members.insert("digest".to_owned(), json!(digest));
            members.insert("file".to_owned(), json!(file));
            members.insert("signatures".to_owned(), json!(signatures.signatures.len()));
        }
        output.line(&members, said)
    }

    async fn of_registry(&self) -> Result<Fetched, Failure> {
        let reference = self.what.parse::<oci::Reference>()?;
        let pulled = oci::pull(&self.registry, &reference).await?;
        let members = json!({
            "reference": reference.to_string(), "manifest": format!("sha256:{}", pulled.manifest),
            "size": pulled.component.len(),
        });
        Ok(Fetched {
            name: reference.short_name().to_owned(),
            from: (format!("{reference} (manifest sha256:{})", pulled.manifest), members),
            signatures: pulled.signatures,
            component: pulled.component,
        })
    }
}

/// The version that somebody means by `NAME`, `NAME@VERSION` or `NAME:TAG`.
async fn chosen(client: &Client, tenant: &str, what: &str) -> Result<Value, Failure> {
    let separator = what.find(['@', ':']);
    let (name, which) = separator.map_or((what, ""), |at| what.split_at(at));
    let found = client.get(&["tenants", tenant, "plugins", name, "versions"]).await?;
    let versions = items(&found, "versions").iter().rev();
    let named = which.get(1..).unwrap_or_default();
    let mut chosen = versions.filter(|version| match which.chars().next() {
        Some('@') => text(version, "version") == named,
        Some(_) => version.get("tag").and_then(Value::as_str) == Some(named),
        None => true,
    });
    let none = || match which.starts_with('@') {
        true => Failure::Server(format!("plugin `{name}` has no version {named}")),
        false => Failure::Server(format!("plugin `{name}` has no version with the tag `{named}`")),
    };
    chosen.next().cloned().ok_or_else(none)
}

async fn of_server(client: &Client, tenant: &str, what: &str) -> Result<Fetched, Failure> {
    let version = chosen(client, tenant, what).await?;
    let [name, number] = ["plugin", "version"].map(|member| text(&version, member));
    let (component, signatures) = component(client, tenant, &version).await?;
    let members = json!({ "plugin": name, "version": version.get("version"), "size": component.len() });
    Ok(Fetched { component, signatures, from: (format!("plugin {name} version {number}"), members), name })
}

/// The component of a version as the server lists it, which has the digest that is in the list; and its signatures.
pub(in crate::cli) async fn component(
    client: &Client,
    tenant: &str,
    version: &Value,
) -> Result<(Vec<u8>, Option<Document>), Failure> {
    let [name, number, wanted] = ["plugin", "version", "digest"].map(|member| text(version, member));
    let size = version.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let path = ["tenants", tenant, "plugins", &name, "versions", &number, "component"];
    let (headers, bytes) = client.download(client.request(Method::GET, &path)?, size.unwrap_or_default()).await?;
    let found = digest(&bytes);
    if found != wanted {
        return Err(Failure::Server(format!(
            "the server sends other bytes: sha256:{found} in place of sha256:{wanted}"
        )));
    }
    let signatures = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let signatures = signatures.map(|header| received(header, &found)).transpose()?;
    Ok((bytes, signatures))
}

/// Writes all of them, or none if one of them is there and is not the same.
fn write(files: &[(PathBuf, Vec<u8>)], force: bool) -> Result<(), Failure> {
    let differs = |path: &Path, bytes: &[u8]| path.exists() && std::fs::read(path).ok().as_deref() != Some(bytes);
    if let Some((path, _)) = files.iter().find(|(path, bytes)| !force && differs(path, bytes)) {
        return Err(Failure::Usage(format!(
            "`{}` is there already and is not the same: say `--force`",
            path.display()
        )));
    }
    // The signatures first: a component is never beside those of another one.
    files.iter().rev().try_for_each(|(path, bytes)| write_whole(path, bytes, 0o644))
}
