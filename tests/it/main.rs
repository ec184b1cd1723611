//! The integration tests. Modules follow the URLs, then what cuts across them.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; the lints' exception for tests does not see their helpers"
)]

mod admin;
mod apply;
mod asynchronous;
mod bucket;
mod bulk;
mod cli;
mod client_cases;
mod concurrency;
mod constraints;
mod crash;
mod decisions;
mod discovery;
mod golden;
mod groups;
mod guide;
mod hostile_input;
mod hot_groups;
mod large_groups;
mod layering;
mod limits;
mod me;
mod metrics;
mod moving;
mod nodes;
mod origin;
mod outages;
mod plugin_sizes;
mod projects;
mod replay;
mod retention;
mod rfc7644;
mod schemas;
mod search;
mod serial;
mod signing;
mod suites;
mod tables;
mod tenancy;
mod trying;
mod users;
mod waivers;
