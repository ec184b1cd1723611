//! The server on a prepared folder: its start, then every tenant called once, again, and the latest ones once more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use reqwest::Method;

use crate::builders::user;
use crate::client::ApiClient;
use crate::density::memory::{self, Held};
use crate::density::prepare::Prepared;
use crate::process::ServerProcess;

/// Tenants that are called again while they are surely in memory: the last ones of a round.
const LATEST: usize = 100;

/// Where and how the server runs.
pub(super) struct Setting {
    pub(super) program: PathBuf,
    pub(super) data: PathBuf,
    pub(super) components_loaded_bytes_max: Option<u64>,
}

/// What one round of calls took, in milliseconds, by the kind of the tenants' components.
type Round = BTreeMap<String, Vec<f64>>;

/// Starts the server, calls the tenants, and tells what that took.
pub(super) async fn report(setting: &Setting, prepared: &[Prepared]) -> anyhow::Result<String> {
    let mut settings = "[scim]\nrequests_per_second = 0\n".to_owned();
    if let Some(bytes) = setting.components_loaded_bytes_max {
        writeln!(settings, "[server]\ncomponents_loaded_bytes_max = {bytes}")?;
    }
    let started = Instant::now();
    let process = ServerProcess::start_with(&setting.program, &setting.data, &settings)?;
    let start = started.elapsed();
    let operator = process.operator();
    let fresh = memory::read(process.pid())?;
    let mut text = format!("{} tenants: the server listens after {:.2} s\n\n", prepared.len(), start.as_secs_f64());
    let say = |text: &mut String, what: &str, held: Held, (count, bytes): (f64, f64)| {
        writeln!(
            text,
            "{what:<34} resident {:>7.1} MiB  anonymous {:>7.1} MiB  maps {:>6}  files {:>5}  components {count:>5} ({:>6.1} MiB)",
            held.resident_kib as f64 / 1024.0,
            held.anonymous_kib as f64 / 1024.0,
            held.maps,
            held.files,
            bytes / 1_048_576.0,
        )
    };
    say(&mut text, "after the start", fresh, loaded(&operator).await?)?;

    let mut rounds = Vec::new();
    for round in ["first", "second"] {
        rounds.push((format!("the {round} write of each"), calls(&operator, prepared, round).await?));
        say(
            &mut text,
            &format!("after the {round} write of each"),
            memory::read(process.pid())?,
            loaded(&operator).await?,
        )?;
    }
    let latest = &prepared[prepared.len().saturating_sub(LATEST)..];
    calls(&operator, latest, "warming").await?;
    rounds.push((format!("the next write of the last {}", latest.len()), calls(&operator, latest, "warm").await?));

    text.push('\n');
    for (what, round) in rounds {
        for (kind, took) in round {
            writeln!(
                text,
                "{what:<34} {kind:<13} p50 {:>8.2} ms  p95 {:>8.2} ms  p99 {:>8.2} ms",
                percentile(&took, 50.0),
                percentile(&took, 95.0),
                percentile(&took, 99.0)
            )?;
        }
    }
    text.push('\n');
    let metrics = metrics(&operator).await?;
    for line in metrics.lines().filter(|line| line.starts_with("scruple_component_load_seconds")) {
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

/// One user for each tenant, one after the other.
async fn calls(client: &ApiClient, tenants: &[Prepared], round: &str) -> anyhow::Result<Round> {
    let mut took = Round::new();
    for Prepared { tenant, token, kind } in tenants {
        let mut body = user(&format!("ada-{round}"));
        body["externalId"] = format!("e-{round}").into();
        body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = serde_json::json!({ "department": "D1" });
        let client = client.with_token(token);
        let request = client.request(Method::POST, &format!("/scim/{tenant}/v2/Users")).json(&body);
        let started = Instant::now();
        let answer = client.try_send(request).await?;
        took.entry(kind.clone()).or_default().push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(answer.status == 201, "{tenant} answers {}: {:#}", answer.status, answer.body);
    }
    Ok(took)
}

async fn metrics(operator: &ApiClient) -> anyhow::Result<String> {
    Ok(operator.request(Method::GET, "/metrics").send().await?.text().await?)
}

/// Components in memory, and their bytes.
async fn loaded(operator: &ApiClient) -> anyhow::Result<(f64, f64)> {
    let metrics = metrics(operator).await?;
    let gauge = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).with_context(|| format!("no `{name}` in the metrics"))
    };
    Ok((gauge("scruple_components_loaded")?, gauge("scruple_components_loaded_bytes")?))
}

/// The value that `percent` of all values do not exceed, by nearest rank.
fn percentile(values: &[f64], percent: f64) -> f64 {
    crate::load::statistics::percentile(values, percent).unwrap_or(f64::NAN)
}
