//! `scruple plugin bench`.

use clap::Args;
use serde_json::json;

use super::failure;
use super::given::{Given, Ready};
use crate::cli::Failure;
use crate::cli::output::Output;

/// Evaluations before those that count: code and data are in the processor's caches then.
const WARM_UP: u32 = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    #[command(flatten)]
    given: Given,
    /// Evaluations that count.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
}

impl Bench {
    pub(in crate::cli) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let Ready { trial, operation, .. } = self.given.ready().await?;
        let (mut took, mut fuel, mut memory) = (Vec::new(), 0, 0);
        for run in 0..WARM_UP.saturating_add(self.runs) {
            let record = trial.ask(&operation).await.map_err(failure)?;
            let Some(evaluation) = record.as_ref().and_then(|record| record.evaluations.first()) else {
                return Err(Failure::Usage(
                    "the component does not judge this operation, so there is nothing to measure".to_owned(),
                ));
            };
            (fuel, memory) = (evaluation.fuel_used, evaluation.memory_bytes);
            if run >= WARM_UP {
                took.push(evaluation.duration_us);
            }
        }
        took.sort_unstable();
        let percentile = |percent: usize| {
            let rank = took.len().saturating_mul(percent).div_ceil(100).max(1);
            took.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        let (p50, p95, p99) = (percentile(50), percentile(95), percentile(99));
        let shown = json!({
            "runs": self.runs, "p50_us": p50, "p95_us": p95, "p99_us": p99, "fuel_used": fuel, "memory_bytes": memory,
        });
        let text = format!(
            "{} evaluations, each in a fresh instance: p50 {p50} µs, p95 {p95} µs, p99 {p99} µs\n{fuel} fuel, {memory} bytes of memory each",
            self.runs
        );
        output.line(&shown, text)
    }
}
