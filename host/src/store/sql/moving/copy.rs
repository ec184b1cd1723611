//! Copies a table, in pieces and by its key.

use serde_json::json;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::session;
use super::tables::{Kind, Table};
use crate::store::sql::driver::{self, Connection, OptionalExtension, Value, params};
use crate::store::sql::postgres::copy_in;
use crate::store::{MoveError, MovePhase, MoveProgress, StoreError};

/// Rows of a piece at the most: what is done again after an interruption, some tenths of a second's work.
const ROWS_MAX: u64 = 50_000;

/// Bytes of texts and components after which a piece ends: 16 MiB.
const BYTES_MAX: usize = 16 << 20;

/// How far a table was copied.
#[derive(Debug, Default)]
struct Note {
    rows: u64,
    /// The key of the last row.
    last: Vec<Value<'static>>,
    is_done: bool,
}

/// Copies what is not there yet.
pub(super) fn copy(
    file: &Connection,
    database: &Connection,
    table: &Table,
    node: Uuid,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<(), MoveError> {
    let of = table.count(file)?;
    let mut note = Note::read(database, table)?;
    let mut report = |rows| report(MoveProgress { phase: MovePhase::Copy, table: &table.name, rows, of });
    report(note.rows);
    let sql = rows_after(table, &note);
    let mut statement = file.prepare_cached(&sql).map_err(StoreError::from)?;
    let mut rows = statement.query(&note.last).map_err(StoreError::from)?;
    let (session, types) = (session(database)?, types(table));
    let into = format!("{}({})", table.name, table.columns());
    while !note.is_done {
        database.execute_batch("BEGIN").map_err(StoreError::from)?;
        let (mut in_piece, mut bytes) = (0, 0);
        let next = |values: &mut Vec<Value<'static>>| -> driver::Result<bool> {
            if in_piece == ROWS_MAX || bytes >= BYTES_MAX {
                return Ok(false);
            }
            let Some(row) = rows.next()? else {
                note.is_done = true;
                return Ok(false);
            };
            table.read(&row, node, values)?;
            in_piece += 1;
            bytes += values.iter().map(size).sum::<usize>();
            note.last.clear();
            note.last.extend(table.key.iter().filter_map(|place| values.get(*place)).cloned());
            Ok(true)
        };
        copy_in(session, &into, &types, next).map_err(StoreError::from)?;
        note.rows += in_piece;
        note.write(database, table)?;
        database.execute_batch("COMMIT").map_err(StoreError::from)?;
        report(note.rows);
    }
    Ok(())
}

/// The rows that are still to be copied, by key. None, if there are none.
fn rows_after(table: &Table, note: &Note) -> String {
    let (name, columns, key, condition) = (&table.name, table.columns(), table.key(), table.condition());
    let places: Vec<String> = (1..=note.last.len()).map(|place| format!("?{place}")).collect();
    let after = if places.is_empty() { String::new() } else { format!(" AND ({key}) > ({})", places.join(", ")) };
    format!("SELECT {columns} FROM {name} WHERE {condition}{after} ORDER BY {key}")
}

/// The columns' types.
pub(super) fn types(table: &Table) -> Vec<Type> {
    table
        .columns
        .iter()
        .map(|column| match column.kind {
            Kind::Integer => Type::INT8,
            Kind::Text => Type::TEXT,
            Kind::Bytes => Type::BYTEA,
            Kind::Uuid => Type::UUID,
        })
        .collect()
}

fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Null => 0,
        Value::Integer(_) => 8,
        Value::Uuid(_) => 16,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

impl Note {
    fn read(database: &Connection, table: &Table) -> Result<Self, StoreError> {
        let found: Option<String> = database
            .query_row("SELECT value FROM setting WHERE key = ?1", params![key(table)], |row| row.get(0))
            .optional()?;
        let Some(text) = found else { return Ok(Self::default()) };
        let damaged = || StoreError::Damaged(format!("the note of how far `{}` was copied: {text}", table.name));
        let note: serde_json::Value = serde_json::from_str(&text).map_err(|_| damaged())?;
        let rows = note.get("rows").and_then(serde_json::Value::as_u64).ok_or_else(damaged)?;
        let noted = note.get("last").and_then(serde_json::Value::as_array).ok_or_else(damaged)?;
        let is_done = note.get("done").and_then(serde_json::Value::as_bool).ok_or_else(damaged)?;
        let kinds = table.key.iter().filter_map(|place| table.columns.get(*place)).map(|column| column.kind);
        let last = kinds.zip(noted).map(|(kind, value)| kind.of_note(value)).collect::<driver::Result<_>>()?;
        Ok(Self { rows, last, is_done })
    }

    fn write(&self, database: &Connection, table: &Table) -> Result<(), StoreError> {
        let last: Vec<_> = self.last.iter().map(Kind::note).collect();
        let note = json!({ "rows": self.rows, "last": last, "done": self.is_done }).to_string();
        database.execute(
            "INSERT INTO setting(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            params![key(table), note],
        )?;
        Ok(())
    }
}

fn key(table: &Table) -> String {
    format!("move.table.{}", table.name)
}
