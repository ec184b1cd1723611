//! Refuses values that are not what they seem: outside a pattern, the allowed domains or a table of the tenant's, with
//! characters that nobody sees, or with letters of several scripts in one word.
//!
//! Only values that are new are judged. Old data must not stop a change of something else.

use regex_lite::Regex;
use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Error, Operation, Reason, ScimType, SettingsProblem, Verdict, about, tables, text,
};
use serde::Deserialize;

/// The constraint.
#[derive(Debug)]
pub struct SafeValues;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// One rule for each attribute.
    #[schemars(length(min = 1))]
    rules: Vec<Rule>,
}

/// What values of one attribute must be like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// The resource type it is about.
    #[serde(default = "user")]
    resource_type: String,
    /// A SCIM path to text: `userName`, `emails.value`.
    path: String,
    /// A regular expression that the whole value must match.
    pattern: Option<String>,
    /// What may stand behind the last `@`: `example.com`, or `*.example.com` for every domain below it.
    #[serde(default)]
    domains: Vec<String>,
    /// A table of the tenant's whose keys are the values there are, such as department codes. They must match to the letter.
    table: Option<String>,
    /// Accept control characters and invisible ones.
    #[serde(default)]
    allow_control_characters: bool,
    /// Accept letters of several alphabets in one word, as a Cyrillic `а` in `аdmin`.
    #[serde(default)]
    allow_mixed_scripts: bool,
}

fn user() -> String {
    "User".to_owned()
}

impl Constraint for SafeValues {
    type Settings = Settings;

    /// Which attributes and tables it reads is a setting, so it asks for all; a tenant grants those that have a rule.
    fn about() -> About {
        about!().actions([Action::Create, Action::Update, Action::Assess]).tables(["*"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let mut reasons = Vec::new();
        let resource_type = operation.resource_type();
        for rule in settings.rules.iter().filter(|rule| rule.resource_type == resource_type) {
            let values = operation.new_texts(&rule.path)?;
            if !values.is_empty() {
                let pattern = rule.pattern.as_deref().map(compile).transpose()?;
                for value in &values {
                    let known = rule.table.as_deref().map_or(Ok(true), |table| tables::contains(table, value))?;
                    reasons.extend(judge(rule, pattern.as_ref(), known, value));
                }
            }
        }
        Ok(Verdict::deny_any(reasons))
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        let patterns = settings.rules.iter().enumerate().filter_map(|(i, rule)| Some((i, rule.pattern.as_ref()?)));
        patterns
            .filter_map(|(i, pattern)| {
                Some(SettingsProblem::new(format!("/rules/{i}/pattern"), compile(pattern).err()?.to_string()))
            })
            .collect()
    }
}

fn compile(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

fn judge(rule: &Rule, pattern: Option<&Regex>, known: bool, value: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    // Shown escaped: the message itself must not carry what it warns of.
    let shown = value.escape_debug();
    let mut refuse = |code: &str, fault: String| {
        let message = format!("`{shown}` in `{}` {fault}", rule.path);
        reasons.push(Reason::new(code, message).path(&rule.path).scim_type(ScimType::InvalidValue));
    };
    if pattern.is_some_and(|pattern| !pattern.is_match(value)) {
        refuse("pattern", format!("does not match the pattern `{}`", rule.pattern.as_deref().unwrap_or_default()));
    }
    if !rule.domains.is_empty() && !text::is_at_domain(value, &rule.domains) {
        refuse("domain", format!("is not an address at {}", rule.domains.join(", ")));
    }
    if !known {
        refuse("unknown-value", format!("is not in the table `{}`", rule.table.as_deref().unwrap_or_default()));
    }
    if !rule.allow_control_characters
        && let Some(hidden) = text::hidden_character(value)
    {
        refuse("control-character", format!("has the invisible character U+{:04X}", u32::from(hidden)));
    }
    if !rule.allow_mixed_scripts
        && let Some((one, other)) = text::mixed_scripts(value)
    {
        refuse("mixed-scripts", format!("mixes {one:?} and {other:?} letters in one word"));
    }
    reasons
}

scruple_sdk::export!(SafeValues);

#[cfg(test)]
mod tests;
