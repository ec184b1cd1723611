//! The only module that knows axum: requests in, responses out, and who may make which.
//!
//! A handler reads the request, calls the pipeline once, and puts the outcome into words. Start at
//! [`resources`], then [`error`] (the only place where an error becomes a response).

pub mod apart;
pub mod auth;
pub mod bulk_message;
pub mod extract;
pub mod origin;
pub mod rate;
pub mod middleware;
pub mod error;
pub mod problem;
pub mod respond;
pub mod prefer;
pub mod asynchronous;
pub mod resources;
pub mod me;
pub mod bulk;
pub mod query;
pub mod discovery;
pub mod stream;
pub mod tenants;
pub mod tokens;
pub mod bearer;
pub mod schemas;
pub mod tables;
pub mod plugins;
pub mod signing;
pub mod constraints;
pub mod waivers;
pub mod apply;
pub mod decisions;
pub mod replay;
pub mod backtest;
pub mod health;
pub mod nodes;
pub mod metrics;
pub mod openapi;
