//! Values that go in and never come out: `password`, and whatever else a schema says so of.
//!
//! They are no attributes: no state, no difference and no log has them. Whoever plans a change is handed them apart, as
//! [`SecretEdit`]s, to keep what is derived from them, such as a hash.

use std::fmt;

use serde_json::Value;

use crate::scim::schema::{Attribute, Mutability, Returned};

/// Whether the attribute's values are secrets. RFC 7643 §7: "Attribute values SHALL NOT be returned" of `writeOnly`, and
/// `never` is "never returned"; the one without the other makes no sense, so either is enough.
pub fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never || attribute.mutability == Mutability::WriteOnly
}

/// A secret text. It is not printed, and there is no way to it but [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for whoever derives from it what is kept.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&Value> for Secret {
    /// A text as it stands, anything else as JSON.
    fn from(value: &Value) -> Self {
        Self(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A secret that is set or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretEdit {
    /// Canonical path of its attribute: `password`.
    pub path: String,
    /// `None`: there is none any more.
    pub value: Option<Secret>,
}

/// Notes an edit. The last of a path counts.
pub(crate) fn note(edits: &mut Vec<SecretEdit>, path: String, value: Option<Secret>) {
    edits.retain(|edit| edit.path != path);
    edits.push(SecretEdit { path, value });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed_and_the_last_edit_of_a_path_counts() {
        let mut edits = Vec::new();
        note(&mut edits, "password".to_owned(), Some(Secret::from(&Value::from("first"))));
        note(&mut edits, "password".to_owned(), Some(Secret::from(&Value::from("second"))));
        assert_eq!(edits[0].value.as_ref().map(Secret::expose), Some("second"));
        assert_eq!(format!("{edits:?}"), "[SecretEdit { path: \"password\", value: Some(Secret(***)) }]");
    }
}
