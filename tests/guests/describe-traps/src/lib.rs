//! Traps when asked who it is: the upload must be refused.

use scruple_sdk::{About, Constraint, Error, NoSettings, Operation, Verdict};

struct DescribeTraps;

impl Constraint for DescribeTraps {
    type Settings = NoSettings;

    fn about() -> About {
        std::process::abort()
    }

    fn evaluate(_: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        Ok(Verdict::allow())
    }
}

scruple_sdk::export!(DescribeTraps);
