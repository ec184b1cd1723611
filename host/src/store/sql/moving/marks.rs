//! What both databases know of a move, in `setting`: that it has begun, which one it is, and that it is done.

use uuid::Uuid;

use crate::store::sql::driver::{Connection, OptionalExtension, params};
use crate::store::sql::{in_transaction, migrate, postgres};
use crate::store::{MoveError, MoveState, StoreError};

/// In the file: which move has begun.
const TO: &str = "move.to";
/// In the file: which move is done.
const LEFT: &str = "move.left";
/// In the database: which move has begun.
const FROM: &str = "move.from";
/// In the database: which move is done.
const ARRIVED: &str = "move.arrived";

/// How the copying begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// From the start, or from where it was interrupted.
    Now,
    /// All of it was done before.
    Before,
}

/// The two databases.
pub(super) struct Marks<'c> {
    pub(super) file: &'c Connection,
    pub(super) database: &'c Connection,
}

impl Marks<'_> {
    /// Marks both, or refuses. What is refused leaves both as they were.
    pub(super) fn begin(&self, keys: &str) -> Result<Begun, MoveError> {
        let (begun, done) = (get(self.file, TO)?, get(self.file, LEFT)?);
        if postgres::is_empty(self.database)? {
            if done.is_some() {
                return Err(MoveError::Done);
            }
            // A new one, also if one has begun: from now on that cannot be continued anywhere else.
            let id = Uuid::from_bytes(random()?).to_string();
            in_transaction(self.file, |file| set(file, TO, &id))?;
            migrate::migrate_with(self.database, |database| {
                postgres::claim(database, keys)?;
                set(database, FROM, &id)
            })?;
            return Ok(Begun::Now);
        }
        if !postgres::is_ours(self.database)? {
            return Err(MoveError::NotEmpty);
        }
        let known = begun.or(done);
        match (get(self.database, FROM)?, get(self.database, ARRIVED)?) {
            (Some(half), _) if Some(&half) == known.as_ref() => {
                // By a newer program, perhaps.
                migrate::migrate(self.database)?;
                postgres::claim(self.database, keys)?;
                Ok(Begun::Now)
            }
            (Some(_), _) => Err(MoveError::OtherMove),
            (None, Some(whole)) if Some(&whole) == known.as_ref() => Ok(Begun::Before),
            (None, _) => Err(MoveError::NotEmpty),
        }
    }

    /// Has the database served, and the file not any more.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        let Some(id) = get(self.file, TO)? else { return Ok(()) };
        in_transaction(self.database, |database| {
            // All of what was copied is durable with this.
            database.execute_batch("SET LOCAL synchronous_commit = on")?;
            self.go_on_with_ids(database)?;
            database.execute("DELETE FROM setting WHERE key LIKE 'move.%'", params![])?;
            set(database, ARRIVED, &id)
        })?;
        in_transaction(self.file, |file| {
            remove(file)?;
            set(file, LEFT, &id)
        })
    }

    /// Ids are never used again, those of tenants that are gone neither.
    fn go_on_with_ids(&self, database: &Connection) -> Result<(), StoreError> {
        let mut statement = self.file.prepare_cached(
            "SELECT s.name, s.seq, (SELECT name FROM pragma_table_info(s.name) WHERE pk = 1) FROM sqlite_sequence s WHERE s.seq > 0",
        )?;
        let used = statement
            .query_map(params![], |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?)))?;
        for used in used {
            let (table, last, column) = used?;
            let set = "SELECT setval(pg_get_serial_sequence(?1, ?2), ?3)";
            database.query_row(set, params![table, column, last], |_| Ok(()))?;
        }
        Ok(())
    }
}

/// An error if the file has been moved, or is on its way.
pub(in crate::store::sql) fn must_be_here(file: &Connection) -> Result<(), StoreError> {
    match state_of_file(file)? {
        MoveState::None => Ok(()),
        MoveState::Begun => Err(StoreError::BeingMoved),
        MoveState::Done => Err(StoreError::MovedAway),
    }
}

/// An error if not everything has been moved into the database yet.
pub(in crate::store::sql) fn must_be_whole(database: &Connection) -> Result<(), StoreError> {
    if get(database, FROM)?.is_some() { Err(StoreError::HalfMoved) } else { Ok(()) }
}

/// How the file stands to a move.
pub(super) fn state_of_file(file: &Connection) -> Result<MoveState, StoreError> {
    Ok(match (get(file, TO)?, get(file, LEFT)?) {
        (Some(_), _) => MoveState::Begun,
        (None, Some(_)) => MoveState::Done,
        (None, None) => MoveState::None,
    })
}

/// Has the file served again.
pub(super) fn clear_file(file: &Connection) -> Result<(), StoreError> {
    in_transaction(file, remove)
}

fn get(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM setting WHERE key = ?1";
    Ok(connection.query_row(sql, params![key], |row| row.get(0)).optional()?)
}

fn set(connection: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO setting(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        params![key, value],
    )?;
    Ok(())
}

fn remove(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM setting WHERE key IN (?1, ?2)", params![TO, LEFT])?;
    Ok(())
}

fn random() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Database(Box::new(error)))?;
    Ok(bytes)
}
