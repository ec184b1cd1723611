//! `scruple table`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Subcommand)]
pub(super) enum Table {
    /// Upload a table: CSV with a header, or JSON (an object from key to row, a list of objects, a list of texts).
    Put(Put),
    /// List the tables.
    List {
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// One table: revision, rows, digest, who made it so and when.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// The table.
        name: String,
    },
    /// Print the contents: CSV, or with `--json` an object from key to row.
    Content {
        #[command(flatten)]
        tenant: TenantArg,
        /// The table.
        name: String,
        /// An earlier revision; the present one, if absent.
        #[arg(long)]
        revision: Option<u32>,
    },
    /// List every revision of a table that is kept.
    History {
        #[command(flatten)]
        tenant: TenantArg,
        /// The table.
        name: String,
    },
    /// Make the contents of an earlier revision the present ones.
    Rollback {
        #[command(flatten)]
        tenant: TenantArg,
        /// The table.
        name: String,
        /// The revision whose contents are wanted; the last that differs from the present, if absent.
        #[arg(long)]
        revision: Option<u32>,
    },
    /// Take a table away. What looks into it has no answer then; a rollback brings it back.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// The table.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Put {
    #[command(flatten)]
    tenant: TenantArg,
    /// The table's name: lower-case letters, digits and dashes.
    name: String,
    /// The file: `.json`, or CSV of any other name.
    file: PathBuf,
    /// The column, or the member of each object in a list, that is the key; of CSV the first, if absent.
    #[arg(long)]
    key: Option<String>,
}

impl Table {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Put(put) => put.run(client, output).await,
            Self::List { tenant } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "tables"]).await?;
                output.table(&found, &REVISION, items(&found, "tables").iter().map(revision).collect())
            }
            Self::Show { tenant, name } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "tables", name]).await?;
                output.line(&found, in_words(&found))
            }
            Self::Content { tenant, name, revision } => {
                content(client, output, client.tenant(tenant)?, name, *revision).await
            }
            Self::History { tenant, name } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "tables", name, "history"]).await?;
                output.table(&found, &REVISION, items(&found, "history").iter().map(revision).collect())
            }
            Self::Rollback { tenant, name, revision } => {
                let path = ["tenants", client.tenant(tenant)?, "tables", name, "rollback"];
                let now = client.post(&path, &json!({ "revision": revision })).await?;
                output.line(&now, in_words(&now))
            }
            Self::Delete { tenant, name } => {
                client.delete(&["tenants", client.tenant(tenant)?, "tables", name]).await?;
                output.line(&json!({ "deleted": name }), format!("deleted table {name}"))
            }
        }
    }
}

impl Put {
    async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let bytes = std::fs::read(&self.file)
            .map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", self.file.display())))?;
        let request = client.request(Method::PUT, &["tenants", client.tenant(&self.tenant)?, "tables", &self.name])?;
        let request = request.header(header::CONTENT_TYPE, media_type(&self.file)).body(bytes);
        let request = match &self.key {
            Some(key) => request.query(&[("key", key)]),
            None => request,
        };
        let now = client.send(request).await?;
        output.line(&now, in_words(&now))
    }
}

/// As the file's name says it.
pub(super) fn media_type(file: &Path) -> &'static str {
    match file.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => "application/json",
        _ => "text/csv",
    }
}

async fn content(
    client: &Client,
    output: &Output,
    tenant: &str,
    name: &str,
    revision: Option<u32>,
) -> Result<(), Failure> {
    let accept = if output.is_json() { "application/json" } else { "text/csv" };
    let request = client.request(Method::GET, &["tenants", tenant, "tables", name, "content"])?;
    let request = request.header(header::ACCEPT, accept);
    let request = match revision {
        Some(revision) => request.query(&[("revision", revision)]),
        None => request,
    };
    match output.is_json() {
        true => output.json_line(&client.send(request).await?),
        false => output.text(&client.send_for_text(request).await?),
    }
}

fn in_words(table: &Value) -> String {
    let columns = items(table, "columns");
    let shown = match columns.is_empty() {
        true => "its rows are JSON and cannot be shown as CSV".to_owned(),
        false => format!("its columns are {}; {} is the key", text(table, "columns"), text(table, "key")),
    };
    format!(
        "table {} has {} rows of {} bytes: revision {}, generation {}, by {} at {}\nits digest is {}\n{shown}",
        text(table, "name"),
        text(table, "rows"),
        text(table, "bytes"),
        text(table, "revision"),
        text(table, "generation"),
        text(table, "by"),
        text(table, "at"),
        text(table, "digest"),
    )
}

const REVISION: [&str; 7] = ["table", "revision", "rows", "bytes", "digest", "by", "at"];

fn revision(table: &Value) -> Vec<String> {
    let shown = |name: &str| match (name, table.get("removed").and_then(Value::as_bool)) {
        ("rows", Some(true)) => "removed".to_owned(),
        // Enough to tell two apart.
        ("digest", _) => text(table, "digest").chars().take(12).collect(),
        _ => text(table, name),
    };
    ["name", "revision", "rows", "bytes", "digest", "by", "at"].map(shown).into()
}
