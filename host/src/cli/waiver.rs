//! `scruple waiver`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Subcommand)]
pub(super) enum Waiver {
    /// Make one: for a while, a reason of a constraint does not count.
    Add(Add),
    /// List them with what came of them, also those that have ended.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        /// Only those in force that nothing was ever committed by.
        #[arg(long)]
        unused: bool,
    },
    /// Take one back. It stays in the list.
    Revoke {
        #[command(flatten)]
        tenant: TenantArg,
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("for").required(true).args(["resource", "filter"]))]
pub(super) struct Add {
    #[command(flatten)]
    tenant: TenantArg,
    /// The constraint.
    constraint: String,
    /// The code of the reason: `decisions explain` shows it.
    code: String,
    /// For this resource: its id.
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// For those that match: a SCIM filter of the state before the change.
    #[arg(long)]
    filter: Option<String>,
    /// With `--filter`: of which resource type.
    #[arg(long = "type", value_name = "TYPE", default_value = "User")]
    resource_type: String,
    /// From this time on the reason counts again: `2027-01-31T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    until: String,
    /// Where it was agreed upon: an address, a number.
    #[arg(long)]
    ticket: String,
}

impl Waiver {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(client, output).await,
            Self::List { tenant, unused } => {
                let mut found = client.get(&["tenants", client.tenant(tenant)?, "waivers"]).await?;
                if let Some(waivers) = found.get_mut("waivers").and_then(Value::as_array_mut).filter(|_| *unused) {
                    waivers.retain(|waiver| text(waiver, "state") == "in-force" && text(waiver, "uses") == "0");
                }
                let rows = items(&found, "waivers").iter().map(row).collect();
                output.table(
                    &found,
                    &["waiver", "state", "constraint", "code", "for", "until", "ticket", "by", "used"],
                    rows,
                )
            }
            Self::Revoke { tenant, id } => {
                let revoked = client.delete(&["tenants", client.tenant(tenant)?, "waivers", id]).await?;
                output
                    .line(&revoked, format!("waiver {id} is taken back; it was used {} times", text(&revoked, "uses")))
            }
        }
    }
}

impl Add {
    async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let mut body = json!({
            "constraint": self.constraint, "code": self.code, "until": self.until, "ticket": self.ticket,
        });
        if let Some(members) = body.as_object_mut() {
            match (&self.resource, &self.filter) {
                (Some(resource), _) => drop(members.insert("resource".to_owned(), json!(resource))),
                (None, filter) => {
                    members.insert("resource_type".to_owned(), json!(self.resource_type));
                    members.insert("filter".to_owned(), json!(filter));
                }
            }
        }
        let made = client.post(&["tenants", client.tenant(&self.tenant)?, "waivers"], &body).await?;
        let said = format!(
            "waiver {}: `{}` of {} does not count for {} until {}",
            text(&made, "id"),
            text(&made, "code"),
            text(&made, "constraint"),
            whom(&made),
            text(&made, "until"),
        );
        output.line(&made, said)
    }
}

/// For whom the reason does not count.
pub(super) fn whom(waiver: &Value) -> String {
    match waiver.get("resource") {
        Some(_) => text(waiver, "resource"),
        None => format!("{} where {}", text(waiver, "resource_type"), text(waiver, "filter")),
    }
}

fn row(waiver: &Value) -> Vec<String> {
    let used = match text(waiver, "uses").as_str() {
        "0" => "never".to_owned(),
        "1" => format!("once, in {}", text(waiver, "used_in")),
        times => format!("{times} times, the last in {}", text(waiver, "used_in")),
    };
    let [id, state, constraint, code] = ["id", "state", "constraint", "code"].map(|name| text(waiver, name));
    let [until, ticket, by] = ["until", "ticket", "by"].map(|name| text(waiver, name));
    vec![id, state, constraint, code, whom(waiver), until, ticket, by, used]
}
