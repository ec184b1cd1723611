//! `scruple constraint diff`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::cli::arguments::json_argument;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};
use crate::clock::Clock;

/// How often `--follow` asks.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("against").required(true).args(["other", "candidate"]))]
pub(in crate::cli) struct Diff {
    #[command(flatten)]
    tenant: TenantArg,
    /// The constraint.
    name: String,
    /// Another constraint that is asked about the same changes: the next version in `shadow`, mostly.
    other: Option<String>,
    /// A component to ask in its place about decisions of the log, by what was read then. Nothing of it is kept.
    #[arg(long, value_name = "FILE")]
    candidate: Option<PathBuf>,
    /// What the candidate is set to: JSON, or `@file.json`; as the constraint was, if absent.
    #[arg(long, value_name = "JSON|@FILE", requires = "candidate")]
    settings: Option<String>,
    /// Only decisions not before this time: `2026-11-23T12:00:00Z`.
    #[arg(long)]
    since: Option<String>,
    /// The newest decisions, so many.
    #[arg(short = 'n', long, default_value_t = 1000)]
    limit: u32,
    /// Go on with what is decided from now on, until interrupted.
    #[arg(short, long, conflicts_with_all = ["candidate", "since"])]
    follow: bool,
}

impl Diff {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        if self.follow {
            return self.follow(client, output).await;
        }
        let found = self.compared(client, self.since.as_deref()).await?;
        output.line(&found, in_words(&found))?;
        match items(&found, "differences").len() {
            0 => Ok(()),
            _ => Err(Failure::Unexpected("they do not always say the same".to_owned())),
        }
    }

    /// Prints what has come of it so far, whenever that has changed.
    async fn follow(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let since = Clock::system().now().to_string();
        let mut last = Value::Null;
        loop {
            let found = self.compared(client, Some(&since)).await?;
            if found != last {
                match output.is_json() {
                    true => output.json_line(&found)?,
                    false => output.line(&found, in_words(&found) + "\n")?,
                }
                last = found;
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }

    async fn compared(&self, client: &Client, since: Option<&str>) -> Result<Value, Failure> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(since.map(|since| ("since", since)));
        let tenant = client.tenant(&self.tenant)?;
        let path = |last| ["tenants", tenant, "constraints", self.name.as_str(), last];
        let Some(candidate) = &self.candidate else {
            query.extend(self.other.as_deref().map(|other| ("with", other)));
            return client.send(client.request(Method::GET, &path("differences"))?.query(&query)).await;
        };
        let component = crate::cli::plugin::read(candidate)?;
        let settings = self.settings.as_deref().map(|text| json_argument("settings", text)).transpose()?;
        let settings = settings.map(|settings| settings.to_string());
        query.extend(settings.as_deref().map(|settings| ("settings", settings)));
        let request = client.request(Method::POST, &path("backtest"))?.query(&query);
        client.send(request.header("content-type", "application/wasm").body(component)).await
    }
}

fn in_words(found: &Value) -> String {
    let mut lines = vec![format!("{} decisions compared, {} the same", text(found, "compared"), text(found, "same"))];
    for differing in items(found, "differences") {
        let said = |side: &str| differing.get(side).map_or_else(String::new, verdict);
        lines.push(format!(
            "  {} × {} instead of {}: {}",
            text(differing, "count"),
            said("would_be"),
            said("was"),
            text(differing, "decisions")
        ));
    }
    for undecidable in items(found, "undecidable") {
        lines.push(format!("  {} × undecidable: {}", text(undecidable, "count"), text(undecidable, "why")));
    }
    lines.join("\n")
}

/// `deny (late, far)`.
fn verdict(said: &Value) -> String {
    match items(said, "reasons") {
        [] => text(said, "verdict"),
        _ => format!("{} ({})", text(said, "verdict"), text(said, "reasons")),
    }
}
