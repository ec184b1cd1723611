//! Answers what its settings say, and says on the way what they say: for tests of what the host does with an answer.

#![expect(clippy::panic, reason = "one of its answers")]

use schemars::JsonSchema;
use scruple_sdk::{
    About, Action, Constraint, Error, Hold, Operation, Reason, ScimType, SettingsProblem, Verdict, about, log, report,
};
use serde::Deserialize;

struct Answers;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// What to answer.
    verdict: Answer,
    /// Reasons of a denial or a hold.
    #[serde(default)]
    reasons: Vec<Because>,
    /// When to judge a held operation again.
    not_before_seconds: Option<u32>,
    /// When to give up.
    expires_after_seconds: Option<u32>,
    /// What to warn of.
    #[serde(default)]
    warnings: Vec<Because>,
    /// What to note.
    #[serde(default)]
    notes: Vec<(String, String)>,
    /// What to log.
    #[serde(default)]
    log: Vec<String>,
    /// What to find wrong with these settings: pointer and message.
    #[serde(default)]
    problems: Vec<(String, String)>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Allow,
    NotApplicable,
    Deny,
    Hold,
    /// Return an error.
    Fault,
    Panic,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Because {
    code: String,
    message: String,
    #[serde(default)]
    paths: Vec<String>,
    /// `uniqueness`, `mutability` or `invalidValue`.
    scim_type: Option<String>,
}

impl Because {
    fn reason(&self) -> Reason {
        let reason = self.paths.iter().fold(Reason::new(&self.code, &self.message), Reason::path);
        match self.scim_type.as_deref() {
            Some("uniqueness") => reason.scim_type(ScimType::Uniqueness),
            Some("mutability") => reason.scim_type(ScimType::Mutability),
            Some(_) => reason.scim_type(ScimType::InvalidValue),
            None => reason,
        }
    }
}

impl Constraint for Answers {
    type Settings = Settings;

    fn about() -> About {
        about!().actions([Action::Create, Action::Update, Action::Delete, Action::Assess]).label("severity", "test")
    }

    fn evaluate(_: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        settings.warnings.iter().for_each(|warning| report::warn(warning.reason()));
        settings.notes.iter().for_each(|(key, value)| report::note(key, value));
        settings.log.iter().for_each(|line| log::info(line));
        let reasons = settings.reasons.iter().map(Because::reason);
        Ok(match settings.verdict {
            Answer::Allow => Verdict::allow(),
            Answer::NotApplicable => Verdict::not_applicable(),
            Answer::Deny => Verdict::deny(reasons),
            Answer::Hold => hold(settings, Hold::new(reasons)).into(),
            Answer::Fault => return Err(Error::new("a fault, as ordered")),
            Answer::Panic => panic!("a panic, as ordered"),
        })
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        settings.problems.iter().map(|(pointer, message)| SettingsProblem::new(pointer, message)).collect()
    }
}

fn hold(settings: &Settings, mut hold: Hold) -> Hold {
    if let Some(seconds) = settings.not_before_seconds {
        hold = hold.not_before_seconds(seconds);
    }
    if let Some(seconds) = settings.expires_after_seconds {
        hold = hold.expires_after_seconds(seconds);
    }
    hold
}

scruple_sdk::export!(Answers);
