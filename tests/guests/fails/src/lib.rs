//! Returns an error: a fault, not a denial.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct Fails;

impl Constraint for Fails {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        Err(Error::new("the stars are not right"))
    }
}

scruple_sdk::export!(Fails);
