//! Tenants do not reach each other.

mod coverage;
mod isolation;
