//! Never says who it is: the upload must be refused.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict};

struct DescribeLoops;

impl Constraint for DescribeLoops {
    type Settings = NoSettings;

    fn about() -> About {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        Ok(Verdict::allow())
    }
}

scruple_sdk::export!(DescribeLoops);
