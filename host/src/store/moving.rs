//! Moving everything from a file of SQLite's into a PostgreSQL database: what it is told, what it tells, and why it may not be.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::store::{Node, StoreError};

/// Where everything goes.
#[derive(Clone, Copy, Debug)]
pub struct MoveTo<'a> {
    /// The database's address.
    pub url: &'a str,
    /// Certificates that its server's is checked against, if not those that the system trusts.
    pub ca_file: Option<&'a Path>,
    /// Who will work with it: what the file's server has accepted and not finished is then this one's.
    pub node: &'a Node,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovePhase {
    /// Rows are copied.
    Copy,
    /// What is there now is read again, on both sides.
    Compare,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveProgress<'a> {
    /// With what.
    pub phase: MovePhase,
    /// Of which table.
    pub table: &'a str,
    /// Rows of it that this is done with.
    pub rows: u64,
    /// Rows that it has.
    pub of: u64,
}

/// A table that is the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// Rows that it has.
    pub rows: u64,
    /// Of all of them, in hexadecimal: the sum of their BLAKE3 hashes, so that their order does not count.
    pub digest: String,
}

/// How a file stands to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveState {
    /// It can be served.
    None,
    /// A move has begun.
    Begun,
    /// Everything has been moved.
    Done,
}

/// Everything was not moved.
#[derive(Debug, Error)]
pub enum MoveError {
    /// One of the two databases.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing that could be moved.
    #[error("there is no database in `{}`: name the data folder of a server that keeps what it has in a file", directory.display())]
    NoSource {
        /// Where it should be.
        directory: PathBuf,
    },
    /// What was moved does not move again by accident.
    #[error(
        "what is in this folder has been moved already; if that is to be done once more, first take it back with `scruple migrate --give-up`: \
         what was written in PostgreSQL since is not in it"
    )]
    Done,
    /// There is something in the database.
    #[error("the database is not empty: make a new one (`CREATE DATABASE`) and name that")]
    NotEmpty,
    /// A move has begun into the database, and it is not this one.
    #[error(
        "the database has half of what another folder, or this one before it was served again, has had: drop it, make a new one (`DROP DATABASE`, `CREATE DATABASE`) and begin anew"
    )]
    OtherMove,
    /// The two sides are not the same.
    #[error(
        "table `{table}` is not the same on both sides: {source_rows} rows here, {target_rows} there, digests {source_digest} and {target_digest}; \
         nobody is served from the database: drop it, make a new one and begin anew"
    )]
    Differs {
        /// Which.
        table: String,
        /// Rows in the file.
        source_rows: u64,
        /// Of the file.
        source_digest: String,
        /// Rows in the database.
        target_rows: u64,
        /// Of the database.
        target_digest: String,
    },
}
