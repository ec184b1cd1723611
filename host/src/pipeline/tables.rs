//! A tenant's tables: new contents, back to earlier ones, away. Each raises the generation, so that what was judged by the
//! contents before does not commit any more.

use std::sync::Arc;

use tracing::info;

use crate::decision::TenantId;
use crate::pipeline::Pipeline;
use crate::store::{NewTable, TableChangeError, TableRevision, TableState};
use crate::tables::Contents;

impl Pipeline {
    /// Makes these the contents of a table; `false`: they are already, and nothing was done.
    pub async fn put_table(
        &self,
        tenant: TenantId,
        name: &str,
        contents: Contents,
        by: &str,
    ) -> Result<(TableRevision, bool), TableChangeError> {
        let (name, contents) = (name.to_owned(), Arc::new(contents));
        let new = NewTable { name, contents, by: by.to_owned(), at: self.clock.now() };
        let (made, added) = self.store.tenant(tenant).put_table(new, (&*self.tables).into()).await?;
        if added {
            changed(tenant, &made);
        }
        Ok((made, added))
    }

    /// Keeps contents of a table, to be put in force by a plan; `false`: they were there already.
    pub async fn stage_table(
        &self,
        tenant: TenantId,
        name: &str,
        contents: Contents,
        by: &str,
    ) -> Result<(TableState, bool), TableChangeError> {
        let (name, contents) = (name.to_owned(), Arc::new(contents));
        let new = NewTable { name, contents, by: by.to_owned(), at: self.clock.now() };
        self.store.tenant(tenant).stage_table(new, (&*self.tables).into()).await
    }

    /// Gives a table the contents of an earlier revision, as a new one: that of `revision`, or the newest that differs from
    /// the present one.
    pub async fn roll_back_table(
        &self,
        tenant: TenantId,
        name: &str,
        revision: Option<u32>,
        by: &str,
    ) -> Result<TableRevision, TableChangeError> {
        let made = (by, self.clock.now());
        let made = self.store.tenant(tenant).restore_table(name, revision, made, (&*self.tables).into()).await?;
        changed(tenant, &made);
        Ok(made)
    }

    /// Takes a table away. Constraints that look into it have no answer from now on. Its history stays for a while.
    pub async fn remove_table(&self, tenant: TenantId, name: &str, by: &str) -> Result<(), TableChangeError> {
        let made = (by, self.clock.now());
        let made = self.store.tenant(tenant).remove_table(name, made, (&*self.tables).into()).await?;
        changed(tenant, &made);
        Ok(())
    }
}

fn changed(tenant: TenantId, made: &TableRevision) {
    let (rows, removed) = (made.state.as_ref().map_or(0, |state| state.rows), made.state.is_none());
    info!(
        { tenant.id = tenant.0, table.name = made.name, table.revision = made.revision, generation = made.generation, rows, removed },
        "a table has changed"
    );
}
