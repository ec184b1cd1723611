//! Asks the host for ever and ignores every answer, refusals too: the host must stop it.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct HostCallFlood;

impl Constraint for HostCallFlood {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        loop {
            let _ = operation.action();
            if let Some(document) = operation.after() {
                let _ = document.has("userName");
            }
        }
    }
}

scruple_sdk::export!(HostCallFlood);
