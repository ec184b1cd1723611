//! Everything that the tests' package does from the command line, in one program: each would have the whole server in it, and
//! takes ten minutes of a processor to be built with optimisation.

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

fn main() -> ExitCode {
    match Program::parse() {
        Program::Demo => demo::run(),
        Program::Conformance(args) => conformance::run(&args),
        Program::Load(args) => load::run(&args),
        Program::Density(args) => density::run(&args),
        Program::Nodes(args) => nodes::run(args),
    }
}
