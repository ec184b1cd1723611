//! An error with its causes, in one line: for logs, and for whoever runs a command.

use std::error::Error;

/// `this: because of this: because of that`.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
