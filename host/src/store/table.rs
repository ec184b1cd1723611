//! Tables as they are stored: every state that one has had, as long as it is kept.

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::store::StoreError;
use crate::tables::{Columns, Contents, TableLimits};

/// A table that is to have these contents.
#[derive(Clone, Debug)]
pub struct NewTable {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// What it is to lead to.
    pub contents: Arc<Contents>,
    /// Who wants it so: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A table in one of its states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRevision {
    /// The table.
    pub name: String,
    /// 1, 2, 3 … in the table.
    pub revision: u32,
    /// The generation this state began with.
    pub generation: i64,
    /// `None`: the table was removed.
    pub state: Option<TableState>,
    /// Who made it so: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl TableRevision {
    /// Whether both are the same table in the same contents, or both none.
    pub fn is_like(&self, other: &Self) -> bool {
        self.state.as_ref().map(|state| &state.digest) == other.state.as_ref().map(|state| &state.digest)
    }
}

/// What is known of a table's contents without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Number of its contents, by which an engine finds them.
    pub contents: i64,
    /// See [`Contents::digest`].
    pub digest: String,
    /// How many rows there are.
    pub rows: u64,
    /// See [`Contents::bytes`].
    pub bytes: u64,
    /// See [`Contents::columns`].
    pub columns: Option<Columns>,
}

/// What a look into a table came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// The revision that was looked into.
    pub revision: u32,
    /// The row as JSON; `None` if there is none of that key.
    pub row: Option<String>,
}

/// A table was not changed.
#[derive(Debug, Error)]
pub enum TableChangeError {
    /// The tenant has as many as it may have.
    #[error("the tenant has {tables_max} tables already, as many as it may have")]
    TooMany {
        /// See [`TableLimits::tables_max`].
        tables_max: usize,
    },
    /// There is no such table.
    #[error("table `{0}` was not found")]
    Unknown(String),
    /// There is no such earlier state.
    #[error("table `{name}` has no revision {revision} to go back to")]
    UnknownRevision {
        /// The table.
        name: String,
        /// The revision.
        revision: u32,
    },
    /// The store has no such contents.
    #[error("no contents with the digest {digest} were sent for table `{name}`")]
    UnknownContents {
        /// The table.
        name: String,
        /// The digest.
        digest: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much of tables is kept: what of [`TableLimits`] concerns a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablesKept {
    /// See [`TableLimits::tables_max`].
    pub tables_max: usize,
    /// See [`TableLimits::revisions_max`].
    pub revisions_max: usize,
}

impl From<&TableLimits> for TablesKept {
    fn from(limits: &TableLimits) -> Self {
        Self { tables_max: limits.tables_max, revisions_max: limits.revisions_max }
    }
}
