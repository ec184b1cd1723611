//! Brings a database to the newest shape, or refuses it.

use super::driver::{Connection, OptionalExtension, params};
use super::{in_transaction, postgres, sqlite};
use crate::store::StoreError;
use crate::store::schema::{Dialect, MIGRATIONS, Migration, NEWEST};

const APPLIED: &str =
    "CREATE TABLE IF NOT EXISTS schema_migration(version {int} PRIMARY KEY, checksum {bytes} NOT NULL){strict}";

/// Applies what is missing, all of it or nothing.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    migrate_with(connection, |_| Ok(()))
}

/// The same with something that is done in the same transaction.
pub(super) fn migrate_with(
    connection: &Connection,
    more: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    in_transaction(connection, |connection| {
        match connection {
            Connection::Sqlite(file) => {
                sqlite::claim(file)?;
                apply_missing(connection, Dialect::Sqlite)?;
            }
            Connection::Postgres(_) => {
                postgres::must_be_ours(connection)?;
                apply_missing(connection, Dialect::Postgres)?;
            }
        }
        more(connection)
    })
}

fn apply_missing(connection: &Connection, dialect: Dialect) -> Result<(), StoreError> {
    connection.execute_batch(&dialect.render(APPLIED))?;
    let found: Option<i64> =
        connection.query_row("SELECT max(version) FROM schema_migration", params![], |row| row.get(0))?;
    match found {
        Some(found) if found > NEWEST => return Err(StoreError::SchemaNewer { found, known: NEWEST }),
        _ => {}
    }
    MIGRATIONS.iter().try_for_each(|migration| apply(connection, dialect, migration))
}

fn apply(connection: &Connection, dialect: Dialect, migration: &Migration) -> Result<(), StoreError> {
    let applied: Option<[u8; 32]> = connection
        .query_row("SELECT checksum FROM schema_migration WHERE version = ?1", params![migration.version], |row| {
            row.get(0)
        })
        .optional()?;
    match applied {
        Some(checksum) if checksum == migration.checksum() => Ok(()),
        Some(_) => Err(StoreError::SchemaChanged { version: migration.version }),
        None => {
            connection.execute_batch(&dialect.render(migration.template))?;
            connection.execute(
                "INSERT INTO schema_migration(version, checksum) VALUES (?1, ?2)",
                params![migration.version, migration.checksum()],
            )?;
            Ok(())
        }
    }
}
