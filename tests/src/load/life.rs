//! The life of a group of ten and of one of as many as there are: made by PATCHes, changed, asked for, read, replaced and
//! deleted, while another client creates users. What each step takes, what the server's memory does, and how the other
//! client fares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::builders::{group, patch_op, user};
use crate::load::args::Args;
use crate::load::generate;
use crate::load::measure;
use crate::load::population::FEW;
use crate::load::scenario::{Group, NotSupported, made_name};
use crate::load::statistics::{median, percentile};
use crate::load::target::{Answer, Endpoint, Request, Target};
use crate::load::usage;

/// What it is called on the command line.
const NAME: &str = "life of a group";

/// How often a step that takes little is taken.
const TIMES: usize = 20;

/// Members in one PATCH that makes the group.
const FILL: usize = 10_000;

/// Members that the group is replaced with at the most: as many as a request of 5 MB names.
const REPLACED_BY: usize = 100_000;

/// Members that one request removes by a list of values.
const LISTED: usize = 100;

/// What a replacement and a deletion leave for later: the other client is listened to for so long after them.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Pause of the other client between two creates.
const PAUSE: Duration = Duration::from_millis(5);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Make,
    AddOne,
    RemoveOne,
    RemoveListed,
    ValueEq,
    ReadWithout,
    Read,
    Replace,
    Delete,
}

/// In this order; what is deleted is what the replacement has left.
const STEPS: &[(&str, Step)] = &[
    ("made by PATCHes of 10000", Step::Make),
    ("add one", Step::AddOne),
    ("remove one", Step::RemoveOne),
    ("remove 100 by value", Step::RemoveListed),
    ("members[value eq ..]", Step::ValueEq),
    ("read without members", Step::ReadWithout),
    ("read", Step::Read),
    ("replace all", Step::Replace),
    ("delete", Step::Delete),
];

/// What a step came to.
#[derive(Clone, Debug)]
pub(super) struct Lived {
    pub(super) step: &'static str,
    /// Place of the target.
    pub(super) target: usize,
    pub(super) members: usize,
    /// Milliseconds of one request of the step, the median; of the one that makes the group, all of them together.
    pub(super) ms: f64,
    /// Milliseconds of its longest request.
    pub(super) longest_ms: f64,
    /// Creates of the other client meanwhile.
    pub(super) creates_p50_ms: Option<f64>,
    pub(super) creates_p99_ms: Option<f64>,
    pub(super) creates_max_ms: Option<f64>,
    /// The most resident memory, and how much that is above what it was before the life began.
    pub(super) peak_mib: Option<f64>,
    pub(super) growth_mib: Option<f64>,
}

/// Lives through it on every target, with the small group first. A server that does not know groups has none.
pub(super) async fn run(
    args: &Args,
    targets: &[Target],
    run: &str,
    progress: &dyn Fn(&str),
) -> anyhow::Result<Vec<Lived>> {
    let mut rows = Vec::new();
    if !args.wants(NAME) {
        return Ok(rows);
    }
    for (place, target) in targets.iter().enumerate() {
        for group in [Group::Small, Group::Large] {
            let population = &target.population;
            let members = match group {
                Group::Small => FEW.min(population.filling.users),
                Group::Large => population.filling.members,
            };
            progress(&format!("{NAME} of {members}"));
            let mut life = Life { target, run, members, group: String::new() };
            if !life.is_known().await? {
                break;
            }
            let idle = target.usage()?.map(|usage| usage.resident_mib);
            for (name, step) in STEPS {
                let mut lived = life.beside_creates(*step, name).await?;
                lived.target = place;
                lived.growth_mib = lived.peak_mib.zip(idle).map(|(peak, idle)| peak - idle);
                rows.push(lived);
            }
        }
        measure::clean(target).await?;
    }
    Ok(rows)
}

struct Life<'t> {
    target: &'t Target,
    run: &'t str,
    members: usize,
    group: String,
}

impl Life<'_> {
    /// Makes the group, still empty; `false` if the server has no groups.
    async fn is_known(&mut self) -> anyhow::Result<bool> {
        let body = group(&made_name(self.run, self.target.next()), &[]);
        let made = self.target.endpoint.ask(Request::send(Method::POST, "/Groups".to_owned(), &body).kept()).await?;
        if !made.is_success() {
            NotSupported::by(&made)?;
            return Ok(false);
        }
        self.group = made.id()?;
        Ok(true)
    }

    /// Takes a step while another client creates users.
    async fn beside_creates(&self, step: Step, name: &'static str) -> anyhow::Result<Lived> {
        if let Some(pid) = self.target.pid {
            usage::forget_peak(pid);
        }
        let over = Arc::new(AtomicBool::new(false));
        let prefix = made_name(self.run, self.target.next());
        let creating = tokio::spawn(create_until(self.target.endpoint.clone(), prefix, Arc::clone(&over)));
        let taken = self.take(step).await;
        if matches!(step, Step::Replace | Step::Delete) && taken.is_ok() {
            tokio::time::sleep(AFTERMATH).await;
        }
        over.store(true, Ordering::Relaxed);
        let (creates, ids) = creating.await??;
        self.target.give_spares(ids);
        let taken = taken.with_context(|| format!("{name}, group of {}", self.members))?;
        let total = if step == Step::Make { Some(taken.iter().sum()) } else { median(&taken) };
        Ok(Lived {
            step: name,
            target: 0,
            members: self.members,
            ms: total.unwrap_or(f64::NAN),
            longest_ms: percentile(&taken, 100.0).unwrap_or(f64::NAN),
            creates_p50_ms: percentile(&creates, 50.0),
            creates_p99_ms: percentile(&creates, 99.0),
            creates_max_ms: percentile(&creates, 100.0),
            peak_mib: self.target.usage()?.map(|usage| usage.peak_mib),
            growth_mib: None,
        })
    }

    /// Sends the step's requests; milliseconds of each.
    async fn take(&self, step: Step) -> anyhow::Result<Vec<f64>> {
        let mut taken = Vec::new();
        for request in self.requests(step) {
            let answer: Answer = self.target.endpoint.ask(request).await?;
            let said = String::from_utf8_lossy(&answer.body);
            ensure!(answer.is_success(), "status {}: {said}", answer.status);
            taken.push(answer.took.as_secs_f64() * 1e3);
        }
        if step == Step::RemoveListed {
            // Every other request puts back what is removed.
            taken = taken.into_iter().skip(1).step_by(2).collect();
        }
        Ok(taken)
    }

    fn requests(&self, step: Step) -> Vec<Request> {
        let population = &self.target.population;
        let members = &population.ids[..self.members];
        let newcomers = &population.ids[population.filling.users..];
        let member = |number: usize| &members[generate::scatter(number) as usize % members.len()];
        let one_by_one = |request: &dyn Fn(usize) -> Request| (0..TIMES).map(request).collect();
        match step {
            Step::Make => members.chunks(FILL).map(|some| self.patch(&json!([add(some)]))).collect(),
            Step::AddOne => one_by_one(&|number| self.patch(&json!([add(&newcomers[number..=number])]))),
            Step::RemoveOne => one_by_one(&|number| {
                let path = format!("members[value eq \"{}\"]", newcomers[number]);
                self.patch(&json!([{ "op": "remove", "path": path }]))
            }),
            Step::RemoveListed => (0..TIMES)
                .flat_map(|_| {
                    let listed = &newcomers[..LISTED.min(newcomers.len())];
                    let remove = patch_op("remove", "members", generate::members(listed));
                    [self.patch(&json!([add(listed)])), self.patch(&json!([remove]))]
                })
                .collect(),
            Step::ValueEq => one_by_one(&|number| {
                let filter = format!("members%5Bvalue%20eq%20%22{}%22%5D", member(number));
                Request::get(format!("/Groups?filter={filter}&attributes=displayName"))
            }),
            Step::ReadWithout => {
                one_by_one(&|_| Request::get(format!("/Groups/{}?excludedAttributes=members", self.group)))
            }
            Step::Read => vec![Request::get(format!("/Groups/{}", self.group))],
            Step::Replace => {
                let half = (self.members / 2).clamp(1, REPLACED_BY);
                vec![self.patch(&json!([patch_op("replace", "members", generate::members(&members[..half]))]))]
            }
            Step::Delete => vec![Request {
                method: Method::DELETE,
                path: format!("/Groups/{}", self.group),
                body: None,
                keep: false,
            }],
        }
    }

    fn patch(&self, operations: &Value) -> Request {
        Request::send(Method::PATCH, format!("/Groups/{}", self.group), &generate::patch(operations))
    }
}

fn add(ids: &[String]) -> Value {
    patch_op("add", "members", generate::members(ids))
}

/// Creates users, one after the other; milliseconds of each, and their ids.
async fn create_until(
    endpoint: Endpoint,
    prefix: String,
    over: Arc<AtomicBool>,
) -> anyhow::Result<(Vec<f64>, Vec<String>)> {
    let (mut taken, mut ids) = (Vec::new(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        let body = user(&format!("{prefix}-{}", ids.len()));
        let due = Instant::now() + PAUSE;
        let answer = endpoint.ask(Request::send(Method::POST, "/Users".to_owned(), &body).kept()).await?;
        taken.push(answer.took.as_secs_f64() * 1e3);
        ids.push(answer.id()?);
        tokio::time::sleep_until(due).await;
    }
    Ok((taken, ids))
}
