//! Compares what both databases have, row by row, as it is meant: a text that PostgreSQL keeps in another spelling is the same.

use std::borrow::Cow;
use std::path::Path;

use tokio_postgres::binary_copy::BinaryCopyOutRow;
use uuid::Uuid;

use super::copy::types;
use super::tables::{Kind, Table};
use super::{session, sqlite};
use crate::store::sql::driver::{self, Connection, Value, params};
use crate::store::sql::postgres::{copy_out, unescaped};
use crate::store::{MoveError, MovePhase, MoveProgress, MovedTable, StoreError};

/// Rows after which it is said how far this is.
const REPORTED_ROWS: u64 = 50_000;

/// Of the rows of a table, whatever their order: how many there are, and the sum of their hashes. A row that is missing, there
/// twice or another one changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: [u64; 4],
}

/// Reads both databases from the beginning, each on a thread of its own.
pub(super) fn compare(
    file: &Path,
    database: &Connection,
    tables: &[Table],
    node: Uuid,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<Vec<MovedTable>, MoveError> {
    let of_file = || -> Result<Vec<Digest>, StoreError> {
        let file = Connection::Sqlite(sqlite::open_reader(file)?);
        tables.iter().map(|table| of_file(&file, table, node)).collect()
    };
    let (of_file, of_database) = std::thread::scope(|scope| {
        let of_file = scope.spawn(of_file);
        let of_database: Result<Vec<Digest>, StoreError> =
            tables.iter().map(|table| of_database(database, table, report)).collect();
        (of_file.join().unwrap_or(Err(StoreError::Closed)), of_database)
    });
    let same = |(table, (here, there)): (&Table, (Digest, Digest))| {
        if here == there {
            return Ok(MovedTable { name: table.name.clone(), rows: here.rows, digest: here.in_hexadecimal() });
        }
        Err(MoveError::Differs {
            table: table.name.clone(),
            source_rows: here.rows,
            source_digest: here.in_hexadecimal(),
            target_rows: there.rows,
            target_digest: there.in_hexadecimal(),
        })
    };
    tables.iter().zip(of_file?.into_iter().zip(of_database?)).map(same).collect()
}

fn of_file(file: &Connection, table: &Table, node: Uuid) -> Result<Digest, StoreError> {
    let mut statement = file.prepare_cached(&all_rows(table))?;
    let mut rows = statement.query(params![])?;
    let (mut digest, mut values) = (Digest::default(), Vec::new());
    while let Some(row) = rows.next()? {
        table.read(&row, node, &mut values)?;
        digest.add(&values);
    }
    Ok(digest)
}

fn of_database(
    database: &Connection,
    table: &Table,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<Digest, StoreError> {
    let of = table.count(database)?;
    let (mut digest, mut values) = (Digest::default(), Vec::new());
    let mut report = |rows| report(MoveProgress { phase: MovePhase::Compare, table: &table.name, rows, of });
    copy_out(session(database)?, &all_rows(table), &types(table), |row| {
        values.clear();
        for (place, column) in table.columns.iter().enumerate() {
            values.push(value(column.kind, row, place)?);
        }
        digest.add(&values);
        if digest.rows.is_multiple_of(REPORTED_ROWS) {
            report(digest.rows);
        }
        Ok(())
    })?;
    report(digest.rows);
    Ok(digest)
}

fn all_rows(table: &Table) -> String {
    format!("SELECT {} FROM {} WHERE {}", table.columns(), table.name, table.condition())
}

fn value(kind: Kind, row: &BinaryCopyOutRow, place: usize) -> driver::Result<Value<'static>> {
    Ok(match kind {
        Kind::Integer => row.try_get::<Option<i64>>(place)?.map(Value::Integer),
        Kind::Text => row.try_get::<Option<String>>(place)?.map(|text| Value::Text(Cow::Owned(unescaped(text)))),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>>(place)?.map(|bytes| Value::Bytes(Cow::Owned(bytes))),
        Kind::Uuid => row.try_get::<Option<Uuid>>(place)?.map(Value::Uuid),
    }
    .unwrap_or(Value::Null))
}

impl Digest {
    fn add(&mut self, row: &[Value<'_>]) {
        let mut hasher = blake3::Hasher::new();
        let mut add = |kind: u8, bytes: &[u8]| {
            // With its length, so that no two rows are the same by where a value ends.
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            hasher.update(&[kind]).update(&length.to_le_bytes()).update(bytes);
        };
        for value in row {
            match value {
                Value::Null => add(0, &[]),
                Value::Integer(number) => add(1, &number.to_le_bytes()),
                Value::Text(text) => add(2, text.as_bytes()),
                Value::Bytes(bytes) => add(3, bytes),
                Value::Uuid(id) => add(4, id.as_bytes()),
            }
        }
        self.rows += 1;
        let hash = hasher.finalize();
        for (sum, part) in self.sum.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            *sum = sum.wrapping_add(part.try_into().map_or(0, u64::from_le_bytes));
        }
    }

    fn in_hexadecimal(&self) -> String {
        self.sum.iter().map(|part| format!("{part:016x}")).collect()
    }
}
