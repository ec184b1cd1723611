//! Panics: the host must get the message as an error, not a bare trap.

#![expect(clippy::panic, reason = "it is what this guest is for")]

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct PanicWithMessage;

impl Constraint for PanicWithMessage {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        panic!("the moon is full")
    }
}

scruple_sdk::export!(PanicWithMessage);
