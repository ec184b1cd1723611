//! The server program, `scruple`, for tests that must be able to kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple::cli::run()
}
