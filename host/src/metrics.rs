//! What is counted while the server works, for `GET /metrics`.
//!
//! Counting is adding to a number: what every request and every evaluation passes has a place that is known when the program is
//! compiled, and nobody looks for it by a name. Only what should be rare (a fault, a refusal) is counted by tenant, in
//! [`noteworthy`], where there is room for so many and no more. [`text`] writes it all down.

pub mod histogram;
pub mod noteworthy;
pub mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use self::histogram::Histogram;
use self::noteworthy::Noteworthy;
use crate::decision::{DecisionId, Evaluation, Outcome, TenantId, Verdict};

/// What a constraint's answer is counted as, in the order of the counters.
const ANSWERS: [&str; 6] = ["allow", "not-applicable", "deny", "hold", "fault", "rewrite"];

/// What a request is counted as: its surface and whether it may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass {
    /// A SCIM request that reads.
    ScimRead,
    /// A SCIM request that writes.
    ScimWrite,
    /// An administration request that reads.
    ApiRead,
    /// An administration request that writes.
    ApiWrite,
    /// Health, metrics, and what is no path of ours.
    Other,
}

impl RouteClass {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::ScimRead, Self::ScimWrite, Self::ApiRead, Self::ApiWrite, Self::Other];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScimRead => "scim-read",
            Self::ScimWrite => "scim-write",
            Self::ApiRead => "api-read",
            Self::ApiWrite => "api-write",
            Self::Other => "other",
        }
    }
}

/// How compiling a component may end, in the order of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compilation {
    /// There is machine code.
    Done,
    /// It is no component that compiles.
    Invalid,
    /// It takes too much memory.
    Memory,
    /// It takes too much processor time.
    CpuSeconds,
    /// It takes too long.
    Seconds,
    /// There is too much machine code.
    CompiledBytes,
    /// The compiler broke.
    Crashed,
    /// The compiler could not be started, or the server stops.
    Unavailable,
}

impl Compilation {
    /// Every ending.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Invalid,
        Self::Memory,
        Self::CpuSeconds,
        Self::Seconds,
        Self::CompiledBytes,
        Self::Crashed,
        Self::Unavailable,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Invalid => "invalid",
            Self::Memory => "memory",
            Self::CpuSeconds => "cpu-seconds",
            Self::Seconds => "seconds",
            Self::CompiledBytes => "compiled-bytes",
            Self::Crashed => "crashed",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted. Since the start of the server; nothing of it is kept.
#[derive(Debug)]
pub struct Metrics {
    /// By class, then by the first digit of the status.
    requests: [[Counter; 5]; RouteClass::ALL.len()],
    request_micros: [Histogram; RouteClass::ALL.len()],
    decisions: [Counter; Outcome::ALL.len()],
    evaluations: [Counter; ANSWERS.len()],
    evaluation_micros: Histogram,
    evaluation_fuel: Histogram,
    compilations: [Counter; Compilation::ALL.len()],
    compilation_micros: Histogram,
    load_micros: Histogram,
    noteworthy: Noteworthy,
}

/// Bounds of a request's duration, in microseconds. From a read that is at hand to a bulk request.
const REQUEST_MICROS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Bounds of an evaluation's duration, in microseconds. From an honest rule (10) to the backstop (100 ms).
const EVALUATION_MICROS: &[u64] =
    &[10, 20, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000];

/// Bounds of an evaluation's fuel. A Rust rule needs 20 to 60 thousand; 10 million is the limit by default.
const EVALUATION_FUEL: &[u64] =
    &[5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];

/// Bounds of a compilation's duration, in microseconds. From a small component (50 ms) to the limit of the clock (240 s).
const COMPILATION_MICROS: &[u64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    240_000_000,
];

/// Bounds of loading a compiled component from disk, in microseconds. From a small one that the kernel has at hand (0.25 ms) to
/// SpiderMonkey's from a slow disk.
const LOAD_MICROS: &[u64] = &[250, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000];

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            request_micros: RouteClass::ALL.map(|_| Histogram::new(REQUEST_MICROS)),
            decisions: Default::default(),
            evaluations: Default::default(),
            evaluation_micros: Histogram::new(EVALUATION_MICROS),
            evaluation_fuel: Histogram::new(EVALUATION_FUEL),
            compilations: Default::default(),
            compilation_micros: Histogram::new(COMPILATION_MICROS),
            load_micros: Histogram::new(LOAD_MICROS),
            noteworthy: Noteworthy::default(),
        }
    }
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, class: RouteClass, status: u16, micros: u64) {
        let class = class as usize;
        let first_digit = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.requests.get(class).and_then(|of_class| of_class.get(first_digit)) {
            counter.add(1);
        }
        if let Some(histogram) = self.request_micros.get(class) {
            histogram.observe(micros);
        }
    }

    /// A decision was recorded.
    pub fn decided(&self, outcome: Outcome) {
        let place = Outcome::ALL.iter().position(|known| *known == outcome);
        if let Some(counter) = place.and_then(|place| self.decisions.get(place)) {
            counter.add(1);
        }
    }

    /// A constraint was asked.
    pub fn evaluated(&self, tenant: TenantId, evaluation: &Evaluation, decision: DecisionId, at: Timestamp) {
        let answer = match &evaluation.answer {
            Ok(Verdict::Allow) => 0,
            Ok(Verdict::NotApplicable) => 1,
            Ok(Verdict::Deny(_)) => 2,
            Ok(Verdict::Hold(_)) => 3,
            Ok(Verdict::Rewrite(_)) => 5,
            Err(fault) => {
                self.noteworthy.faulted(tenant, &evaluation.constraint, fault.kind(), decision, at);
                4
            }
        };
        if let Some(counter) = self.evaluations.get(answer) {
            counter.add(1);
        }
        self.evaluation_micros.observe(evaluation.duration_us);
        self.evaluation_fuel.observe(evaluation.fuel_used);
    }

    /// A component was compiled, or not.
    pub fn compiled(&self, ending: Compilation, micros: u64) {
        if let Some(counter) = self.compilations.get(ending as usize) {
            counter.add(1);
        }
        self.compilation_micros.observe(micros);
    }

    /// A compiled component was loaded from disk.
    pub fn loaded(&self, micros: u64) {
        self.load_micros.observe(micros);
    }

    /// What is counted by tenant.
    pub fn noteworthy(&self) -> &Noteworthy {
        &self.noteworthy
    }
}
