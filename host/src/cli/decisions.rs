//! `scruple decisions`.

mod capture;
mod explain;
mod replay;
mod words;

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};
use crate::decision::Outcome;

pub(super) use words::evaluations_in_words;
use words::row;

/// How often `tail --follow` asks. A second is what a person watching does not notice.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(super) enum Decisions {
    /// The newest decisions, oldest of them first.
    Tail(Tail),
    /// One decision: what each constraint said and read.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Its id: in the client's error, in the response header, in `tail`. `last` is the newest one.
        id: String,
    },
    /// The same, and what each verdict rests on: what would have had to be otherwise. Found by asking the constraints again.
    Explain {
        #[command(flatten)]
        tenant: TenantArg,
        /// The decision's id, or `last`.
        id: String,
    },
    /// Have the constraints judge it again by nothing but what they read then, or another component in the place of one. Exit code
    /// 1 if verdict, reasons or fuel are not what they were.
    Replay(replay::Replay),
    /// Make a fixture of it for `plugin test`, with what is somebody's masked.
    Capture(capture::Capture),
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    tenant: TenantArg,
    /// Only those with this outcome; `invalid` is what the schema refuses, `unchanged` what rewriters took back.
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str)))]
    verdict: Option<String>,
    /// Only where this constraint was asked.
    #[arg(long)]
    constraint: Option<String>,
    /// Only on the resource of this id.
    #[arg(long)]
    resource: Option<String>,
    /// Not before this time: `2026-11-23T12:00:00Z`.
    #[arg(long)]
    since: Option<String>,
    /// How many.
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
    /// Go on with new ones as they come, until interrupted.
    #[arg(short, long)]
    follow: bool,
}

impl Decisions {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Tail(tail) => tail.run(client, output).await,
            Self::Show { tenant, id } => {
                let tenant = client.tenant(tenant)?;
                let id = named(client, tenant, id).await?;
                let found = client.get(&["tenants", tenant, "decisions", &id]).await?;
                output.line(&found, words::entry(&found))
            }
            Self::Explain { tenant, id } => {
                let tenant = client.tenant(tenant)?;
                let id = named(client, tenant, id).await?;
                let found = client.get(&["tenants", tenant, "decisions", &id, "explanation"]).await?;
                output.line(&found, explain::in_words(&found))
            }
            Self::Replay(replay) => replay.run(client, output).await,
            Self::Capture(capture) => capture.run(client, output).await,
        }
    }
}

/// The id of a decision, which `last` stands for if it is the newest.
async fn named(client: &Client, tenant: &str, id: &str) -> Result<String, Failure> {
    if id != "last" {
        return Ok(id.to_owned());
    }
    let request = client.request(Method::GET, &["tenants", tenant, "decisions"])?;
    let found = client.send(request.query(&[("limit", "1")])).await?;
    let newest = items(&found, "decisions").first().map(|decision| text(decision, "id"));
    newest.ok_or_else(|| Failure::Usage(format!("tenant {tenant} has no decision yet")))
}

impl Tail {
    async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let mut page = self.page(client).await?;
        page.reverse();
        let rows = page.iter().map(row).collect();
        output.table(&Value::Array(page.clone()), &["decision", "at", "outcome", "what", "by", "why"], rows)?;
        match self.follow {
            true => self.follow(client, output, page.last().map(|decision| text(decision, "id"))).await,
            false => Ok(()),
        }
    }

    /// Prints what is newer than the newest one, until interrupted.
    async fn follow(&self, client: &Client, output: &Output, mut newest: Option<String>) -> Result<(), Failure> {
        loop {
            tokio::time::sleep(FOLLOW_EVERY).await;
            let mut page = self.page(client).await?;
            page.reverse();
            for decision in page {
                let id = text(&decision, "id");
                // Ids sort by time.
                if newest.as_ref().is_some_and(|newest| *newest >= id) {
                    continue;
                }
                if output.is_json() {
                    output.json_line(&decision)?;
                } else {
                    output.line(&decision, row(&decision).join("  "))?;
                }
                newest = Some(id);
            }
        }
    }

    async fn page(&self, client: &Client) -> Result<Vec<Value>, Failure> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        let filters = [
            ("verdict", &self.verdict),
            ("constraint", &self.constraint),
            ("resource", &self.resource),
            ("since", &self.since),
        ];
        query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let request = client.request(Method::GET, &["tenants", client.tenant(&self.tenant)?, "decisions"])?;
        let found = client.send(request.query(&query)).await?;
        Ok(items(&found, "decisions").to_vec())
    }
}
