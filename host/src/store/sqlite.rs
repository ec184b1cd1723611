//! The store in one SQLite file: one writer thread with group commit, and read connections that never wait for it.
//!
//! Start at [`writer`] for how a write becomes durable, at [`commit`] for what one does, and at [`pool`] and
//! [`snapshot`] for how it is read meanwhile.

mod access;
mod activations;
mod asynchronous;
mod budget;
mod change_set;
mod commit;
mod connection;
mod decisions;
mod definitions;
mod filling;
mod find;
mod look_up;
mod member_sets;
mod migrate;
mod models;
mod names;
mod page;
mod plugins;
mod pool;
mod redefine;
mod represent;
mod row;
mod signing;
mod snapshot;
mod staged;
mod table_upload;
mod tables;
mod tenants;
mod threads;
mod tokens;
mod view;
mod waivers;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use self::filling::{Filling, Fillings};
use self::models::Models;
use self::names::Names;
use self::pool::Pool;
use self::redefine::{Redefinition, Turns, Watches};
use self::snapshot::SqliteSnapshot;
use self::table_upload::TableUpload;
use self::writer::Writer;
use crate::decision::{AdmittedChange, ConstraintName, DecisionId, DecisionRecord, TenantId, Txn, WaiverId};
use crate::scim::schema::SchemaRegistry;
use crate::store::write_set::{DecisionRow, MembersWrite, WriteSet};
use crate::store::{
    ActivateError, Activation, ActivationState, AddVersionError, AsyncRequest, ChangeSet, ChangeSetError, CommitError,
    DecisionPage, DecisionQuery, DefineError, Defined, Finish, NewAsyncRequest, NewDefinitions, NewSigningKey,
    NewSigningPolicy, NewTable, NewToken, NewVersion, NewWaiver, PluginVersion, Signed, Signing, SigningKey,
    SigningKeyError, SigningPolicyError, Snapshot, Store, StoreError, StoredDecision, StoredWaiver, TableChangeError,
    TableRevision, TableState, TablesKept, Tenant, TenantChange, TenantModel, TenantStore, Token, TokenHash,
    TokenOwner,
};

/// The file's name in the data directory.
const FILE: &str = "scruple.db";

/// How the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Snapshots that may live at once, of one tenant a quarter; whoever wants another waits. Each has a connection with
    /// up to 1 MiB of cache.
    pub snapshots_max: usize,
    /// Requests that share one durable transaction at most. 1 switches group commit off.
    pub batch_max: usize,
}

impl Default for SqliteOptions {
    /// 64 snapshots: as many requests in evaluation as a machine with many cores works on at a time, at 64 MiB at most.
    /// 256 requests a batch: at about 100 µs of work each a batch ends within some 25 ms.
    fn default() -> Self {
        Self { snapshots_max: 64, batch_max: 256 }
    }
}

/// A store in one SQLite file. Cheap to clone. When the last clone, with every [`TenantStore`] it gave, is dropped, what
/// is queued is finished and the file is left in order.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped in this order: readers first, so that the writer can empty the log when it stops.
    pool: Arc<Pool>,
    writer: Writer,
    shared: Arc<Shared>,
}

/// What reads and writes need beside a connection.
struct Shared {
    names: Names,
    models: Models,
    watches: Watches,
    /// Of those who define.
    turns: Turns,
    fillings: Fillings,
}

impl SqliteStore {
    /// Opens the store in a directory, and makes both if need be.
    pub fn open(directory: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let base = Arc::new(SchemaRegistry::core());
        make_private(directory).map_err(|source| StoreError::Path { path: directory.to_owned(), source })?;
        let path = directory.join(FILE);
        let connection = connection::open_writer(&path)?;
        migrate::migrate(&connection)?;
        let models = Models::new(Arc::clone(&base));
        let names = in_transaction(&connection, |connection| {
            let names = Names::load(connection, &base)?;
            names::rebuild_indexes(connection, &base, &models, &names)?;
            Ok(names)
        })?;
        finish_deletions(&connection)?;
        member_sets::abandon_all(&connection)?;
        tables::abandon_all(&connection)?;
        let pool = Arc::new(Pool::new(path, options.snapshots_max)?);
        let writer = Writer::start(connection, options.batch_max)?;
        let (watches, turns, fillings) = (Watches::default(), Turns::default(), Fillings::default());
        let shared = Arc::new(Shared { names, models, watches, turns, fillings });
        Ok(Self { inner: Arc::new(Inner { pool, writer, shared }) })
    }
}

/// Only the owner may look into it: it holds personal data.
fn make_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Deletes what is left of tenants whose deletion was cut off.
fn finish_deletions(connection: &Connection) -> Result<(), StoreError> {
    for tenant in tenants::hidden(connection)? {
        while !in_transaction(connection, |connection| tenants::purge(connection, tenant))? {}
    }
    Ok(())
}

/// For the time before the writer runs.
fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = work(connection);
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_tenant(&self, name: &str, at: Timestamp) -> Result<Option<Tenant>, StoreError> {
        let name = name.to_owned();
        self.inner.writer.write(move |connection| tenants::create(connection, &name, at)).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.inner.pool.read(tenants::all).await
    }

    async fn tenant_named(&self, name: &str) -> Result<Option<Tenant>, StoreError> {
        let name = name.to_owned();
        self.inner.pool.read(move |connection| tenants::named(connection, &name)).await
    }

    async fn delete_tenant(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let writer = self.inner.writer.loose_end();
        let deletion = async move {
            let Some(tenant) = writer.write(move |connection| tenants::hide(connection, &name)).await? else {
                return Ok(false);
            };
            while !writer.write(move |connection| tenants::purge(connection, tenant)).await? {}
            Ok(true)
        };
        // What is hidden cannot be deleted once more: a caller who goes away must not leave it half done.
        self.inner.pool.threads().detached(deletion).await
    }

    async fn token_owner(&self, hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError> {
        let hash = *hash;
        self.inner.pool.read(move |connection| tokens::owner(connection, &hash)).await
    }

    async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let digest = digest.to_owned();
        self.inner.pool.read(move |connection| plugins::component(connection, &digest)).await
    }

    async fn unfinished(&self) -> Result<Vec<(TenantId, Txn)>, StoreError> {
        self.inner.pool.read(asynchronous::unfinished).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.pool.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    fn tenant(&self, tenant: TenantId) -> Arc<dyn TenantStore> {
        Arc::new(SqliteTenant { tenant, inner: Arc::clone(&self.inner) })
    }
}

/// One tenant's part of the store.
struct SqliteTenant {
    tenant: TenantId,
    inner: Arc<Inner>,
}

impl SqliteTenant {
    /// A brief question about this tenant.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection, TenantId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tenant = self.tenant;
        self.inner.pool.read(move |connection| question(connection, tenant)).await
    }

    /// A durable write to this tenant.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, TenantId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| work(connection, tenant)).await
    }
}

#[async_trait]
impl TenantStore for SqliteTenant {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let lease = self.inner.pool.lease(self.tenant).await?;
        let (shared, pool) = (Arc::clone(&self.inner.shared), Arc::clone(&self.inner.pool));
        Ok(Arc::new(SqliteSnapshot::new(self.tenant, shared, pool, lease)))
    }

    async fn commit(&self, change: Arc<AdmittedChange>) -> Result<(), CommitError> {
        let write = WriteSet::of(&change)?;
        let (tenant, shared) = (self.tenant, Arc::clone(&self.inner.shared));
        if matches!(write.members, MembersWrite::Set { .. }) {
            let (pool, writer) = (Arc::clone(&self.inner.pool), self.inner.writer.loose_end());
            let filling = Filling { tenant, shared, pool, writer };
            // What is begun is committed or given up, also when the caller goes away.
            return self.inner.pool.threads().detached(filling.commit(write)).await;
        }
        shared.fillings.wait(tenant, write.id).await;
        self.inner.writer.write(move |connection| commit::commit(connection, tenant, &shared, &write)).await
    }

    async fn record_refusal(&self, record: Arc<DecisionRecord>) -> Result<(), StoreError> {
        let row = DecisionRow::of(&record)?;
        self.write(move |connection, tenant| {
            tenants::must_exist(connection, tenant)?;
            decisions::insert(connection, tenant, &row)
        })
        .await
    }

    async fn create_token(&self, token: NewToken) -> Result<Token, StoreError> {
        self.write(move |connection, tenant| tokens::create(connection, tenant, &token)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(tokens::all).await
    }

    async fn revoke_token(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
        self.write(move |connection, tenant| tokens::revoke(connection, tenant, id, at)).await
    }

    async fn add_version(&self, version: NewVersion) -> Result<(PluginVersion, bool), AddVersionError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| plugins::add(connection, tenant, &version)).await
    }

    async fn signing(&self) -> Result<Signing, StoreError> {
        self.read(signing::state).await
    }

    async fn add_signing_key(&self, key: NewSigningKey, most: usize) -> Result<SigningKey, SigningKeyError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| signing::add_key(connection, tenant, &key, most)).await
    }

    async fn remove_signing_key(&self, name: &str) -> Result<Option<SigningKey>, StoreError> {
        let name = name.to_owned();
        self.write(move |connection, tenant| signing::remove_key(connection, tenant, &name)).await
    }

    async fn set_signing_policy(&self, policy: NewSigningPolicy) -> Result<Signing, SigningPolicyError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| signing::set_policy(connection, tenant, &policy)).await
    }

    async fn signatures(&self, digest: Option<&str>) -> Result<Vec<Signed>, StoreError> {
        let digest = digest.map(str::to_owned);
        self.read(move |connection, tenant| signing::signed(connection, tenant, digest.as_deref())).await
    }

    async fn versions(&self, plugin: Option<&str>) -> Result<Vec<PluginVersion>, StoreError> {
        let plugin = plugin.map(str::to_owned);
        self.read(move |connection, tenant| plugins::all(connection, tenant, plugin.as_deref())).await
    }

    async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        let shared = Arc::clone(&self.inner.shared);
        self.read(move |connection, tenant| shared.models.get_committed(connection, tenant)).await
    }

    async fn change(&self, change: TenantChange) -> Result<Tenant, StoreError> {
        self.write(move |connection, tenant| tenants::change(connection, tenant, change)).await
    }

    async fn define(&self, change: NewDefinitions) -> Result<Defined, DefineError> {
        let redefinition = Redefinition {
            tenant: self.tenant,
            shared: Arc::clone(&self.inner.shared),
            pool: Arc::clone(&self.inner.pool),
            writer: Arc::new(self.inner.writer.loose_end()),
            change: Arc::new(change),
        };
        // What is half done is not to be found by the next.
        self.inner.pool.threads().detached(redefinition.run()).await
    }

    async fn activations(&self) -> Result<(Arc<TenantModel>, Vec<Activation>), StoreError> {
        let shared = Arc::clone(&self.inner.shared);
        self.read(move |connection, tenant| {
            let model = shared.models.get_committed(connection, tenant)?;
            Ok((model, activations::in_force(connection, tenant)?))
        })
        .await
    }

    async fn in_force(
        &self,
        at: Timestamp,
    ) -> Result<(Arc<TenantModel>, Vec<Activation>, Vec<StoredWaiver>), StoreError> {
        let shared = Arc::clone(&self.inner.shared);
        self.read(move |connection, tenant| {
            let model = shared.models.get_committed(connection, tenant)?;
            Ok((model, activations::in_force(connection, tenant)?, waivers::in_force(connection, tenant, at)?))
        })
        .await
    }

    async fn add_waiver(&self, waiver: NewWaiver) -> Result<StoredWaiver, StoreError> {
        self.write(move |connection, tenant| waivers::add(connection, tenant, &waiver)).await
    }

    async fn waivers(&self, most: usize) -> Result<Vec<StoredWaiver>, StoreError> {
        self.read(move |connection, tenant| waivers::newest(connection, tenant, most)).await
    }

    async fn waivers_ending_at(&self, ends: &[Timestamp]) -> Result<Vec<StoredWaiver>, StoreError> {
        let ends = ends.to_vec();
        self.read(move |connection, tenant| waivers::ending_at(connection, tenant, &ends)).await
    }

    async fn revoke_waiver(
        &self,
        id: WaiverId,
        (by, at): (&str, Timestamp),
    ) -> Result<Option<StoredWaiver>, StoreError> {
        let by = by.to_owned();
        self.write(move |connection, tenant| waivers::revoke(connection, tenant, id, (&by, at))).await
    }

    async fn activate(
        &self,
        name: &ConstraintName,
        state: Option<ActivationState>,
        by: &str,
        at: Timestamp,
    ) -> Result<i64, ActivateError> {
        let (tenant, name, by) = (self.tenant, name.clone(), by.to_owned());
        let work =
            move |connection: &Connection| activations::activate(connection, tenant, &name, state.as_ref(), &by, at);
        self.inner.writer.write(work).await
    }

    async fn activation_history(&self, name: &ConstraintName) -> Result<Vec<Activation>, StoreError> {
        let name = name.clone();
        self.read(move |connection, tenant| activations::history(connection, tenant, &name)).await
    }

    async fn put_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableRevision, bool), TableChangeError> {
        let writer = self.inner.writer.loose_end();
        let upload = TableUpload { tenant: self.tenant, writer, new: Arc::new(new), kept };
        // What is begun is finished or given up, also when the caller goes away.
        self.inner.pool.threads().detached(upload.put()).await
    }

    async fn stage_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableState, bool), TableChangeError> {
        let writer = self.inner.writer.loose_end();
        let upload = TableUpload { tenant: self.tenant, writer, new: Arc::new(new), kept };
        self.inner.pool.threads().detached(upload.stage()).await
    }

    async fn table_contents(&self, name: &str, digest: &str) -> Result<Option<TableState>, StoreError> {
        let (name, digest) = (name.to_owned(), digest.to_owned());
        self.read(move |connection, tenant| staged::find(connection, tenant, &name, &digest)).await
    }

    async fn apply(&self, changes: ChangeSet, kept: TablesKept) -> Result<i64, ChangeSetError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| change_set::apply(connection, tenant, &changes, kept)).await
    }

    async fn restore_table(
        &self,
        name: &str,
        revision: Option<u32>,
        (by, at): (&str, Timestamp),
        kept: TablesKept,
    ) -> Result<TableRevision, TableChangeError> {
        let (tenant, name, by) = (self.tenant, name.to_owned(), by.to_owned());
        let work =
            move |connection: &Connection| tables::restore(connection, tenant, (&name, revision), (&by, at), kept);
        self.inner.writer.write(work).await
    }

    async fn remove_table(
        &self,
        name: &str,
        (by, at): (&str, Timestamp),
        kept: TablesKept,
    ) -> Result<TableRevision, TableChangeError> {
        let (tenant, name, by) = (self.tenant, name.to_owned(), by.to_owned());
        let work = move |connection: &Connection| tables::remove(connection, tenant, &name, (&by, at), kept);
        self.inner.writer.write(work).await
    }

    async fn tables(&self) -> Result<Vec<TableRevision>, StoreError> {
        self.read(tables::all).await
    }

    async fn table_history(&self, name: &str) -> Result<Vec<TableRevision>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection, tenant| tables::history(connection, tenant, &name)).await
    }

    async fn table_rows(
        &self,
        name: &str,
        revision: u32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let (name, after) = (name.to_owned(), after.map(str::to_owned));
        self.read(move |connection, tenant| tables::rows(connection, tenant, &name, revision, after.as_deref(), limit))
            .await
    }

    async fn accept(&self, request: NewAsyncRequest) -> Result<(), StoreError> {
        self.write(move |connection, tenant| asynchronous::accept(connection, tenant, &request)).await
    }

    async fn async_request(&self, txn: Txn) -> Result<Option<AsyncRequest>, StoreError> {
        self.read(move |connection, tenant| asynchronous::one(connection, tenant, txn)).await
    }

    async fn decisions_of(&self, txn: Txn) -> Result<Vec<StoredDecision>, StoreError> {
        self.read(move |connection, tenant| decisions::of_request(connection, tenant, txn)).await
    }

    async fn finish(&self, finish: Finish) -> Result<(), StoreError> {
        self.write(move |connection, tenant| asynchronous::finish(connection, tenant, &finish)).await
    }

    async fn decisions(&self, query: DecisionQuery) -> Result<DecisionPage, StoreError> {
        self.read(move |connection, tenant| decisions::page(connection, tenant, &query)).await
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
        self.read(move |connection, tenant| decisions::one(connection, tenant, id)).await
    }
}
