//! Which characteristic of which attribute a request does not respect, with the values, for the log.
//!
//! A client is told in words ([`ScimError::detail`](crate::scim::error::ScimError)); this is the same for machines.

use serde_json::{Map, Value};

use crate::scim::path::parse::excerpt_of;
use crate::scim::schema::Attribute;
use crate::scim::secret::is_secret;

/// Longest value in a violation, in bytes of JSON; of a longer one the beginning is kept, as a text that ends in `…`. An id
/// or an address has fewer than 300 bytes, so whatever tells one value from another is there, and an attempt with an 8
/// MiB body does not fill the log.
pub const VALUE_BYTES_MAX: usize = 1_024;

/// What stands for a value that may not be shown.
pub const MASK: &str = "***";

/// What a request does not respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Canonical path of the attribute, with the value filter where one value of many is meant:
    /// `emails[value eq "a@x"].type`.
    pub attribute: String,
    /// Which characteristic.
    pub characteristic: Characteristic,
    /// The value that there is. Masked where it is a secret, and no longer than [`VALUE_BYTES_MAX`].
    pub before: Option<Value>,
    /// The value that was asked for; `None` for none, too. Masked and bounded likewise.
    pub after: Option<Value>,
}

/// A characteristic of an attribute (RFC 7643 §7), or another rule that its values follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Characteristic {
    /// It must have a value.
    Required,
    /// Its values are of one type.
    Type,
    /// It has one value.
    MultiValued,
    /// Its values are among the canonical ones.
    CanonicalValues,
    /// It cannot be written, or not any more.
    Mutability,
    /// No other resource may have the value.
    Uniqueness,
    /// Values have a largest size, and there is a most of them. Ours.
    Size,
    /// One value is the primary one (RFC 7643 §2.4).
    Primary,
}

impl Characteristic {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Required,
        Self::Type,
        Self::MultiValued,
        Self::CanonicalValues,
        Self::Mutability,
        Self::Uniqueness,
        Self::Size,
        Self::Primary,
    ];

    /// The word for it; that of RFC 7643 §7 where it has one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Type => "type",
            Self::MultiValued => "multiValued",
            Self::CanonicalValues => "canonicalValues",
            Self::Mutability => "mutability",
            Self::Uniqueness => "uniqueness",
            Self::Size => "size",
            Self::Primary => "primary",
        }
    }

    /// The characteristic a word names, exactly.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|characteristic| characteristic.as_str() == word)
    }
}

impl Violation {
    /// One without values.
    pub fn new(attribute: impl Into<String>, characteristic: Characteristic) -> Self {
        Self { attribute: attribute.into(), characteristic, before: None, after: None }
    }

    /// With the value that there is, one of the attribute.
    #[must_use]
    pub fn before(self, attribute: &Attribute, value: Option<&Value>) -> Self {
        Self { before: value.map(|value| shown(attribute, value)), ..self }
    }

    /// With the value that was asked for, meant to be one of the attribute.
    #[must_use]
    pub fn after(self, attribute: &Attribute, value: Option<&Value>) -> Self {
        Self { after: value.map(|value| shown(attribute, value)), ..self }
    }
}

/// The value as it may be kept.
fn shown(attribute: &Attribute, value: &Value) -> Value {
    bounded(masked(attribute, value))
}

fn masked(attribute: &Attribute, value: &Value) -> Value {
    if is_secret(attribute) {
        return Value::from(MASK);
    }
    match value {
        Value::Array(values) => values.iter().map(|value| masked(attribute, value)).collect(),
        Value::Object(object) => {
            let parts = object.iter().map(|(name, value)| {
                let part = match attribute.sub_attribute(name) {
                    Some(sub) => masked(sub, value),
                    None => value.clone(),
                };
                (name.clone(), part)
            });
            Value::Object(parts.collect::<Map<_, _>>())
        }
        simple => simple.clone(),
    }
}

pub(crate) fn bounded(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= VALUE_BYTES_MAX { value } else { Value::from(excerpt_of(&text, VALUE_BYTES_MAX)) }
}
