//! `make demo`: a real server, real components, and the requests of two identity providers.

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple_tests::demo::run()
}
