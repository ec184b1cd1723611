//! Panics with all that it could read as the message: what is in it must be what it was granted, cut, and for the log alone.

#![expect(clippy::panic, reason = "it is what this guest is for")]

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct PanicsWithAllItRead;

impl Constraint for PanicsWithAllItRead {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let Some(user) = operation.after() else { return Ok(Verdict::not_applicable()) };
        let password = user.text("password").map_err(|error| error.to_string());
        let differences = operation.all_differences().map_err(|error| error.to_string());
        panic!("{password:?} {} {differences:?}", user.whole::<serde_json::Value>()?)
    }
}

scruple_sdk::export!(PanicsWithAllItRead);
