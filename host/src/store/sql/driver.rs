//! [`Connection`]: one way to speak to either database, so that what the store asks is written once.
//!
//! Statements are SQLite's spelling of what both understand; where PostgreSQL writes a thing in another way,
//! [`postgres::spelling`](super::postgres) changes it. Everything here waits for its answer: it is called on threads that
//! may be blocked.

mod error;
#[cfg(test)]
pub(super) mod recorded;
mod row;
mod value;

pub(super) use self::error::{Error, OptionalExtension, Result, for_another, of_server};
pub(super) use self::row::Row;
pub(super) use self::value::{ToValue, Value, params};
use super::postgres::{Prepared, Session};

/// A connection to a database.
pub(super) enum Connection {
    /// To a file.
    Sqlite(rusqlite::Connection),
    /// To a server.
    Postgres(Session),
}

/// A statement that is prepared.
pub(super) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(&'c Session, Prepared),
}

/// Rows that are still to be looked at. Those of PostgreSQL are all here already: a statement whose rows may be many has a
/// `LIMIT`.
pub(super) enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres { rows: std::vec::IntoIter<tokio_postgres::Row>, current: Option<tokio_postgres::Row> },
}

impl Connection {
    /// Prepares a statement, or takes it from those that are prepared already.
    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        #[cfg(test)]
        recorded::note(self, sql);
        match self {
            Self::Sqlite(connection) => Ok(Statement::Sqlite(connection.prepare_cached(sql)?)),
            Self::Postgres(session) => Ok(Statement::Postgres(session, session.prepare(sql)?)),
        }
    }

    /// Says that this is going to be asked of the present snapshot. A server is asked along with the question before it; a file is
    /// near enough.
    pub(super) fn foresee(&self, sql: &str, values: &[Value<'_>]) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.foresee(sql, values),
        }
    }

    /// Runs a statement; how many rows it has changed.
    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        self.prepare_cached(sql)?.execute(values)
    }

    /// Asks for one row.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.prepare_cached(sql)?.query_row(values, read)
    }

    /// Runs statements that have no parameters, as they are written.
    pub(super) fn execute_batch(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => session.execute_batch(sql),
        }
    }
}

impl<'c> Statement<'c> {
    /// Runs it; how many rows it has changed.
    pub(super) fn execute(&mut self, values: &[Value<'_>]) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => Ok(statement.execute(rusqlite::params_from_iter(values))?),
            Self::Postgres(session, statement) => session.execute(statement, values),
        }
    }

    /// Asks for rows.
    pub(super) fn query(&mut self, values: &[Value<'_>]) -> Result<Rows<'_>> {
        match self {
            Self::Sqlite(statement) => Ok(Rows::Sqlite(statement.query(rusqlite::params_from_iter(values))?)),
            Self::Postgres(session, statement) => {
                let rows = session.query(statement, values)?;
                Ok(Rows::Postgres { rows: rows.into_iter(), current: None })
            }
        }
    }

    /// Asks for rows and reads each.
    pub(super) fn query_map<'s, T, F: FnMut(&Row<'_>) -> Result<T>>(
        &'s mut self,
        values: &[Value<'_>],
        mut read: F,
    ) -> Result<impl Iterator<Item = Result<T>> + use<'s, 'c, T, F>> {
        let mut rows = self.query(values)?;
        Ok(std::iter::from_fn(move || rows.next().and_then(|row| row.map(|row| read(&row)).transpose()).transpose()))
    }

    /// Asks for one row; [`Error::NoRows`] if there is none.
    pub(super) fn query_row<T>(&mut self, values: &[Value<'_>], read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<T> {
        let mut rows = self.query(values)?;
        let row = rows.next()?.ok_or(Error::NoRows)?;
        read(&row)
    }

    /// Whether there is a row.
    pub(super) fn exists(&mut self, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.query(values)?.next()?.is_some())
    }
}

impl Rows<'_> {
    /// The next of them.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres { rows, current } => {
                *current = rows.next();
                Ok(current.as_ref().map(Row::Postgres))
            }
        }
    }
}
