//! Compiles plugin crates to WebAssembly components, and finds or builds the toolchain for it.
//!
//! Used by the `scruple-plugin-build` binary (`make plugins`) and by build scripts that
//! need guests. It knows nothing of the host: a component is judged here by its import list alone.
//!
//! Start at [`build_components`]; [`toolchain::ensure`] is the step that may take minutes, once.
//!
//! ```no_run
//! use scruple_plugin_build::{BuildOptions, build_component};
//!
//! let options = BuildOptions::new("target");
//! let built = build_component("plugins/write-once".as_ref(), &options)?;
//! println!("{}: {} bytes at {}", built.name, built.size_bytes, built.path.display());
//! # Ok::<(), scruple_plugin_build::BuildError>(())
//! ```

mod command;
pub mod component;
pub mod toolchain;

pub use component::{
    BuildError, BuildOptions, BuiltComponent, ImportError, build_component, build_components, build_components_with,
    check_imports,
};
pub use toolchain::{Source, Toolchain, ToolchainError};

/// The one target of plugins: no operating system, so nothing to import but the contract.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Told in one line what takes time just now.
pub type Progress<'a> = &'a dyn Fn(&str);
