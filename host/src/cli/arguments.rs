//! Arguments that more than one command takes.

use std::path::Path;

use serde_json::Value;

use crate::cli::Failure;

/// JSON on the command line, or in a file: `@settings.json`.
pub(super) fn json_argument(name: &str, argument: &str) -> Result<Value, Failure> {
    let read;
    let text = match argument.strip_prefix('@') {
        Some(path) => {
            read = std::fs::read_to_string(Path::new(path))
                .map_err(|error| Failure::Usage(format!("cannot read `{path}`: {error}")))?;
            read.as_str()
        }
        None => argument,
    };
    serde_json::from_str(text).map_err(|error| Failure::Usage(format!("--{name} is not valid JSON: {error}")))
}
