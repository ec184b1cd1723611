//! What a database refuses, in one type for both.

use std::error::Error as _;
use std::sync::Arc;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::store::{ChangeSetError, CommitError, QueryError, StoreError, TableChangeError};

/// What a database came to instead of an answer.
#[derive(Debug, Error)]
pub(in crate::store) enum Error {
    /// Asked for one row, and there is none.
    #[error("there is no such row")]
    NoRows,
    /// Of the file.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// Of the server.
    #[error("{}", of_server(.0))]
    Postgres(tokio_postgres::Error),
    /// The server has not answered for so long that nobody waits for it any more. What was asked may still be done.
    #[error("the server does not answer")]
    Silent,
    /// A transaction that several requests share was ended by what one of them has met: no room, or a disk that fails.
    #[error("the transaction was undone with that of another request")]
    Undone,
    /// What is stored is not what was written.
    #[error("{0}")]
    Damaged(String),
}

/// The answer of a database.
pub(in crate::store) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether the same transaction may go through if it is begun anew: another one was in its way.
    pub(in crate::store) fn is_conflict(&self) -> bool {
        matches!(self, Self::Postgres(error) if matches!(
            error.code(),
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
        ))
    }

    /// Whether there is no room, on the disk or in memory. What was asked is not done.
    pub(in crate::store) fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Postgres(error) => {
                let full = [SqlState::DISK_FULL, SqlState::OUT_OF_MEMORY, SqlState::INSUFFICIENT_RESOURCES];
                error.code().is_some_and(|code| full.contains(code))
            }
            // Whoever meets it is told why; the others may try again.
            Self::Undone => true,
            Self::NoRows | Self::Silent | Self::Damaged(_) => false,
        }
    }

    /// Whether the server is not there, or not for us, for the moment: it is stopped or started, has taken over or handed over,
    /// has too many connections, or had no time.
    pub(in crate::store) fn is_away(&self) -> bool {
        let error = match self {
            Self::Postgres(error) => error,
            Self::Silent => return true,
            Self::NoRows | Self::Sqlite(_) | Self::Undone | Self::Damaged(_) => return false,
        };
        match error.code() {
            Some(code) => {
                code.code().starts_with("08")
                    || [
                        SqlState::ADMIN_SHUTDOWN,
                        SqlState::CRASH_SHUTDOWN,
                        SqlState::CANNOT_CONNECT_NOW,
                        SqlState::TOO_MANY_CONNECTIONS,
                        SqlState::READ_ONLY_SQL_TRANSACTION,
                        SqlState::QUERY_CANCELED,
                        SqlState::LOCK_NOT_AVAILABLE,
                        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                    ]
                    .contains(code)
            }
            None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
        }
    }
}

/// `tokio_postgres` says of an error of the server no more than `db error`, and leaves the rest to what caused it.
pub(in crate::store::sql) fn of_server(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(error), _) => format!("{}: {}", error.severity(), error.message()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error;
        match error {
            Error::QueryReturnedNoRows => Self::NoRows,
            Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => {
                Self::Damaged(error.to_string())
            }
            other => Self::Sqlite(other),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged(what) => Self::Damaged(what),
            conflict if conflict.is_conflict() => Self::Contended,
            full if full.is_full() => Self::Full(Box::new(full)),
            away if away.is_away() => Self::Unreachable(Box::new(away)),
            other => Self::Database(Box::new(other)),
        }
    }
}

/// The same for another who waited for the same.
pub(in crate::store::sql) fn for_another(error: &Arc<StoreError>) -> StoreError {
    let same = Box::new(Arc::clone(error));
    if error.is_passing() { StoreError::Unreachable(same) } else { StoreError::Database(same) }
}

impl From<Error> for CommitError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for ChangeSetError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for TableChangeError {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

/// No row is an answer, too.
pub(in crate::store) trait OptionalExtension<T> {
    /// `None` for no row.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(Error::NoRows) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
