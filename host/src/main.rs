//! `scruple`: arguments to one command; see [`scruple::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    scruple::cli::run()
}
