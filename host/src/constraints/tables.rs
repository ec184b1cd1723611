//! [`TableView`]: what the sandbox needs to know of the tenant's tables. Declared here and implemented by the pipeline, as
//! [`DirectoryView`](super::DirectoryView) is.

use async_trait::async_trait;

use super::directory::DirectoryError;

/// What a look into a table came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The revision of the table that was looked into.
    pub revision: u32,
    /// The row as JSON; `None` if there is none of that key.
    pub row: Option<String>,
}

/// A tenant's tables at one moment.
#[async_trait]
pub trait TableView: Send + Sync {
    /// The row of a key; `None` if there is no such table.
    async fn row(&self, table: &str, key: &str) -> Result<Option<TableRow>, DirectoryError>;

    /// Whether there is a row of a key, with the revision that was looked into; `None` if there is no such table.
    async fn contains(&self, table: &str, key: &str) -> Result<Option<(u32, bool)>, DirectoryError> {
        Ok(self.row(table, key).await?.map(|found| (found.revision, found.row.is_some())))
    }
}
