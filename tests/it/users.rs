//! `/Users`.

mod create;
mod delete;
mod list;
mod password;
mod patch;
mod read;
mod replace;
