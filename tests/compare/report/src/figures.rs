//! Reads what was measured: criterion's estimates, gungraun's summaries, the JSON of the load program and of the benchmark
//! of the sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A time that criterion has estimated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timing {
    /// Of the benchmark.
    pub(crate) group: String,
    /// What was measured.
    pub(crate) function: String,
    /// Bytes of a user, if it was measured at several sizes.
    pub(crate) bytes: Option<usize>,
    /// The median, in microseconds.
    pub(crate) us: f64,
}

/// Instructions that gungraun has counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    /// `from_json_text` or `converted_already`.
    pub(crate) function: String,
    /// Of the subject, in the benchmark.
    pub(crate) id: String,
    /// How many.
    pub(crate) instructions: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// By criterion.
    pub(crate) timings: Vec<Timing>,
    /// By gungraun; empty where valgrind is not installed.
    pub(crate) counted: Vec<Counted>,
    /// By the benchmark of the sandbox.
    pub(crate) sandbox: Value,
    /// By the load program, with several numbers of constraints.
    pub(crate) endpoint: Value,
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// Nanoseconds.
    point_estimate: f64,
}

impl Figures {
    /// Reads the target folder.
    ///
    /// # Errors
    /// Something is not there: `make compare` has not run to its end.
    pub(crate) fn read(target: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            timings: timings(&target.join("criterion"))?,
            counted: counted(&target.join("gungraun"))?,
            sandbox: json(&target.join("bench/sandbox.json"))?,
            endpoint: json(&target.join("bench/endpoint.json"))?,
        })
    }

    /// Microseconds of a function, at one size if there are several.
    pub(crate) fn us(&self, group: &str, function: &str, bytes: Option<usize>) -> Option<f64> {
        let of = |timing: &&Timing| timing.group == group && timing.function == function && timing.bytes == bytes;
        self.timings.iter().find(of).map(|timing| timing.us)
    }

    /// Instructions of a subject.
    pub(crate) fn instructions(&self, function: &str, id: &str) -> Option<u64> {
        let of = |counted: &&Counted| counted.function == function && counted.id == id;
        self.counted.iter().find(of).map(|counted| counted.instructions)
    }
}

fn timings(folder: &Path) -> anyhow::Result<Vec<Timing>> {
    let mut timings = Vec::new();
    for path in files(folder, "new/benchmark.json")? {
        let Benchmark { group_id, function_id, value_str } = json(&path)?;
        let Estimates { median } = json(&path.with_file_name("estimates.json"))?;
        timings.push(Timing {
            group: group_id,
            function: function_id.unwrap_or_default(),
            bytes: value_str.and_then(|value| value.parse().ok()),
            us: median.point_estimate / 1e3,
        });
    }
    Ok(timings)
}

/// gungraun's summary is of the form `{"function_name": …, "id": …, "profiles": [{"summaries": …}]}`; its counts stand as
/// `"Ir": {"metrics": {"Left"|"Both": …}}`, the new one first.
fn counted(folder: &Path) -> anyhow::Result<Vec<Counted>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for path in files(folder, "summary.json")? {
        let summary: Value = json(&path)?;
        let text = |name: &str| summary.get(name).and_then(Value::as_str).map(str::to_owned);
        let instructions = instructions(&summary).with_context(|| format!("no count in `{}`", path.display()))?;
        found.push(Counted {
            function: text("function_name").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            instructions,
        });
    }
    Ok(found)
}

/// The first count of `Ir` anywhere in a value.
fn instructions(value: &Value) -> Option<u64> {
    match value {
        Value::Object(members) => match members.get("Ir") {
            Some(count) => first_number(count),
            None => members.values().find_map(instructions),
        },
        Value::Array(values) => values.iter().find_map(instructions),
        _ => None,
    }
}

fn first_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::Object(members) => members.values().find_map(first_number),
        Value::Array(values) => values.iter().find_map(first_number),
        _ => None,
    }
}

/// Files below a folder whose path ends so, in order.
fn files(folder: &Path, end: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("`{}`: run `make compare`", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("`{}`: run `make compare`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))
}
