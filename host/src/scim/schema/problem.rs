//! What is wrong with a document that a tenant gives us, all of it, each with the place where it stands.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::scim::path::parse::excerpt;

/// Most problems that are told of one document. A document in the wrong format has one for each of its lines, and the
/// first twenty say so.
pub const PROBLEMS_MAX: usize = 20;

/// One problem of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// Where, as a JSON pointer (RFC 6901) into the document: `/attributes/2/type`.
    pub pointer: String,
    /// What, for the tenant's administrator. Names the input and the limit.
    pub message: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

impl std::error::Error for SchemaError {}

/// Reads a document of at most `bytes_max` bytes as JSON.
pub(super) fn read_json(json: &[u8], bytes_max: usize) -> Result<Value, Vec<SchemaError>> {
    let problem = |message: String| vec![SchemaError { pointer: String::new(), message }];
    if json.len() > bytes_max {
        return Err(problem(format!("the document has {} bytes; the limit is {bytes_max}", json.len())));
    }
    serde_json::from_slice(json).map_err(|error| problem(format!("the document is not JSON: {error}")))
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<SchemaError>);

impl Problems {
    /// One more.
    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(SchemaError { pointer: pointer.into(), message: message.into() });
        }
    }

    /// Those of a part, which stands at `pointer`.
    pub(super) fn add_all(&mut self, pointer: &str, errors: Vec<SchemaError>) {
        for error in errors {
            self.add(format!("{pointer}{}", error.pointer), error.message);
        }
    }

    /// What was made, if there is none.
    pub(super) fn finish<T>(self, made: Option<T>) -> Result<T, Vec<SchemaError>> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => Err(self.0),
        }
    }
}

/// A JSON object that is read member by member. `null` counts as absent.
pub(super) struct Members<'v, 'p> {
    object: &'v Map<String, Value>,
    pointer: String,
    problems: &'p mut Problems,
}

impl<'v, 'p> Members<'v, 'p> {
    /// The members of the object at `pointer`; a problem if it is none.
    pub(super) fn of(value: &'v Value, pointer: &str, problems: &'p mut Problems) -> Option<Self> {
        let Value::Object(object) = value else {
            problems.add(pointer, format!("must be an object, not {}", kind_of(value)));
            return None;
        };
        Some(Self { object, pointer: pointer.to_owned(), problems })
    }

    /// Where the member of that name stands.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    /// A problem of the member of that name.
    pub(super) fn problem(&mut self, name: &str, message: impl Into<String>) {
        let place = self.place(name);
        self.problems.add(place, message);
    }

    /// Where problems go, for parts that are read by others.
    pub(super) fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// The member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A problem for each member whose name is none of these.
    pub(super) fn only(&mut self, known: &[&str]) {
        let object = self.object;
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.problem(name, format!("`{}` is not known here; known are `{}`", excerpt(name), known.join("`, `")));
        }
    }

    /// A text of 1 to `bytes_max` bytes.
    pub(super) fn text(&mut self, name: &str, bytes_max: usize) -> Option<&'v str> {
        match self.get(name)? {
            Value::String(text) => match check_text(text, bytes_max) {
                Ok(()) => Some(text),
                Err(message) => self.refuse(name, message),
            },
            other => self.refuse(name, format!("must be a text, not {}", kind_of(other))),
        }
    }

    /// The same, and a problem if it is not there.
    pub(super) fn required_text(&mut self, name: &str, bytes_max: usize) -> Option<&'v str> {
        if self.get(name).is_none() {
            return self.refuse(name, format!("`{name}` is required"));
        }
        self.text(name, bytes_max)
    }

    /// A text for people, which may be empty or left out.
    pub(super) fn description(&mut self, bytes_max: usize) -> String {
        if self.get("description") == Some(&Value::String(String::new())) {
            return String::new();
        }
        self.text("description", bytes_max).unwrap_or_default().to_owned()
    }

    /// A boolean.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            other => self.refuse(name, format!("must be true or false, not {}", kind_of(other))),
        }
    }

    /// One of the keywords that `T` is read from.
    pub(super) fn keyword<T: DeserializeOwned>(&mut self, name: &str, known: &[&str]) -> Option<T> {
        let value = self.get(name)?;
        match T::deserialize(value) {
            Ok(keyword) => Some(keyword),
            Err(_) => {
                let found = value.as_str().map_or_else(|| kind_of(value), |text| format!("`{}`", excerpt(text)));
                self.refuse(name, format!("must be one of `{}`, not {found}", known.join("`, `")))
            }
        }
    }

    /// A list of at most `count_max` values.
    pub(super) fn list(&mut self, name: &str, count_max: usize) -> Option<&'v [Value]> {
        match self.get(name)? {
            Value::Array(values) if values.len() <= count_max => Some(values),
            Value::Array(values) => self.refuse(name, format!("has {} values; the limit is {count_max}", values.len())),
            other => self.refuse(name, format!("must be a list, not {}", kind_of(other))),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str, count_max: usize, bytes_max: usize) -> Option<Vec<String>> {
        let values = self.list(name, count_max)?;
        let mut texts = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let checked = match value {
                Value::String(text) => check_text(text, bytes_max).map(|()| text.clone()),
                other => Err(format!("must be a text, not {}", kind_of(other))),
            };
            match checked {
                Ok(text) => texts.push(text),
                Err(message) => {
                    let place = format!("{}/{index}", self.place(name));
                    self.problems.add(place, message);
                }
            }
        }
        Some(texts)
    }

    fn refuse<T>(&mut self, name: &str, message: impl Into<String>) -> Option<T> {
        self.problem(name, message);
        None
    }
}

fn check_text(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > bytes_max {
        return Err(format!("has {} bytes; the limit is {bytes_max}", text.len()));
    }
    match text.chars().find(|character| character.is_control() && !matches!(character, '\n' | '\t')) {
        Some(character) => Err(format!("contains the control character U+{:04X}", u32::from(character))),
        None => Ok(()),
    }
}

/// RFC 6901 §3: "'~' needs to be encoded as '~0' and '/' needs to be encoded as '~1'".
fn escape(name: &str) -> String {
    excerpt(name).replace('~', "~0").replace('/', "~1")
}

pub(super) fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => format!("the text `{}`", excerpt(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
