//! One tenant that does nothing but harm, and how the others fare meanwhile: it has a constraint that loops and one that fills
//! its memory asked by eight connections, and two more upload what is dear to compile, all as fast as they are answered.
//! The others create users under a constraint of their own and read them, at a fixed pace, once in quiet and once beside
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::builders::{compile_heavy, mail_at, user};
use crate::client::{Response, TenantClient};
use crate::components::{GROW_MEMORY, SAFE_VALUES, SPIN_FOREVER};
use crate::load::args::Args;
use crate::load::statistics::{Disturbed, Percentiles};
use crate::load::target::Target;
use crate::process::ServerProcess;

/// What it is called on the command line.
const NAME: &str = "neighbours";

/// How long the others are listened to in quiet, and how long the attack goes on: long enough for several compilations.
const WINDOW: Duration = Duration::from_secs(8);

/// Pace of the others, together: a hundred requests a second, half of them writes.
const PACE: Duration = Duration::from_millis(10);

/// Tenants beside the attacker.
const OTHERS: usize = 2;

/// Connections that have guests run, and such that have components compiled.
const WRITERS: usize = 8;
const UPLOADERS: usize = 2;

/// Functions of what is uploaded: some seconds of a processor.
const FUNCTIONS: usize = 30_000;

/// Decisions of the attacker that are read for how long its guests ran: as many as come in one page.
const DECISIONS: usize = 500;

/// What came of it on one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighboured {
    /// Place of the target.
    pub(super) target: usize,
    /// How often each status was the attacker's answer, by what it asked for.
    pub(super) writes: BTreeMap<u16, usize>,
    pub(super) uploads: BTreeMap<u16, usize>,
    /// The others' in quiet and beside the attack.
    pub(super) others: Disturbed,
    stopped_ms: Vec<f64>,
}

impl Neighboured {
    /// Milliseconds that a guest of the attacker's ran until it was stopped, all rounds together.
    pub(super) fn stopped(&self) -> Percentiles {
        Percentiles::of(&self.stopped_ms)
    }
}

/// Attacks every target of ours in turns: tenants have to be made for it.
pub(super) async fn run(
    args: &Args,
    targets: &[Target],
    run: &str,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<Neighboured>> {
    let mut rows = Vec::new();
    if !args.wants(NAME) {
        return Ok(rows);
    }
    for (place, target) in targets.iter().enumerate() {
        let Some(process) = target.process() else { continue };
        progress(NAME);
        let street = Street::build(process, run).await?;
        let mut row = Neighboured { target: place, ..Neighboured::default() };
        for _ in 0..args.rounds {
            street.once(&mut row).await?;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The tenants of one server.
struct Street {
    attacker: TenantClient,
    others: Vec<TenantClient>,
    component: Vec<u8>,
    serial: Arc<AtomicUsize>,
}

impl Street {
    async fn build(process: &ServerProcess, run: &str) -> anyhow::Result<Self> {
        let attacker = tenant(process, &format!("attacker-{run}")).await?;
        enforce(&attacker, SPIN_FOREVER, &json!({})).await?;
        enforce(&attacker, GROW_MEMORY, &json!({})).await?;
        let mut others = Vec::new();
        for number in 0..OTHERS {
            let other = tenant(process, &format!("other-{number}-{run}")).await?;
            enforce(&other, SAFE_VALUES, &mail_at("example.com")).await?;
            others.push(other);
        }
        Ok(Self { attacker, others, component: compile_heavy(FUNCTIONS), serial: Arc::default() })
    }

    async fn once(&self, row: &mut Neighboured) -> anyhow::Result<()> {
        let quiet = self.listened(tokio::time::sleep(WINDOW)).await?.0;
        let (beside, attack) = self.listened(self.attack()).await?;
        let (writes, uploads) = attack?;
        writes.into_iter().for_each(|status| *row.writes.entry(status).or_default() += 1);
        uploads.into_iter().for_each(|status| *row.uploads.entry(status).or_default() += 1);
        row.others.add(&quiet, &beside);
        row.stopped_ms.extend(self.stopped().await?);
        Ok(())
    }

    /// All of it at once, until the time is over; the statuses of the writes and of the uploads.
    async fn attack(&self) -> anyhow::Result<(Vec<u16>, Vec<u16>)> {
        let end = Instant::now() + WINDOW;
        let (mut writing, mut uploading) = (JoinSet::new(), JoinSet::new());
        for _ in 0..WRITERS {
            let (attacker, serial) = (self.attacker.clone(), Arc::clone(&self.serial));
            writing.spawn(async move {
                let mut statuses = Vec::new();
                while Instant::now() < end {
                    statuses.push(create(&attacker, &serial).await?.status);
                }
                anyhow::Ok(statuses)
            });
        }
        for _ in 0..UPLOADERS {
            let (attacker, component) = (self.attacker.clone(), self.component.clone());
            uploading.spawn(async move {
                let mut statuses = Vec::new();
                // What is not compiled when the time is over is given up, and its process with it.
                while let Ok(answer) = tokio::time::timeout_at(end.into(), upload(&attacker, component.clone())).await {
                    statuses.push(answer?.status);
                }
                anyhow::Ok(statuses)
            });
        }
        let (mut writes, mut uploads) = (Vec::new(), Vec::new());
        while let Some(statuses) = writing.join_next().await {
            writes.extend(statuses??);
        }
        while let Some(statuses) = uploading.join_next().await {
            uploads.extend(statuses??);
        }
        Ok((writes, uploads))
    }

    /// The others go on while something else does; the milliseconds of each of their answers, and what the other came to.
    async fn listened<T>(&self, other: impl Future<Output = T>) -> anyhow::Result<(Vec<f64>, T)> {
        let over = Arc::new(AtomicBool::new(false));
        let going_on = tokio::spawn(go_on(self.others.clone(), Arc::clone(&self.serial), Arc::clone(&over)));
        let came = other.await;
        over.store(true, Ordering::Relaxed);
        Ok((going_on.await??, came))
    }

    /// How long the attacker's guests ran until they were stopped, by the decision log: from the call to the fault, in
    /// milliseconds, waiting for a processor included.
    async fn stopped(&self) -> anyhow::Result<Vec<f64>> {
        let path = self.attacker.api_path(&format!("/decisions?verdict=faulted&limit={DECISIONS}"));
        let page = self.attacker.admin.try_send(self.attacker.admin.request(Method::GET, &path)).await?;
        let decisions = page.body["decisions"].as_array().context("no decisions of the attacker")?;
        let mut milliseconds = Vec::new();
        for decision in decisions {
            for evaluation in decision["evaluations"].as_array().into_iter().flatten() {
                ensure!(evaluation["verdict"] == "fault", "a guest was not stopped: {evaluation}");
                milliseconds.extend(evaluation["duration_us"].as_f64().map(|micros| micros / 1e3));
            }
        }
        Ok(milliseconds)
    }
}

/// Creates and reads by turns, each request when it is due, whether or not the one before is answered.
async fn go_on(others: Vec<TenantClient>, serial: Arc<AtomicUsize>, over: Arc<AtomicBool>) -> anyhow::Result<Vec<f64>> {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = JoinSet::new();
    for (number, other) in others.iter().cycle().enumerate() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let (other, serial) = (other.clone(), Arc::clone(&serial));
        // Each of the others gets both.
        let writes = (number / OTHERS).is_multiple_of(2);
        sent.spawn(async move {
            let started = Instant::now();
            let answer = if writes { create(&other, &serial).await? } else { read(&other).await? };
            let took = started.elapsed();
            ensure!(matches!(answer.status, 200 | 201), "status {}: {:#}", answer.status, answer.body);
            Ok(took)
        });
    }
    let mut milliseconds = Vec::with_capacity(sent.len());
    while let Some(took) = sent.join_next().await {
        milliseconds.push(took??.as_secs_f64() * 1e3);
    }
    Ok(milliseconds)
}

async fn tenant(process: &ServerProcess, name: &str) -> anyhow::Result<TenantClient> {
    let operator = process.operator();
    let request = operator.request(Method::POST, "/api/v1/tenants").json(&json!({ "name": name }));
    let made = operator.try_send(request).await?;
    ensure!(made.status == 201, "cannot make the tenant `{name}`: status {}, {:#}", made.status, made.body);
    Ok(TenantClient::new(process.address, name, &operator).await)
}

async fn enforce(tenant: &TenantClient, component: &str, settings: &Value) -> anyhow::Result<()> {
    ensure!(std::path::Path::new(component).is_file(), "`{component}` is not built");
    tenant.enforce(component, settings.clone()).await;
    Ok(())
}

async fn create(tenant: &TenantClient, serial: &AtomicUsize) -> anyhow::Result<Response> {
    let name = format!("user-{}", serial.fetch_add(1, Ordering::Relaxed));
    let request = tenant.scim.request(Method::POST, &tenant.scim_path("/Users")).json(&user(&name));
    Ok(tenant.scim.try_send(request).await?)
}

async fn read(tenant: &TenantClient) -> anyhow::Result<Response> {
    let path = tenant.scim_path("/Users?count=10");
    Ok(tenant.scim.try_send(tenant.scim.request(Method::GET, &path)).await?)
}

async fn upload(tenant: &TenantClient, component: Vec<u8>) -> anyhow::Result<Response> {
    let path = tenant.api_path("/plugins/heavy/versions");
    let request = tenant.admin.request(Method::POST, &path).header("content-type", "application/wasm");
    Ok(tenant.admin.try_send(request.body(component)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_of_all_rounds_count_together() {
        let row = Neighboured { stopped_ms: vec![3.0, 1.0, 2.0], ..Neighboured::default() };
        assert_eq!(row.stopped(), Percentiles { p50_ms: 2.0, p99_ms: 3.0 });
    }
}
