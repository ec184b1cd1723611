//! The harness of the integration tests: the real router, the real database, real components, over HTTP on loopback.
//!
//! Start at [`TestServer::start`], then [`TestServer::tenant`].
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and this is where tests fail"
)]

pub mod bench;
pub mod builders;
pub mod cases;
pub mod client;
pub mod cluster;
pub mod conformance;
pub mod database;
pub mod demo;
pub mod density;
pub mod fixed_tenant;
pub mod load;
pub mod nodes;
pub mod objects;
pub mod process;
pub mod registry;
pub mod server;

pub use builders::{caller, compile_heavy, group, mail_at, numbered, patch_op, user};
pub use client::{Response, TenantClient};
pub use process::ServerProcess;
pub use server::TestServer;

/// Paths of the shipped plugins and of the tests' own guests, compiled to components by the build script.
pub mod components {
    include!(concat!(env!("OUT_DIR"), "/components.rs"));
}
