//! [`Faulty`]: a store whose database breaks in the middle of what it is asked, at each place where it can, before it is let
//! answer. So whatever is asked in the tests of [`conformance`](super), and with whatever values, meets each fault; that
//! those tests pass all the same shows that nothing was done of what failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::RwLock;

use crate::decision::{AdmittedChange, ConstraintName, DecisionId, DecisionRecord, LookUp, TenantId, Txn, WaiverId};
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::query::Found;
use crate::store::{
    ActivateError, Activation, ActivationState, Active, AddVersionError, AsyncRequest, ChangeSet, ChangeSetError,
    Choose, CommitError, DecisionPage, DecisionPartition, DecisionQuery, DecisionSpan, DefineError, Defined, Finish,
    FoundRow, Glimpse, LiveNode, Matches, Membership, NewAsyncRequest, NewDefinitions, NewNode, NewSigningKey,
    NewSigningPolicy, NewTable, NewToken, NewVersion, NewWaiver, Page, PartitionCare, PluginVersion, Premise,
    QueryError, Queued, Reference, Represented, RightOfWay, ShowError, Shown, Signed, Signing, SigningKey,
    SigningKeyError, SigningPolicyError, Snapshot, Store, StoreError, StoredComponent, StoredDecision, StoredWaiver,
    TableChangeError, TableRevision, TableState, TablesKept, Tenant, TenantChange, TenantModel, TenantStore, Token,
    TokenHash, TokenOwner, Wanted,
};

/// Calls of each method that meet faults, each in another test: with other values and another state, but not all of thousands.
const CALLS_MAX: usize = 10;

/// Places at which a call meets faults. Of those that ask more, one question is like the other.
const PLACES_MAX: usize = 40;

/// How often something else that goes on may have met the fault instead, like the end of a transaction that nobody waits
/// for. What only reads is asked again then.
const ABSORBED_MAX: usize = 5;

/// How many of them have.
#[derive(Default)]
pub(crate) struct Budget(Mutex<HashMap<&'static str, usize>>);

impl Budget {
    fn take(&self, name: &'static str) -> bool {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = calls.entry(name).or_default();
        *calls += 1;
        *calls <= CALLS_MAX
    }
}

/// What breaks.
#[async_trait]
pub(crate) trait Faults: Send + Sync {
    /// In how many ways, for what only reads, and for what writes.
    fn ways(&self, reads: bool) -> usize;
    /// Has it break in one of the ways, at a place of what is asked next.
    async fn arm(&self, way: usize, place: usize);
    /// It works again; whether it has broken.
    async fn disarm(&self) -> bool;
}

/// A store, and what breaks under it.
#[derive(Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn Store>,
    breaking: Arc<Breaking>,
}

struct Breaking {
    faults: Arc<dyn Faults>,
    /// Of all tests.
    budget: Arc<Budget>,
    /// Who meets faults is alone: nobody else shall.
    alone: RwLock<()>,
    calls: Mutex<HashMap<&'static str, Met>>,
}

/// What has become of the calls of a method.
#[derive(Clone, Copy, Default)]
struct Met {
    calls: usize,
    failures: usize,
}

impl Faulty {
    pub(crate) fn new(inner: impl Store, faults: Arc<dyn Faults>, budget: &Arc<Budget>) -> Self {
        let breaking =
            Breaking { faults, budget: Arc::clone(budget), alone: RwLock::default(), calls: Mutex::default() };
        Self { inner: Arc::new(inner), breaking: Arc::new(breaking) }
    }

    /// How often each method has failed.
    pub(crate) fn failures(&self) -> HashMap<&'static str, usize> {
        self.breaking.calls().iter().map(|(name, met)| (*name, met.failures)).collect()
    }
}

impl Breaking {
    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Met>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another call of a method shall meet faults.
    fn begin(&self, name: &'static str, reads: bool) -> bool {
        if self.faults.ways(reads) == 0 {
            return false;
        }
        let mut calls = self.calls();
        let met = calls.entry(name).or_default();
        met.calls += 1;
        // What writes is not repeated where something else has met its fault: another call is.
        let is_to_meet = met.calls == 1 || met.failures == 0 && met.calls <= 3;
        is_to_meet && self.budget.take(name)
    }

    /// The answer where it breaks at one place, and whether it has.
    async fn armed<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        way: usize,
        place: usize,
        reads: bool,
        call: &impl Fn() -> F,
    ) -> (Result<T, E>, bool) {
        for _ in 0..ABSORBED_MAX {
            self.faults.arm(way, place).await;
            let answer = call().await;
            let has_broken = self.faults.disarm().await;
            let is_absorbed = has_broken && answer.as_ref().err().and_then(OfStore::of_store).is_none();
            if !reads || !is_absorbed {
                return (answer, has_broken);
            }
        }
        (call().await, false)
    }

    /// The answer, after the call has met a fault at each place, if it shall.
    async fn ask<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        (name, reads): (&'static str, bool),
        call: impl Fn() -> F,
    ) -> Result<T, E> {
        if self.begin(name, reads) {
            return self.through((name, reads), call).await;
        }
        let _not_alone = self.alone.read().await;
        call().await
    }

    /// The answer, after the call has met a fault at each place.
    async fn through<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        (name, reads): (&'static str, bool),
        call: impl Fn() -> F,
    ) -> Result<T, E> {
        let _alone = self.alone.write().await;
        // What goes on by itself, like the end of a transaction that nobody waits for, is over by then, most of the time.
        tokio::time::sleep(Duration::from_millis(2)).await;
        for place in 0..PLACES_MAX {
            for way in 0..self.faults.ways(reads) {
                let (answer, has_broken) = self.armed(way, place, reads, &call).await;
                match answer.as_ref().err().and_then(OfStore::of_store) {
                    None => return answer,
                    Some(error) if error.is_passing() && has_broken => {
                        self.calls().entry(name).or_default().failures += 1;
                    }
                    // As the tests expect it.
                    Some(StoreError::NoTenant) => return answer,
                    Some(error) => panic!("`{name}` fails, broken in way {way} at place {place}: {error:?}"),
                }
            }
        }
        call().await
    }
}

/// An error that may be one of the store itself.
trait OfStore {
    fn of_store(&self) -> Option<&StoreError>;
}

impl OfStore for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

macro_rules! of_store {
    ($($error:ident),+) => {
        $(
            impl OfStore for $error {
                fn of_store(&self) -> Option<&StoreError> {
                    if let Self::Store(error) = self { Some(error) } else { None }
                }
            }
        )+
    };
}
of_store!(
    ActivateError,
    AddVersionError,
    CommitError,
    DefineError,
    QueryError,
    SigningKeyError,
    SigningPolicyError,
    TableChangeError
);

impl OfStore for ChangeSetError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Table(TableChangeError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// An implementation of a trait whose methods meet faults, and some of its own.
macro_rules! faulty {
    (impl $trait:ident for $type:ty { $($own:tt)* }
     reads { $(fn $read:ident($($read_arg:ident: $read_type:ty),*) -> $read_answer:ty;)* }
     writes { $(fn $write:ident($($write_arg:ident: $write_type:ty),*) -> $write_answer:ty;)* }) => {
        #[async_trait]
        impl $trait for $type {
            $($own)*
            $(async fn $read(&self, $($read_arg: $read_type),*) -> $read_answer {
                self.ask(stringify!($read), true, |inner| {
                    $(let $read_arg = Clone::clone(&$read_arg);)*
                    async move { inner.$read($($read_arg),*).await }
                }).await
            })*
            $(async fn $write(&self, $($write_arg: $write_type),*) -> $write_answer {
                self.ask(stringify!($write), false, |inner| {
                    $(let $write_arg = Clone::clone(&$write_arg);)*
                    async move { inner.$write($($write_arg),*).await }
                }).await
            })*
        }
    };
}

impl Faulty {
    async fn ask<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        name: &'static str,
        reads: bool,
        call: impl Fn(Arc<dyn Store>) -> F,
    ) -> Result<T, E> {
        self.breaking.ask((name, reads), || call(Arc::clone(&self.inner))).await
    }
}

faulty! {
    impl Store for Faulty {
        fn tenant(&self, tenant: TenantId) -> Arc<dyn TenantStore> {
            Arc::new(FaultyTenant { inner: self.inner.tenant(tenant), breaking: Arc::clone(&self.breaking) })
        }

        /// A node has a session of its own, which is made anew without anybody being told.
        async fn join(&self, node: NewNode) -> Result<Arc<dyn Membership>, StoreError> {
            let _not_alone = self.breaking.alone.read().await;
            self.inner.join(node).await
        }

        /// What it does is done in a session of its own, whose faults the tests of partitions meet.
        async fn care_for_partitions(&self) -> Result<Option<Arc<dyn PartitionCare>>, StoreError> {
            let _not_alone = self.breaking.alone.read().await;
            self.inner.care_for_partitions().await
        }
    }
    reads {
        fn tenants() -> Result<Vec<Tenant>, StoreError>;
        fn forgetful_tenants() -> Result<Vec<Tenant>, StoreError>;
        fn nodes() -> Result<Vec<LiveNode>, StoreError>;
        fn decision_partitions() -> Result<Vec<DecisionPartition>, StoreError>;
        fn tenant_named(name: &str) -> Result<Option<Tenant>, StoreError>;
        fn token_owner(hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError>;
        fn component(digest: &str) -> Result<Option<StoredComponent>, StoreError>;
        fn unfinished() -> Result<Vec<(TenantId, Txn)>, StoreError>;
        fn ping() -> Result<(), StoreError>;
    }
    writes {
        fn create_tenant(name: &str, at: Timestamp) -> Result<Option<Tenant>, StoreError>;
        fn delete_tenant(name: &str) -> Result<bool, StoreError>;
    }
}

struct FaultyTenant {
    inner: Arc<dyn TenantStore>,
    breaking: Arc<Breaking>,
}

impl FaultyTenant {
    async fn ask<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        name: &'static str,
        reads: bool,
        call: impl Fn(Arc<dyn TenantStore>) -> F,
    ) -> Result<T, E> {
        self.breaking.ask((name, reads), || call(Arc::clone(&self.inner))).await
    }
}

faulty! {
    impl TenantStore for FaultyTenant {
        async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
            let snapshot = FaultySnapshot {
                tenant: Arc::clone(&self.inner),
                inner: self.inner.snapshot().await?,
                breaking: Arc::clone(&self.breaking),
            };
            Ok(Arc::new(snapshot))
        }

        /// It is never needed, and who does not get it goes on without.
        async fn right_of_way(&self, resource: ResourceId) -> Result<Option<RightOfWay>, StoreError> {
            let _not_alone = self.breaking.alone.read().await;
            self.inner.right_of_way(resource).await
        }

        /// What others rest on is queued once; the faults are met by `commit`.
        async fn queue_commit(&self, change: Arc<AdmittedChange>, rests_on: Option<Premise>) -> Result<Queued, CommitError> {
            let _not_alone = self.breaking.alone.read().await;
            self.inner.queue_commit(change, rests_on).await
        }
    }
    reads {
        fn glimpse(endpoint: &str, id: ResourceId, named: &[ResourceId]) -> Result<Option<Glimpse>, StoreError>;
        fn tokens() -> Result<Vec<Token>, StoreError>;
        fn signing() -> Result<Signing, StoreError>;
        fn signatures(digest: Option<&str>) -> Result<Vec<Signed>, StoreError>;
        fn versions(plugin: Option<&str>) -> Result<Vec<PluginVersion>, StoreError>;
        fn model() -> Result<Arc<TenantModel>, StoreError>;
        fn activations() -> Result<(Arc<TenantModel>, Vec<Activation>), StoreError>;
        fn in_force(at: Timestamp) -> Result<(Arc<TenantModel>, Vec<Activation>, Vec<StoredWaiver>), StoreError>;
        fn active() -> Result<Active, StoreError>;
        fn oldest_decisions(of: DecisionSpan, most: usize) -> Result<Vec<StoredDecision>, StoreError>;
        fn waivers(most: usize) -> Result<Vec<StoredWaiver>, StoreError>;
        fn waivers_ending_at(ends: &[Timestamp]) -> Result<Vec<StoredWaiver>, StoreError>;
        fn activation_history(name: &ConstraintName) -> Result<Vec<Activation>, StoreError>;
        fn tables() -> Result<Vec<TableRevision>, StoreError>;
        fn table_contents(name: &str, digest: &str) -> Result<Option<TableState>, StoreError>;
        fn table_history(name: &str) -> Result<Vec<TableRevision>, StoreError>;
        fn table_rows(name: &str, revision: u32, after: Option<&str>, limit: usize) -> Result<Option<Vec<(String, String)>>, StoreError>;
        fn async_request(txn: Txn) -> Result<Option<AsyncRequest>, StoreError>;
        fn decisions_of(txn: Txn) -> Result<Vec<StoredDecision>, StoreError>;
        fn decisions(query: DecisionQuery) -> Result<DecisionPage, StoreError>;
        fn decision(id: DecisionId) -> Result<Option<StoredDecision>, StoreError>;
    }
    writes {
        fn record_refusal(record: Arc<DecisionRecord>) -> Result<(), StoreError>;
        fn drop_decisions(of: DecisionSpan, through: Option<DecisionId>, most: usize) -> Result<usize, StoreError>;
        fn create_token(token: NewToken) -> Result<Token, StoreError>;
        fn revoke_token(id: uuid::Uuid, at: Timestamp) -> Result<bool, StoreError>;
        fn add_version(version: NewVersion) -> Result<(PluginVersion, bool), AddVersionError>;
        fn add_signing_key(key: NewSigningKey, most: usize) -> Result<SigningKey, SigningKeyError>;
        fn remove_signing_key(name: &str) -> Result<Option<SigningKey>, StoreError>;
        fn set_signing_policy(policy: NewSigningPolicy) -> Result<Signing, SigningPolicyError>;
        fn change(change: TenantChange) -> Result<Tenant, StoreError>;
        fn define(change: NewDefinitions) -> Result<Defined, DefineError>;
        fn add_waiver(waiver: NewWaiver) -> Result<StoredWaiver, StoreError>;
        fn revoke_waiver(id: WaiverId, made: (&str, Timestamp)) -> Result<Option<StoredWaiver>, StoreError>;
        fn activate(name: &ConstraintName, state: Option<ActivationState>, by: &str, at: Timestamp) -> Result<i64, ActivateError>;
        fn restore_table(name: &str, revision: Option<u32>, made: (&str, Timestamp), kept: TablesKept) -> Result<TableRevision, TableChangeError>;
        fn remove_table(name: &str, made: (&str, Timestamp), kept: TablesKept) -> Result<TableRevision, TableChangeError>;
        fn apply(changes: ChangeSet, kept: TablesKept) -> Result<i64, ChangeSetError>;
        fn stage_table(new: NewTable, kept: TablesKept) -> Result<(TableState, bool), TableChangeError>;
        fn accept(request: NewAsyncRequest) -> Result<(), StoreError>;
        fn finish(finish: Finish) -> Result<(), StoreError>;
        fn commit(change: Arc<AdmittedChange>) -> Result<(), CommitError>;
        fn put_table(new: NewTable, kept: TablesKept) -> Result<(TableRevision, bool), TableChangeError>;
    }
}

/// The faults are met by other snapshots: one that has lost its connection is of no use, and another one is of another
/// moment.
struct FaultySnapshot {
    tenant: Arc<dyn TenantStore>,
    inner: Arc<dyn Snapshot>,
    breaking: Arc<Breaking>,
}

impl FaultySnapshot {
    async fn ask<T, E: OfStore, F: Future<Output = Result<T, E>>>(
        &self,
        name: &'static str,
        reads: bool,
        call: impl Fn(Arc<dyn Snapshot>) -> F,
    ) -> Result<T, E> {
        if self.breaking.begin(name, reads) {
            let call = &call;
            let on_another = || async move { call(self.tenant.snapshot().await.expect("a snapshot")).await };
            drop(self.breaking.through((name, reads), on_another).await);
        }
        let _not_alone = self.breaking.alone.read().await;
        call(Arc::clone(&self.inner)).await
    }
}

faulty! {
    impl Snapshot for FaultySnapshot {
        /// The choice is given away: the faults are met by the question before it.
        async fn show(&self, choose: Choose) -> Result<Shown, ShowError> {
            self.model().await?;
            self.inner.show(choose).await
        }

        fn is_outdated(&self) -> bool {
            self.inner.is_outdated()
        }
    }
    reads {
        fn model() -> Result<Arc<TenantModel>, StoreError>;
        fn presumed_model() -> Result<Arc<TenantModel>, StoreError>;
        fn resource(resource_type: &Arc<ResourceType>, id: ResourceId) -> Result<Option<Resource>, StoreError>;
        fn find(resource_type: &Arc<ResourceType>, filter: Option<&Filter>, page: Page) -> Result<Matches, QueryError>;
        fn represent(resource: Resource, wanted: Wanted) -> Result<Represented, StoreError>;
        fn member_references(group: ResourceId, after: Option<ResourceId>, limit: usize, displays: bool) -> Result<Vec<Reference>, StoreError>;
        fn count(resource_type: &Arc<ResourceType>, filter: Option<&Filter>) -> Result<u64, QueryError>;
        fn members(group: ResourceId, after: Option<ResourceId>, limit: usize) -> Result<Vec<Member>, StoreError>;
        fn members_among(group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
        fn identify(ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
        fn groups_of(id: ResourceId) -> Result<Vec<ResourceId>, StoreError>;
        fn displays(ids: &[ResourceId]) -> Result<Vec<(ResourceId, String)>, StoreError>;
        fn look_up(look_up: &LookUp) -> Result<Found, QueryError>;
        fn table_row(table: &str, key: &str) -> Result<Option<FoundRow>, StoreError>;
    }
    writes {
    }
}
