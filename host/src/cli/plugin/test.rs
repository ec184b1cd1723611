//! `scruple plugin test`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::junit::report;
use super::{component_of, failure, tried};
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::trial::Tried;
use crate::trial::fixture::{self, Fixture, Outcome};

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The component, or the folder of a project that `plugin build` was called for.
    #[arg(default_value = ".")]
    file: PathBuf,
    /// The folder with the cases; `fixtures`, if absent: of the project, or here.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
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
        let is_project = self.file.is_dir();
        let own = if is_project { self.file.join("fixtures") } else { PathBuf::from("fixtures") };
        let fixtures = self.fixtures.as_ref().unwrap_or(&own);
        let mut cases = fixture::read(fixtures).map_err(failure)?;
        cases.retain(|case| self.only.as_ref().is_none_or(|only| case.name.contains(only)));
        if cases.is_empty() {
            let only = self.only.as_deref().unwrap_or_default();
            return Err(Failure::Usage(format!("no case in `{}` has `{only}` in its name", fixtures.display())));
        }
        let file = component_of(&self.file)?;
        // All cases have it compiled once; each has it checked by what its own tenant has declared.
        let declared = cases.first().map(|case| case.declared().clone()).unwrap_or_default();
        let ran = judge(cases, &tried(&file, &declared).await?).await?;
        if let Some(path) = &self.junit {
            report(path, &ran)?;
        }
        if self.update {
            return update(&ran, output);
        }
        let (shown, text) = told(&ran);
        output.line(&shown, text)?;
        match failed(&ran) {
            0 => Ok(()),
            failed => {
                Err(Failure::Unexpected(format!("{failed} of {} cases came out otherwise than expected", ran.len())))
            }
        }
    }
}

/// Has a component judge cases.
pub(super) async fn judge(cases: Vec<Fixture>, tried: &Tried) -> Result<Vec<Ran>, Failure> {
    let mut ran = Vec::new();
    for case in cases {
        let started = Instant::now();
        let outcome = case.run(tried).await.map_err(failure)?;
        ran.push(Ran { case, outcome, seconds: started.elapsed().as_secs_f64() });
    }
    Ok(ran)
}

fn failed(ran: &[Ran]) -> usize {
    ran.iter().filter(|ran| !ran.outcome.differences.is_empty()).count()
}

/// How cases went, for programs and for people.
pub(super) fn told(ran: &[Ran]) -> (Value, String) {
    let failed = failed(ran);
    let passed = ran.len().saturating_sub(failed);
    let cases = ran.iter().map(|Ran { case, outcome, .. }| {
        json!({
            "name": case.name, "found": outcome.found, "fuel_used": outcome.fuel_used, "differences": outcome.differences,
        })
    });
    let shown = json!({ "passed": passed, "failed": failed, "cases": cases.collect::<Vec<_>>() });
    let mut lines: Vec<String> = ran.iter().map(in_words).collect();
    lines.push(format!("{passed} passed, {failed} failed"));
    (shown, lines.join("\n"))
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
