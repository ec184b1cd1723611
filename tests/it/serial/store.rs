//! The store, with a gate wherever a writer takes its moment, looks something up or commits. What it answers is what the real
//! store answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use scruple::decision::{AdmittedChange, ConstraintName, DecisionId, DecisionRecord, LookUp, TenantId, Txn, WaiverId};
use scruple::scim::filter::Filter;
use scruple::scim::resource::{Member, Resource, ResourceId};
use scruple::scim::schema::ResourceType;
use scruple::store::{
    ActivateError, Activation, ActivationState, Active, AddVersionError, AsyncRequest, ChangeSet, ChangeSetError,
    Choose, CommitError, DecisionPage, DecisionPartition, DecisionQuery, DecisionSpan, DefineError, Defined, Finish,
    Found, FoundRow, Glimpse, LiveNode, Matches, Membership, NewAsyncRequest, NewDefinitions, NewNode, NewSigningKey,
    NewSigningPolicy, NewTable, NewToken, NewVersion, NewWaiver, Page, PartitionCare, PluginVersion, Premise,
    QueryError, Queued, Reference, Represented, RightOfWay, ShowError, Shown, Signed, Signing, SigningKey,
    SigningKeyError, SigningPolicyError, Snapshot, Store, StoreError, StoredComponent, StoredDecision, StoredWaiver,
    TableChangeError, TableRevision, TableState, TablesKept, Tenant, TenantChange, TenantModel, TenantStore, Token,
    TokenHash, TokenOwner, Wanted,
};

use super::gates::{Gate, Gates, Writer};

tokio::task_local! {
    /// Who asks the store.
    pub(super) static WRITER: Writer;
}

/// How many tries were lost, by what had moved.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) look_ups: AtomicUsize,
    pub(super) generations: AtomicUsize,
    pub(super) others: AtomicUsize,
}

impl Lost {
    fn count(&self, error: &CommitError) -> bool {
        let counter = match error {
            CommitError::LookUpMoved => &self.look_ups,
            CommitError::GenerationMoved => &self.generations,
            CommitError::VersionMoved | CommitError::MemberMoved => &self.others,
            CommitError::Duplicate { .. } | CommitError::Store(_) => return false,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// The store of one schedule.
#[derive(Clone)]
pub(super) struct GatedStore {
    pub(super) inner: Arc<dyn Store>,
    pub(super) gates: Gates,
    pub(super) lost: Arc<Lost>,
    /// Whether there is a gate before each look-up, too.
    pub(super) at_look_ups: bool,
}

struct GatedTenant {
    inner: Arc<dyn TenantStore>,
    writer: Writer,
    store: GatedStore,
}

struct GatedSnapshot {
    inner: Arc<dyn Snapshot>,
    store: GatedStore,
}

/// An implementation of a trait that has some methods of its own, and passes the others on.
macro_rules! gated {
    (impl $trait:ident for $type:ty { $($own:tt)* } else {
        $(fn $name:ident($($arg:ident: $arg_type:ty),*) -> $answer:ty;)*
    }) => {
        #[async_trait]
        impl $trait for $type {
            $($own)*
            $(async fn $name(&self, $($arg: $arg_type),*) -> $answer { self.inner.$name($($arg),*).await })*
        }
    };
}

gated! {
    impl Store for GatedStore {
        fn tenant(&self, tenant: TenantId) -> Arc<dyn TenantStore> {
            Arc::new(GatedTenant { inner: self.inner.tenant(tenant), writer: WRITER.get(), store: self.clone() })
        }
    } else {
        fn create_tenant(name: &str, at: Timestamp) -> Result<Option<Tenant>, StoreError>;
        fn tenants() -> Result<Vec<Tenant>, StoreError>;
        fn forgetful_tenants() -> Result<Vec<Tenant>, StoreError>;
        fn tenant_named(name: &str) -> Result<Option<Tenant>, StoreError>;
        fn delete_tenant(name: &str) -> Result<bool, StoreError>;
        fn token_owner(hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError>;
        fn component(digest: &str) -> Result<Option<StoredComponent>, StoreError>;
        fn unfinished() -> Result<Vec<(TenantId, Txn)>, StoreError>;
        fn join(node: NewNode) -> Result<Arc<dyn Membership>, StoreError>;
        fn nodes() -> Result<Vec<LiveNode>, StoreError>;
        fn decision_partitions() -> Result<Vec<DecisionPartition>, StoreError>;
        fn care_for_partitions() -> Result<Option<Arc<dyn PartitionCare>>, StoreError>;
        fn ping() -> Result<(), StoreError>;
    }
}

gated! {
    impl TenantStore for GatedTenant {
        async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
            self.store.gates.pass(Gate::Look).await;
            let inner = self.inner.snapshot().await?;
            Ok(Arc::new(GatedSnapshot { inner, store: self.store.clone() }))
        }

        /// What is looked at before one's turn.
        async fn glimpse(&self, endpoint: &str, id: ResourceId, named: &[ResourceId]) -> Result<Option<Glimpse>, StoreError> {
            self.store.gates.pass(Gate::Look).await;
            self.inner.glimpse(endpoint, id, named).await
        }

        /// Nobody ever has it: what is written must hold without.
        async fn right_of_way(&self, _resource: ResourceId) -> Result<Option<RightOfWay>, StoreError> {
            Ok(None)
        }

        async fn queue_commit(
            &self,
            change: Arc<AdmittedChange>,
            rests_on: Option<Premise>,
        ) -> Result<Queued, CommitError> {
            self.store.gates.pass(Gate::Commit).await;
            let Queued { premise, committing } = self.inner.queue_commit(change, rests_on).await?;
            let (store, writer) = (self.store.clone(), self.writer);
            let committing = Box::pin(async move {
                let committed = committing.await;
                match &committed {
                    Ok(()) => store.gates.commit(writer),
                    Err(error) if store.lost.count(error) => store.gates.lose(writer),
                    Err(_) => {}
                }
                committed
            });
            Ok(Queued { premise, committing })
        }

        async fn put_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableRevision, bool), TableChangeError> {
            self.store.gates.pass(Gate::Commit).await;
            let (table, added) = self.inner.put_table(new, kept).await?;
            if added {
                self.store.gates.commit(self.writer);
            }
            Ok((table, added))
        }
    } else {
        fn record_refusal(record: Arc<DecisionRecord>) -> Result<(), StoreError>;
        fn create_token(token: NewToken) -> Result<Token, StoreError>;
        fn tokens() -> Result<Vec<Token>, StoreError>;
        fn revoke_token(id: uuid::Uuid, at: Timestamp) -> Result<bool, StoreError>;
        fn add_version(version: NewVersion) -> Result<(PluginVersion, bool), AddVersionError>;
        fn signing() -> Result<Signing, StoreError>;
        fn add_signing_key(key: NewSigningKey, most: usize) -> Result<SigningKey, SigningKeyError>;
        fn remove_signing_key(name: &str) -> Result<Option<SigningKey>, StoreError>;
        fn set_signing_policy(policy: NewSigningPolicy) -> Result<Signing, SigningPolicyError>;
        fn signatures(digest: Option<&str>) -> Result<Vec<Signed>, StoreError>;
        fn versions(plugin: Option<&str>) -> Result<Vec<PluginVersion>, StoreError>;
        fn active() -> Result<Active, StoreError>;
        fn change(change: TenantChange) -> Result<Tenant, StoreError>;
        fn define(change: NewDefinitions) -> Result<Defined, DefineError>;
        fn model() -> Result<Arc<TenantModel>, StoreError>;
        fn activations() -> Result<(Arc<TenantModel>, Vec<Activation>), StoreError>;
        fn in_force(at: Timestamp) -> Result<(Arc<TenantModel>, Vec<Activation>, Vec<StoredWaiver>), StoreError>;
        fn add_waiver(waiver: NewWaiver) -> Result<StoredWaiver, StoreError>;
        fn waivers(most: usize) -> Result<Vec<StoredWaiver>, StoreError>;
        fn waivers_ending_at(ends: &[Timestamp]) -> Result<Vec<StoredWaiver>, StoreError>;
        fn revoke_waiver(id: WaiverId, made: (&str, Timestamp)) -> Result<Option<StoredWaiver>, StoreError>;
        fn activate(name: &ConstraintName, state: Option<ActivationState>, by: &str, at: Timestamp) -> Result<i64, ActivateError>;
        fn activation_history(name: &ConstraintName) -> Result<Vec<Activation>, StoreError>;
        fn restore_table(name: &str, revision: Option<u32>, made: (&str, Timestamp), kept: TablesKept) -> Result<TableRevision, TableChangeError>;
        fn remove_table(name: &str, made: (&str, Timestamp), kept: TablesKept) -> Result<TableRevision, TableChangeError>;
        fn tables() -> Result<Vec<TableRevision>, StoreError>;
        fn apply(changes: ChangeSet, kept: TablesKept) -> Result<i64, ChangeSetError>;
        fn stage_table(new: NewTable, kept: TablesKept) -> Result<(TableState, bool), TableChangeError>;
        fn table_contents(name: &str, digest: &str) -> Result<Option<TableState>, StoreError>;
        fn table_history(name: &str) -> Result<Vec<TableRevision>, StoreError>;
        fn table_rows(name: &str, revision: u32, after: Option<&str>, limit: usize) -> Result<Option<Vec<(String, String)>>, StoreError>;
        fn accept(request: NewAsyncRequest) -> Result<(), StoreError>;
        fn async_request(txn: Txn) -> Result<Option<AsyncRequest>, StoreError>;
        fn decisions_of(txn: Txn) -> Result<Vec<StoredDecision>, StoreError>;
        fn finish(finish: Finish) -> Result<(), StoreError>;
        fn decisions(query: DecisionQuery) -> Result<DecisionPage, StoreError>;
        fn oldest_decisions(of: DecisionSpan, most: usize) -> Result<Vec<StoredDecision>, StoreError>;
        fn drop_decisions(of: DecisionSpan, through: Option<DecisionId>, most: usize) -> Result<usize, StoreError>;
        fn decision(id: DecisionId) -> Result<Option<StoredDecision>, StoreError>;
    }
}

gated! {
    impl Snapshot for GatedSnapshot {
        /// Between the presumed model and this another one may come into force.
        async fn resource(&self, resource_type: &Arc<ResourceType>, id: ResourceId) -> Result<Option<Resource>, StoreError> {
            if self.store.at_look_ups {
                self.store.gates.pass(Gate::Look).await;
            }
            self.inner.resource(resource_type, id).await
        }

        /// Whoever is told so has lost a try. He asks once.
        fn is_outdated(&self) -> bool {
            let is_outdated = self.inner.is_outdated();
            if is_outdated && self.store.lost.count(&CommitError::GenerationMoved) {
                self.store.gates.lose(WRITER.get());
            }
            is_outdated
        }

        async fn look_up(&self, look_up: &LookUp) -> Result<Found, QueryError> {
            if self.store.at_look_ups {
                self.store.gates.pass(Gate::Look).await;
            }
            self.inner.look_up(look_up).await
        }

        async fn table_row(&self, table: &str, key: &str) -> Result<Option<FoundRow>, StoreError> {
            if self.store.at_look_ups {
                self.store.gates.pass(Gate::Look).await;
            }
            self.inner.table_row(table, key).await
        }
    } else {
        fn model() -> Result<Arc<TenantModel>, StoreError>;
        fn presumed_model() -> Result<Arc<TenantModel>, StoreError>;
        fn find(resource_type: &Arc<ResourceType>, filter: Option<&Filter>, page: Page) -> Result<Matches, QueryError>;
        fn show(choose: Choose) -> Result<Shown, ShowError>;
        fn represent(resource: Resource, wanted: Wanted) -> Result<Represented, StoreError>;
        fn member_references(group: ResourceId, after: Option<ResourceId>, limit: usize, displays: bool) -> Result<Vec<Reference>, StoreError>;
        fn count(resource_type: &Arc<ResourceType>, filter: Option<&Filter>) -> Result<u64, QueryError>;
        fn members(group: ResourceId, after: Option<ResourceId>, limit: usize) -> Result<Vec<Member>, StoreError>;
        fn members_among(group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
        fn identify(ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
        fn groups_of(id: ResourceId) -> Result<Vec<ResourceId>, StoreError>;
        fn displays(ids: &[ResourceId]) -> Result<Vec<(ResourceId, String)>, StoreError>;
    }
}
