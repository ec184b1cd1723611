//! `scruple decisions replay`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::named;
use super::words::evaluations_in_words;
use crate::cli::arguments::json_argument;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};

/// How often `--watch` looks at the file. A third of a second is less than it takes to look up from the editor.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    tenant: TenantArg,
    /// The decision's id, or `last`.
    id: String,
    /// A component to ask in the place of the one that was asked. Nothing of it is kept.
    component: Option<PathBuf>,
    /// Only this constraint; with a component, the one whose place it takes (that of the same plugin, if absent).
    #[arg(long)]
    constraint: Option<String>,
    /// What the component is set to: JSON, or `@file.json`; as the constraint was, if absent.
    #[arg(long, value_name = "JSON|@FILE", requires = "component")]
    settings: Option<String>,
    /// Do it again whenever the component's file changes, until interrupted.
    #[arg(long, requires = "component")]
    watch: bool,
}

impl Replay {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match &self.component {
            Some(component) if self.watch => self.watch(client, output, component).await,
            _ => self.once(client, output).await,
        }
    }

    async fn watch(&self, client: &Client, output: &Output, component: &Path) -> Result<(), Failure> {
        let mut seen = None;
        loop {
            let now = changed_at(component);
            if now.is_some() && now != seen {
                seen = now;
                // What is wrong with one build is not the end: the next may be right.
                if let Err(failure) = self.once(client, output).await {
                    output.failure(&failure.to_string());
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn once(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let tenant = client.tenant(&self.tenant)?;
        let id = named(client, tenant, &self.id).await?;
        let path = ["tenants", tenant, "decisions", &id, "replay"];
        let mut request = client.request(Method::POST, &path)?;
        if let Some(constraint) = &self.constraint {
            request = request.query(&[("constraint", constraint)]);
        }
        if let Some(settings) = &self.settings {
            let settings = json_argument("settings", settings)?;
            request = request.query(&[("settings", settings.to_string())]);
        }
        if let Some(component) = &self.component {
            let bytes = crate::cli::plugin::read(component)?;
            request = request.header("content-type", "application/wasm").body(bytes);
        }
        let found = client.send(request).await?;
        let replays = items(&found, "replays");
        let lines: Vec<String> = replays.iter().map(in_words).collect();
        let nobody = || "no constraint was asked in this decision".to_owned();
        output.line(&found, if lines.is_empty() { nobody() } else { lines.join("\n") })?;
        // Of a rewriter there is nothing to compare, however often it is asked.
        let of_rewriter =
            |replay: &&Value| replay.pointer("/undecidable/kind").and_then(Value::as_str) == Some("rewriter");
        let differing = replays.iter().filter(|replay| !is_same(replay) && !of_rewriter(replay)).count();
        match differing {
            0 => Ok(()),
            _ => Err(Failure::Unexpected(format!("{differing} of {} did not come out as they were", replays.len()))),
        }
    }
}

/// When the file was written; `None` while it is not there, as between two builds.
fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

fn is_same(replay: &Value) -> bool {
    let same = |name: &str| replay.pointer(&format!("/same/{name}")) == Some(&Value::Bool(true));
    ["verdict", "reasons", "fuel"].into_iter().all(same)
}

fn in_words(replay: &Value) -> String {
    let name = text(replay, "constraint");
    if let Some(why) = replay.get("undecidable").filter(|why| !why.is_null()) {
        return format!("{name}: undecidable: {}", text(why, "detail"));
    }
    let (nothing, of) = (Value::Null, |name: &str| replay.get(name));
    let (recorded, replayed) = (of("recorded").unwrap_or(&nothing), of("replayed").unwrap_or(&nothing));
    if is_same(replay) {
        let fuel = text(replayed, "fuel_used");
        return format!("{name}: the same: {}, with the same reasons and {fuel} fuel", text(replayed, "verdict"));
    }
    let differs = ["verdict", "reasons", "fuel"]
        .into_iter()
        .filter(|name| replay.pointer(&format!("/same/{name}")) != Some(&Value::Bool(true)));
    let mut lines = vec![
        format!("{name}: not the same: {}", differs.collect::<Vec<_>>().join(", ")),
        format!("  was     {}, {} fuel", text(recorded, "verdict"), text(recorded, "fuel_used")),
        format!("  is      {}, {} fuel", text(replayed, "verdict"), text(replayed, "fuel_used")),
    ];
    lines.extend(evaluations_in_words(std::slice::from_ref(replayed)));
    lines.join("\n")
}
