//! Traps in `evaluate` without a word. On this target, `abort` is the `unreachable` instruction and runs no panic hook.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct Trap;

impl Constraint for Trap {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        std::process::abort()
    }
}

scruple_sdk::export!(Trap);
