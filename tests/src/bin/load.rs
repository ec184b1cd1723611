//! The load program: measures a SCIM server, this one or any other. `load --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple_tests::load::run()
}
