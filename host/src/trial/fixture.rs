//! Fixtures: folders of JSON files, each folder a case with what is asked, what there is, and what is expected.
//!
//! ```text
//! fixtures/
//!   settings.json                 of every case that has none of its own; likewise population.json and grants.json
//!   a-renamed-account/
//!     operation.json              what is asked: see `OperationFile`
//!     expected.json               verdict, reason codes, the most fuel
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decision::{ConstraintFault, DecisionRecord, Evaluation, Rewrite, Verdict};
use crate::trial::operation::{OperationFile, TrialOperation};
use crate::trial::population::Population;
use crate::trial::{Trial, TrialError, Tried};

/// What a recorded fuel may be exceeded by, in percent: another version of the host counts the same, but a compiler that is a
/// little newer makes other code of the same source.
const FUEL_SLACK_PERCENT: u64 = 25;

const EXPECTED: &str = "expected.json";

/// A case.
#[derive(Debug)]
pub struct Fixture {
    /// The folder's name.
    pub name: String,
    folder: PathBuf,
    operation: TrialOperation,
    settings: Value,
    grants: Option<Value>,
    population: Population,
    expected: Option<Expected>,
}

/// What is expected of a case, or what came of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// `allow`, `deny`, `hold`, `not-applicable`, `rewrite`, `fault`; `not-asked` where it judges no such operations;
    /// `unchanged` where the request changes nothing.
    pub verdict: String,
    /// The codes of the reasons, in their order; of a fault its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The codes of the warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Of a rewriter, the paths that it changes, with their values after.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub rewritten: Map<String, Value>,
    /// The most fuel that it may use. Not compared if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_max: Option<u64>,
}

/// How a case went.
#[derive(Debug)]
pub struct Outcome {
    /// What came of it; its `fuel_max` is what is to be recorded.
    pub found: Expected,
    /// Fuel that was used.
    pub fuel_used: u64,
    /// What is not as expected, in words; nothing: it passed.
    pub differences: Vec<String>,
}

/// The cases in a folder, by name.
pub fn read(folder: &Path) -> Result<Vec<Fixture>, TrialError> {
    let input = |error: &dyn std::fmt::Display| TrialError::Input(format!("`{}`: {error}", folder.display()));
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| input(&error))? {
        let path = entry.map_err(|error| input(&error))?.path();
        if path.is_dir() {
            cases.push(path);
        }
    }
    cases.sort();
    if cases.is_empty() {
        return Err(input(&"it has no folder with an `operation.json`, so there is nothing to test"));
    }
    cases.into_iter().map(|case| Fixture::read(folder, case)).collect()
}

impl Fixture {
    fn read(shared: &Path, folder: PathBuf) -> Result<Self, TrialError> {
        let own_or_shared = |name: &str| -> Result<Option<Value>, TrialError> {
            match json(&folder.join(name))? {
                Some(own) => Ok(Some(own)),
                None => json(&shared.join(name)),
            }
        };
        let path = folder.join("operation.json");
        let operation: Option<OperationFile> = json(&path)?;
        let operation = operation.ok_or_else(|| TrialError::Input(format!("`{}` is missing", path.display())))?;
        let operation = operation.check().map_err(|error| named(&path, &error))?;
        let population = match own_or_shared("population.json")? {
            Some(found) => Population::from_json(found)
                .map_err(|error| named(&folder.join("population.json"), &TrialError::Input(error)))?,
            None => Population::default(),
        };
        Ok(Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            settings: own_or_shared("settings.json")?.unwrap_or_else(|| Value::Object(Map::new())),
            grants: own_or_shared("grants.json")?,
            expected: json(&folder.join(EXPECTED))?,
            population,
            operation,
            folder,
        })
    }

    /// Has the component judge it.
    pub async fn run(&self, tried: &Tried) -> Result<Outcome, TrialError> {
        let in_case = |error| named(&self.folder, &error);
        let record = judged(tried, &self.population, &self.settings, self.grants.clone(), &self.operation).await;
        let record = record.map_err(in_case)?;
        let evaluation = record.as_deref().and_then(|record| record.evaluations.first());
        let found = Expected::of(record.as_deref());
        let fuel_used = evaluation.map_or(0, |evaluation| evaluation.fuel_used);
        let differences = match &self.expected {
            None => vec![format!("there is no {EXPECTED}; `--update` writes it")],
            Some(expected) => expected.differences(&found, fuel_used),
        };
        Ok(Outcome { found, fuel_used, differences })
    }

    /// Makes what came of it what is expected. Fuel that was recorded stays as it is where it still suffices.
    pub fn record(&self, outcome: &Outcome) -> Result<bool, TrialError> {
        let mut found = outcome.found.clone();
        if let Some(recorded) = self.expected.as_ref().and_then(|expected| expected.fuel_max)
            && outcome.fuel_used <= recorded
        {
            found.fuel_max = Some(recorded);
        }
        if self.expected.as_ref() == Some(&found) {
            return Ok(false);
        }
        let path = self.folder.join(EXPECTED);
        let text = serde_json::to_string_pretty(&found).map_err(|error| named(&path, &super::local(error)))?;
        fs::write(&path, text + "\n").map_err(|error| named(&path, &super::local(error)))?;
        Ok(true)
    }
}

/// One operation, judged in a tenant of its own.
pub async fn judged(
    tried: &Tried,
    population: &Population,
    settings: &Value,
    grants: Option<Value>,
    operation: &TrialOperation,
) -> Result<Option<std::sync::Arc<DecisionRecord>>, TrialError> {
    trial(tried, population, settings, grants, operation).await?.ask(operation).await
}

/// The tenant in which an operation can be judged, again and again.
pub async fn trial(
    tried: &Tried,
    population: &Population,
    settings: &Value,
    grants: Option<Value>,
    operation: &TrialOperation,
) -> Result<Trial, TrialError> {
    let population = match &operation.before {
        Some(before) => &population.clone().with(before.clone()),
        None => population,
    };
    let trial = Trial::new(tried, population).await?;
    trial.put_to_work(tried, settings.clone(), grants).await?;
    Ok(trial)
}

impl Expected {
    fn of(record: Option<&DecisionRecord>) -> Self {
        let of = |verdict: &str| Self {
            verdict: verdict.to_owned(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            rewritten: Map::new(),
            fuel_max: None,
        };
        let Some(record) = record else { return of("unchanged") };
        // One that rewrites and judges is asked twice: what it says in the end is the last word.
        let Some(last) = record.evaluations.last() else { return of("not-asked") };
        let codes = |reasons: &[crate::decision::Reason]| reasons.iter().map(|reason| reason.code.clone()).collect();
        let (verdict, reasons) = match &last.answer {
            Ok(Verdict::Allow) => ("allow", Vec::new()),
            Ok(Verdict::NotApplicable) => ("not-applicable", Vec::new()),
            Ok(Verdict::Deny(reasons)) => ("deny", codes(reasons)),
            Ok(Verdict::Hold(hold)) => ("hold", codes(&hold.reasons)),
            Ok(Verdict::Rewrite(_)) => ("rewrite", Vec::new()),
            Err(fault) => ("fault", vec![ConstraintFault::kind(fault).to_owned()]),
        };
        let fuel = record.evaluations.iter().map(|evaluation| evaluation.fuel_used).max().unwrap_or(0);
        Self {
            verdict: verdict.to_owned(),
            reasons,
            warnings: record.evaluations.iter().flat_map(codes_of_warnings).collect(),
            rewritten: record.evaluations.iter().flat_map(rewritten).collect(),
            fuel_max: Some(with_slack(fuel)),
        }
    }

    fn differences(&self, found: &Self, fuel_used: u64) -> Vec<String> {
        let mut differences = Vec::new();
        if (&self.verdict, &self.reasons) != (&found.verdict, &found.reasons) {
            differences.push(format!("expected {}, got {}", self.in_words(), found.in_words()));
        }
        if self.warnings != found.warnings {
            differences.push(format!("expected the warnings {:?}, got {:?}", self.warnings, found.warnings));
        }
        if self.rewritten != found.rewritten {
            let (expected, found) = (Value::from(self.rewritten.clone()), Value::from(found.rewritten.clone()));
            differences.push(format!("expected to be rewritten {expected}, got {found}"));
        }
        if let Some(fuel_max) = self.fuel_max.filter(|fuel_max| fuel_used > *fuel_max) {
            differences.push(format!("used {fuel_used} of fuel, more than its `fuel_max` of {fuel_max}"));
        }
        differences
    }

    /// `deny (immutable-attribute)`.
    pub fn in_words(&self) -> String {
        match self.reasons.as_slice() {
            [] => self.verdict.clone(),
            reasons => format!("{} ({})", self.verdict, reasons.join(", ")),
        }
    }
}

fn codes_of_warnings(evaluation: &Evaluation) -> Vec<String> {
    evaluation.warnings.iter().map(|warning| warning.code.clone()).collect()
}

fn rewritten(evaluation: &Evaluation) -> Vec<(String, Value)> {
    let Ok(Verdict::Rewrite(Rewrite { changes, .. })) = &evaluation.answer else { return Vec::new() };
    changes.iter().map(|change| (change.path.clone(), change.after.clone().unwrap_or(Value::Null))).collect()
}

/// A quarter more, in two digits: what is recorded should not change with every build.
fn with_slack(fuel: u64) -> u64 {
    let fuel = fuel.saturating_add(fuel.saturating_mul(FUEL_SLACK_PERCENT) / 100);
    let step = 10_u64.pow(fuel.checked_ilog10().unwrap_or(0).saturating_sub(1));
    fuel.div_ceil(step).saturating_mul(step)
}

/// What a JSON file has; `None` if there is no such file.
fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, TrialError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path, &TrialError::Input(error.to_string()))),
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| named(path, &TrialError::Input(error.to_string())))
}

/// An error of the same kind that says where it is.
fn named(path: &Path, error: &TrialError) -> TrialError {
    let text = format!("`{}`: {error}", path.display());
    match error {
        TrialError::Component(_) => TrialError::Component(text),
        TrialError::Local(_) => TrialError::Local(text),
        TrialError::Input(_) | TrialError::Request { .. } => TrialError::Input(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_recorded_with_a_quarter_more_in_two_digits() {
        assert_eq!([0, 7, 1_000, 2_081, 4_800_000].map(with_slack), [0, 8, 1_300, 2_700, 6_000_000]);
    }
}
