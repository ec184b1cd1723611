//! Fixtures: folders of JSON files, each folder a case with what is asked, what there is, and what is expected.
//!
//! ```text
//! fixtures/
//!   settings.json                 of every case that has none of its own; likewise population.json and grants.json
//!   schemas.json                  likewise: what the tenant has declared, see `Declared`
//!   a-renamed-account/
//!     operation.json              what is asked: see `OperationFile`
//!     recorded.json               instead of it: what a server has decided, with all that was read, as `decisions capture` writes it
//!     expected.json               verdict, reason codes, the most fuel
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::decision::expected::Expected;
use crate::decision::reads::ReadSet;
use crate::decision::{DecisionRecord, RecordedDecision};
use crate::trial::declared::Declared;
use crate::trial::operation::{OperationFile, TrialOperation};
use crate::trial::population::Population;
use crate::trial::recorded::Judged;
use crate::trial::{Trial, TrialError, Tried};

/// The file of a case that tells what is expected of it.
pub const EXPECTED: &str = "expected.json";

/// The file of a case that was captured.
pub const RECORDED: &str = "recorded.json";
/// The file of a case, or of all, with what the tenant has declared.
pub const SCHEMAS: &str = "schemas.json";
const OPERATION: &str = "operation.json";

/// A case.
#[derive(Debug)]
pub struct Fixture {
    /// The folder's name.
    pub name: String,
    folder: PathBuf,
    case: Case,
    declared: Declared,
    settings: Value,
    grants: Option<Value>,
    expected: Option<Expected>,
}

/// What is judged.
#[derive(Debug)]
enum Case {
    Asked { operation: Box<TrialOperation>, population: Population },
    Recorded { decision: Box<RecordedDecision>, reads: ReadSet },
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
        let declared = match declared(&folder)? {
            Some(own) => own,
            None => declared(shared)?.unwrap_or_default(),
        };
        let case = match Case::recorded(&folder)? {
            Some(recorded) => recorded,
            None => Case::asked(&folder, own_or_shared("population.json")?, &declared)?,
        };
        Ok(Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            settings: own_or_shared("settings.json")?.unwrap_or_else(|| Value::Object(Map::new())),
            grants: own_or_shared("grants.json")?,
            expected: json(&folder.join(EXPECTED))?,
            case,
            declared,
            folder,
        })
    }

    /// What the tenant has declared.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Has the component judge it.
    pub async fn run(&self, tried: &Tried) -> Result<Outcome, TrialError> {
        let in_case = |error| named(&self.folder, &error);
        let tried = &*tried.among(&self.declared).await.map_err(in_case)?;
        let (found, fuel_used) = match &self.case {
            Case::Asked { operation, population } => {
                let record = judged(tried, population, &self.settings, self.grants.clone(), operation).await;
                let record = record.map_err(in_case)?;
                let evaluation = record.as_deref().and_then(|record| record.evaluations.first());
                let fuel_used = evaluation.map_or(0, |evaluation| evaluation.fuel_used);
                (Expected::of(record.as_deref()), fuel_used)
            }
            Case::Recorded { decision, reads } => {
                let judged = tried.judge_recorded(decision, reads, &self.settings, self.grants.as_ref()).await;
                match judged.map_err(in_case)? {
                    Judged::Said(said) => (Expected::of_evaluations(std::slice::from_ref(&*said)), said.fuel_used),
                    Judged::Undecidable(missing) => (Expected::undecidable(missing), 0),
                }
            }
        };
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

impl Case {
    fn recorded(folder: &Path) -> Result<Option<Self>, TrialError> {
        let path = folder.join(RECORDED);
        let Some(entry) = json::<Value>(&path)? else { return Ok(None) };
        let input = |text: String| named(&path, &TrialError::Input(text));
        if folder.join(OPERATION).exists() {
            return Err(input(format!("there is {OPERATION}, too, and a case has one of them")));
        }
        let decision = RecordedDecision::from_json(&entry).map_err(|error| input(error.to_string()))?;
        let [evaluation] = decision.evaluations.as_slice() else {
            return Err(input(format!("it has {} evaluations, and a case has one", decision.evaluations.len())));
        };
        let reads = evaluation.reads.clone();
        Ok(Some(Self::Recorded { decision: Box::new(decision), reads }))
    }

    fn asked(folder: &Path, population: Option<Value>, declared: &Declared) -> Result<Self, TrialError> {
        let path = folder.join(OPERATION);
        let operation: Option<OperationFile> = json(&path)?;
        let operation = operation.ok_or_else(|| TrialError::Input(format!("`{}` is missing", path.display())))?;
        let operation = operation.check(declared).map_err(|error| named(&path, &error))?;
        let population = match population {
            Some(found) => Population::from_json(found)
                .map_err(|error| named(&folder.join("population.json"), &TrialError::Input(error)))?,
            None => Population::default(),
        };
        Ok(Self::Asked { operation: Box::new(operation), population })
    }
}

/// What the tenant has declared, by the file in this folder; `None` if there is none.
pub fn declared(folder: &Path) -> Result<Option<Declared>, TrialError> {
    let path = folder.join(SCHEMAS);
    let read = json::<Value>(&path)?.map(Declared::from_json).transpose();
    read.map_err(|error| named(&path, &TrialError::Input(error)))
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
