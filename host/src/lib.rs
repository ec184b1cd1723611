#![doc = include_str!("../ARCHITECTURE.md")]

pub mod causes;
pub mod one_line;
pub mod signature;
pub mod scim;
pub mod tables;
pub mod change;
pub mod decision;
pub mod metrics;
pub mod constraints;
pub mod store;
pub mod pipeline;
pub mod trial;
pub mod http;
pub mod router;
pub mod clock;
pub mod secrets;
pub mod folder;
pub mod moving;
pub mod config;
pub mod app;
pub mod cli;

pub use router::build_handler;
