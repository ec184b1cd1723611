//! Breaks when it is asked about its settings, in the way that they say: nothing of the constraint may be saved.

#![expect(clippy::panic, reason = "one of its ways")]

use schemars::JsonSchema;
use scruple_sdk::{About, Constraint, Error, Operation, SettingsProblem, Verdict, about};
use serde::Deserialize;

struct CheckSettingsBreaks;

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Loop,
    Trap,
    Panic,
    /// Find a thousand problems.
    Problems,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How to break.
    way: Way,
}

impl Constraint for CheckSettingsBreaks {
    type Settings = Settings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &Settings) -> Result<Verdict, Error> {
        Ok(Verdict::allow())
    }

    fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
        match settings.way {
            Way::Loop => loop {
                std::hint::black_box(());
            },
            Way::Trap => std::process::abort(),
            Way::Panic => panic!("the settings are not to my liking"),
            Way::Problems => (0..1_000).map(|_| SettingsProblem::new("/way", "one of many")).collect(),
        }
    }
}

scruple_sdk::export!(CheckSettingsBreaks);
