//! Persistence in domain words. Everything of a tenant is reached through a [`TenantStore`], which is had with a
//! [`TenantId`]; no method that touches a tenant's data takes none.
//!
//! [`TenantStore::commit`] takes an [`AdmittedChange`] and nothing else. What it writes is described by one
//! [`WriteSet`], so that atomicity is decided in one place, for every engine.

pub mod asynchronous;
pub mod bucket;
pub mod change_set;
pub mod glimpse;
pub mod model;
pub mod moving;
pub mod node;
pub mod partition;
pub mod query;
pub mod queued;
pub mod right_of_way;
pub mod schema;
pub mod signing;
pub mod sql;
pub mod table;
pub mod waiver;
pub mod write_set;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use crate::change::Action;
use crate::decision::{AdmittedChange, ConstraintName, DecisionId, DecisionRecord, LookUp, TenantId, Txn, WaiverId};
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;

pub use asynchronous::{AsyncRequest, Finish, NewAsyncRequest, Progress};
pub use bucket::{Bucket, BucketError, BucketObject};
pub use change_set::{ChangeSet, ChangeSetError};
pub use glimpse::Glimpse;
pub use model::{
    Activation, ActivationState, Broken, DecisionPage, DecisionQuery, Defined, NewDefinitions, NewToken, NewVersion,
    PluginVersion, StoredComponent, StoredDecision, Tenant, TenantChange, TenantModel, Token, TokenHash, TokenOwner,
};
pub use moving::{MoveError, MovePhase, MoveProgress, MoveState, MoveTo, MovedTable};
pub use node::{Active, LiveNode, Membership, NewNode};
pub use partition::{DecisionPartition, DecisionSpan, PartitionCare, PartitionedDecision};
pub use query::{Choose, Found, Matches, Page, Reference, Represented, ShowError, Shown, Wanted};
pub use queued::{Committing, Premise, Queued};
pub use right_of_way::RightOfWay;
pub use signing::{
    ActivateError, AddVersionError, NewSigningKey, NewSigningPolicy, Signed, Signing, SigningKey, SigningKeyError,
    SigningPolicyError, Unsigned,
};
pub use sql::{
    Node, SqlStore, StoreOptions, check_integrity, check_servable, copy_file, file_name, give_up_move, has_file,
    move_to_postgres, must_know,
};
pub use table::{FoundRow, NewTable, TableChangeError, TableRevision, TableState, TablesKept};
pub use waiver::{NewWaiver, StoredWaiver, WaiverTarget, WaiverWords};
pub use write_set::WriteSet;

#[cfg(test)]
pub(crate) mod conformance;

/// The store could not do what it was asked, through no fault of the caller.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused.
    #[error("the database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bucket that has the components failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A component was put into a bucket, and this server has none.
    #[error(
        "the component {digest} is in a bucket, and this server knows of none: name it with `[store] components`, as on the server that \
         took the component"
    )]
    NoBucket {
        /// The component's digest.
        digest: String,
    },
    /// What is stored is not what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The store is shutting down or its writer has died.
    #[error("the store is closed")]
    Closed,
    /// The tenant is not there, or is being deleted.
    #[error("there is no such tenant")]
    NoTenant,
    /// A look-up that no constraint could have made: its resource type or filter does not exist.
    #[error("a look-up makes no sense: {0}")]
    LookUp(String),
    /// The address of the database is none.
    #[error("the address of the database cannot be read")]
    Address(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server of the database does not answer, or not to us.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The nodes of a database have not the same keys.
    #[error(
        "the database belongs to nodes with another key: copy `secret.key` from the data folder of one of them into that of this one"
    )]
    OtherKeys,
    /// Another node has the id of this one.
    #[error(
        "another server{} works with the database under the id of this one, {id}: stop that one, or, if the data folder was copied, delete `node.id` in the copy",
        of_machine(host, listen)
    )]
    NodeInUse {
        /// The id.
        id: uuid::Uuid,
        /// The other's machine; empty if it is not known.
        host: String,
        /// Where the other listens.
        listen: String,
    },
    /// The disk of the database is full, or its memory.
    #[error("the database has no room")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// As many as may use the database at once do, and none of them has finished for seconds.
    #[error("too many use the database at once")]
    Crowded,
    /// Others were in the way each time.
    #[error("too many write the same at once")]
    Contended,
    /// Something could not be written as JSON.
    #[error("a value cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// A change that has not the states its action needs: a create with a before, a delete with an after.
    #[error("a change of kind {0:?} has states that do not fit it")]
    Incoherent(Action),
    /// The directory or file of the database cannot be used.
    #[error("`{path}` cannot be used")]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is another program's.
    #[error("the database file was not made by this program")]
    NotOurs,
    /// Everything in the file is being moved.
    #[error(
        "what is here is being moved to PostgreSQL: run `scruple migrate` as before to go on with that, or with `--give-up` to stay here"
    )]
    BeingMoved,
    /// Everything in the file has been moved.
    #[error(
        "what was here has been moved to PostgreSQL: name that with `--database`; `scruple migrate --give-up` has what is here served again, \
         without what was written there since"
    )]
    MovedAway,
    /// There is no room for the copy of a file, or another reason why it cannot be written.
    #[error("the copy cannot be written (is the disk full?): {0}")]
    Unwritten(String),
    /// Not everything has been moved into the database yet.
    #[error(
        "the database has half of what is being moved into it: run `scruple migrate` as before, and serve when it has come to its end"
    )]
    HalfMoved,
    /// A newer program has been at work here.
    #[error(
        "the database has schema version {found}, but this program knows only {known}: use the program that last wrote it, or a newer one"
    )]
    SchemaNewer {
        /// What the database has.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// A migration that was applied is not the one that this program has under its number.
    #[error("migration {version} of the database is not the one that this program knows")]
    SchemaChanged {
        /// Its number.
        version: i64,
    },
}

fn of_machine(host: &str, listen: &str) -> String {
    if host.is_empty() { String::new() } else { format!(" (on `{host}`, {listen})") }
}

impl StoreError {
    /// Whether the same request may do later: nothing is wrong with it, nor with what is stored.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Bucket(_) | Self::Full(_) | Self::Crowded | Self::Contended)
    }
}

/// A commit that did not happen. Nothing of it was written.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The resource is not in the version that was judged any more, or not there any more.
    #[error("the resource has changed")]
    VersionMoved,
    /// The tenant's constraints are not the ones that were asked any more.
    #[error("the constraints have changed")]
    GenerationMoved,
    /// A look-up the decision rests on answers differently now.
    #[error("a look-up has changed its answer")]
    LookUpMoved,
    /// A member that is to be added is not there any more.
    #[error("a member has disappeared")]
    MemberMoved,
    /// Another resource has the value of a unique attribute.
    #[error("`{attribute}` is taken")]
    Duplicate {
        /// Canonical path of the attribute.
        attribute: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Definitions that did not become the tenant's. Nothing of them was written.
#[derive(Debug, Error)]
pub enum DefineError {
    /// The tenant's definitions are not those that the new ones were made from any more.
    #[error("the tenant's definitions have changed")]
    GenerationMoved,
    /// Resources are not as the definitions say.
    #[error("{total} resources are not as the definitions say")]
    Broken {
        /// How many there are.
        total: u64,
        /// The first of them.
        broken: Vec<Broken>,
        /// Whether they may stay as they are: nobody can have two resources with one unique value, or resources of a
        /// type that there is not.
        can_be_forced: bool,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A query could not be answered.
#[derive(Debug, Error)]
pub enum QueryError {
    /// No index answers it and there are too many candidates to look at each.
    #[error("the answer would need a look at more than {candidates_max} resources")]
    TooMany {
        /// The limit.
        candidates_max: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store of any number of tenants.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes a tenant; `None` if the name is taken.
    async fn create_tenant(&self, name: &str, at: jiff::Timestamp) -> Result<Option<Tenant>, StoreError>;
    /// Every tenant, by name.
    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError>;
    /// The tenant of that name.
    async fn tenant_named(&self, name: &str) -> Result<Option<Tenant>, StoreError>;
    /// Every tenant whose decisions are not kept for ever, by id.
    async fn forgetful_tenants(&self) -> Result<Vec<Tenant>, StoreError>;
    /// Deletes a tenant with everything it has; `false` if there is none of that name.
    async fn delete_tenant(&self, name: &str) -> Result<bool, StoreError>;
    /// Whom a token belongs to, if it is known and not revoked. Expiry is for the caller, who has the clock.
    async fn token_owner(&self, hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError>;
    /// The component with that SHA-256 digest, of whichever tenant: contents alone decide what it is.
    async fn component(&self, digest: &str) -> Result<Option<StoredComponent>, StoreError>;
    /// Every request that this node has accepted and not finished, in the order of their acceptance; for its start.
    async fn unfinished(&self) -> Result<Vec<(TenantId, Txn)>, StoreError>;
    /// Has a node take part in the work with this store: from then on it is known to the others. An error if one with its id
    /// does already.
    async fn join(&self, node: NewNode) -> Result<Arc<dyn Membership>, StoreError>;
    /// The nodes that live, the oldest first.
    async fn nodes(&self) -> Result<Vec<LiveNode>, StoreError>;
    /// The partitions that the decision log has, oldest first; none, if it is one table.
    async fn decision_partitions(&self) -> Result<Vec<DecisionPartition>, StoreError>;
    /// The care for them; `None`, where there can be none, or as long as another node has it.
    async fn care_for_partitions(&self) -> Result<Option<Arc<dyn PartitionCare>>, StoreError>;
    /// Whether the store can be reached; for readiness.
    async fn ping(&self) -> Result<(), StoreError>;
    /// What one tenant has.
    fn tenant(&self, tenant: TenantId) -> Arc<dyn TenantStore>;
}

/// What one tenant has.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// The tenant's resources as they stand now, to be read from any number of times. The moment is that of the first
    /// question. A caller holds at most one snapshot at a time: there is a maximum for each tenant, and whoever waits
    /// for a second one while holding the first may wait for himself.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;
    /// What a change of a resource is planned by that names these others, all of one moment after this was asked, without a
    /// snapshot to be held; `None` if the store cannot tell it, as where nothing is served at the endpoint. Those who ask at the same
    /// time may be answered together.
    async fn glimpse(
        &self,
        endpoint: &str,
        id: ResourceId,
        named: &[ResourceId],
    ) -> Result<Option<Glimpse>, StoreError>;
    /// Waits until no other node has the right of way of a resource, and takes it; `None` if there can be no other node, or it is not
    /// to be had soon.
    async fn right_of_way(&self, resource: ResourceId) -> Result<Option<RightOfWay>, StoreError>;
    /// Queues the change to be written with its decision in one transaction, if version, generation and look-ups still hold then.
    /// What it comes to is known once it is durable. Of one resource's updates, what is queued first is tried first: one may
    /// rest on what another one that is queued makes of the resource, and is not written if that is not.
    async fn queue_commit(&self, change: Arc<AdmittedChange>, rests_on: Option<Premise>)
    -> Result<Queued, CommitError>;
    /// Does that and waits for it.
    async fn commit(&self, change: Arc<AdmittedChange>) -> Result<(), CommitError> {
        self.queue_commit(change, None).await?.committing.await
    }
    /// Writes the decision on a change that was refused. Returns once it is durable.
    async fn record_refusal(&self, record: Arc<DecisionRecord>) -> Result<(), StoreError>;

    /// Makes a token.
    async fn create_token(&self, token: NewToken) -> Result<Token, StoreError>;
    /// Every token that is not revoked, oldest first.
    async fn tokens(&self) -> Result<Vec<Token>, StoreError>;
    /// Revokes a token; `false` if there is none of that id.
    async fn revoke_token(&self, id: uuid::Uuid, at: jiff::Timestamp) -> Result<bool, StoreError>;

    /// Adds a plugin version with its signatures; the same digest again gives the version it has (`false`: nothing was added
    /// but signatures). What is not signed as the tenant requires is not added.
    async fn add_version(&self, version: NewVersion) -> Result<(PluginVersion, bool), AddVersionError>;
    /// Every version of every plugin, or of one, by plugin and number.
    async fn versions(&self, plugin: Option<&str>) -> Result<Vec<PluginVersion>, StoreError>;

    /// The keys that the tenant knows, and by whom it wants components signed.
    async fn signing(&self) -> Result<Signing, StoreError>;
    /// Makes a key known, of which there may be so many. It does not count yet.
    async fn add_signing_key(&self, key: NewSigningKey, most: usize) -> Result<SigningKey, SigningKeyError>;
    /// Forgets a key with its signatures; `None` if there is none of that name.
    async fn remove_signing_key(&self, name: &str) -> Result<Option<SigningKey>, StoreError>;
    /// Sets by whom components have to be signed. What is in force stays so.
    async fn set_signing_policy(&self, policy: NewSigningPolicy) -> Result<Signing, SigningPolicyError>;
    /// Signatures of the component with that digest, or of all, by keys that the tenant knows.
    async fn signatures(&self, digest: Option<&str>) -> Result<Vec<Signed>, StoreError>;

    /// Changes what is set of the tenant, and returns it. Another profile raises the generation.
    async fn change(&self, change: TenantChange) -> Result<Tenant, StoreError>;
    /// Makes these the tenant's definitions, if all that is stored is as they say, and raises the generation.
    async fn define(&self, change: NewDefinitions) -> Result<Defined, DefineError>;
    /// What the tenant's resources are now.
    async fn model(&self) -> Result<Arc<TenantModel>, StoreError>;
    /// The constraints in force, by order, then name, with the model of the same moment.
    async fn activations(&self) -> Result<(Arc<TenantModel>, Vec<Activation>), StoreError>;
    /// The same, with the waivers that were not taken back and end after a time.
    async fn in_force(
        &self,
        at: jiff::Timestamp,
    ) -> Result<(Arc<TenantModel>, Vec<Activation>, Vec<StoredWaiver>), StoreError>;
    /// On how many nodes the present generation is active.
    async fn active(&self) -> Result<Active, StoreError>;
    /// Makes a waiver. Raises the generation.
    async fn add_waiver(&self, waiver: NewWaiver) -> Result<StoredWaiver, StoreError>;
    /// The newest waivers, also those that have ended, newest first.
    async fn waivers(&self, most: usize) -> Result<Vec<StoredWaiver>, StoreError>;
    /// Waivers that were to end at one of these times, whatever has become of them, oldest first.
    async fn waivers_ending_at(&self, ends: &[jiff::Timestamp]) -> Result<Vec<StoredWaiver>, StoreError>;
    /// Takes a waiver back. Raises the generation. `None` if there is none of that id, or it was taken back before: nothing is
    /// done then.
    async fn revoke_waiver(
        &self,
        id: WaiverId,
        made: (&str, jiff::Timestamp),
    ) -> Result<Option<StoredWaiver>, StoreError>;
    /// Puts a constraint into a state, or takes it away (`None`). Raises the generation and returns the new one. A component
    /// that is not signed as the tenant requires is not put to work.
    async fn activate(
        &self,
        name: &ConstraintName,
        state: Option<ActivationState>,
        by: &str,
        at: jiff::Timestamp,
    ) -> Result<i64, ActivateError>;
    /// Every state a constraint has had, newest first. A state of `None` is a removal.
    async fn activation_history(&self, name: &ConstraintName) -> Result<Vec<Activation>, StoreError>;

    /// Makes these the contents of a table, as a new revision, and raises the generation. If they are already, nothing is
    /// done; `false` then.
    async fn put_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableRevision, bool), TableChangeError>;
    /// Gives a table an earlier state, as a new revision, and raises the generation: that of `revision`, or the newest that
    /// differs from the present one.
    async fn restore_table(
        &self,
        name: &str,
        revision: Option<u32>,
        made: (&str, jiff::Timestamp),
        kept: TablesKept,
    ) -> Result<TableRevision, TableChangeError>;
    /// Removes a table, which is a revision too, and raises the generation.
    async fn remove_table(
        &self,
        name: &str,
        made: (&str, jiff::Timestamp),
        kept: TablesKept,
    ) -> Result<TableRevision, TableChangeError>;
    /// The tables that there are, by name.
    async fn tables(&self) -> Result<Vec<TableRevision>, StoreError>;
    /// Every state of a table that is kept, newest first. A state of `None` is a removal.
    async fn table_history(&self, name: &str) -> Result<Vec<TableRevision>, StoreError>;
    /// Rows of a table in one of its states, by key, after one of them, at most `limit`; `None` if that state is a removal
    /// or not kept any more.
    async fn table_rows(
        &self,
        name: &str,
        revision: u32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<(String, String)>>, StoreError>;

    /// Writes contents of a table and keeps them under their digest, to be put in force by [`apply`](Self::apply). Contents
    /// that the table has, or had in a revision that is kept, or that are staged already are not written again; `false`
    /// then. Of a tenant's as many are kept staged as it may have tables; beyond that the oldest go.
    async fn stage_table(&self, new: NewTable, kept: TablesKept) -> Result<(TableState, bool), TableChangeError>;
    /// Contents of a table by their digest: of a revision that is kept, or staged.
    async fn table_contents(&self, name: &str, digest: &str) -> Result<Option<TableState>, StoreError>;

    /// Makes all of these changes or none, in one step of the generation, and returns it. Without changes it stays.
    async fn apply(&self, changes: ChangeSet, kept: TablesKept) -> Result<i64, ChangeSetError>;

    /// Keeps a request. Returns once it is durable: from then on its client may be told that it is accepted.
    async fn accept(&self, request: NewAsyncRequest) -> Result<(), StoreError>;
    /// A request that was accepted, as long as it is kept.
    async fn async_request(&self, txn: Txn) -> Result<Option<AsyncRequest>, StoreError>;
    /// What was decided as part of such a request, oldest first.
    async fn decisions_of(&self, txn: Txn) -> Result<Vec<StoredDecision>, StoreError>;
    /// Keeps an outcome in place of its request, which was not finished yet, and drops old ones.
    async fn finish(&self, finish: Finish) -> Result<(), StoreError>;

    /// A page of the decision log, newest first.
    async fn decisions(&self, query: DecisionQuery) -> Result<DecisionPage, StoreError>;
    /// The oldest decisions of a span of time, at most so many, oldest first.
    async fn oldest_decisions(&self, of: DecisionSpan, most: usize) -> Result<Vec<StoredDecision>, StoreError>;
    /// Drops the oldest decisions of a span of time, and up to one of them, if one is named, at most so many; how many those are.
    async fn drop_decisions(
        &self,
        of: DecisionSpan,
        through: Option<DecisionId>,
        most: usize,
    ) -> Result<usize, StoreError>;
    /// One decision.
    async fn decision(&self, id: DecisionId) -> Result<Option<StoredDecision>, StoreError>;
}

/// A tenant's resources at one moment. Every answer is of the same moment, however much is written meanwhile.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The tenant's resource types at that moment, and the generation that they and its constraints are of.
    async fn model(&self) -> Result<Arc<TenantModel>, StoreError>;
    /// The model that is in force when this is asked, which is that of the snapshot unless another one comes into force before
    /// the first question about resources: see `is_outdated`. It may cost less, for those whose commit asks again.
    async fn presumed_model(&self) -> Result<Arc<TenantModel>, StoreError>;
    /// Whether the presumed model is known not to be that of the snapshot.
    fn is_outdated(&self) -> bool;
    /// One resource, without its members and groups.
    async fn resource(&self, resource_type: &Arc<ResourceType>, id: ResourceId)
    -> Result<Option<Resource>, StoreError>;
    /// The resources that match, by id, from an offset; without their members and groups.
    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        page: Page,
    ) -> Result<Matches, QueryError>;
    /// Everything that an answer shows, in one question.
    async fn show(&self, choose: Choose) -> Result<Shown, ShowError>;
    /// A resource that is at hand, with what is kept or computed outside it.
    async fn represent(&self, resource: Resource, wanted: Wanted) -> Result<Represented, StoreError>;
    /// The members of a group as they are shown, by id, after one of them, at most `limit`.
    async fn member_references(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
        displays: bool,
    ) -> Result<Vec<Reference>, StoreError>;
    /// How many match.
    async fn count(&self, resource_type: &Arc<ResourceType>, filter: Option<&Filter>) -> Result<u64, QueryError>;
    /// The members of a group, by id, after one of them, at most `limit`.
    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError>;
    /// Which of these are direct members of the group.
    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
    /// Which of these are resources, and of which type.
    async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError>;
    /// The groups a resource is a direct member of, by id.
    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, StoreError>;
    /// What to show for each of these (a user's `displayName`, else `userName`; a group's `displayName`), as far as
    /// they exist.
    async fn displays(&self, ids: &[ResourceId]) -> Result<Vec<(ResourceId, String)>, StoreError>;
    /// Answers a constraint's look-up by the code and within the limits that the commit checks it with, so that neither
    /// can answer what the other cannot. The limits are for all look-ups that this snapshot is asked, as the commit's are
    /// for all of a decision; one that is asked again costs nothing.
    async fn look_up(&self, look_up: &LookUp) -> Result<Found, QueryError>;
    /// What a table leads to from a key; `None` if there is no such table. A commit need not ask it again: another state of
    /// any table is another generation.
    async fn table_row(&self, table: &str, key: &str) -> Result<Option<FoundRow>, StoreError>;
}
