//! The guide: from the first constraint to every error there is.
//!
//! A first constraint, from an empty folder to one that a running server enforces:
//!
//! * [in Rust](rust), in six commands
//! * [in JavaScript](javascript)
//! * [in Python](python)
//!
//! From there:
//!
//! * [Testing](testing): unit tests, cases, captured decisions, replay
//! * [Cookbook](cookbook): what tenants have asked for, each with settings and the refusal that comes of it
//! * [The contract](contract): what a component may import, and what it exports
//! * [Limits and fuel](limits): what an evaluation may use
//! * [Errors and their remedies](errors): every code, what it means, what to do
//!
//! The blocks of commands of these pages are run by tests, and what they print is compared with what the pages say.
//! In what is printed, `…` stands for what is another each time, and for what is left out.

#[doc = include_str!("guide/rust.md")]
pub mod rust {}

#[doc = include_str!("guide/javascript.md")]
pub mod javascript {}

#[doc = include_str!("guide/python.md")]
pub mod python {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("guide/contract.md")]
pub mod contract {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}
