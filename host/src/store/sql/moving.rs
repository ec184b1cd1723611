//! Everything in a file of SQLite's, copied into a PostgreSQL database ([`move_to_postgres`]).
//!
//! The file is marked as soon as the copying begins, and not served any more: so nothing can be written that would be
//! missing, however often the copying is interrupted. The database is marked as half, and not served, until all of it is there
//! and was compared. How far each table is, the database notes in the transaction of the rows; a copying that is begun again
//! goes on from there. The tables are those that the file has, but for what is said of one database alone: there is no list in which
//! one could be forgotten.

mod compare;
mod copy;
mod marks;
mod tables;

#[cfg(test)]
mod tests;

use std::path::Path;

use self::marks::{Begun, Marks};
pub(super) use self::marks::{must_be_here, must_be_whole};
use super::driver::Connection;
use super::postgres::{self, Session};
use super::threads::Threads;
use super::{FILE, has_file, prepare_file, sqlite};
use crate::store::{MoveError, MoveProgress, MoveState, MoveTo, MovedTable, StoreError};

/// What a session is told before it copies: nothing is waited for but the end, and what a power cut takes is copied again.
const SETTINGS: &str = "SET default_transaction_isolation = 'read committed'; SET synchronous_commit = off; \
     SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// Copies everything from the file in `directory`, of which no server may be at work, and compares; the tables, by name, or
/// `None` if all of it had been done before. What was begun and interrupted is continued. Waits: it is called on a thread that may be
/// blocked, outside of a runtime.
pub fn move_to_postgres(
    directory: &Path,
    to: MoveTo<'_>,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<Option<Vec<MovedTable>>, MoveError> {
    let file = open(directory)?;
    let threads = Threads::start(1)?;
    let server = postgres::Server::new(to.url, to.ca_file, threads.handle()?.clone())?;
    let database = Connection::Postgres(server.connect()?);
    database.execute_batch(SETTINGS).map_err(StoreError::from)?;
    postgres::copy_alone(&database)?;
    let marks = Marks { file: &file, database: &database };
    let begun = postgres::alone(&database, || Ok(marks.begin(&to.node.keys)))??;
    if begun == Begun::Before {
        marks.finish()?;
        return Ok(None);
    }
    let tables = tables::all(&file, &database)?;
    for table in &tables {
        copy::copy(&file, &database, table, to.node.id, report)?;
    }
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    // Without it the server would plan as if the tables were empty, until it comes to look itself.
    database.execute_batch(&format!("ANALYZE {}", names.join(", "))).map_err(StoreError::from)?;
    let moved = compare::compare(&directory.join(FILE), &database, &tables, to.node.id, report)?;
    marks.finish()?;
    Ok(Some(moved))
}

/// Has the file in `directory` served again, whatever has been copied of it; how it stood to a move before.
pub fn give_up_move(directory: &Path) -> Result<MoveState, MoveError> {
    let file = open(directory)?;
    let state = marks::state_of_file(&file)?;
    marks::clear_file(&file)?;
    Ok(state)
}

/// Opens the file, and puts it in order as the start of a server does.
fn open(directory: &Path) -> Result<Connection, MoveError> {
    if !has_file(directory) {
        return Err(MoveError::NoSource { directory: directory.to_owned() });
    }
    let file = Connection::Sqlite(sqlite::open_writer(&directory.join(FILE)).map_err(StoreError::from)?);
    prepare_file(&file)?;
    Ok(file)
}

/// The session of the database, which only [`postgres`] has.
fn session(database: &Connection) -> Result<&Session, StoreError> {
    match database {
        Connection::Postgres(session) => Ok(session),
        Connection::Sqlite(_) => Err(StoreError::Closed),
    }
}
