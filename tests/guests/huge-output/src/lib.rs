//! Says more than anybody can read, by the way that its settings name: the limit on output must stop it.

use schemars::JsonSchema;
use scruple_sdk::{About, Constraint, Error, Operation, Reason, Verdict, about, log, report};
use serde::Deserialize;

struct HugeOutput;

/// Where to say it.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Way {
    /// One reason with a long message.
    Message,
    /// Many reasons.
    Reasons,
    /// The error.
    Error,
    /// Many notes.
    Notes,
    /// Many warnings.
    Warnings,
    /// Many lines of log.
    Log,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where to say it.
    way: Way,
    /// How many bytes, about.
    #[serde(default = "four_mebibytes")]
    bytes: usize,
}

fn four_mebibytes() -> usize {
    4 << 20
}

/// How long each of many is.
const PIECE_BYTES: usize = 100;

impl Constraint for HugeOutput {
    type Settings = Settings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        let pieces = settings.bytes / PIECE_BYTES;
        let piece = "x".repeat(PIECE_BYTES);
        let all = || "x".repeat(settings.bytes);
        match settings.way {
            Way::Message => return Ok(Reason::new("long", all()).into()),
            Way::Reasons => return Ok(Verdict::deny((0..pieces).map(|_| Reason::new("many", &piece)))),
            Way::Error => return Err(Error::new(all())),
            Way::Notes => (0..pieces).for_each(|number| report::note(&number.to_string(), &piece)),
            Way::Warnings => (0..pieces).for_each(|_| report::warn(Reason::new("many", &piece))),
            Way::Log => (0..pieces).for_each(|_| log::info(&piece)),
        }
        Ok(Verdict::allow())
    }
}

scruple_sdk::export!(HugeOutput);
