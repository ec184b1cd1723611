//! Scruple: a multi-tenant SCIM 2.0 service provider whose tenants decide which changes may happen.

pub mod scim;
pub mod change;
pub mod decision;
pub mod constraints;
pub mod store;

