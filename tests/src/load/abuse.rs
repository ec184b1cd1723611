//! Requests that are meant to hurt, and how the others fare meanwhile: a probe sends small requests at a fixed pace, once
//! in quiet and once beside the abuse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::builders::{group, patch_op, user};
use crate::load::args::Args;
use crate::load::generate::{self, scatter, user_name};
use crate::load::scenario::{self, made_name};
use crate::load::statistics::{Disturbed, maximum, median};
use crate::load::target::{Answer, Endpoint, Request, Target};
use crate::load::usage;

/// How long the probe listens in quiet, and how long one abuser goes on, one request after the other. A request that
/// is under way then is waited for, with the probe.
const WINDOW: Duration = Duration::from_secs(3);

/// Pace of the probe: 250 requests a second, a few percent of a processor. Each is sent when it is due, whether or not the one
/// before is answered, so that a server that stands still for a second is late for 250 requests and not for one.
const PACE: Duration = Duration::from_millis(4);

/// Depths and numbers of the abuse.
const PARENTHESES: usize = 5_000;
const JSON_DEPTH: usize = 100_000;
const BULK_OPERATIONS: usize = 10_000;
/// At 53 bytes a member.
const BODY_BYTES: usize = 5_000_000;
const MEMBER_BYTES: usize = 53;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What is done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Filter,
    Depth,
    Bulk,
    Members,
}

const ALL: &[(&str, Kind)] = &[
    ("abuse: filter of 5000 parentheses", Kind::Filter),
    ("abuse: JSON 100000 deep", Kind::Depth),
    ("abuse: bulk of 10000 operations", Kind::Bulk),
    ("abuse: 5 MB that replace a group's members", Kind::Members),
];

/// What one abuse came to on one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Abused {
    pub(super) name: &'static str,
    /// Place of the target.
    pub(super) target: usize,
    /// How often each status was the answer.
    pub(super) statuses: BTreeMap<u16, usize>,
    /// Whether every answer was a success or a SCIM error (RFC 7644 §3.12).
    pub(super) in_protocol: bool,
    /// Milliseconds of an answer, the median.
    pub(super) answer_ms: Option<f64>,
    /// The probe's in quiet and beside the abuse.
    pub(super) probe: Disturbed,
    /// The most resident memory.
    pub(super) peak_mib: Option<f64>,
}

/// Abuses every target in turns.
pub(super) async fn run(
    args: &Args,
    targets: &[Target],
    run: &str,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<Abused>> {
    let mut rows = Vec::new();
    for (name, kind) in ALL.iter().filter(|(name, _)| args.wants(name)) {
        progress(name);
        let mut row_of: Vec<Abused> =
            (0..targets.len()).map(|target| Abused { name, target, in_protocol: true, ..Abused::default() }).collect();
        for _ in 0..args.rounds {
            for (row, target) in row_of.iter_mut().zip(targets) {
                once(*kind, target, run, row).await?;
            }
        }
        rows.extend(row_of);
    }
    Ok(rows)
}

async fn once(kind: Kind, target: &Target, run: &str, row: &mut Abused) -> anyhow::Result<()> {
    let Some(request) = request(kind, target, run).await? else {
        row.in_protocol = false;
        return Ok(());
    };
    let quiet = probed(target, tokio::time::sleep(WINDOW)).await?.0;
    if let Some(pid) = target.pid {
        usage::forget_peak(pid);
    }
    let (beside, answers) = probed(target, abuse(target.endpoint.clone(), request)).await?;
    let peak = target.usage()?.map(|usage| usage.peak_mib);
    row.peak_mib = maximum(&[row.peak_mib, peak].into_iter().flatten().collect::<Vec<_>>());
    row.probe.add(&quiet, &beside);
    let mut took = Vec::new();
    for answer in answers? {
        *row.statuses.entry(answer.status).or_default() += 1;
        row.in_protocol &= answer.is_success() || is_scim_error(&answer);
        took.push(answer.took.as_secs_f64() * 1e3);
    }
    row.answer_ms = median(&took);
    Ok(())
}

/// Sends the same request again and again.
async fn abuse(endpoint: Endpoint, request: Request) -> anyhow::Result<Vec<Answer>> {
    let started = Instant::now();
    let mut answers = Vec::new();
    while started.elapsed() < WINDOW {
        answers.push(endpoint.ask(request.clone()).await?);
    }
    Ok(answers)
}

/// Probes while something else goes on; the milliseconds of every answer, and what the other came to.
async fn probed<T>(target: &Target, other: impl Future<Output = T>) -> anyhow::Result<(Vec<f64>, T)> {
    let over = Arc::new(AtomicBool::new(false));
    let requests = (0..2_000).map(|number| {
        let (drawn, id) = target.population.someone(number);
        match number % 2 {
            0 => scenario::get(id),
            _ => scenario::eq(&user_name(&target.population.prefix, drawn)),
        }
    });
    let probing = tokio::spawn(probe(target.endpoint.clone(), requests.collect(), Arc::clone(&over)));
    let came = other.await;
    over.store(true, Ordering::Relaxed);
    Ok((probing.await??, came))
}

async fn probe(endpoint: Endpoint, requests: Vec<Request>, over: Arc<AtomicBool>) -> anyhow::Result<Vec<f64>> {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = JoinSet::new();
    for request in requests.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let (endpoint, request) = (endpoint.clone(), request.clone());
        sent.spawn(async move { endpoint.ask(request).await });
    }
    let mut milliseconds = Vec::with_capacity(sent.len());
    while let Some(answer) = sent.join_next().await {
        milliseconds.push(answer??.took.as_secs_f64() * 1e3);
    }
    Ok(milliseconds)
}

/// The request; `None` if the server will not have what it needs.
async fn request(kind: Kind, target: &Target, run: &str) -> anyhow::Result<Option<Request>> {
    Ok(Some(match kind {
        Kind::Filter => Request::get(format!("/Users?filter={}", nested_filter(PARENTHESES))),
        Kind::Depth => Request { body: Some(nested_json(JSON_DEPTH)), ..post("/Users", &Value::Null) },
        Kind::Bulk => post("/Bulk", &bulk(BULK_OPERATIONS, &made_name(run, target.next()))),
        Kind::Members => {
            let made = target.endpoint.ask(post("/Groups", &group("abused", &[])).kept()).await?;
            if !made.is_success() {
                return Ok(None);
            }
            let ids = drawn_members(target);
            let replace = json!([patch_op("replace", "members", generate::members(&ids))]);
            Request::send(Method::PATCH, format!("/Groups/{}", made.id()?), &generate::patch(&replace))
        }
    }))
}

fn post(path: &str, body: &Value) -> Request {
    Request::send(Method::POST, path.to_owned(), body)
}

/// In a query: a URI has room for 64 KB in most servers.
fn nested_filter(depth: usize) -> String {
    format!("{}userName%20pr{}", "(".repeat(depth), ")".repeat(depth))
}

fn nested_json(depth: usize) -> String {
    format!("{{\"userName\":{}1{}}}", "[".repeat(depth), "]".repeat(depth))
}

/// Creates of one and the same user (RFC 7644 §3.7): the first may pass, each further one is looked at and refused, and no
/// server is left with ten thousand users more.
fn bulk(operations: usize, name: &str) -> Value {
    let create =
        |number| json!({ "method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": user(name) });
    let operations: Vec<Value> = (0..operations).map(create).collect();
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

/// Members for a body of 5 MB: another part of the population each time; if it is too small, over and over.
fn drawn_members(target: &Target) -> Vec<String> {
    let ids = &target.population.ids;
    let first = (scatter(target.next()) % ids.len() as u64) as usize;
    ids.iter().cycle().skip(first).take(BODY_BYTES / MEMBER_BYTES).cloned().collect()
}

fn is_scim_error(answer: &Answer) -> bool {
    let body = answer.json();
    let schemas = body["schemas"].as_array();
    schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema == ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_abuse_is_as_deep_and_as_long_as_it_is_called() {
        assert_eq!(nested_filter(3), "(((userName%20pr)))");
        assert_eq!(nested_json(2), "{\"userName\":[[1]]}");
        assert_eq!(bulk(7, "x")["Operations"].as_array().map(Vec::len), Some(7));
    }

    #[test]
    fn a_refusal_counts_as_one_of_the_protocol_only_with_its_schema() {
        let answer = |body: &str| Answer { status: 400, took: WINDOW, bytes: 0, body: body.as_bytes().to_vec() };
        assert!(is_scim_error(&answer(&json!({ "schemas": [ERROR], "status": "400" }).to_string())));
        assert!(!is_scim_error(&answer("{\"status\":\"400\"}")));
        assert!(!is_scim_error(&answer("Bad Request")));
    }
}
