//! Tables: reference data of a tenant that its constraints look into, such as protected accounts or department codes.
//!
//! A table leads from a key to a row, which is JSON. It is sent as CSV ([`csv`]) or as JSON ([`json`]), and what comes of
//! both is the same: one [`Contents`], known by its digest. Pure, and knows nothing of where tables are kept.
//!
//! Keys are compared as they are, character by character: what `D-7` is to a tenant's departments nobody here knows, so
//! nothing is folded or trimmed. Who wants to compare otherwise folds on both sides, before the upload and in the
//! constraint.

pub mod csv;
pub mod json;
pub mod limits;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use limits::TableLimits;

/// What a table leads to: from each key to its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Keys, and rows as JSON without white space, members sorted. A key that is there for its own sake (that of a set) has
    /// the row `{}`.
    pub rows: BTreeMap<String, String>,
    /// How it is shown as CSV; `None` where a row is something else than an object of texts.
    pub columns: Option<Columns>,
    /// Bytes of all keys and rows.
    pub bytes: usize,
    /// SHA-256 of the table as it is shown as JSON, in hexadecimal.
    pub digest: String,
}

/// The columns of a table as CSV. In the rows the key's own is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Every column, in order.
    pub names: Vec<String>,
    /// Which of them is the key.
    pub key: usize,
}

/// What was sent is no table, or one beyond a limit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// Something is wrong in a line of CSV.
    #[error("line {line}: {problem}")]
    Line {
        /// 1 is the header.
        line: u64,
        /// What.
        problem: TableProblem,
    },
    /// Something is wrong with JSON; the message says where.
    #[error("the JSON is not a table: {0}")]
    Json(String),
    /// Something is wrong with the whole.
    #[error(transparent)]
    Whole(#[from] TableProblem),
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum TableProblem {
    /// Nothing that a header could be.
    #[error("there is no header: the first line of CSV names the columns")]
    NoHeader,
    /// A column without a name.
    #[error("column {number} has no name")]
    NamelessColumn { number: usize },
    /// Two columns of a name.
    #[error("the column `{name}` is there twice")]
    DuplicateColumn { name: String },
    /// More columns than there may be.
    #[error("there are {columns} columns, more than the limit of {columns_max}")]
    TooManyColumns { columns: usize, columns_max: usize },
    /// The named key column is not there.
    #[error("there is no column `{name}` for the key; there are {columns}")]
    NoKeyColumn { name: String, columns: String },
    /// A line that has not as many fields as the header.
    #[error("{found} fields, but the header has {expected}")]
    Fields { found: u64, expected: u64 },
    /// A quotation mark too many or too few.
    #[error("a quotation mark is not closed: in a quoted field it is written twice, and in no other field")]
    Quotes,
    /// No text.
    #[error("this is not UTF-8")]
    NotUtf8,
    /// What a CSV reader says otherwise.
    #[error("{0}")]
    Malformed(String),
    /// A row without a key.
    #[error("the key is empty")]
    EmptyKey,
    /// A key too long.
    #[error("a key of {bytes} bytes is longer than the limit of {bytes_max}")]
    LongKey { bytes: usize, bytes_max: usize },
    /// A key that was there before.
    #[error("the key `{key}` is there already{}", .line.map(|line| format!(", in line {line}")).unwrap_or_default())]
    DuplicateKey { key: String, line: Option<u64> },
    /// A row too long.
    #[error("the row of `{key}` has {bytes} bytes as JSON, more than the limit of {bytes_max}")]
    LongRow { key: String, bytes: usize, bytes_max: usize },
    /// A row that is none.
    #[error("the row of `{key}` is `null`")]
    NullRow { key: String },
    /// An object without the member that is the key.
    #[error("row {number} has no text `{key}` for the key")]
    NoKey { number: usize, key: String },
    /// Objects in a list, of which nobody said which member is the key.
    #[error("for a list of objects name the member that is the key: `?key=name`")]
    KeyUnnamed,
    /// A key is named for what has its own.
    #[error("`key` names a member of the objects in a list, and this is {0}")]
    KeyNamed(&'static str),
    /// A list of something else than texts or objects, or of both.
    #[error("row {number} is not {expected}")]
    Element { number: usize, expected: &'static str },
    /// Too many rows.
    #[error("there are more than {rows_max} rows")]
    TooManyRows { rows_max: usize },
    /// Too much in all.
    #[error("keys and rows have more than {bytes_max} bytes as JSON")]
    TooLarge { bytes_max: usize },
}

/// Contents in the making.
struct Rows<'l> {
    limits: &'l TableLimits,
    rows: BTreeMap<String, Row>,
    bytes: usize,
}

struct Row {
    json: String,
    line: Option<u64>,
}

impl<'l> Rows<'l> {
    fn new(limits: &'l TableLimits) -> Self {
        Self { limits, rows: BTreeMap::new(), bytes: 0 }
    }

    fn check_key(&self, key: &str) -> Result<(), TableProblem> {
        let (bytes, bytes_max) = (key.len(), self.limits.key_bytes_max);
        match self.rows.get(key) {
            _ if bytes == 0 => Err(TableProblem::EmptyKey),
            _ if bytes > bytes_max => Err(TableProblem::LongKey { bytes, bytes_max }),
            Some(Row { line, .. }) => Err(TableProblem::DuplicateKey { key: key.to_owned(), line: *line }),
            None => Ok(()),
        }
    }

    fn add(&mut self, key: String, json: String, line: Option<u64>) -> Result<(), TableProblem> {
        let TableLimits { rows_max, row_bytes_max, table_bytes_max, .. } = *self.limits;
        self.check_key(&key)?;
        if json.len() > row_bytes_max {
            return Err(TableProblem::LongRow { key, bytes: json.len(), bytes_max: row_bytes_max });
        }
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(json.len());
        if self.bytes > table_bytes_max {
            return Err(TableProblem::TooLarge { bytes_max: table_bytes_max });
        }
        if self.rows.len() >= rows_max {
            return Err(TableProblem::TooManyRows { rows_max });
        }
        self.rows.insert(key, Row { json, line });
        Ok(())
    }

    fn finish(self, columns: Option<Columns>) -> Contents {
        let rows: BTreeMap<String, String> = self.rows.into_iter().map(|(key, row)| (key, row.json)).collect();
        let mut digest = Sha256::new();
        let mut shown = json::Shown::default();
        for (key, row) in &rows {
            digest.update(shown.row(key, row));
        }
        digest.update(shown.end());
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Contents { rows, columns, bytes: self.bytes, digest }
    }
}
