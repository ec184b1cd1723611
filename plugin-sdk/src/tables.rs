//! Reference data that the tenant uploads beside the plugin. Ask for it with [`About::tables`](crate::About::tables).

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

/// The row of this key as your own type.
///
/// # Errors
/// See [`ReadError`].
pub fn get<T: DeserializeOwned>(table: &str, key: &str) -> Result<Option<T>, ReadError> {
    let row = platform::tables_get(table, key)?;
    row.map(|row| serde_json::from_str(&row))
        .transpose()
        .map_err(|cause| ReadError::WrongType(format!("row `{key}` of table `{table}`: {cause}")))
}
