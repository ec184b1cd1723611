//! `scruple token`.

use clap::Subcommand;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token; it is shown once.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// For people: what uses it.
        #[arg(long)]
        label: String,
        /// What it allows: `scim`, `author` or `admin`. May be given several times.
        #[arg(long = "scope", required = true, value_parser = ["scim", "author", "admin"])]
        scopes: Vec<String>,
        /// When it stops being valid: `2027-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// The id of the user that it speaks for, whom `/Me` then stands for.
        #[arg(long, value_name = "ID")]
        user: Option<String>,
    },
    /// List a tenant's tokens.
    List {
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Revoke a token, at once.
    Revoke {
        #[command(flatten)]
        tenant: TenantArg,
        /// Its id, as `list` shows it.
        id: String,
    },
}

impl Token {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Create { tenant, label, scopes, expires_at, user } => {
                let body = json!({ "label": label, "scopes": scopes, "expires_at": expires_at, "user": user });
                let made = client.post(&["tenants", client.tenant(tenant)?, "tokens"], &body).await?;
                // The token alone, so that `TOKEN=$(scruple token create …)` works.
                output.line(&made, text(&made, "token"))
            }
            Self::List { tenant } => {
                let found = client.get(&["tenants", client.tenant(tenant)?, "tokens"]).await?;
                let rows = items(&found, "tokens")
                    .iter()
                    .map(|token| {
                        ["id", "label", "scopes", "created_at", "expires_at"].map(|name| text(token, name)).into()
                    })
                    .collect();
                output.table(&found, &["id", "label", "scopes", "made", "expires"], rows)
            }
            Self::Revoke { tenant, id } => {
                client.delete(&["tenants", client.tenant(tenant)?, "tokens", id]).await?;
                output.line(&json!({ "revoked": id }), format!("revoked token {id}"))
            }
        }
    }
}
