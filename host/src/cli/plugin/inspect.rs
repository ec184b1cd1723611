//! `scruple plugin inspect`.

use std::path::Path;

use serde_json::{Value, json};

use super::given::declared;
use super::{spinner, tried};
use crate::cli::Failure;
use crate::cli::output::{Output, items, text};

pub(super) async fn run(file: &Path, schemas: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let declared = declared(schemas)?;
    let spinner = spinner("compiling");
    let tried = tried(file, &declared).await;
    spinner.finish_and_clear();
    let tried = tried?;
    let (size, checked) = (tried.size(), tried.checked);
    let descriptor = checked.descriptor.to_json();
    let shown = json!({
        "digest": checked.digest, "world": checked.world, "size": size, "compile_ms": checked.compile_ms,
        "descriptor": descriptor,
    });
    output.line(&shown, in_words(&shown, &descriptor))
}

/// What a component says of itself, and what is known of it.
pub(super) fn in_words(shown: &Value, descriptor: &Value) -> String {
    let or_all = |name: &str| match items(descriptor, name) {
        [] => "all".to_owned(),
        _ => text(descriptor, name),
    };
    let none = |name: &str| match items(descriptor, name) {
        [] => "none".to_owned(),
        _ => text(descriptor, name),
    };
    let compiled = shown.get("compile_ms").map_or_else(String::new, |took| format!(", compiled in {took} ms"));
    let schema = descriptor.get("settings_schema").map_or_else(String::new, |schema| format!("{schema:#}"));
    [
        format!("{} {}: {}", text(descriptor, "name"), text(descriptor, "version"), text(descriptor, "summary")),
        format!("world           {}", text(shown, "world")),
        format!("sha256          {}", text(shown, "digest")),
        format!("size            {} bytes{compiled}", text(shown, "size")),
        format!("resource types  {}", or_all("resource_types")),
        format!("actions         {}", or_all("actions")),
        format!("reads           {}", or_all("reads")),
        format!("writes          {}", none("writes")),
        format!("capabilities    {}", none("capabilities")),
        format!("settings        {schema}"),
    ]
    .join("\n")
}
