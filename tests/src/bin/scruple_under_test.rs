//! The server program, `scruple`, for tests that must be able to kill it.

use std::process::ExitCode;

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    scruple::cli::run()
}
