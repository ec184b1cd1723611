//! The integration tests. Modules follow the URLs, then what cuts across them.

mod admin;
mod cli;
mod concurrency;
mod constraints;
mod crash;
mod decisions;
mod discovery;
mod groups;
mod hostile_input;
mod layering;
mod tenancy;
mod users;
