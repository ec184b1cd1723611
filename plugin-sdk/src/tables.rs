//! Reference data that the tenant uploads beside the plugin: department codes, protected accounts. Ask for it with
//! [`About::tables`](crate::About::tables).
//!
//! A table leads from a key to a row. It is uploaded as CSV, where each line is a row of texts, or as JSON. **Keys are
//! compared as they are**, character by character. Where case must not matter, as with a `userName`, have the tenant upload
//! the keys in lower case and ask for the key in lower case.
//!
//! Every answer is of one moment, and a decision is not committed if any table has changed since. Which revision was looked
//! into is recorded with the answer. By default an evaluation has 256 looks into tables.
//!
//! A table that is granted and not there is [`ReadError::Unavailable`], not an empty one: a constraint that returns the error
//! cannot be passed by deleting the table, or by misspelling it.

use serde::de::DeserializeOwned;

use crate::document::ReadError;
use crate::platform;

/// Whether the table has a row of this key.
///
/// # Errors
/// See [`ReadError`].
pub fn contains(table: &str, key: &str) -> Result<bool, ReadError> {
    platform::tables_contains(table, key)
}

/// The row of this key as your own type. A line of CSV is an object of texts, without the key's own column; the row of a key
/// in a plain list is `{}`.
///
/// # Errors
/// See [`ReadError`]. A row that is not of this type is [`ReadError::WrongType`].
pub fn get<T: DeserializeOwned>(table: &str, key: &str) -> Result<Option<T>, ReadError> {
    let row = platform::tables_get(table, key)?;
    row.map(|row| serde_json::from_str(&row))
        .transpose()
        .map_err(|cause| ReadError::WrongType(format!("row `{key}` of table `{table}`: {cause}")))
}
