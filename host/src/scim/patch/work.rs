//! How much one request may make the server do.
//!
//! The body bounds what a client gives, but each operation also goes through what is there already: a thousand short
//! operations on an attribute with a thousand long values would be minutes. So what is gone through is added up.

use serde_json::Value;

use crate::scim::error::ScimError;

/// Most bytes of values that the operations of a request may go through, each as often as it is compared or copied. The
/// most that a client has reason to ask is to edit each of 1,000 roles by an operation of its own: 1,000 × 1,000 values
/// of some 150 bytes are 150 MB. Folding case, the slowest that is done with a text, takes about a second for the limit.
pub(crate) const WORK_BYTES_MAX: usize = 256 << 20;

/// What a value costs however short it is: to look it up, to allocate for it.
const VALUE_BYTES: usize = 16;

/// What a request may still go through.
#[derive(Debug)]
pub struct Work {
    left: usize,
}

impl Work {
    /// All that one request may.
    pub fn of_a_request() -> Self {
        Self { left: WORK_BYTES_MAX }
    }

    /// Takes from what is left.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), ScimError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            ScimError::too_many(format!(
                "the operations together go through more than {WORK_BYTES_MAX} bytes of values; the limit is for one \
                 request, so send fewer operations in each"
            ))
        })?;
        Ok(())
    }
}

/// What it costs to go through a value once.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => VALUE_BYTES + text.len(),
        Value::Array(values) => VALUE_BYTES + values.iter().map(weight).sum::<usize>(),
        Value::Object(object) => VALUE_BYTES + object.values().map(weight).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) => VALUE_BYTES,
    }
}
