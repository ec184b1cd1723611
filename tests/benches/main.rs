//! The benchmarks, each by its name: `cargo bench --package scruple-tests --bench benches -- writes`.

mod evaluation;
mod postgres;
mod sandbox;
mod writes;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures parts of the server within this process.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    which: Which,
    /// What cargo says to every benchmark.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Which {
    /// One evaluation beside the same rule in native Rust, and its steps.
    Evaluation,
    /// Evaluations on one and on two threads; a component compiled, and loaded.
    Sandbox {
        /// Also writes the figures there.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Durable creates of 64 clients, and members of small and large groups.
    Writes,
    /// Durable writes in PostgreSQL, whose address is in SCRUPLE_TEST_DATABASE, beside bare statements.
    Postgres,
}

fn main() {
    match Arguments::parse().which {
        Which::Evaluation => evaluation::run(),
        Which::Sandbox { json } => sandbox::run(json.as_deref()),
        Which::Writes => writes::run(),
        Which::Postgres => postgres::run(),
    }
}
