//! Everything that the tests' package does from the command line, in one program: each would have the whole server in it, and
//! takes ten minutes of a processor to be built with optimisation.

#![expect(clippy::print_stderr, reason = "a program says why it ends")]

use std::process::ExitCode;

use clap::Parser;
use scruple_tests::{conformance, demo, density, load, nodes};

/// Shows the server, checks it, and measures it.
#[derive(Parser)]
#[command(max_term_width = 100)]
enum Program {
    /// Plays a provisioning story against a server of its own: a real one, with real components, and the requests of two
    /// identity providers. DEMO_EXIT=1: ends with the story.
    Demo,
    Conformance(conformance::Args),
    Load(load::Args),
    Density(density::Args),
    Nodes(nodes::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let went_well = match Program::parse() {
        Program::Demo => demo::run().await,
        Program::Conformance(args) => conformance::run(&args).await,
        Program::Load(args) => load::run(&args).await,
        Program::Density(args) => density::run(&args).await,
        Program::Nodes(args) => nodes::run(args).await,
    };
    match went_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
