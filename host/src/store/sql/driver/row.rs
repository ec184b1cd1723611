//! What comes out of a statement.

use std::sync::Arc;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::error::{Error, Result};
use crate::store::sql::postgres::unescaped;

/// A row of an answer.
pub(in crate::store) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// A column.
    pub(in crate::store) fn get<T: Column>(&self, column: usize) -> Result<T> {
        T::read(self, column)
    }

    /// A text, where it stands: JSON, or one of our words.
    pub(in crate::store) fn text(&self, column: usize) -> Result<&str> {
        match self {
            Self::Sqlite(row) => row.get_ref(column)?.as_str().map_err(|error| Error::Damaged(error.to_string())),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

/// What can be read from a column.
pub(in crate::store) trait Column: Sized {
    /// Reads it.
    fn read(row: &Row<'_>, column: usize) -> Result<Self>;
}

impl Column for Option<String> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        match row {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get::<_, Option<String>>(column)?.map(unescaped)),
        }
    }
}

impl Column for String {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.get::<Option<String>>(column)?.ok_or_else(|| missing(column))
    }
}

impl Column for Option<Vec<u8>> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        match row {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

impl Column for Vec<u8> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.get::<Option<Vec<u8>>>(column)?.ok_or_else(|| missing(column))
    }
}

impl Column for Option<i64> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        match row {
            Row::Sqlite(row) => Ok(row.get(column)?),
            // What a statement counts or compares itself may be a short number there.
            Row::Postgres(row) if row.columns().get(column).is_some_and(|column| *column.type_() == Type::INT4) => {
                Ok(row.try_get::<_, Option<i32>>(column)?.map(i64::from))
            }
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

impl Column for i64 {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.get::<Option<i64>>(column)?.ok_or_else(|| missing(column))
    }
}

impl Column for u32 {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        let number: i64 = row.get(column)?;
        number.try_into().map_err(|_| Error::Damaged(format!("{number} in column {column} is out of range")))
    }
}

impl Column for i32 {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        let number: i64 = row.get(column)?;
        number.try_into().map_err(|_| Error::Damaged(format!("{number} in column {column} is out of range")))
    }
}

impl Column for bool {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.get::<i64>(column).map(|number| number != 0)
    }
}

impl Column for Arc<str> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.text(column).map(Arc::from)
    }
}

impl Column for Option<Uuid> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        match row {
            Row::Sqlite(row) => Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes)),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

impl Column for Uuid {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.get::<Option<Uuid>>(column)?.ok_or_else(|| missing(column))
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        let bytes: Vec<u8> = row.get(column)?;
        bytes.try_into().map_err(|_| Error::Damaged(format!("column {column} has not {N} bytes")))
    }
}

fn missing(column: usize) -> Error {
    Error::Damaged(format!("column {column} is empty"))
}
