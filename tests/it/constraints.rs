//! Constraints over HTTP: what is uploaded, what it answers, how it breaks, what it may read.

mod compiling;
mod corpus;
mod determinism;
mod faults;
mod neighbours;
mod plugins;
mod reads;
mod rewriting;
mod spellings;
mod upload;
mod verdicts;
