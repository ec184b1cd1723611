//! Whose a database is, and what only one node may do at a time.

use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sql::driver::{Connection, params};

/// Of the lock that a node holds while it starts ("SCRUPLE", in ASCII): two that start at once do so one after the other.
pub(super) const LOCK: i64 = 0x0053_4352_5550_4c45;

/// Does what only one node may do at a time.
pub(in crate::store::sql) fn alone<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // However long another one takes: it may be migrating.
    if let Connection::Postgres(session) = connection {
        session.be_patient();
    }
    connection
        .execute_batch(&format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})"))?;
    let done = work();
    connection.execute_batch(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
    done
}

/// Of the lock that a program holds while it copies into a database.
const COPY_LOCK: i64 = LOCK + 1;

/// Of the lock that the node holds which cares for the partitions of the decision log.
pub(super) const PARTITIONS_LOCK: i64 = LOCK + 2;

/// Of the lock on what has this id. Two ids have the same one as seldom as two random numbers of 64 bits are the same.
pub(super) fn lock_of(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    (high ^ low).cast_signed()
}

/// Waits for a session that copies into the database, and is the one that does until it ends. The program of the other may have been
/// killed, and what it had sent may still be committed.
pub(in crate::store::sql) fn copy_alone(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.execute_batch(&format!("SELECT pg_advisory_lock({COPY_LOCK})"))?)
}

/// Refuses a database that has tables of another program.
pub(in crate::store::sql) fn must_be_ours(connection: &Connection) -> Result<(), StoreError> {
    if is_empty(connection)? || is_ours(connection)? { Ok(()) } else { Err(StoreError::NotOurs) }
}

/// Whether a database has no tables.
pub(in crate::store::sql) fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    has_tables(connection, "true").map(|has| !has)
}

/// Whether a database has our tables.
pub(in crate::store::sql) fn is_ours(connection: &Connection) -> Result<bool, StoreError> {
    has_tables(connection, "tablename = 'schema_migration'")
}

fn has_tables(connection: &Connection, which: &str) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND {which} LIMIT 1");
    Ok(connection.prepare_cached(&sql)?.exists(params![])?)
}

/// Notes whose keys are in use, or refuses others.
pub(in crate::store::sql) fn claim(connection: &Connection, keys: &str) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO setting(key, value) VALUES ('keys', ?1) ON CONFLICT(key) DO NOTHING", params![keys])?;
    let claimed: String =
        connection.query_row("SELECT value FROM setting WHERE key = 'keys'", params![], |row| row.get(0))?;
    if claimed == keys { Ok(()) } else { Err(StoreError::OtherKeys) }
}
