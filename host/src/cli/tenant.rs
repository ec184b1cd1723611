//! `scruple tenant`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant.
    Create {
        /// Its name in URLs: lower-case letters, digits and dashes.
        name: String,
    },
    /// List the tenants.
    List,
    /// Set for which provisioning clients a tenant is set up, where they want different things of a server.
    Profile {
        /// Its name.
        name: String,
        /// `rfc` (by the letter), `entra` or `okta`.
        profile: String,
    },
    /// Set whether a tenant's clients are answered before their requests are carried out, if they prefer that
    /// (`Prefer: respond-async`, RFC 9967).
    RespondAsync {
        /// Its name.
        name: String,
        /// `on` or `off`.
        switch: Switch,
    },
    /// Set how long a tenant's decisions are kept. Older ones are dropped; the server's setting `[store] decisions_exported_to` has
    /// them written down before. Where the server has the log in partitions (`[store] decisions_partition_days`), they are kept at most the
    /// width of a partition longer.
    KeepDecisions {
        /// Its name.
        name: String,
        /// A number of days, or `forever`.
        #[arg(value_parser = Kept::parse)]
        days: Kept,
    },
    /// Delete a tenant with everything it has.
    Delete {
        /// Its name.
        name: String,
        /// Really: resources, tokens, plugins, constraints and decisions are gone afterwards.
        #[arg(long, required = true)]
        yes: bool,
    },
}

/// So many days, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept(Option<u32>);

impl Kept {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "forever" => Ok(Self(None)),
            days => days.parse().map(|days| Self(Some(days))).map_err(|_| "a number of days, or `forever`".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl Tenant {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Create { name } => {
                let made = client.post(&["tenants"], &json!({ "name": name })).await?;
                output.line(&made, format!("made tenant {name}; its SCIM endpoint is {}", text(&made, "scim_path")))
            }
            Self::List => {
                let found = client.get(&["tenants"]).await?;
                let rows = items(&found, "tenants")
                    .iter()
                    .map(|tenant| {
                        ["name", "generation", "created_at", "scim_path"].map(|name| text(tenant, name)).into()
                    })
                    .collect();
                output.table(&found, &["tenant", "generation", "made", "SCIM endpoint"], rows)
            }
            Self::Profile { name, profile } => {
                let changed = client.patch(&["tenants", name], &json!({ "profile": profile })).await?;
                output.line(&changed, format!("tenant {name} is set up for {profile}"))
            }
            Self::RespondAsync { name, switch } => {
                let on = *switch == Switch::On;
                let changed = client.patch(&["tenants", name], &json!({ "respond_async": on })).await?;
                let when = if on { "before their requests are carried out, if they prefer that" } else { "afterwards" };
                output.line(&changed, format!("clients of tenant {name} are answered {when}"))
            }
            Self::KeepDecisions { name, days: Kept(days) } => {
                let changed = client.patch(&["tenants", name], &json!({ "decisions_kept_days": days })).await?;
                let how_long = days.map_or("for ever".to_owned(), |days| format!("{days} days"));
                output.line(&changed, format!("decisions of tenant {name} are kept {how_long}"))
            }
            Self::Delete { name, yes: _ } => {
                client.delete(&["tenants", name]).await?;
                output.line(&json!({ "deleted": name }), format!("deleted tenant {name}"))
            }
        }
    }
}
