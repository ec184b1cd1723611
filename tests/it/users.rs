//! `/Users`.

mod create;
mod delete;
mod list;
mod patch;
mod read;
mod replace;
