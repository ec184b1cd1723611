//! `scruple constraint`.

mod diff;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::arguments::json_argument;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::wait::{Wait, active};
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Subcommand)]
pub(super) enum Constraint {
    /// Put a plugin version to work, or change how.
    Set(Box<Set>),
    /// List the constraints in force.
    List {
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Show a constraint: settings, grants, version, who made it so, and how it broke.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// The constraint.
        name: String,
    },
    /// List every state a constraint has had.
    History {
        #[command(flatten)]
        tenant: TenantArg,
        /// The constraint.
        name: String,
    },
    /// Make an earlier state the present one.
    Rollback {
        #[command(flatten)]
        tenant: TenantArg,
        /// The constraint.
        name: String,
        /// The revision whose state is to be in force again; the last one before the present, if absent.
        #[arg(long)]
        revision: Option<u32>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Tell where two constraints have said different things about the same changes, or what a component would have said. Exit
    /// code 1 if there is a difference.
    Diff(Box<diff::Diff>),
    /// Take a constraint away; its history stays.
    Remove {
        #[command(flatten)]
        tenant: TenantArg,
        /// The constraint.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Set {
    #[command(flatten)]
    tenant: TenantArg,
    /// The constraint's name in the tenant.
    name: String,
    /// The plugin; the constraint's name, if absent.
    #[arg(long)]
    plugin: Option<String>,
    /// Which version of it; the newest, if absent.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// The tag that the version was pushed with, instead of its number.
    #[arg(long, conflicts_with = "version")]
    tag: Option<String>,
    /// Settings: JSON, or `@file.json`.
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE")]
    settings: String,
    /// Grants: JSON or `@file.json`, with `reads`, `capabilities`, and for a rewriter `writes`; exactly what the plugin asks
    /// for, if absent.
    #[arg(long, value_name = "JSON|@FILE")]
    grants: Option<String>,
    /// Whether its answer counts; a rewriter's edits are made under `enforce` alone.
    #[arg(long, default_value = "enforce", value_parser = ["enforce", "warn", "shadow", "off"])]
    mode: String,
    /// What a fault does.
    #[arg(long, default_value = "deny", value_parser = ["deny", "allow"])]
    on_fault: String,
    /// Place among the tenant's constraints; rewriters are asked in this order.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    order: i32,
    #[command(flatten)]
    wait: Wait,
}

impl Constraint {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Set(set) => set.run(client, output).await,
            Self::Diff(diff) => diff.run(client, output).await,
            Self::List { tenant } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "constraints"]).await?;
                let rows = items(&found, "constraints").iter().map(in_use).collect();
                output.table(&found, &IN_USE, rows)
            }
            Self::Show { tenant, name } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "constraints", name]).await?;
                output.line(&found, shown(&found))
            }
            Self::History { tenant, name } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "constraints", name, "history"]).await?;
                let rows = items(&found, "history").iter().map(state).collect();
                output.table(&found, &STATE, rows)
            }
            Self::Rollback { tenant, name, revision, wait } => {
                let tenant = client.tenant(tenant)?;
                let path = ["tenants", tenant, "constraints", name, "rollback"];
                let now = client.post(&path, &json!({ "revision": revision })).await?;
                let told = in_force(&now);
                wait.tell(client, output, tenant, (now, told)).await
            }
            Self::Remove { tenant, name } => {
                client.delete(&["tenants", client.tenant(tenant)?, "constraints", name]).await?;
                output.line(&json!({ "removed": name }), format!("removed constraint {name}"))
            }
        }
    }
}

impl Set {
    async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let body = json!({
            "plugin": self.plugin.as_deref().unwrap_or(&self.name),
            "version": self.version,
            "tag": self.tag,
            "settings": json_argument("settings", &self.settings)?,
            "grants": self.grants.as_deref().map(|text| json_argument("grants", text)).transpose()?,
            "mode": self.mode,
            "on_fault": self.on_fault,
            "order": self.order,
        });
        let tenant = client.tenant(&self.tenant)?;
        let now = client.put(&["tenants", tenant, "constraints", &self.name], &body).await?;
        let told = in_force(&now);
        self.wait.tell(client, output, tenant, (now, told)).await
    }
}

/// All of a constraint.
fn shown(constraint: &Value) -> String {
    let [plugin, version, mode] = ["plugin", "version", "mode"].map(|name| text(constraint, name));
    let [revision, generation, by, at] = ["revision", "generation", "by", "at"].map(|name| text(constraint, name));
    let unsigned = match constraint.get("unsigned") {
        Some(_) => format!("\nunsigned    {}; it stays in force", text(constraint, "unsigned")),
        None => String::new(),
    };
    let faults = match constraint.get("faults") {
        Some(faults) => format!("{}, the last at {}", faults_of(faults), text(faults, "last_at")),
        None => "none since the server was started".to_owned(),
    };
    [
        format!("constraint  {}", text(constraint, "name")),
        format!("plugin      {plugin} version {version}"),
        format!("sha256      {}", text(constraint, "digest")),
        format!("signed by   {}", signers(constraint)),
        format!(
            "mode        {mode}; a fault means {}; order {}",
            text(constraint, "on_fault"),
            text(constraint, "order")
        ),
        format!("since       {at}, by {by}; revision {revision}, generation {generation}"),
        format!("may read    {}", grants(constraint.get("grants").unwrap_or(&Value::Null))),
        format!("active      {}", active(constraint.get("active").unwrap_or(&Value::Null))),
        format!("faults      {faults}"),
        format!("settings    {:#}", constraint.get("settings").unwrap_or(&Value::Null)),
    ]
    .join("\n")
        + &unsigned
}

/// Whose signatures the component has.
fn signers(constraint: &Value) -> String {
    let by = crate::cli::plugin::signers(constraint);
    if by.is_empty() { "nobody".to_owned() } else { by }
}

/// How often a constraint broke since the server was started, and where the last cause is.
fn faults_of(faults: &Value) -> String {
    let [count, kind, decision] = ["count", "last_kind", "last_decision"].map(|name| text(faults, name));
    format!("{count}, the last ({kind}) in {decision}")
}

fn in_force(now: &Value) -> String {
    format!(
        "constraint {} is in force: {} version {}, {}, revision {}, generation {}\nit may read {}",
        text(now, "name"),
        text(now, "plugin"),
        text(now, "version"),
        text(now, "mode"),
        text(now, "revision"),
        text(now, "generation"),
        grants(now.get("grants").unwrap_or(&Value::Null)),
    )
}

/// Grants without `reads` are grants of every attribute.
pub(super) fn grants(grants: &Value) -> String {
    let reads = match grants.get("reads") {
        None => "every attribute".to_owned(),
        Some(_) if items(grants, "reads").is_empty() => "no attribute".to_owned(),
        Some(_) => text(grants, "reads"),
    };
    let writes = match grants.get("writes") {
        None => reads,
        Some(_) => match items(grants, "writes") {
            [] => format!("{reads}; and edit nothing"),
            [all] if all == "*" => format!("{reads}; and edit every attribute"),
            _ => format!("{reads}; and edit {}", text(grants, "writes")),
        },
    };
    match items(grants, "capabilities") {
        [] => writes,
        _ => format!("{writes}; and use {}", text(grants, "capabilities")),
    }
}

const STATE: [&str; 8] = ["constraint", "revision", "plugin", "version", "mode", "on fault", "by", "at"];

fn state(state: &Value) -> Vec<String> {
    ["name", "revision", "plugin", "version", "mode", "on_fault", "by", "at"].map(|name| text(state, name)).into()
}

const IN_USE: [&str; 10] =
    ["constraint", "revision", "plugin", "version", "mode", "on fault", "by", "at", "signed by", "faults"];

/// A constraint in force: its state, who has signed it, and how often it broke since the server was started.
fn in_use(constraint: &Value) -> Vec<String> {
    let mut row = state(constraint);
    let lacks = if constraint.get("unsigned").is_some() { " (not as required)" } else { "" };
    row.push(format!("{}{lacks}", signers(constraint)));
    row.push(constraint.get("faults").map_or_else(String::new, faults_of));
    row
}
