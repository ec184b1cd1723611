//! Writes the contents of a table in small transactions, before the one from which on they are seen: see [`super::tables`].
//! Others' writes go on in between.

use std::ops::Bound;
use std::sync::Arc;

use rusqlite::Connection;

use super::writer::LooseEnd;
use super::{tables, tenants};
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::table::{NewTable, TableChangeError, TableRevision, TableState, TablesKept};

/// Rows written in one transaction: some 20 ms of the writer.
const WRITTEN_AT_ONCE: usize = 2_000;

/// What an upload needs of the store. It does not keep the writer from stopping.
pub(super) struct TableUpload {
    pub(super) tenant: TenantId,
    pub(super) writer: LooseEnd,
    pub(super) new: Arc<NewTable>,
    pub(super) kept: TablesKept,
}

impl TableUpload {
    /// Makes the contents those of the table; the state that it has then, and whether it is a new one.
    pub(super) async fn run(self) -> Result<(TableRevision, bool), TableChangeError> {
        let (tenant, new, kept) = (self.tenant, Arc::clone(&self.new), self.kept);
        let begin = move |connection: &Connection| {
            tenants::must_exist(connection, tenant)?;
            if let Some(same) = same(connection, tenant, &new)? {
                return Ok(Err(same));
            }
            // Checked again at the end. What there is no room for need not be written.
            tables::check_room(connection, tenant, &new.name, kept)?;
            let contents = tables::begin(connection, tenant, &new.name)?;
            Ok::<_, TableChangeError>(Ok(contents))
        };
        let contents = match self.writer.write(begin).await? {
            Ok(contents) => contents,
            Err(same) => return Ok((same, false)),
        };
        let added = self.write_and_add(contents).await;
        if !matches!(added, Ok((_, true))) {
            let new = Arc::clone(&self.new);
            let abandon = move |connection: &Connection| Ok(tables::abandon(connection, tenant, &new.name, contents)?);
            self.writer.write::<_, StoreError>(abandon).await?;
        }
        added
    }

    async fn write_and_add(&self, contents: i64) -> Result<(TableRevision, bool), TableChangeError> {
        let (tenant, kept) = (self.tenant, self.kept);
        let mut after: Option<String> = None;
        loop {
            let (new, from) = (Arc::clone(&self.new), after.take());
            let write = move |connection: &Connection| {
                tenants::must_exist(connection, tenant)?;
                let after = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let mut rows = new.contents.rows.range::<str, _>((after, Bound::Unbounded));
                let mut last = None;
                for (key, row) in rows.by_ref().take(WRITTEN_AT_ONCE) {
                    tables::insert(connection, tenant, (&new.name, contents), (key, row))?;
                    last = Some(key.clone());
                }
                Ok::<_, StoreError>(last.filter(|_| rows.next().is_some()))
            };
            match self.writer.write(write).await? {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        let new = Arc::clone(&self.new);
        let add = move |connection: &Connection| {
            // Somebody else may have sent the same meanwhile.
            if let Some(same) = same(connection, tenant, &new)? {
                return Ok((same, false));
            }
            tables::uncover(connection, tenant, &new.name, contents)?;
            let state = TableState {
                contents,
                digest: new.contents.digest.clone(),
                rows: new.contents.rows.len() as u64,
                bytes: new.contents.bytes as u64,
                columns: new.contents.columns.clone(),
            };
            let added = tables::add(connection, tenant, (&new.name, Some(&state)), (&new.by, new.at), kept)?;
            Ok::<_, TableChangeError>((added, true))
        };
        self.writer.write(add).await
    }
}

/// The present state of the table, if it has these contents.
fn same(connection: &Connection, tenant: TenantId, new: &NewTable) -> Result<Option<TableRevision>, StoreError> {
    let last = tables::last(connection, tenant, &new.name)?;
    Ok(last.filter(|last| last.state.as_ref().is_some_and(|state| state.digest == new.contents.digest)))
}
