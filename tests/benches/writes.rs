//! Whole writes, durable: creates of 64 clients with and without a constraint and with and without group commit, and one
//! member added to a small and to a large group. The creates come over HTTP, as clients send them, and once more
//! where HTTP's handlers hand them on (`Pipeline::write`): 64 HTTP clients on the same machine cost more than the server. `cargo bench --package scruple-tests --bench benches -- writes`.
//!
//! The variants take turns within one run, so that a machine whose speed drifts is equally slow for all; the ratio of
//! their medians is what counts. Load is bounded: a fixed number of requests, then it ends.
//!
//! Beside each rate stands the CPU time of a create, of the whole process: over HTTP that of the clients too. A neighbour
//! on the machine takes from the rate and leaves the CPU time nearly as it is.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and may fail"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use scruple::change::Action;
use scruple::config::Config;
use scruple::decision::Actor;
use scruple::pipeline::write::{Caller, Change, WriteRequest};
use scruple::scim::projection::AttributeNames;
use scruple_tests::bench::full_user;
use scruple_tests::components::FIVE_READS;
use scruple_tests::load::statistics;
use scruple_tests::{TenantClient, TestServer, group, patch_op, user};
use serde_json::json;

const CLIENTS: usize = 64;
/// Creates of one client in one round.
const CREATES: usize = 30;
const ROUNDS: usize = 7;
/// Members of the small and of the large group.
const SMALL: usize = 10;
const LARGE: usize = 100_000;
/// Members added in a PATCH while the group is filled, and single additions that are timed.
const FILL: usize = 10_000;
const ADDITIONS: usize = 60;

struct Variant {
    name: &'static str,
    acme: TenantClient,
    over_http: Vec<Measured>,
    at_the_pipeline: Vec<Measured>,
    server: TestServer,
}

/// What the creates of one round came to.
#[derive(Clone, Copy)]
struct Measured {
    per_second: f64,
    cpu_us: f64,
}

/// Measures from now until [`Meter::stop`].
struct Meter {
    started: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu_time() }
    }

    fn stop(self) -> Measured {
        let creates = (CLIENTS * CREATES) as f64;
        let cpu = cpu_time().saturating_sub(self.cpu);
        Measured {
            per_second: creates / self.started.elapsed().as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / creates,
        }
    }
}

/// CPU time of this process so far, in user mode and in the kernel, with that of threads that have ended. Linux counts it
/// in hundredths of a second (proc_pid_stat(5): fields 14 and 15); a round takes about fifty of them.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The second field is a name in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

async fn variant(name: &'static str, constrained: bool, batch_max: usize) -> Variant {
    let mut config = Config::default();
    config.store.batch_max = batch_max;
    // One token stands for many clients here.
    config.scim.requests_per_second = 0;
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    if constrained {
        acme.enforce(FIVE_READS, json!({})).await;
    }
    Variant { name, acme, over_http: Vec::new(), at_the_pipeline: Vec::new(), server }
}

async fn creates_over_http(variant: &Variant, round: usize) -> Measured {
    let meter = Meter::start();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let acme = variant.acme.clone();
            tokio::spawn(async move {
                for n in 0..CREATES {
                    acme.post("/Users", full_user(&format!("http-{round}-{client}-{n}"))).await.expect_status(201);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    meter.stop()
}

async fn creates_at_the_pipeline(variant: &Variant, round: usize) -> Measured {
    let app = &variant.server.app;
    let tenant = app.store.tenant_named("acme").await.unwrap().unwrap().id;
    let actor = Actor { subject: "bench".to_owned(), label: "bench".to_owned(), scopes: vec!["scim".to_owned()] };
    let meter = Meter::start();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let app = Arc::clone(app);
            let caller = Caller { tenant, actor: actor.clone(), request_id: format!("bench-{client}"), txn: None };
            tokio::spawn(async move {
                for n in 0..CREATES {
                    let name = format!("user-{round}-{client}-{n}");
                    let body = full_user(&name).as_object().cloned().unwrap();
                    let request = WriteRequest {
                        endpoint: "Users".to_owned(),
                        change: Change::Create { body },
                        names: AttributeNames::default(),
                    };
                    assert_eq!(app.pipeline.write(&caller, &request).await.unwrap().action, Some(Action::Create));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    meter.stop()
}

fn print_rates(place: &str, variants: &[Variant; 3], rounds: impl Fn(&Variant) -> &[Measured]) {
    let rate = |variant: &Variant| median(&rounds(variant).iter().map(|round| round.per_second).collect::<Vec<_>>());
    let cpu_us = |variant: &Variant| median(&rounds(variant).iter().map(|round| round.cpu_us).collect::<Vec<_>>());
    let base = rate(&variants[0]);
    for variant in variants {
        let (name, rate, cpu_us) = (variant.name, rate(variant), cpu_us(variant));
        let ratio = rate / base;
        println!(
            "  {place:<16} {name:<32} median {rate:>8.0}/s   {ratio:.2} × no constraint   {cpu_us:>5.0} µs of CPU"
        );
    }
}

fn median(values: &[f64]) -> f64 {
    statistics::median(values).unwrap_or(f64::NAN)
}

async fn durable_creates() {
    let mut variants = [
        variant("no constraint", false, Config::default().store.batch_max).await,
        variant("one constraint", true, Config::default().store.batch_max).await,
        variant("no constraint, no group commit", false, 1).await,
    ];
    println!("durable creates of a 2 KB user, {CLIENTS} clients, {ROUNDS} rounds of {} requests", CLIENTS * CREATES);
    for round in 0..=ROUNDS {
        let count = variants.len();
        for turn in 0..count {
            // Each round another one first: what one leaves to be done, such as pages to be written, is at the expense of the next.
            let variant = &mut variants[(turn + round) % count];
            let over_http = creates_over_http(variant, round).await;
            let at_the_pipeline = creates_at_the_pipeline(variant, round).await;
            // The first round warms up.
            if round > 0 {
                variant.over_http.push(over_http);
                variant.at_the_pipeline.push(at_the_pipeline);
            }
        }
    }
    print_rates("over HTTP", &variants, |variant| &variant.over_http);
    print_rates("at the pipeline", &variants, |variant| &variant.at_the_pipeline);
}

/// Without a body after a PATCH, which would be for the small group alone.
async fn as_entra_id(acme: &TenantClient) {
    acme.admin.patch(&acme.api_path(""), json!({ "profile": "entra" })).await.expect_status(200);
}

async fn filled(acme: &TenantClient, name: &str, ids: &[String]) -> String {
    let id = acme.post("/Groups", group(name, &[])).await.expect_status(201).id();
    for chunk in ids.chunks(FILL) {
        let members: Vec<_> = chunk.iter().map(|id| json!({ "value": id })).collect();
        let add = json!([patch_op("add", "members", json!(members))]);
        acme.patch(&format!("/Groups/{id}"), add).await.expect_status(204);
    }
    id
}

async fn add_one(acme: &TenantClient, group: &str, member: &str) -> Duration {
    let add = json!([patch_op("add", "members", json!([{ "value": member }]))]);
    let started = Instant::now();
    acme.patch(&format!("/Groups/{group}"), add).await.expect_status(204);
    started.elapsed()
}

async fn members() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    as_entra_id(&acme).await;
    println!("\none member added to a group of {SMALL} and of {LARGE} (creating the users first)");
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let acme = acme.clone();
        let share = (LARGE + ADDITIONS) / CLIENTS + 1;
        tasks.push(tokio::spawn(async move {
            let mut ids = Vec::with_capacity(share);
            for n in 0..share {
                ids.push(acme.post("/Users", user(&format!("user-{client}-{n}"))).await.expect_status(201).id());
            }
            ids
        }));
    }
    let mut ids = Vec::new();
    for task in tasks {
        ids.extend(task.await.unwrap());
    }
    let (fill, new) = ids.split_at(LARGE);
    let small = filled(&acme, "small", &fill[..SMALL]).await;
    let large = filled(&acme, "large", fill).await;
    let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
    for member in new.iter().take(ADDITIONS) {
        of_small.push(add_one(&acme, &small, member).await.as_secs_f64() * 1e3);
        of_large.push(add_one(&acme, &large, member).await.as_secs_f64() * 1e3);
    }
    let (of_small, of_large) = (median(&of_small), median(&of_large));
    println!("  group of {SMALL:<8} median {of_small:.2} ms");
    println!("  group of {LARGE:<8} median {of_large:.2} ms   {:.2} × the small one", of_large / of_small);
}

/// Runs the benchmark.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        durable_creates().await;
        members().await;
    });
}
