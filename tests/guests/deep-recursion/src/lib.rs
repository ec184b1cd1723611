//! Calls itself until the stack is full: it must trap, and not write into what lies below the stack.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict, about};

struct DeepRecursion;

impl Constraint for DeepRecursion {
    type Settings = NoSettings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        if depth(0) == u64::MAX { Ok(Verdict::not_applicable()) } else { Ok(Verdict::allow()) }
    }
}

scruple_sdk::export!(DeepRecursion);

/// Not a tail call, and opaque, so that it stays a recursion.
fn depth(level: u64) -> u64 {
    let frame = std::hint::black_box([level; 16]);
    let below = if std::hint::black_box(true) { depth(level.wrapping_add(1)) } else { level };
    below.wrapping_add(frame.iter().sum::<u64>())
}
