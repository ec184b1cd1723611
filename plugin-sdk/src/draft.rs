//! A working copy for rewriters.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::document::{Document, ReadError};
use crate::rewriter::Edit;

/// A state as a [`Rewriter`](crate::Rewriter) has left it so far, and the edits that make it so. What is set to what it is
/// already is no edit.
///
/// Paths have no value filters here, and each is to be spelled in one way.
#[derive(Debug)]
pub struct Draft<'d> {
    document: &'d Document,
    made: BTreeMap<String, Json>,
}

impl<'d> Draft<'d> {
    /// Of the state after, mostly.
    #[must_use]
    pub fn of(document: &'d Document) -> Self {
        Self { document, made: BTreeMap::new() }
    }

    /// What a path selects: a list where there can be several values, `null` for none.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn value(&self, path: &str) -> Result<Json, ReadError> {
        if let Some(value) = self.made.get(path) {
            return Ok(value.clone());
        }
        let (whole, part) = split(path);
        if let (Some(part), Some(whole)) = (part, self.made.get(whole)) {
            return Ok(match whole {
                Json::Array(values) => values.iter().filter_map(|value| value.get(part)).cloned().collect(),
                single => single.get(part).cloned().unwrap_or_default(),
            });
        }
        let mut value: Json = self.document.json(path)?;
        // Parts of it may have been set by themselves.
        for (made, new) in self.made.range(format!("{path}.")..).take_while(|(made, _)| made.starts_with(path)) {
            if let (whole, Some(part)) = split(made)
                && whole == path
                && let Some(complex) = as_object(&mut value)
            {
                complex.insert(part.to_owned(), new.clone());
            }
        }
        Ok(value)
    }

    /// The text that a path selects, if it is one.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn text(&self, path: &str) -> Result<Option<String>, ReadError> {
        Ok(self.value(path)?.as_str().map(str::to_owned))
    }

    /// Sets an attribute or a sub-attribute, or all values of a multi-valued attribute.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn set(&mut self, path: &str, value: impl Into<Json>) -> Result<(), ReadError> {
        let value = value.into();
        if self.value(path)? != value {
            self.made.retain(|made, _| split(made).0 != path);
            self.made.insert(path.to_owned(), value);
        }
        Ok(())
    }

    /// Changes every text that a path selects, such as each of `emails.value`. Values of a multi-valued attribute are
    /// set together: two that become the same are one.
    ///
    /// # Errors
    /// As every read: see [`ReadError`].
    pub fn map_texts(&mut self, path: &str, map: impl Fn(&str) -> String) -> Result<(), ReadError> {
        let changed = |value: &Json| value.as_str().map(&map).filter(|new| value != new);
        match self.value(path)? {
            Json::String(text) => self.set(path, map(&text)),
            Json::Array(values) if values.iter().any(|value| changed(value).is_some()) => {
                let (whole, part) = split(path);
                let mut all = self.value(whole)?;
                for value in all.as_array_mut().into_iter().flatten() {
                    let text = match part {
                        Some(part) => value.get_mut(part),
                        None => Some(value),
                    };
                    if let Some((text, new)) = text.and_then(|text| changed(text).map(|new| (text, new))) {
                        *text = new.into();
                    }
                }
                self.set(whole, all)
            }
            _ => Ok(()),
        }
    }

    /// The edits that make the state what it is here.
    #[must_use]
    pub fn into_edits(self) -> Vec<Edit> {
        self.made.into_iter().map(|(path, value)| Edit::set(path, value)).collect()
    }
}

/// `name.givenName` → `name` and `givenName`. A dot in a URN is none of a path: it stands before the last colon.
fn split(path: &str) -> (&str, Option<&str>) {
    let names = path.rfind(':').map_or(0, |colon| colon + 1);
    match path.get(names..).and_then(|names| names.split_once('.')) {
        Some((attribute, part)) => (path.get(..names + attribute.len()).unwrap_or(path), Some(part)),
        None => (path, None),
    }
}

/// The members of a complex value, which begins with none.
fn as_object(value: &mut Json) -> Option<&mut serde_json::Map<String, Json>> {
    if value.is_null() {
        *value = Json::Object(serde_json::Map::new());
    }
    value.as_object_mut()
}
