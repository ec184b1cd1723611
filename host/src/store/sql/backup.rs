//! A copy of a file that a server may be writing, and whether a file can be served.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::driver::{self, Error};
use super::{FILE, moving, sqlite};
use crate::store::StoreError;
use crate::store::schema::NEWEST;

/// Pages copied between two reports: 4 MiB.
const PAGES_AT_ONCE: i32 = 1_024;

/// What [`check_integrity`] is told of a file in order.
const FINE: &str = "ok";

/// The name of the file that a store has in its directory.
pub fn file_name() -> &'static str {
    FILE
}

/// Copies the file in `directory` to `to`, which must be there and empty, as it is at one moment; the version of its schema. A
/// server may be at work on it. `report` hears how many bytes are copied, and of how many.
///
/// The copying reads from a snapshot, as requests do: whoever writes does not wait for it, nor does it ever begin anew. The only
/// price is that the log of the file cannot be cut back meanwhile.
pub fn copy_file(directory: &Path, to: &Path, report: &mut dyn FnMut(u64, u64)) -> Result<i64, StoreError> {
    let source = sqlite::open_reader(&directory.join(FILE))?;
    source.execute_batch("BEGIN")?;
    let schema_version = known_version(&source)?;
    let source = driver::Connection::Sqlite(source);
    moving::must_be_here(&source)?;
    let driver::Connection::Sqlite(source) = source else { return Err(StoreError::Closed) };
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Whoever asked for it makes it durable once it is whole.
    target.pragma_update(None, "synchronous", "OFF")?;
    target.pragma_update(None, "journal_mode", "OFF")?;
    let page_bytes: i64 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let backup = Backup::new(&source, &mut target)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE).map_err(of_copying)?;
        let progress = backup.progress();
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page_bytes.unsigned_abs();
        report(bytes(progress.pagecount - progress.remaining), bytes(progress.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody else has the copy, and nobody locks the file in WAL mode but for moments.
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| Error::from(error))?;
    Ok(schema_version)
}

/// The file is only read: what cannot be written is the copy.
fn of_copying(error: rusqlite::Error) -> StoreError {
    let is_of_writing = error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == rusqlite::ffi::SQLITE_IOERR_WRITE
    });
    if is_of_writing { StoreError::Unwritten(error.to_string()) } else { error.into() }
}

/// Reads all of a file that nobody has open; an error if anything in it is not as it should be.
pub fn check_integrity(path: &Path) -> Result<(), StoreError> {
    let file = open_still(path)?;
    let found: String = file.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == FINE { Ok(()) } else { Err(StoreError::Damaged(found)) }
}

/// An error if a file that nobody has open is not one that this program can serve.
pub fn check_servable(path: &Path) -> Result<(), StoreError> {
    known_version(&open_still(path)?).map(drop)
}

/// Without a lock, and without the files that one in WAL mode has beside it.
fn open_still(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' => uri.push(char::from(*byte)),
            other if other.is_ascii_alphanumeric() => uri.push(char::from(*other)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    Ok(Connection::open_with_flags(uri, flags)?)
}

/// The version of the schema of a file that this program has made, and knows.
fn known_version(file: &Connection) -> Result<i64, StoreError> {
    if !sqlite::is_ours(file)? {
        return Err(StoreError::NotOurs);
    }
    let found: i64 = file.query_row("SELECT max(version) FROM schema_migration", [], |row| row.get(0))?;
    must_know(found).map(|()| found)
}

/// An error if a version of the schema is newer than those that this program knows.
pub fn must_know(schema_version: i64) -> Result<(), StoreError> {
    if schema_version > NEWEST {
        return Err(StoreError::SchemaNewer { found: schema_version, known: NEWEST });
    }
    Ok(())
}
