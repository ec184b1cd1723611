//! `tables`: looks into the tenant's reference data.
//!
//! Each is recorded with the revision that was looked into, also one that found nothing. A commit does not ask them again:
//! every change to a table raises the generation, which the commit checks.

use std::sync::Arc;

use serde_json::Value;

use crate::constraints::bindings::scruple::constraint::{tables, types};
use crate::constraints::convert::excerpt;
use crate::constraints::directory::DirectoryView;
use crate::constraints::state::{GuestState, ReadFailure};
use crate::constraints::tables::TableRow;
use crate::decision::reads::TableAnswer;

impl tables::Host for GuestState {
    async fn contains(&mut self, table: String, key: String) -> Result<bool, ReadFailure> {
        self.count_call()?;
        let answer = self.look_for_row(&table, &key).await;
        answer.map_err(|failure| self.refuse(&format!("tables.contains {table} {key}"), failure))
    }

    async fn get(&mut self, table: String, key: String) -> Result<Option<String>, ReadFailure> {
        self.count_call()?;
        let answer = self.look_up_row(&table, &key).await;
        answer.map_err(|failure| self.refuse(&format!("tables.get {table} {key}"), failure))
    }
}

impl GuestState {
    async fn look_for_row(&mut self, table: &str, key: &str) -> Result<bool, ReadFailure> {
        let directory = self.may_look_into(table, key)?;
        let found = self.answered(directory.contains(table, key)).await?;
        let (revision, contains) = found.ok_or_else(|| missing(table))?;
        self.record_table((table, revision), key, TableAnswer::Contains(contains))?;
        Ok(contains)
    }

    async fn look_up_row(&mut self, table: &str, key: &str) -> Result<Option<String>, ReadFailure> {
        let directory = self.may_look_into(table, key)?;
        let found = self.answered(directory.row(table, key)).await?;
        let TableRow { revision, row } = found.ok_or_else(|| missing(table))?;
        // What a table holds was JSON when it was uploaded.
        let value = row.as_deref().map(serde_json::from_str::<Value>).transpose();
        let value = value.map_err(|_| types::ReadError::Unavailable("the row is damaged".to_owned()))?;
        self.record_table((table, revision), key, TableAnswer::Row(value))?;
        Ok(row)
    }

    /// Who is to be asked about a row, if it may be.
    fn may_look_into(&mut self, table: &str, key: &str) -> Result<Arc<dyn DirectoryView>, ReadFailure> {
        let subject = self.subject()?;
        if !subject.paths.grants().table(table) {
            return Err(types::ReadError::NotGranted(format!("`tables:{}` is not granted", excerpt(table))).into());
        }
        let directory = subject.directory.clone();
        let (bytes, bytes_max) = (key.len(), self.limits.path_bytes_max);
        if bytes > bytes_max {
            let message = format!("a key of {bytes} bytes is longer than the limit of {bytes_max}");
            return Err(types::ReadError::Invalid(message).into());
        }
        self.check_read_bytes()?;
        self.count_table_look_up()?;
        Ok(directory)
    }
}

/// Granted, so not refused; but that there is no row must not be said of a table that is not there: what is meant to be
/// forbidden would pass.
fn missing(table: &str) -> types::ReadError {
    types::ReadError::Unavailable(format!("the tenant has no table `{table}`"))
}
