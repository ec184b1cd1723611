//! The sandbox: what a tenant's component is compiled into, run in, allowed to read and stopped by.
//!
//! The only module that knows wasmtime. It knows nothing of storage: look-ups go through the traits
//! [`DirectoryView`] and [`TableView`] that the caller lends. Start at [`sandbox`] (what the rest of the program calls), then
//! [`hearing`] (who is asked about a change), [`evaluate`] (one constraint asked) and `host_api` (what it may call meanwhile).
//!
//! On the way in: [`check_component`] → [`compile`] → [`about`] → [`descriptor`]; kept by [`cache`]; put to work by
//! [`registry`], with [`settings`] and [`grants`]; found again by [`loader`]. Asked once more about what was decided: [`recording`].

pub mod about;
pub mod admission;
mod bindings;
pub mod cache;
mod canonical_json;
pub mod check_component;
pub mod compile;
mod convert;
pub mod descriptor;
pub mod directory;
mod edits;
pub mod engine;
pub mod evaluate;
mod exports;
pub mod grants;
pub mod hearing;
mod host_api;
pub mod limits;
pub mod loader;
pub mod paths;
mod recorder;
pub mod recording;
pub mod registry;
pub mod sandbox;
pub mod settings;
pub mod state;
pub mod tables;
mod writes;
#[cfg(test)]
mod tests;

pub use admission::Overloaded;
pub use compile::Compiling;
pub use compile::child::CompilerProgram;
pub use descriptor::Descriptor;
pub use directory::{DirectoryError, DirectoryView};
pub use evaluate::Asked;
pub use grants::Grants;
pub use hearing::Hearing;
pub use limits::Limits;
pub use loader::ComponentSource;
pub use recording::Recording;
pub use registry::{ConstraintSet, EnabledConstraint, Registry};
pub use sandbox::{Operation, Sandbox, SandboxConfig};
pub use tables::{TableRow, TableView};
