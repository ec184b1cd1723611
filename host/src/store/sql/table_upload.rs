//! Writes the contents of a table in small transactions, before the one from which on they are seen: see [`super::tables`].
//! Others' writes go on in between.

use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use super::driver::Connection;

use super::writer::LooseEnd;
use super::{staged, tables, tenants};
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::table::{NewTable, TableChangeError, TableRevision, TableState, TablesKept};

/// Rows written in one transaction: some 20 ms of the writer.
const WRITTEN_AT_ONCE: usize = 2_000;

/// What an upload needs of the store. It does not keep the writer from stopping.
pub(super) struct TableUpload {
    pub(super) tenant: TenantId,
    pub(super) writer: LooseEnd,
    pub(super) node: Uuid,
    pub(super) new: Arc<NewTable>,
    pub(super) kept: TablesKept,
}

impl TableUpload {
    /// Makes the contents those of the table; the state that it has then, and whether it is a new one.
    pub(super) async fn put(self) -> Result<(TableRevision, bool), TableChangeError> {
        let (tenant, kept) = (self.tenant, self.kept);
        let room = move |connection: &Connection, new: &NewTable| {
            // Checked again at the end. What there is no room for need not be written.
            tables::check_room(connection, tenant, &new.name, kept).map(drop)
        };
        let in_force = move |connection: &Connection, new: &NewTable| in_force(connection, tenant, new);
        let add = move |connection: &Connection, new: &NewTable, state: TableState| {
            tables::finish(connection, tenant, &new.name, state.contents)?;
            tables::add(connection, tenant, (&new.name, Some(&state)), (&new.by, new.at), kept)
        };
        self.run(room, in_force, add).await
    }

    /// Keeps the contents for later; whether they had to be written.
    pub(super) async fn stage(self) -> Result<(TableState, bool), TableChangeError> {
        let (tenant, kept) = (self.tenant, self.kept);
        let find = move |connection: &Connection, new: &NewTable| {
            staged::find(connection, tenant, &new.name, &new.contents.digest)
        };
        let add = move |connection: &Connection, new: &NewTable, state: TableState| {
            staged::add(connection, tenant, (&new.name, &state), new.at, kept.tables_max)?;
            Ok(state)
        };
        self.run(|_, _| Ok(()), find, add).await
    }

    /// `check`s and writes, unless the contents are `found` to be there, and `add`s what is written; whether it was.
    async fn run<T: Send + 'static>(
        self,
        check: impl Fn(&Connection, &NewTable) -> Result<(), TableChangeError> + Send + 'static,
        find: impl Fn(&Connection, &NewTable) -> Result<Option<T>, StoreError> + Clone + Send + 'static,
        add: impl Fn(&Connection, &NewTable, TableState) -> Result<T, TableChangeError> + Send + 'static,
    ) -> Result<(T, bool), TableChangeError> {
        let (tenant, node, new, find_first) = (self.tenant, self.node, Arc::clone(&self.new), find.clone());
        let begin = move |connection: &Connection| {
            tenants::must_exist(connection, tenant)?;
            if let Some(found) = find_first(connection, &new)? {
                return Ok(Err(found));
            }
            check(connection, &new)?;
            let contents = tables::begin(connection, tenant, &new.name, node)?;
            Ok::<_, TableChangeError>(Ok(contents))
        };
        let contents = match self.writer.write(begin).await? {
            Ok(contents) => contents,
            Err(found) => return Ok((found, false)),
        };
        let done = self.write_and_add(contents, find, add).await;
        if !matches!(done, Ok((_, true))) {
            let new = Arc::clone(&self.new);
            let abandon = move |connection: &Connection| Ok(tables::abandon(connection, tenant, &new.name, contents)?);
            self.writer.write::<_, StoreError>(abandon).await?;
        }
        done
    }

    async fn write_and_add<T: Send + 'static>(
        &self,
        contents: i64,
        find: impl Fn(&Connection, &NewTable) -> Result<Option<T>, StoreError> + Send + 'static,
        add: impl Fn(&Connection, &NewTable, TableState) -> Result<T, TableChangeError> + Send + 'static,
    ) -> Result<(T, bool), TableChangeError> {
        self.write_rows(contents).await?;
        let new = Arc::clone(&self.new);
        let finish = move |connection: &Connection| {
            // Somebody else may have sent the same meanwhile.
            if let Some(found) = find(connection, &new)? {
                return Ok((found, false));
            }
            let state = TableState {
                contents,
                digest: new.contents.digest.clone(),
                rows: new.contents.rows.len() as u64,
                bytes: new.contents.bytes as u64,
                columns: new.contents.columns.clone(),
            };
            Ok::<_, TableChangeError>((add(connection, &new, state)?, true))
        };
        self.writer.write(finish).await
    }

    async fn write_rows(&self, contents: i64) -> Result<(), StoreError> {
        let tenant = self.tenant;
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
                None => return Ok(()),
            }
        }
    }
}

/// The present state of the table, if it has these contents.
fn in_force(connection: &Connection, tenant: TenantId, new: &NewTable) -> Result<Option<TableRevision>, StoreError> {
    let last = tables::last(connection, tenant, &new.name)?;
    Ok(last.filter(|last| last.state.as_ref().is_some_and(|state| state.digest == new.contents.digest)))
}
