//! Settings: from JSON text to the author's type, and their JSON Schema.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The settings of a constraint that has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// One thing wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsProblem {
    pub(crate) pointer: String,
    pub(crate) message: String,
}

impl SettingsProblem {
    /// `pointer` is a JSON Pointer into the settings, `/attributes/0`; empty for all of them.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// One for each blank text of a list of SCIM paths; `pointer` is that of the list, `/attributes`.
    pub fn blank_paths<T: AsRef<str>>(pointer: &str, paths: impl IntoIterator<Item = T>) -> Vec<Self> {
        let blank = paths.into_iter().enumerate().filter(|(_, path)| path.as_ref().trim().is_empty());
        blank.map(|(i, _)| Self::new(format!("{pointer}/{i}"), "a SCIM path cannot be blank")).collect()
    }

    /// Where.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The settings as the author's type.
pub(crate) fn parse<S: DeserializeOwned>(settings: &str) -> Result<S, String> {
    // A tenant that set nothing has set an empty object.
    let settings = if settings.trim().is_empty() { "{}" } else { settings };
    serde_json::from_str(settings).map_err(|cause| format!("settings: {cause}"))
}

/// Everything wrong with the settings.
pub(crate) fn problems<S: DeserializeOwned>(
    settings: &str,
    check: impl FnOnce(&S) -> Vec<SettingsProblem>,
) -> Vec<SettingsProblem> {
    match parse(settings) {
        Ok(settings) => check(&settings),
        Err(message) => vec![SettingsProblem::new("", message)],
    }
}

/// JSON Schema (2020-12) of the settings.
pub(crate) fn schema<S: JsonSchema>() -> String {
    schemars::schema_for!(S).as_value().to_string()
}
