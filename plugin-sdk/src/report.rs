//! Say more than the verdict. Nothing here changes the outcome.

use crate::platform;
use crate::verdict::Reason;

/// Tells the client without refusing: a header of the response, and the decision log.
pub fn warn(reason: Reason) {
    platform::report_warn(reason);
}

/// Puts a fact into the decision log: what the rule concluded on the way.
pub fn note(key: &str, value: &str) {
    platform::report_note(key, value);
}
