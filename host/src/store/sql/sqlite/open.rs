//! Opening connections: each setting with its reason.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::sql::driver::Error;

/// How long a connection waits for a lock of another process (a backup, an operator's `sqlite3`). Within this process
/// nobody waits: there is one writer, and readers do not lock in WAL mode.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept prepared for each connection. There are about 60 different ones; preparing one costs more than
/// running it.
const PREPARED_STATEMENTS: usize = 96;

/// Pages the log may grow to before a commit copies them into the database: 4,000 × 4 KiB = 16 MiB. The default of 1,000
/// makes a busy writer copy, and sync, four times as often.
const CHECKPOINT_PAGES: i64 = 4_000;

/// The log is cut back to this after a burst: four checkpoints' worth.
const JOURNAL_BYTES_MAX: i64 = 64 << 20;

/// Page cache of the writer: 16 MiB, so that the inner pages of every index of some hundred thousand resources stay in it; what
/// does not costs a copy from the kernel's own cache, about 3 µs a page. Not more: a commit in which a page was split walks
/// over all of the cache as long as the file is smaller than 1 GiB (the split borrows the number of the page at that
/// place, and SQLite looks for what is beyond the end), with 64 MiB for 14 µs of each create.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// Page cache of a reader: 1 MiB. It holds little that the memory map does not, and there may be 72 readers.
const READER_CACHE_KIB: i64 = 1 << 10;

/// The one connection that writes.
pub(in crate::store::sql) fn open_writer(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, WRITER_CACHE_KIB)?;
    // Readers see the last commit and never wait for the writer, nor it for them.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on the disk before it is answered. NORMAL would lose the last commits with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    Ok(connection)
}

/// A connection that cannot write, whatever it is told.
pub(in crate::store::sql) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

fn configure(connection: &Connection, cache_kib: i64) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    // Plans do not depend on the values they are run with. Without this promise SQLite looks at the value of each `LIMIT ?`
    // and prepares the statement anew whenever it is given one: an eighth of the processor time of a read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // No memory map: a reader maps the file anew whenever it has changed, which under writes is each time, and to unmap
    // it stops every thread of the process. Without it, creates at 64 clients are a tenth faster.
    connection.pragma_update(None, "mmap_size", 0)?;
    // Negative: in KiB instead of pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // Sorting a page of ids needs no file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Nothing in the file may call functions: it holds data and no code.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_prepared_once_whatever_values_it_is_run_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scruple.db");
        let writer = open_writer(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE t(a, b); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1, 2), (1, 3)")
            .unwrap();
        for connection in [writer, open_reader(&path).unwrap()] {
            let mut statement = connection.prepare("SELECT b FROM t WHERE a = ?1 ORDER BY b LIMIT ?2").unwrap();
            for limit in [1, 2, 1, i64::MAX] {
                let found = statement.query_map((1, limit), |row| row.get::<_, i64>(0)).unwrap().count();
                assert_eq!(found, limit.min(2) as usize);
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
