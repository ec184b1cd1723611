//! Turns a project into a WebAssembly component, whatever language it is in, and finds, fetches or builds the toolchain for it.
//!
//! Used by `scruple plugin build`, by the `scruple-plugin-build` binary (`make plugins`) and by build scripts that
//! need guests. It knows nothing of the host: a component is judged here by its import list alone.
//!
//! | language | seen by | needs on the machine | fetched once |
//! |---|---|---|---|
//! | Rust | `Cargo.toml` | cargo | the target's standard library, or its sources |
//! | JavaScript, TypeScript | `package.json` | Node.js 18, npm | componentize-qjs, esbuild (50 MB) |
//! | Python | `pyproject.toml` | Python 3.11, pip | componentize-py (50 MB) |
//! | C | `Makefile`, `*.c` | make, and clang with wasm-ld or else Python with pip | ziglang, without clang (400 MB) |
//!
//! Start at [`build_components`]; what may take minutes, once, is [`toolchain::ensure`].
//!
//! ```no_run
//! use scruple_plugin_build::{BuildOptions, build_component};
//!
//! let options = BuildOptions::new("target");
//! let built = build_component("plugins/write-once".as_ref(), &options)?;
//! println!("{}: {} bytes at {}", built.name, built.size_bytes, built.path.display());
//! # Ok::<(), scruple_plugin_build::BuildError>(())
//! ```

mod project;
mod error;
mod cargo;
mod javascript;
mod python;
mod c;
mod component;
mod contract;
mod strip;
mod command;
mod tools;
pub mod toolchain;

pub use component::check_imports;
pub use error::{BuildError, ImportError};
pub use project::{BuildOptions, BuiltComponent, Language, build_component, build_components, describe};
pub use toolchain::{Source, Toolchain, ToolchainError};

/// The one target of plugins: no operating system, so nothing to import but the contract.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Told in one line what takes time just now.
pub type Progress<'a> = &'a dyn Fn(&str);
