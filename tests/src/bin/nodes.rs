//! Measures how soon what one node sets is active on another. `nodes --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple_tests::nodes::run()
}
