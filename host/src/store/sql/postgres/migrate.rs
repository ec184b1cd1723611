//! Brings a database to the newest shape, or refuses it.

use crate::store::StoreError;
use crate::store::schema::{Dialect, MIGRATIONS, Migration, NEWEST};
use crate::store::sql::driver::{Connection, OptionalExtension, params};

/// Of the lock that a node holds while it starts ("SCRUPLE", in ASCII): two that start at once do so one after the other.
const LOCK: i64 = 0x0053_4352_5550_4c45;

/// Does what only one node may do at a time.
pub(in crate::store::sql) fn alone<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // However long another one takes: it may be migrating.
    connection
        .execute_batch(&format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})"))?;
    let done = work();
    connection.execute_batch(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    done
}

/// Applies what is missing, all of it or nothing.
pub(in crate::store::sql) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN")?;
    let done = apply_missing(connection);
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn apply_missing(connection: &Connection) -> Result<(), StoreError> {
    let tables = "SELECT count(*), coalesce(sum(CASE WHEN tablename = 'schema_migration' THEN 1 ELSE 0 END), 0)::bigint \
                  FROM pg_tables WHERE schemaname = current_schema()";
    let (all, ours): (i64, i64) = connection.query_row(tables, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if all > 0 && ours == 0 {
        return Err(StoreError::NotOurs);
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration(version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL)",
    )?;
    let found: Option<i64> =
        connection.query_row("SELECT max(version) FROM schema_migration", params![], |row| row.get(0))?;
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
        .query_row("SELECT checksum FROM schema_migration WHERE version = ?1", params![migration.version], |row| {
            row.get(0)
        })
        .optional()?;
    match applied {
        Some(checksum) if checksum == migration.checksum() => Ok(()),
        Some(_) => Err(StoreError::SchemaChanged { version: migration.version }),
        None => {
            connection.execute_batch(&Dialect::Postgres.render(migration.template))?;
            connection.execute(
                "INSERT INTO schema_migration(version, checksum) VALUES (?1, ?2)",
                params![migration.version, migration.checksum()],
            )?;
            Ok(())
        }
    }
}

/// Notes whose keys are in use, or refuses others.
pub(in crate::store::sql) fn claim(connection: &Connection, keys: &str) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO setting(key, value) VALUES ('keys', ?1) ON CONFLICT(key) DO NOTHING", params![keys])?;
    let claimed: String =
        connection.query_row("SELECT value FROM setting WHERE key = 'keys'", params![], |row| row.get(0))?;
    if claimed == keys { Ok(()) } else { Err(StoreError::OtherKeys) }
}
