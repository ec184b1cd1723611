//! The tables that a file has, and how both databases have their columns.

use std::borrow::Cow;
use std::collections::HashMap;

use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sql::driver::{self, Connection, Error, Row, Value, params};

/// Rows of `setting` that say something of one database alone.
const OF_ONE_DATABASE: &str = "key <> 'keys' AND key NOT LIKE 'move.%'";

/// Tables that say something of one database alone: which nodes work with it, and which of those are prepared.
pub(super) const TABLES_OF_ONE_DATABASE: [&str; 3] = ["node", "node_prepared", "tenant_changed"];

/// What a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    Bytes,
    Uuid,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// In the order in which its rows are read and written.
    pub(super) columns: Vec<Column>,
    /// Which of them are the key, in its order.
    pub(super) key: Vec<usize>,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Every table that has something to be moved, by name.
pub(super) fn all(file: &Connection, database: &Connection) -> Result<Vec<Table>, StoreError> {
    // What was migrated is each database's own to know.
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND name <> 'schema_migration' \
               ORDER BY name";
    let mut statement = file.prepare_cached(sql)?;
    let names: Vec<String> = statement.query_map(params![], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names
        .into_iter()
        .filter(|name| !TABLES_OF_ONE_DATABASE.contains(&name.as_str()))
        .map(|name| one(file, database, name))
        .collect()
}

fn one(file: &Connection, database: &Connection, name: String) -> Result<Table, StoreError> {
    let mut statement = file.prepare_cached("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let of_file: Vec<(String, i64)> =
        statement.query_map(params![name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut kinds = kinds(database, &name)?;
    let mut columns = Vec::with_capacity(of_file.len());
    let mut key = Vec::new();
    for (place, (column, in_key)) in of_file.into_iter().enumerate() {
        let Some(kind) = kinds.remove(&column) else { return Err(differs(&name, &column)) };
        if in_key > 0 {
            key.push((in_key, place));
        }
        columns.push(Column { name: column, kind });
    }
    if let Some(column) = kinds.keys().next() {
        return Err(differs(&name, column));
    }
    key.sort_unstable();
    Ok(Table { name, columns, key: key.into_iter().map(|(_, place)| place).collect() })
}

fn differs(table: &str, column: &str) -> StoreError {
    StoreError::Damaged(format!("`{table}.{column}` is not there, or not the same, in both databases"))
}

/// What the database's columns have, by name.
fn kinds(database: &Connection, table: &str) -> Result<HashMap<String, Kind>, StoreError> {
    let sql = "SELECT CAST(attname AS TEXT), format_type(atttypid, NULL) FROM pg_attribute \
               WHERE attrelid = to_regclass(?1) AND attnum > 0 AND NOT attisdropped";
    let mut statement = database.prepare_cached(sql)?;
    let found: Vec<(String, String)> =
        statement.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let kind = |(column, of): (String, String)| {
        let kind = match of.as_str() {
            "bigint" => Kind::Integer,
            "text" => Kind::Text,
            "bytea" => Kind::Bytes,
            "uuid" => Kind::Uuid,
            _ => return Err(differs(table, &column)),
        };
        Ok((column, kind))
    };
    found.into_iter().map(kind).collect()
}

impl Table {
    /// Its columns, in a statement.
    pub(super) fn columns(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The columns of its key.
    pub(super) fn key(&self) -> String {
        self.key
            .iter()
            .filter_map(|place| self.columns.get(*place))
            .map(|column| column.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Which of its rows are moved.
    pub(super) fn condition(&self) -> &'static str {
        if self.name == "setting" { OF_ONE_DATABASE } else { "1 = 1" }
    }

    /// How many there are.
    pub(super) fn count(&self, connection: &Connection) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE {}", self.name, self.condition());
        let rows: i64 = connection.query_row(&sql, params![], |row| row.get(0))?;
        Ok(rows.unsigned_abs())
    }

    /// Reads a row of the file into `values`, as it is to be in the database. What the one server of a file has accepted is
    /// then that `node`'s.
    pub(super) fn read(&self, row: &Row<'_>, node: Uuid, values: &mut Vec<Value<'static>>) -> driver::Result<()> {
        values.clear();
        for (place, column) in self.columns.iter().enumerate() {
            let value = column.kind.read(row, place)?;
            values.push(match value {
                Value::Uuid(id) if column.name == "node" && id.is_nil() => Value::Uuid(node),
                other => other,
            });
        }
        Ok(())
    }
}

impl Kind {
    fn read(self, row: &Row<'_>, place: usize) -> driver::Result<Value<'static>> {
        Ok(match self {
            Self::Integer => row.get::<Option<i64>>(place)?.map(Value::Integer),
            Self::Text => row.get::<Option<String>>(place)?.map(|text| Value::Text(Cow::Owned(text))),
            Self::Bytes => row.get::<Option<Vec<u8>>>(place)?.map(|bytes| Value::Bytes(Cow::Owned(bytes))),
            Self::Uuid => row.get::<Option<Uuid>>(place)?.map(Value::Uuid),
        }
        .unwrap_or(Value::Null))
    }

    /// A value in JSON, and from there.
    pub(super) fn note(value: &Value<'_>) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Integer(number) => (*number).into(),
            Value::Text(text) => text.as_ref().into(),
            Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            Value::Uuid(id) => id.to_string().into(),
        }
    }

    /// See [`note`](Self::note).
    pub(super) fn of_note(self, note: &serde_json::Value) -> driver::Result<Value<'static>> {
        let wrong = || Error::Damaged(format!("the note of how far a table was copied has {note}"));
        match self {
            Self::Integer => note.as_i64().map(Value::Integer),
            Self::Text => note.as_str().map(|text| Value::Text(Cow::Owned(text.to_owned()))),
            Self::Bytes => note.as_str().and_then(from_hexadecimal).map(|bytes| Value::Bytes(Cow::Owned(bytes))),
            Self::Uuid => note.as_str().and_then(|text| text.parse().ok()).map(Value::Uuid),
        }
        .ok_or_else(wrong)
    }
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}
