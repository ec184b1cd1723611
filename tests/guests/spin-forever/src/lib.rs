//! Never returns from `evaluate`: fuel must stop it.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct SpinForever;

impl Constraint for SpinForever {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let mut turns = 0u64;
        loop {
            // Opaque, or the loop would be optimised away.
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

scruple_sdk::export!(SpinForever);
