//! Brings a database to the newest shape, or refuses it.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::StoreError;
use crate::store::schema::{Dialect, MIGRATIONS, Migration, NEWEST};

/// Marks the file as ours ("SCRU"), so that another program's database is refused and not written into.
const APPLICATION_ID: i64 = 0x5343_5255;

/// Applies what is missing, all of it or nothing.
pub(in crate::store::sql) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    check_owner(connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = apply_missing(connection);
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn check_owner(connection: &Connection) -> Result<(), StoreError> {
    let owner: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner == APPLICATION_ID || (owner == 0 && tables == 0) { Ok(()) } else { Err(StoreError::NotOurs) }
}

fn apply_missing(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration(version INTEGER PRIMARY KEY, checksum BLOB NOT NULL) STRICT",
    )?;
    let found: Option<i64> = connection.query_row("SELECT max(version) FROM schema_migration", [], |row| row.get(0))?;
    match found {
        Some(found) if found > NEWEST => return Err(StoreError::SchemaNewer { found, known: NEWEST }),
        _ => {}
    }
    for migration in MIGRATIONS {
        apply(connection, migration)?;
    }
    Ok(())
}

fn apply(connection: &Connection, migration: &Migration) -> Result<(), StoreError> {
    let applied: Option<[u8; 32]> = connection
        .query_row("SELECT checksum FROM schema_migration WHERE version = ?1", [migration.version], |row| row.get(0))
        .optional()?;
    match applied {
        Some(checksum) if checksum == migration.checksum() => Ok(()),
        Some(_) => Err(StoreError::SchemaChanged { version: migration.version }),
        None => {
            connection.execute_batch(&Dialect::Sqlite.render(migration.template))?;
            connection.execute(
                "INSERT INTO schema_migration(version, checksum) VALUES (?1, ?2)",
                params![migration.version, migration.checksum()],
            )?;
            Ok(())
        }
    }
}
