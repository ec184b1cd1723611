//! Gives values one spelling and fills in what is missing, before anything is judged or stored.
//!
//! The rules are gone through in their order, and each sees what those before it have made. Of values that are as they
//! should be nothing is edited, so that a client that repeats its request changes nothing.

use schemars::JsonSchema;
use scruple_sdk::{About, Action, Draft, Edit, Error, Operation, ReadError, Rewriter, SettingsProblem, about, text};
use serde::Deserialize;
use serde_json::{Value, json};

/// The rewriter.
#[derive(Debug)]
pub struct NormalizeAttributes;

/// What a tenant sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Gone through in their order.
    #[schemars(length(min = 1))]
    rules: Vec<Rule>,
}

/// What becomes of the values of one attribute.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// The resource type it is about.
    #[serde(default = "user")]
    resource_type: String,
    /// A SCIM path without a value filter: `userName`, `name.givenName`, `phoneNumbers.value`.
    path: String,
    /// What to fill in where there is no value: `{name.givenName} {name.familyName}`.
    template: Option<String>,
    /// Fill in the template also where there is a value.
    #[serde(default)]
    always: bool,
    /// What to fill in where there is no value and the template gives none.
    default: Option<Value>,
    /// Take white space away at both ends, and make one space of any within.
    #[serde(default)]
    trim: bool,
    /// Change the case of letters.
    case: Option<Case>,
    /// Write telephone numbers as `+442079460011`; what is none stays as it is.
    phone: Option<Phone>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Case {
    Lower,
    Upper,
    /// The first letter of each word is large, the others are small.
    Title,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Phone {
    /// Country calling code of numbers that have none: `44`.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,2}$"))]
    country: String,
    /// What is dialled in front of a national number: `0` if absent; empty where it is part of the number.
    #[schemars(regex(pattern = r"^[0-9]?$"))]
    trunk: Option<String>,
}

fn user() -> String {
    "User".to_owned()
}

impl Rewriter for NormalizeAttributes {
    type Settings = Settings;

    /// Which attributes it edits is a setting, so it asks for all; a tenant grants those that have a rule.
    fn about() -> About {
        about!().actions([Action::Create, Action::Update]).writes(["*"])
    }

    fn rewrite(operation: &Operation, settings: &Settings) -> Result<Vec<Edit>, Error> {
        let Some(after) = operation.after() else { return Ok(Vec::new()) };
        let resource_type = operation.resource_type();
        let mut draft = Draft::of(&after);
        for rule in settings.rules.iter().filter(|rule| rule.resource_type == resource_type) {
            fill(rule, &mut draft)?;
            draft.map_texts(&rule.path, |text| clean(rule, text))?;
        }
        Ok(draft.into_edits())
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        let mut problems = Vec::new();
        for (i, rule) in settings.rules.iter().enumerate() {
            let template = rule.template.as_deref().unwrap_or_default();
            let rest = text::filled(template, |name| if name.trim().is_empty() { Err(()) } else { Ok(None) });
            let bad_path = rule.path.trim().is_empty() || rule.path.contains('[');
            let bad_template = rest.map_or(true, |rest| rest.contains(['{', '}']));
            let cleans = rule.trim || rule.case.is_some() || rule.phone.is_some();
            let found = [
                (bad_path, "/path", "must be a SCIM path without a filter"),
                (bad_template, "/template", "each `{` needs a SCIM path and a `}`"),
                (!cleans && rule.template.is_none() && rule.default.is_none(), "", "there is nothing to do"),
            ];
            let found = found.into_iter().filter(|(is_wrong, ..)| *is_wrong);
            problems.extend(found.map(|(_, at, message)| SettingsProblem::new(format!("/rules/{i}{at}"), message)));
        }
        problems
    }
}

/// Fills in what is missing.
fn fill(rule: &Rule, draft: &mut Draft<'_>) -> Result<(), ReadError> {
    let is_missing = |value: &Value| matches!(value, Value::Null) || *value == json!([]) || *value == "";
    if let Some(template) = rule.template.as_deref()
        && (rule.always || is_missing(&draft.value(&rule.path)?))
    {
        let text = text::filled(template, |path| draft.text(path))?;
        // In the spelling that it will have, or it would differ from what is there each time.
        let text = clean(rule, &text);
        if !text.is_empty() {
            draft.set(&rule.path, text)?;
        }
    }
    match &rule.default {
        Some(default) if is_missing(&draft.value(&rule.path)?) => draft.set(&rule.path, default.clone()),
        _ => Ok(()),
    }
}

fn clean(rule: &Rule, text: &str) -> String {
    let mut text = if rule.trim { text::squeezed(text) } else { text.to_owned() };
    text = match rule.case {
        None => text,
        Some(Case::Lower) => text.to_lowercase(),
        Some(Case::Upper) => text.to_uppercase(),
        Some(Case::Title) => text::title_case(&text),
    };
    let phone = |phone: &Phone| text::e164(&text, &phone.country, phone.trunk.as_deref().unwrap_or("0"));
    rule.phone.as_ref().and_then(phone).unwrap_or(text)
}

scruple_sdk::export!(NormalizeAttributes as Rewriter);

#[cfg(test)]
mod tests;
