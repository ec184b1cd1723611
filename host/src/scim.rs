//! The SCIM 2.0 protocol (RFC 7643, RFC 7644) as pure data and functions: no I/O, no clock, no async.
//!
//! Nothing here knows of tenants, constraints, storage or HTTP; copied into another program it would still compile.
//! Start at [`schema`] (what a resource may look like), then [`resource`] (one that does), then [`path`] and
//! [`filter`] (how clients point into it), then [`normalize`] and [`patch`] (how clients change it).

pub mod bulk;
pub mod cursor;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod index;
pub mod limits;
pub mod list;
pub mod members;
pub mod meta;
pub mod normalize;
pub mod patch;
pub mod path;
pub mod profile;
pub mod projection;
pub mod reading;
pub mod resource;
pub mod schema;
pub mod search;
pub mod secret;
pub mod sort;
pub mod time;
pub mod urn;
pub mod validate;
pub mod violation;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod leniency_tests;
