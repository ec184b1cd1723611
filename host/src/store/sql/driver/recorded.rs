//! What was prepared in this process, for the test that prepares all of it on both databases.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Connection;

/// By database: of files, and of servers.
static PREPARED: Mutex<[BTreeSet<String>; 2]> = Mutex::new([BTreeSet::new(), BTreeSet::new()]);

/// Notes a statement.
pub(super) fn note(connection: &Connection, sql: &str) {
    let mut prepared = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
    let of = &mut prepared[usize::from(matches!(connection, Connection::Postgres(_)))];
    if !of.contains(sql) {
        of.insert(sql.to_owned());
    }
}

/// What was prepared on files, and what on servers.
pub(in crate::store::sql) fn all() -> [BTreeSet<String>; 2] {
    PREPARED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
