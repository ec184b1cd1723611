//! `scruple signing-key` and `scruple signing-policy`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::signatures::public_key;
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Subcommand)]
pub(super) enum SigningKey {
    /// Make a key known to the tenant, so that signatures by it can be checked. It counts once the policy names it.
    Add {
        #[command(flatten)]
        tenant: TenantArg,
        /// Its name in the tenant.
        name: String,
        /// The public key: Ed25519, in PEM, as `plugin keygen` and `openssl pkey -pubout` write it.
        file: PathBuf,
    },
    /// List the keys.
    List {
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Forget a key and its signatures. What it has signed stays in force, and is not put to work again if the key counted.
    Remove {
        #[command(flatten)]
        tenant: TenantArg,
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SigningPolicy {
    /// From now on, take and put to work only what these keys have signed. What is in force stays so.
    Require {
        #[command(flatten)]
        tenant: TenantArg,
        /// Names of the keys that count.
        #[arg(required = true)]
        keys: Vec<String>,
        /// How many of them must have signed.
        #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "all")]
        at_least: u32,
        /// All of them must have.
        #[arg(long)]
        all: bool,
    },
    /// Take and put to work what nobody has signed, too.
    Off {
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Show whose signatures are required, and which constraints in force are without.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
    },
}

impl SigningKey {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add { tenant, name, file } => {
                let body = json!({ "public_key": public_key(file)?.to_pem() });
                let added = client.put(&["tenants", client.tenant(tenant)?, "signing-keys", name], &body).await?;
                let counts = match added.get("counts") {
                    Some(Value::Bool(true)) => "it counts",
                    _ => "it counts once `signing-policy require` names it",
                };
                output.line(&added, format!("signing key {name} is {}; {counts}", text(&added, "id")))
            }
            Self::List { tenant } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "signing-keys"]).await?;
                let row = |key: &Value| {
                    let counts = if key.get("counts") == Some(&Value::Bool(true)) { "yes" } else { "no" };
                    let [name, id, by, at] = ["name", "id", "by", "at"].map(|member| text(key, member));
                    vec![name, id, counts.to_owned(), by, at]
                };
                let rows = items(&found, "keys").iter().map(row).collect();
                output.table(&found, &["key", "id", "counts", "by", "at"], rows)
            }
            Self::Remove { tenant, name } => {
                client.delete(&["tenants", client.tenant(tenant)?, "signing-keys", name]).await?;
                output.line(&json!({ "removed": name }), format!("forgot signing key {name} and its signatures"))
            }
        }
    }
}

impl SigningPolicy {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let set = async |tenant: &TenantArg, body: Value| {
            client.put(&["tenants", client.tenant(tenant)?, "signing-policy"], &body).await
        };
        let policy = match self {
            Self::Require { tenant, keys, at_least, all } => {
                let required = if *all { u32::try_from(keys.len()).unwrap_or(u32::MAX) } else { *at_least };
                if required == 0 {
                    return Err(Failure::Usage("to require none, say `signing-policy off`".to_owned()));
                }
                set(tenant, json!({ "required": required, "keys": keys })).await?
            }
            Self::Off { tenant } => set(tenant, json!({ "required": 0 })).await?,
            Self::Show { tenant } => client.get(&["tenants", client.tenant(tenant)?, "signing-policy"]).await?,
        };
        output.line(&policy, shown(&policy))
    }
}

/// The policy in words, and what does not satisfy it.
fn shown(policy: &Value) -> String {
    let keys = text(policy, "keys");
    let mut lines = vec![match (text(policy, "required").as_str(), items(policy, "keys")) {
        ("0", _) => "no signatures are required".to_owned(),
        (_, []) => "signatures are required and no key counts: nothing is taken or put to work".to_owned(),
        ("1", [_]) => format!("a signature by {keys} is required"),
        (required, several) if required == several.len().to_string() => {
            format!("signatures by all of {keys} are required")
        }
        ("1", _) => format!("a signature by one of {keys} is required"),
        (required, _) => format!("signatures by {required} of {keys} are required"),
    }];
    if policy.get("by").is_some() {
        lines.push(format!("set at {}, by {}", text(policy, "at"), text(policy, "by")));
    }
    for unsigned in items(policy, "unsigned") {
        let [constraint, detail] = ["constraint", "detail"].map(|member| text(unsigned, member));
        lines.push(format!("in force without: constraint {constraint}: {detail}"));
    }
    lines.join("\n")
}
