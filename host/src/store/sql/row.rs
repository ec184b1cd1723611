//! Columns into our types. What does not fit is damage: nobody but this program writes the database.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::driver::{self, Error, Row};
use crate::scim::resource::ResourceId;

pub(super) fn uuid(row: &Row<'_>, column: usize) -> driver::Result<Uuid> {
    row.get(column)
}

pub(super) fn resource_id(row: &Row<'_>, column: usize) -> driver::Result<ResourceId> {
    uuid(row, column).map(ResourceId)
}

pub(super) fn optional_id(row: &Row<'_>, column: usize) -> driver::Result<Option<ResourceId>> {
    Ok(row.get::<Option<Uuid>>(column)?.map(ResourceId))
}

pub(super) fn timestamp(row: &Row<'_>, column: usize) -> driver::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|error| damaged(column, error))
}

pub(super) fn optional_timestamp(row: &Row<'_>, column: usize) -> driver::Result<Option<Timestamp>> {
    let microseconds: Option<i64> = row.get(column)?;
    microseconds.map(Timestamp::from_microsecond).transpose().map_err(|error| damaged(column, error))
}

pub(super) fn json(row: &Row<'_>, column: usize) -> driver::Result<Value> {
    let text = row.text(column)?;
    serde_json::from_str(text).map_err(|error| damaged(column, error))
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> driver::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| damaged(column, error))
}

/// A small number that is never negative, if there is one.
pub(super) fn optional_unsigned(row: &Row<'_>, column: usize) -> driver::Result<Option<u32>> {
    let number: Option<i64> = row.get(column)?;
    number.map(u32::try_from).transpose().map_err(|error| damaged(column, error))
}

/// A size or a limit as a database has it: a limit beyond what it can count is no limit.
pub(super) fn integer(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A value that is stored as one of the words of an enumeration.
pub(super) fn word<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> driver::Result<T> {
    let text = row.text(column)?;
    parse(text).ok_or_else(|| damaged(column, format_args!("`{text}` is not a word that is stored here")))
}

/// What stands in a column is not what was written there.
pub(super) fn damaged(column: usize, error: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("column {column}: {error}"))
}
