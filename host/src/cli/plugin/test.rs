//! `scruple plugin test`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::junit::report;
use super::{failure, tried};
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::trial::fixture::{self, Fixture, Outcome};

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The component.
    file: PathBuf,
    /// The folder with the cases.
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    fixtures: PathBuf,
    /// Only cases with this in their name.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Make what comes out what is expected: writes each case's `expected.json`. Read the differences before you commit them.
    #[arg(long)]
    update: bool,
    /// Also write a report in the format of JUnit.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A case that was run.
pub(super) struct Ran {
    pub(super) case: Fixture,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
}

impl Test {
    pub(in crate::cli) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let mut cases = fixture::read(&self.fixtures).map_err(failure)?;
        cases.retain(|case| self.only.as_ref().is_none_or(|only| case.name.contains(only)));
        if cases.is_empty() {
            let only = self.only.as_deref().unwrap_or_default();
            return Err(Failure::Usage(format!("no case in `{}` has `{only}` in its name", self.fixtures.display())));
        }
        let tried = tried(&self.file).await?;
        let mut ran = Vec::new();
        for case in cases {
            let started = Instant::now();
            let outcome = case.run(&tried).await.map_err(failure)?;
            ran.push(Ran { case, outcome, seconds: started.elapsed().as_secs_f64() });
        }
        if let Some(path) = &self.junit {
            report(path, &ran)?;
        }
        if self.update {
            return update(&ran, output);
        }
        let failed = ran.iter().filter(|ran| !ran.outcome.differences.is_empty()).count();
        let shown = json!({
            "passed": ran.len().saturating_sub(failed),
            "failed": failed,
            "cases": ran.iter().map(|Ran { case, outcome, .. }| json!({
                "name": case.name, "found": outcome.found, "fuel_used": outcome.fuel_used, "differences": outcome.differences,
            })).collect::<Vec<_>>(),
        });
        let mut lines: Vec<String> = ran.iter().map(in_words).collect();
        lines.push(format!("{} passed, {failed} failed", ran.len().saturating_sub(failed)));
        output.line(&shown, lines.join("\n"))?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Unexpected(format!("{failed} of {} cases came out otherwise than expected", ran.len()))),
        }
    }
}

fn in_words(Ran { case, outcome, .. }: &Ran) -> String {
    let mark = if outcome.differences.is_empty() { "ok  " } else { "FAIL" };
    let mut line = format!("{mark}  {}: {}, {} fuel", case.name, outcome.found.in_words(), outcome.fuel_used);
    for difference in &outcome.differences {
        line.push_str("\n      ");
        line.push_str(difference);
    }
    line
}

fn update(ran: &[Ran], output: &Output) -> Result<(), Failure> {
    let mut updated = Vec::new();
    for Ran { case, outcome, .. } in ran {
        if case.record(outcome).map_err(failure)? {
            updated.push(format!("{}: {}", case.name, outcome.found.in_words()));
        }
    }
    let text = match updated.as_slice() {
        [] => "everything is as it was expected".to_owned(),
        updated => format!("recorded anew:\n  {}", updated.join("\n  ")),
    };
    output.line(&json!({ "updated": updated }), text)
}
