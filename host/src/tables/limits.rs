//! How large tables may be, and how many a tenant may have.
//!
//! Together they bound what a tenant fills of the disk: `tables_max` × (`revisions_max` + 1) × `table_bytes_max`, 1.5 GiB with
//! the defaults; the one is for contents that were sent ahead. Real ones are some hundred rows of a hundred bytes.

use serde::Deserialize;

/// Limits of tables, `[tables]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableLimits {
    /// Bytes of an upload. 4 MiB: 50,000 rows of 80 bytes. To read so much takes some 50 ms, on a thread of its own.
    pub upload_bytes_max: usize,
    /// Bytes of keys and rows as JSON. 8 MiB: twice an upload, since each row repeats the columns' names that CSV has once.
    pub table_bytes_max: usize,
    /// Rows of a table. 50,000: every cost centre of a large company. To write them takes the store some 0.3 s, a few at a
    /// time between others' writes.
    pub rows_max: usize,
    /// Bytes of a row as JSON. 16 KiB: a hundred columns of a sentence each. A constraint that asks for 64 of them has used
    /// up what it may read.
    pub row_bytes_max: usize,
    /// Bytes of a key. 256: the longest e-mail address has 254. No more than 1,024: keys are in an index.
    pub key_bytes_max: usize,
    /// Columns of CSV. 100.
    pub columns_max: usize,
    /// Tables of a tenant, removed ones that are still kept not counted. 32: a rule has one or two.
    pub tables_max: usize,
    /// Revisions of a table that are kept, the present one included. 5: one to go back to, and some for who looks late.
    pub revisions_max: usize,
}

/// A limit's name, how to read it, the least and the most that it may be.
type Range = (&'static str, fn(&TableLimits) -> usize, usize, usize);

impl TableLimits {
    /// The limits where nothing is set.
    pub const DEFAULT: Self = Self {
        upload_bytes_max: 4 << 20,
        table_bytes_max: 8 << 20,
        rows_max: 50_000,
        row_bytes_max: 16 << 10,
        key_bytes_max: 256,
        columns_max: 100,
        tables_max: 32,
        revisions_max: 5,
    };

    /// What each limit may be set to: something, and for what is held in memory at once no more than 64 MiB.
    pub const RANGES: [Range; 8] = [
        ("upload_bytes_max", |limits| limits.upload_bytes_max, 1, 64 << 20),
        ("table_bytes_max", |limits| limits.table_bytes_max, 1, 64 << 20),
        ("rows_max", |limits| limits.rows_max, 1, 1_000_000),
        ("row_bytes_max", |limits| limits.row_bytes_max, 2, 1 << 20),
        ("key_bytes_max", |limits| limits.key_bytes_max, 1, 1_024),
        ("columns_max", |limits| limits.columns_max, 1, 1_000),
        ("tables_max", |limits| limits.tables_max, 1, 1_000),
        ("revisions_max", |limits| limits.revisions_max, 1, 1_000),
    ];
}

impl Default for TableLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
