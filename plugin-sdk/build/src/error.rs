//! What can be wrong with a project, a toolchain or a component.

use std::io;
use std::path::PathBuf;

use crate::toolchain::ToolchainError;

/// Why a package did not become a component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No Rust compiler for the target.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The folder holds no package that cargo understands.
    #[error("no package in `{}`: {reason}", .folder.display())]
    Package {
        /// The folder.
        folder: PathBuf,
        /// What cargo said.
        reason: String,
    },
    /// The package does not compile.
    #[error("cannot compile: {0}")]
    Compile(String),
    /// The package has no library of the kind that becomes a core module.
    #[error("package `{0}` makes no WebAssembly module: it needs `crate-type = [\"cdylib\"]` under `[lib]`")]
    NotCdylib(String),
    /// The core module is not a plugin.
    #[error(
        "`{name}` is not a plugin: it does not export what the contract asks for; in Rust, does it call `scruple_sdk::export!`?"
    )]
    Encode {
        /// The package.
        name: String,
        /// What the encoder said.
        #[source]
        cause: anyhow::Error,
    },
    /// The component would not be accepted by a host.
    #[error("`{name}` cannot run in the sandbox")]
    Import {
        /// The package.
        name: String,
        /// What it imports.
        #[source]
        cause: ImportError,
    },
    /// The folder is no project of any language that is known.
    #[error(
        "there is no plugin in `{}`: it has no Cargo.toml (Rust), package.json (JavaScript), pyproject.toml (Python), or Makefile \
         beside C sources; `scruple plugin new` makes one", .0.display()
    )]
    NoProject(PathBuf),
    /// A project, but none of a plugin.
    #[error("there is no plugin in `{}`: {reason}", .folder.display())]
    NoPlugin {
        /// The folder.
        folder: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// A program that has to be there is not.
    #[error("{needed_for} needs {tool}, and {found}. {remedy}")]
    MissingTool {
        /// Who needs it.
        needed_for: &'static str,
        /// What is missing.
        tool: &'static str,
        /// What was found in its place.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A toolchain could not be fetched.
    #[error("cannot fetch {what}: {reason}")]
    Fetch {
        /// What.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The WIT of the contract that the project has cannot be read.
    #[error("cannot read the contract in `{}`", .folder.display())]
    Contract {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: anyhow::Error,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The component cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Why a component's imports are not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It wants something that no host gives.
    #[error(
        "it imports `{0}`, and a plugin may import nothing but `scruple:constraint/*`: no files, network, clock or randomness; \
         look for a dependency that needs them"
    )]
    Foreign(String),
    /// Not a valid component.
    #[error("not a valid component")]
    Invalid(#[source] wasmparser::BinaryReaderError),
}

impl BuildError {
    /// Whether this computer lacks something, and the project may be without fault.
    #[must_use]
    pub fn is_of_the_computer(&self) -> bool {
        matches!(self, Self::Toolchain(_) | Self::MissingTool { .. } | Self::Fetch { .. } | Self::Write { .. })
    }
}
