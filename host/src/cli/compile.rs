//! `scruple compile-component`: the child process in which a server compiles what tenants send.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::causes::with_causes;
use crate::constraints::compile::program;

#[derive(Debug, Args)]
pub(super) struct CompileComponent {
    /// What it may use, as JSON: the server's to say.
    order: String,
}

impl CompileComponent {
    /// Its answers are the server's to read: machine code on standard output, one sentence on standard error, and an
    /// exit code of its own.
    pub(super) fn run(&self) -> ExitCode {
        match program::run(&self.order) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Who does not listen has the exit code.
                drop(writeln!(std::io::stderr().lock(), "{}", with_causes(&error)));
                ExitCode::from(error.exit_code())
            }
        }
    }
}
