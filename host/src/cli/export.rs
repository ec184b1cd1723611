//! `scruple export`: the file that says what a tenant's constraints, tables and waivers are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::{Method, header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::manifest::VERSION;
use crate::cli::output::{Output, items, text};
use crate::cli::plugin::pull;
use crate::cli::signatures::beside;
use crate::cli::{Failure, TenantArg};
use crate::tables::{TableLimits, csv, json as json_table};

const FILE: &str = "constraints.yaml";
const TABLES: &str = "tables";
const COMPONENTS: &str = "components";

/// Characters of a digest in a file's name: enough to tell versions of a plugin apart.
const DIGEST_CHARS: usize = 12;

/// What was taken once is no larger than it may be.
const UNLIMITED: TableLimits = TableLimits {
    upload_bytes_max: usize::MAX,
    table_bytes_max: usize::MAX,
    rows_max: usize::MAX,
    row_bytes_max: usize::MAX,
    key_bytes_max: usize::MAX,
    columns_max: usize::MAX,
    tables_max: usize::MAX,
    revisions_max: usize::MAX,
};

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    tenant: TenantArg,
    /// A folder for `constraints.yaml` and, in `tables/`, the contents of the tables. Without it, or with `-`, the file is
    /// printed, and has tables by their digests.
    #[arg(long, default_value = "-", value_name = "DIR|-")]
    out: PathBuf,
    /// Write the components, too, in `components/` with their signatures beside them, and name them in the file in place of
    /// their digests: then it leads to the same state on a server that has none of them.
    #[arg(long)]
    components: bool,
}

/// The file; its members in the order in which one reads them.
#[derive(Serialize)]
struct Document {
    version: u32,
    constraints: Members<ConstraintEntry>,
    tables: Members<TableEntry>,
    waivers: Vec<WaiverEntry>,
}

type Members<T> = BTreeMap<String, T>;

#[derive(Serialize)]
struct ConstraintEntry {
    plugin: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    digest: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    settings: Value,
    grants: Value,
    mode: Value,
    on_fault: Value,
    order: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TableEntry {
    File {
        file: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    Digest {
        digest: String,
    },
}

#[derive(PartialEq, Serialize)]
struct WaiverEntry {
    constraint: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Value>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    resource_type: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    until: Value,
    ticket: Value,
}

impl Export {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let folder = (self.out != Path::new("-")).then_some(self.out.as_path());
        if self.components && folder.is_none() {
            return Err(Failure::Usage("`--components` writes files: name a folder with `--out`".to_owned()));
        }
        let tenant = client.tenant(&self.tenant)?;
        let path = ["tenants", tenant, "constraints"];
        let present = client.get(&path).await?;
        let mut constraints = constraints(&present);
        let request = client.request(Method::GET, &["tenants", tenant, "waivers"])?.query(&[("in_force", "true")]);
        let waivers = waivers(&client.send(request).await?, &constraints);
        let mut files = Vec::new();
        if self.components {
            files = components(client, tenant, &mut constraints).await?;
        }
        let mut document = Document { version: VERSION, constraints, tables: Members::new(), waivers };
        let listed = client.get(&["tenants", tenant, "tables"]).await?;
        for table in items(&listed, "tables") {
            let entry = match folder {
                None => TableEntry::Digest { digest: text(table, "digest") },
                Some(_) => {
                    let (entry, file) = contents(client, tenant, table).await?;
                    files.push(file);
                    entry
                }
            };
            document.tables.insert(text(table, "name"), entry);
        }
        if client.get(&path).await?.get("generation") != present.get("generation") {
            return Err(Failure::Server(format!("tenant {tenant} changed meanwhile: export it again")));
        }
        let broken = |error: &dyn std::fmt::Display| Failure::Local(format!("cannot write the file: {error}"));
        let yaml = serde_saphyr::to_string(&document).map_err(|error| broken(&error))?;
        let Some(folder) = folder else {
            let document = serde_json::to_value(&document).map_err(|error| broken(&error))?;
            return match output.is_json() {
                true => output.line(&document, ""),
                false => output.document(&yaml),
            };
        };
        files.push((PathBuf::from(FILE), yaml.into_bytes()));
        for (file, bytes) in &files {
            write(&folder.join(file), bytes)?;
        }
        let written: Vec<String> = files.iter().map(|(file, _)| folder.join(file).display().to_string()).collect();
        output.line(&json!({ "written": written }), format!("wrote {}", written.join(", ")))
    }
}

fn constraints(present: &Value) -> Members<ConstraintEntry> {
    let entry = |constraint: &Value| {
        let member = |name: &str| constraint.get(name).cloned().unwrap_or_default();
        let entry = ConstraintEntry {
            plugin: member("plugin"),
            digest: member("digest"),
            component: None,
            settings: member("settings"),
            grants: member("grants"),
            mode: member("mode"),
            on_fault: member("on_fault"),
            order: member("order"),
        };
        (text(constraint, "name"), entry)
    };
    items(present, "constraints").iter().map(entry).collect()
}

/// Their components and signatures as files, which the entries name from then on. Two constraints may have the same one.
async fn components(
    client: &Client,
    tenant: &str,
    constraints: &mut Members<ConstraintEntry>,
) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let listed = client.get(&["tenants", tenant, "plugins"]).await?;
    let mut files = BTreeMap::new();
    for entry in constraints.values_mut() {
        let is_its = |version: &&Value| {
            version.get("plugin") == Some(&entry.plugin) && version.get("digest") == Some(&entry.digest)
        };
        let version = items(&listed, "versions").iter().find(is_its);
        let version = version.ok_or_else(|| Failure::Server("the server lacks a version in force".to_owned()))?;
        let digest: String = text(version, "digest").chars().take(DIGEST_CHARS).collect();
        let name = format!("{COMPONENTS}/{}-{digest}.wasm", text(version, "plugin"));
        let path = PathBuf::from(&name);
        if !files.contains_key(&path) {
            let (component, signatures) = pull::component(client, tenant, version).await?;
            if let Some(signatures) = signatures {
                files.insert(beside(&path), signatures.to_file().into_bytes());
            }
            files.insert(path, component);
        }
        entry.component = Some(name);
        entry.digest = Value::Null;
    }
    Ok(files.into_iter().collect())
}

/// Those in force. One of a constraint that was removed waives nothing, and a file with it could not be applied.
fn waivers(present: &Value, constraints: &Members<ConstraintEntry>) -> Vec<WaiverEntry> {
    let mut entries: Vec<WaiverEntry> = Vec::new();
    for waiver in items(present, "waivers") {
        let member = |name: &str| waiver.get(name).cloned();
        let entry = WaiverEntry {
            constraint: text(waiver, "constraint"),
            code: text(waiver, "code"),
            resource: member("resource"),
            resource_type: member("resource_type"),
            filter: member("filter"),
            until: member("until").unwrap_or_default(),
            ticket: member("ticket").unwrap_or_default(),
        };
        // Somebody may have made the same twice, which in a file is once.
        if constraints.contains_key(&entry.constraint) && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// A table's entry, and its file.
async fn contents(client: &Client, tenant: &str, table: &Value) -> Result<(TableEntry, (PathBuf, Vec<u8>)), Failure> {
    let (name, digest) = (text(table, "name"), text(table, "digest"));
    let file = |extension: &str| format!("{TABLES}/{name}.{extension}");
    if let Some(key) = table.get("key").and_then(Value::as_str) {
        let shown = fetch(client, tenant, &name, "text/csv").await?;
        // With the ends of lines that are usual in repositories, if no value has one.
        for bytes in [shown.replace("\r\n", "\n"), shown].map(String::into_bytes) {
            let read = csv::read(&bytes, Some(key), &UNLIMITED);
            // CSV does not tell an empty text from none.
            if read.is_ok_and(|contents| contents.digest == digest) {
                let entry = TableEntry::File { file: file("csv"), key: Some(key.to_owned()) };
                return Ok((entry, (file("csv").into(), bytes)));
            }
        }
    }
    let shown = fetch(client, tenant, &name, "application/json").await?;
    let rows: Value = serde_json::from_str(&shown).unwrap_or_default();
    for bytes in [format!("{rows:#}\n"), shown].map(String::into_bytes) {
        if json_table::read(&bytes, None, &UNLIMITED).is_ok_and(|contents| contents.digest == digest) {
            let entry = TableEntry::File { file: file("json"), key: None };
            return Ok((entry, (file("json").into(), bytes)));
        }
    }
    Err(Failure::Server(format!("table `{name}` changed meanwhile: export the tenant again")))
}

async fn fetch(client: &Client, tenant: &str, name: &str, accept: &str) -> Result<String, Failure> {
    let request = client.request(Method::GET, &["tenants", tenant, "tables", name, "content"])?;
    client.send_for_text(request.header(header::ACCEPT, accept)).await
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = file.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(file, bytes))
        .map_err(|error| Failure::Local(format!("cannot write `{}`: {error}", file.display())))
}
