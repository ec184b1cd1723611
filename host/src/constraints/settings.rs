//! Settings of a constraint: against the schema its descriptor carries. What JSON Schema cannot say, the component
//! says itself (`check-settings`, called by [`super::about`]).

mod work;

use jsonschema::{Draft, Validator};
use serde::Serialize;
use serde_json::Value;

/// Problems told of one settings document. 50: more than anybody mends at once.
const PROBLEMS_MAX: usize = 50;

/// Something wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsProblem {
    /// JSON Pointer (RFC 6901) into the settings; empty for the whole.
    pub pointer: String,
    /// For people.
    pub message: String,
}

/// Compiles a JSON Schema (2020-12). References to other documents are refused: nothing is fetched on a tenant's behalf. So
/// is one that would be too much work: validating runs here and not in the sandbox, and nothing stops it.
pub(super) fn compile_schema(schema: &Value) -> Result<Validator, String> {
    work::check_work(schema)?;
    jsonschema::options().with_draft(Draft::Draft202012).build(schema).map_err(|error| error.to_string())
}

/// What is wrong with the settings by the schema; nothing when they are valid.
pub fn check_schema(schema: &Value, settings: &Value) -> Vec<SettingsProblem> {
    match compile_schema(schema) {
        Ok(validator) => validator
            .iter_errors(settings)
            .take(PROBLEMS_MAX)
            .map(|error| SettingsProblem { pointer: error.instance_path().to_string(), message: error.to_string() })
            .collect(),
        // The schema was compiled at upload; if it no longer can be, no settings can be said to be valid.
        Err(message) => vec![SettingsProblem { pointer: String::new(), message }],
    }
}
