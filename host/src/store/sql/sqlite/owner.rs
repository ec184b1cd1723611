//! Whose a file is.

use rusqlite::Connection;

use crate::store::StoreError;

/// Marks the file as ours ("SCRU"), so that another program's database is refused and not written into.
const APPLICATION_ID: i64 = 0x5343_5255;

/// Marks a file that is empty, and refuses that of another program.
pub(in crate::store::sql) fn claim(connection: &Connection) -> Result<(), StoreError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let owner = owner(connection)?;
    if owner != APPLICATION_ID && (owner != 0 || tables != 0) {
        return Err(StoreError::NotOurs);
    }
    Ok(connection.pragma_update(None, "application_id", APPLICATION_ID)?)
}

/// Whether a file is ours.
pub(in crate::store::sql) fn is_ours(connection: &Connection) -> Result<bool, StoreError> {
    Ok(owner(connection)? == APPLICATION_ID)
}

fn owner(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA application_id", [], |row| row.get(0))?)
}
