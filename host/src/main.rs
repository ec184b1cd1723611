//! `scruple`: arguments to one command; see [`scruple::cli`].

use std::process::ExitCode;

/// A request allocates some thousand small pieces and frees them in another thread than the one it took them in, which
/// is what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    scruple::cli::run()
}
