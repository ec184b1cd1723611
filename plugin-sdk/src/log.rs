//! Diagnostics for the author, kept apart from the decision.

use crate::platform;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever is looking for a mistake.
    Debug,
    /// Of interest.
    Info,
    /// Should not be so.
    Warning,
    /// Is wrong.
    Error,
}

/// Writes one line.
pub fn write(level: Level, message: &str) {
    platform::log_write(level, message);
}

/// Writes a line of level `Debug`.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes a line of level `Info`.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes a line of level `Warning`.
pub fn warning(message: &str) {
    write(Level::Warning, message);
}

/// Writes a line of level `Error`.
pub fn error(message: &str) {
    write(Level::Error, message);
}
