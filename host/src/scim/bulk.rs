//! Bulk requests (RFC 7644 §3.7), but for carrying them out.
//!
//! Start at [`request::parse`] (the message), then [`plan::plan`] (in which order its operations are carried out, so that
//! each reference is to something that is there), [`references::resolve`] (puts ids in the place of references) and
//! [`response`] (the answer).

pub mod plan;
pub mod references;
pub mod request;
pub mod response;

pub use plan::{Step, plan};
pub use references::{Ids, resolve};
pub use request::{BulkOperation, BulkRequest, Method};
pub use response::{Outcome, bulk_response};

#[cfg(test)]
mod tests;
