//! Reading a SCIM resource in one state, value by value.
//!
//! Nothing is copied until it is read, and every read is recorded: ask for the narrowest path that decides. Paths are
//! those of RFC 7644: `userName`, `name.givenName`, `emails[type eq "work"].value`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::platform;

/// One attribute value. SCIM has no nulls: what is absent is `None`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string, a date, a reference, binary data in base64.
    Text(String),
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Decimal(f64),
    /// A complex value as canonical JSON. Read its sub-attributes by path instead where that is possible.
    Complex(String),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "an integer",
            Self::Decimal(_) => "a decimal number",
            Self::Complex(_) => "complex",
        }
    }
}

/// As a person would write it: text without quotes, a complex value as JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Complex(text) => f.write_str(text),
            Self::Boolean(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
        }
    }
}

/// Why the host did not answer. With `?` it ends the evaluation as a fault, never as a denial.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Not a SCIM path, filter or resource type.
    Invalid(String),
    /// The constraint is not granted this attribute, resource type or table.
    NotGranted(String),
    /// The budget of this evaluation is used up.
    BudgetExhausted(String),
    /// The host could not answer.
    Unavailable(String),
    /// The value is not of the type that was asked for.
    WrongType(String),
    /// What a later host may have to say.
    Other(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, message) = match self {
            Self::Invalid(message) => ("invalid", message),
            Self::NotGranted(message) => ("not granted", message),
            Self::BudgetExhausted(message) => ("budget exhausted", message),
            Self::Unavailable(message) => ("unavailable", message),
            Self::WrongType(message) => ("wrong type", message),
            Self::Other(message) => ("read failed", message),
        };
        write!(f, "{kind}: {message}")
    }
}

impl std::error::Error for ReadError {}

/// One resource in one state.
#[derive(Debug)]
pub struct Document(pub(crate) platform::Document);

impl Document {
    /// Its id; a resource that is being created may have none yet.
    pub fn id(&self) -> Option<String> {
        self.0.id()
    }

    /// `User`, `Group`, or the name of a custom resource type.
    pub fn resource_type(&self) -> String {
        self.0.resource_type()
    }

    /// The first value that the path selects.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn value(&self, path: &str) -> Result<Option<Value>, ReadError> {
        self.0.read(path)
    }

    /// Every value that the path selects, in document order.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn values(&self, path: &str) -> Result<Vec<Value>, ReadError> {
        self.0.read_all(path)
    }

    /// The first value, which must be text.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn text(&self, path: &str) -> Result<Option<String>, ReadError> {
        self.value(path)?.map(|value| text(path, value)).transpose()
    }

    /// Every value, which must all be text.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn texts(&self, path: &str) -> Result<Vec<String>, ReadError> {
        self.values(path)?.into_iter().map(|value| text(path, value)).collect()
    }

    /// The first value, which must be a boolean.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn flag(&self, path: &str) -> Result<Option<bool>, ReadError> {
        match self.value(path)? {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong_type(path, &other, "boolean")),
        }
    }

    /// The first value, which must be a whole number.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn integer(&self, path: &str) -> Result<Option<i64>, ReadError> {
        match self.value(path)? {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(number)),
            Some(other) => Err(wrong_type(path, &other, "an integer")),
        }
    }

    /// Whether the path selects anything. Records no more than that.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn has(&self, path: &str) -> Result<bool, ReadError> {
        self.0.has(path)
    }

    /// Whether a SCIM filter holds of this resource. Put other people's text into a filter with
    /// [`filter`](crate::filter).
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn matches(&self, filter: &str) -> Result<bool, ReadError> {
        self.0.matches(filter)
    }

    /// What the path selects, as your own type; JSON `null` if nothing. Records the whole subtree as read: prefer the
    /// narrow reads.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ReadError> {
        parse(path, &self.0.json(Some(path))?)
    }

    /// The whole resource, as far as it is granted. Records all of it as read.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn whole<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        parse("the whole resource", &self.0.json(None)?)
    }
}

fn text(path: &str, value: Value) -> Result<String, ReadError> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type(path, &other, "text")),
    }
}

fn wrong_type(path: &str, value: &Value, expected: &str) -> ReadError {
    ReadError::WrongType(format!("`{path}` is {}, not {expected}", value.kind()))
}

fn parse<T: DeserializeOwned>(path: &str, json: &str) -> Result<T, ReadError> {
    serde_json::from_str(json).map_err(|cause| ReadError::WrongType(format!("`{path}`: {cause}")))
}
