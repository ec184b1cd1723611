//! The density program: what thousands of tenants with a component each cost one node. `density --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple_tests::density::run()
}
