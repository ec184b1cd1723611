//! What a request would change, worked out before anything is asked or stored. Pure.
//!
//! Start at [`planned`]. [`plan`] makes drafts from requests; a draft becomes a [`PlannedChange`] once the store has
//! told which of the named members are members already (that is the one thing that a plan cannot know by itself):
//! [`members::Resolving`] says what to ask and makes the [`MembersChange`] of the answers, [`Draft::settle`] does the rest.
//! [`mod@rewrite`] makes another change of one, by edits of the state after.

pub mod diff;
pub mod members;
pub mod plan;
pub mod planned;
pub mod rewrite;

pub use crate::scim::members::MemberEdit;
#[cfg(test)]
mod violation_tests;

pub use planned::{Action, Departure, Difference, Draft, MembersChange, PlannedChange, Removed};
