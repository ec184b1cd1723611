//! Makes sure that the standard library for `wasm32-unknown-unknown` is there.
//!
//! Tried in this order: a target that is installed → `rustup target add` → the standard library built from the
//! distribution's sources ([`distribution`]), for machines that reach package mirrors but not rustup's servers. Each is
//! idempotent. What is built stays under the workspace's `target/`, and the second run takes no time.
//!
//! Start at [`ensure`].

mod distribution;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Progress, TARGET, command};

/// Where the standard library comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The compiler in use has the target already.
    Installed,
    /// `rustup target add` fetched it.
    Rustup,
    /// Built from the sources that the distribution packages, with the compiler it packages.
    Distribution,
}

/// A compiler that can compile for [`TARGET`], as settings of a cargo invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    source: Source,
    rustc: Option<PathBuf>,
    flags: Vec<String>,
}

impl Toolchain {
    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Sets compiler and flags of a cargo invocation. `flags` are added to what the toolchain itself needs.
    pub(crate) fn apply(&self, cargo: &mut Command, flags: &[String]) {
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        // The encoded form, because a path may contain a space, and because it wins over every other source of flags.
        let all: Vec<&str> = self.flags.iter().chain(flags).map(String::as_str).collect();
        cargo.env("CARGO_ENCODED_RUSTFLAGS", all.join("\u{1f}"));
    }

    fn of_rustup(source: Source) -> Self {
        Self { source, rustc: None, flags: Vec::new() }
    }
}

/// Why there is no way to compile a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// All three ways failed.
    #[error(
        "there is no way to compile for {TARGET} on this machine\n\
         1. an installed target: {installed}\n\
         2. `rustup target add {TARGET}`: {rustup}\n\
         3. the standard library built from the distribution's sources: {distribution}"
    )]
    Nowhere {
        /// Why the first failed.
        installed: String,
        /// Why the second failed.
        rustup: String,
        /// Why the third failed.
        distribution: String,
    },
    /// The one way that was asked for failed.
    #[error("{0}")]
    Asked(String),
    /// The folder that is shared between builds cannot be used.
    #[error("cannot use `{}`", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Finds, fetches or builds the toolchain; `target_dir` is the workspace's `target`.
///
/// # Errors
/// When all three ways fail, with the reason of each.
pub fn ensure(target_dir: &Path, progress: Progress<'_>) -> Result<Toolchain, ToolchainError> {
    let Err(installed) = installed() else { return Ok(Toolchain::of_rustup(Source::Installed)) };
    let cache = target_dir.join("wasm-toolchain");
    // Built earlier: rustup failed then, and asking it again would cost seconds on every build.
    if let Some(toolchain) = distribution::built(&cache) {
        return Ok(toolchain);
    }
    let _lock = lock(&cache, progress)?;
    let rustup = match rustup(progress) {
        Ok(toolchain) => return Ok(toolchain),
        Err(reason) => reason,
    };
    distribution::ensure(&cache, progress).map_err(|distribution| ToolchainError::Nowhere {
        installed,
        rustup,
        distribution,
    })
}

/// The same from one source only: to try a way that another would hide.
///
/// # Errors
/// When that way fails.
pub fn ensure_from(source: Source, target_dir: &Path, progress: Progress<'_>) -> Result<Toolchain, ToolchainError> {
    let cache = target_dir.join("wasm-toolchain");
    let _lock = lock(&cache, progress)?;
    match source {
        Source::Installed => installed().map(|()| Toolchain::of_rustup(source)),
        Source::Rustup => rustup(progress),
        Source::Distribution => distribution::ensure(&cache, progress),
    }
    .map_err(ToolchainError::Asked)
}

/// Whether the compiler on the path has the target's standard library.
fn installed() -> Result<(), String> {
    let printed = command::run(command::tool("rustc").args(["--print", "target-libdir", "--target", TARGET]), &|_| {})?;
    let folder = Path::new(printed.trim());
    if has_std(folder) { Ok(()) } else { Err(format!("no standard library in `{}`", folder.display())) }
}

fn has_std(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

fn rustup(progress: Progress<'_>) -> Result<Toolchain, String> {
    progress(&format!("the target {TARGET} is not installed; asking rustup for it"));
    command::run(command::tool("rustup").args(["target", "add", TARGET]), &|_| {})?;
    installed().map(|()| Toolchain::of_rustup(Source::Rustup))
}

/// Held while the toolchain changes, so that two builds at once do not both make it. Freed when the file is closed,
/// also when the process is killed.
fn lock(cache: &Path, progress: Progress<'_>) -> Result<File, ToolchainError> {
    let open = || {
        std::fs::create_dir_all(cache)?;
        let file = File::create(cache.join("lock"))?;
        if file.try_lock().is_err() {
            progress("waiting for another build that prepares the toolchain");
            file.lock()?;
        }
        Ok(file)
    };
    open().map_err(|cause| ToolchainError::Folder { path: cache.to_owned(), cause })
}
