//! [`SqlTenant`]: each method of [`TenantStore`] as a question, or as a transaction.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::driver::Connection;
use super::filling::Filling;
use super::redefine::Redefinition;
use super::snapshot::SqlSnapshot;
use super::table_upload::TableUpload;
use super::{
    Inner, activations, asynchronous, change_set, decisions, glimpse, nodes, plugins, signing, staged, tables, tenants,
    tokens, waivers, writer,
};
use crate::decision::{AdmittedChange, ConstraintName, DecisionId, DecisionRecord, TenantId, Txn, WaiverId};
use crate::scim::resource::ResourceId;
use crate::store::write_set::{DecisionRow, MembersWrite, WriteSet};
use crate::store::{
    ActivateError, Activation, ActivationState, Active, AddVersionError, AsyncRequest, ChangeSet, ChangeSetError,
    CommitError, DecisionPage, DecisionQuery, DecisionSpan, DefineError, Defined, Finish, Glimpse, NewAsyncRequest,
    NewDefinitions, NewSigningKey, NewSigningPolicy, NewTable, NewToken, NewVersion, NewWaiver, PluginVersion, Premise,
    Queued, RightOfWay, Signed, Signing, SigningKey, SigningKeyError, SigningPolicyError, Snapshot, StoreError,
    StoredDecision, StoredWaiver, TableChangeError, TableRevision, TableState, TablesKept, Tenant, TenantChange,
    TenantModel, TenantStore, Token,
};

/// One tenant's part of the store.
pub(super) struct SqlTenant {
    pub(super) tenant: TenantId,
    pub(super) inner: Arc<Inner>,
}

impl SqlTenant {
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
        mut work: impl FnMut(&Connection, TenantId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tenant = self.tenant;
        self.inner.writer.write(move |connection| work(connection, tenant)).await
    }
}

#[async_trait]
impl TenantStore for SqlTenant {
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let lease = self.inner.pool.lease(self.tenant).await?;
        let (shared, pool) = (Arc::clone(&self.inner.shared), Arc::clone(&self.inner.pool));
        Ok(Arc::new(SqlSnapshot::new(self.tenant, shared, pool, lease)))
    }

    async fn glimpse(
        &self,
        endpoint: &str,
        id: ResourceId,
        named: &[ResourceId],
    ) -> Result<Option<Glimpse>, StoreError> {
        if let Some(asked) = self.inner.pool.asked_together() {
            let glimpse = glimpse::together(asked, &self.inner.shared, self.tenant, endpoint, id, named).await?;
            if glimpse.is_some() {
                return Ok(glimpse);
            }
        }
        Glimpse::of_snapshot(&*self.snapshot().await?, endpoint, id, named).await
    }

    async fn right_of_way(&self, resource: ResourceId) -> Result<Option<RightOfWay>, StoreError> {
        self.inner.writer.right_of_way(resource).await
    }

    async fn queue_commit(
        &self,
        change: Arc<AdmittedChange>,
        rests_on: Option<Premise>,
    ) -> Result<Queued, CommitError> {
        let write = WriteSet::of(&change)?;
        let (tenant, shared) = (self.tenant, Arc::clone(&self.inner.shared));
        if matches!(write.members, MembersWrite::Set { .. }) {
            let (pool, writer) = (Arc::clone(&self.inner.pool), self.inner.writer.loose_end());
            let filling = Filling { tenant, shared, pool, writer };
            let threads = Arc::clone(self.inner.pool.threads());
            // What is begun is committed or given up, also when the caller goes away.
            return Ok(writer::queued(async move { threads.detached(filling.commit(write)).await }, rests_on));
        }
        shared.fillings.wait(tenant, write.id).await;
        self.inner.writer.queue_commit(tenant, shared, write, rests_on).await
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

    async fn active(&self) -> Result<Active, StoreError> {
        self.read(nodes::active).await
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
        let upload =
            TableUpload { tenant: self.tenant, writer, node: self.inner.shared.node, new: Arc::new(new), kept };
        // What is begun is finished or given up, also when the caller goes away.
        self.inner.pool.threads().detached(upload.put()).await
    }

    async fn stage_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableState, bool), TableChangeError> {
        let writer = self.inner.writer.loose_end();
        let upload =
            TableUpload { tenant: self.tenant, writer, node: self.inner.shared.node, new: Arc::new(new), kept };
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
        let node = self.inner.shared.node;
        self.write(move |connection, tenant| asynchronous::accept(connection, tenant, node, &request)).await
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

    async fn oldest_decisions(&self, of: DecisionSpan, most: usize) -> Result<Vec<StoredDecision>, StoreError> {
        self.read(move |connection, tenant| decisions::oldest(connection, tenant, of, most)).await
    }

    async fn drop_decisions(
        &self,
        of: DecisionSpan,
        through: Option<DecisionId>,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.write(move |connection, tenant| decisions::drop_oldest(connection, tenant, (of, through), most)).await
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
        self.read(move |connection, tenant| decisions::one(connection, tenant, id)).await
    }
}
