//! `scruple plugin run`.

use clap::Args;
use serde_json::{Value, json};

use super::failure;
use super::given::{Given, Ready};
use crate::cli::Failure;
use crate::cli::decisions::evaluations_in_words;
use crate::cli::output::Output;
use crate::constraints::Limits;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    given: Given,
}

impl Run {
    pub(in crate::cli) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let Ready { tried, trial, operation } = self.given.ready().await?;
        let Some(record) = trial.ask(&operation).await.map_err(failure)? else {
            let nothing = json!({ "outcome": "unchanged", "evaluations": [] });
            return output.line(&nothing, "the request would change nothing, so that no constraint is asked");
        };
        let record = serde_json::to_value(&*record).map_err(|error| Failure::Local(error.to_string()))?;
        output.line(&record, in_words(&record, tried.limits()))
    }
}

/// What was said, read and used, and how much may be used.
fn in_words(record: &Value, limits: &Limits) -> String {
    let mut lines = vec![format!("outcome    {}", record.get("outcome").and_then(Value::as_str).unwrap_or_default())];
    match record.get("evaluations").and_then(Value::as_array).map(Vec::as_slice) {
        None | Some([]) => lines.push("the component does not judge such operations on such resources".to_owned()),
        Some(evaluations) => {
            lines.extend(evaluations_in_words(evaluations));
            lines.push(format!("  limits  {} fuel, {} bytes of memory", limits.fuel_max, limits.memory_bytes_max));
        }
    }
    lines.join("\n")
}
