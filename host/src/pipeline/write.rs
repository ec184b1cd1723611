//! A write, from request to answer:
//!
//! ```text
//! snapshot → plan → rewrite → evaluate → decide → commit
//!                                          └→ the decision is recorded with the commit, or before the refusal is answered
//! ```
//!
//! Everything is planned and judged against one snapshot, without a lock. The commit checks in its transaction that
//! what the decision rests on still holds (the resource's version, the generation of the constraints, the answers to
//! look-ups); if not, nothing is written and the write starts over.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::{debug, warn};

use crate::change::members::Resolving;
use crate::change::{Action, Draft, MembersChange, PlannedChange, members, plan};
use crate::constraints::sandbox::{Stopped, WritePlace};
use crate::constraints::{DirectoryView, Operation, Overloaded};
use crate::decision::decide::{DecisionContext, warnings};
use crate::decision::{
    Actor, AdmittedChange, ConstraintName, DecisionId, DecisionRecord, KeptSecret, Outcome, Reason, Refusal, TenantId,
    Txn, decide, unchanged,
};
use crate::pipeline::answer::{Answer, Showing};
use crate::pipeline::directory::SnapshotDirectory;
use crate::pipeline::passwords::PasswordError;
use crate::pipeline::rewrite::rewrite_in_order;
use crate::pipeline::{Pipeline, reading, served};
use crate::scim::error::ScimError;
use crate::scim::patch;
use crate::scim::path::AttributeRef;
use crate::scim::projection::AttributeNames;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::scim::violation::Violation;
use crate::store::{CommitError, Snapshot, StoreError};

/// How often a write is planned and judged before it gives up. A write loses a try only when another one of its tenant
/// commits in between, and from its second try on it waits for its turn; ten losses in a row mean that something else
/// is wrong.
const TRIES_MAX: u32 = 10;

/// Members looked at in one page of the store, to replace, clear or filter the members of a group.
const MEMBERS_PAGE: usize = 10_000;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant of the credential.
    pub tenant: TenantId,
    /// The credential.
    pub actor: Actor,
    /// Id of the HTTP request.
    pub request_id: String,
    /// The request's, if it was answered before it is carried out: every decision on it says so.
    pub txn: Option<Txn>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Change {
    /// POST.
    Create {
        /// The resource as the client sent it.
        body: Map<String, Value>,
    },
    /// PUT.
    Replace {
        /// Which resource.
        id: ResourceId,
        /// The resource as the client sent it.
        body: Map<String, Value>,
        /// `If-Match`.
        precondition: Precondition,
    },
    /// PATCH.
    Patch {
        /// Which resource.
        id: ResourceId,
        /// The message as the client sent it.
        body: Map<String, Value>,
        /// `If-Match`.
        precondition: Precondition,
    },
    /// DELETE.
    Delete {
        /// Which resource.
        id: ResourceId,
        /// `If-Match`.
        precondition: Precondition,
    },
}

impl Change {
    /// What the client sent, if there was anything to send.
    pub fn body(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Create { body } | Self::Replace { body, .. } | Self::Patch { body, .. } => Some(body),
            Self::Delete { .. } => None,
        }
    }
}

/// What `If-Match` or `If-None-Match` demands (RFC 7644 §3.14, RFC 9110 §13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// One of these entity tags, in a list as the header has it.
    Match(String),
    /// None of these entity tags; `*` is any version, so nothing that exists is written.
    NoneMatch(String),
}

impl Precondition {
    fn check(&self, resource: &Resource) -> Result<(), ScimError> {
        match self {
            Self::None => Ok(()),
            Self::Match(tags) if resource.meta.matches_etags(tags) => Ok(()),
            Self::Match(_) => Err(ScimError::version_mismatch(&resource.meta.etag())),
            Self::NoneMatch(tags) if resource.meta.matches_etags(tags) => {
                Err(ScimError::version_unwanted(&resource.meta.etag()))
            }
            Self::NoneMatch(_) => Ok(()),
        }
    }
}

/// What is asked for, of which resource type, and what of the outcome shall be shown.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// The path segment that the resource type is served under: `Users`.
    pub endpoint: String,
    /// What is asked for.
    pub change: Change,
    /// `attributes` and `excludedAttributes` of the answer.
    pub names: AttributeNames,
}

/// What came of a write.
#[derive(Debug)]
pub struct Written {
    /// What was done; `None` if the request asked for what is the case already, or rewriters have made that of it: nothing
    /// was judged, nothing written.
    pub action: Option<Action>,
    /// What the client is shown.
    pub answer: Answer,
    /// The decision that let it through, or that says who has left nothing of it; `None` if there was nothing to decide.
    pub decision: Option<Admission>,
}

/// What let a change through.
#[derive(Debug)]
pub struct Admission {
    /// The decision.
    pub id: DecisionId,
    /// What the constraints want the client to know.
    pub warnings: Vec<(ConstraintName, Reason)>,
}

impl Admission {
    fn of(record: &DecisionRecord) -> Self {
        let warnings = warnings(record).map(|(name, reason)| (name.clone(), reason.clone())).collect();
        Self { id: record.id, warnings }
    }
}

/// A write that did not happen.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The request is not one that can be carried out.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// The constraints refuse. The decision is recorded.
    #[error("refused")]
    Refused(Box<Refusal>),
    /// The request does not respect what the schema says of an attribute. That is recorded, too.
    #[error("{error}")]
    Invalid {
        /// What the client is told.
        error: ScimError,
        /// The entry of the decision log.
        decision: DecisionId,
    },
    /// A secret could not be hashed.
    #[error("a secret could not be kept")]
    Secret(#[from] PasswordError),
    /// Others were faster, again and again.
    #[error("the resource or what its constraints look at changed {TRIES_MAX} times while the request was judged")]
    Contended,
    /// The tenant has more changes waiting to be judged than it may.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Nobody judges any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The ids that a request brings into the world.
#[derive(Clone, Copy)]
struct NewIds {
    decision: DecisionId,
    /// Of the resource, if it creates one.
    resource: ResourceId,
}

/// One try's outcome: done with, or to be tried again.
enum Attempt {
    Done(Written),
    Moved(CommitError),
}

impl Pipeline {
    /// Carries out a write of `caller`.
    pub async fn write(&self, caller: &Caller, request: &WriteRequest) -> Result<Written, WriteError> {
        let at = self.clock.now();
        // The same in every try: a client that is told of its decision must find that one in the log.
        let decision = DecisionId(self.clock.new_id(at));
        let new_id = ResourceId(self.clock.new_id(at));
        let (mut turn, mut hashes) = (None, None);
        // Before it holds anything that others wait for.
        let place = self.sandbox.admit_write(caller.tenant)?;
        for attempt in 1..=TRIES_MAX {
            match self.attempt(caller, &place, request, at, NewIds { decision, resource: new_id }, &mut hashes).await {
                Ok(Attempt::Done(written)) => return Ok(written),
                Err(WriteError::Scim(mut error)) => {
                    let Some(violation) = error.violation.take() else { return Err(error.into()) };
                    self.record_violation(caller, request, at, decision, new_id, *violation).await?;
                    return Err(WriteError::Invalid { error, decision });
                }
                Err(error) => return Err(error),
                Ok(Attempt::Moved(cause)) => {
                    debug!(decision.id = %decision, attempt, %cause, "what the decision rests on has moved; planning again");
                }
            }
            if turn.is_none() {
                turn = self.turnstile.turn(caller.tenant).await;
            }
        }
        warn!(decision.id = %decision, tries = TRIES_MAX, "gave up on a contended write");
        Err(WriteError::Contended)
    }

    async fn attempt(
        &self,
        caller: &Caller,
        place: &WritePlace,
        request: &WriteRequest,
        at: Timestamp,
        NewIds { decision, resource: new_id }: NewIds,
        hashes: &mut Option<Arc<[KeptSecret]>>,
    ) -> Result<Attempt, WriteError> {
        let tenant_store = self.store.tenant(caller.tenant);
        let snapshot = tenant_store.snapshot().await?;
        let model = snapshot.model().await?;
        let constraints = self.constraints(caller.tenant, model.generation).await?;
        if constraints.generation != model.generation {
            return Ok(Attempt::Moved(CommitError::GenerationMoved));
        }

        let resource_type = served(&model, &request.endpoint)?;
        let showing = Showing::of(caller.tenant, &model, resource_type, request)?;
        let draft =
            draft(&*snapshot, reading(&model, resource_type, &self.limits), &request.change, at, new_id).await?;
        let members = settle_members(&*snapshot, &draft, self.limits.members_listed_max).await?;
        let before = draft.before.clone();
        let Some(planned) = draft.settle(members) else {
            drop(snapshot);
            return Ok(Attempt::Done(self.unchanged(&showing, before, None).await?));
        };

        let context = DecisionContext {
            id: decision,
            at,
            request_id: caller.request_id.clone(),
            txn: caller.txn,
            generation: constraints.generation,
            actor: caller.actor.clone(),
        };
        let directory: Arc<dyn DirectoryView> = Arc::new(SnapshotDirectory::new(snapshot));
        let operation = Operation { decision, actor: caller.actor.clone(), at, planned: Arc::new(planned) };
        let hearing = self.sandbox.hearing(place, &constraints, &operation.planned).await;
        let rewriting = rewrite_in_order(&hearing, &constraints, operation, &directory, &self.limits).await?;
        let left_nothing = rewriting.left_nothing();
        let (operation, evaluations) = rewriting.judge(&hearing, &constraints, directory).await?;
        drop(hearing);
        if left_nothing {
            let record = unchanged(context, &operation.planned, evaluations);
            return Ok(Attempt::Done(self.taken_back(&showing, caller.tenant, before, record).await?));
        }

        match decide(context, Arc::clone(&operation.planned), evaluations) {
            Err(refusal) => {
                // The log has it before the client does: a refusal that cannot be recorded is not given (500).
                tenant_store.record_refusal(Arc::clone(&refusal.record)).await?;
                self.metrics.decided(refusal.record.outcome);
                Err(WriteError::Refused(refusal))
            }
            Ok(admitted) => {
                // Once a request: a hash is made to be dear.
                let kept = match hashes {
                    Some(kept) => Arc::clone(kept),
                    None => Arc::clone(hashes.insert(self.passwords.keep(&operation.planned.secrets).await?)),
                };
                let admitted = Arc::new(admitted.keep_secrets(kept));
                match tenant_store.commit(Arc::clone(&admitted)).await {
                    Ok(()) => {
                        self.metrics.decided(Outcome::Allowed);
                        Ok(Attempt::Done(self.written(&showing, &admitted).await?))
                    }
                    Err(CommitError::Duplicate { attribute }) => {
                        Err(self.record_taken(caller.tenant, &admitted, &attribute).await?)
                    }
                    Err(CommitError::Store(error)) => Err(error.into()),
                    Err(
                        moved @ (CommitError::VersionMoved
                        | CommitError::GenerationMoved
                        | CommitError::LookUpMoved
                        | CommitError::MemberMoved),
                    ) => Ok(Attempt::Moved(moved)),
                }
            }
        }
    }

    /// Only the commit knows that another resource has a value. The log has that with those who were asked: a rewriter may
    /// have made the value what it is.
    async fn record_taken(
        &self,
        tenant: TenantId,
        admitted: &AdmittedChange,
        attribute: &str,
    ) -> Result<WriteError, StoreError> {
        let mut error = taken(admitted.planned(), attribute);
        let violation = error.violation.take().map(|violation| *violation);
        let record = DecisionRecord { outcome: Outcome::Invalid, violation, ..(**admitted.record()).clone() };
        self.store.tenant(tenant).record_refusal(Arc::new(record)).await?;
        self.metrics.decided(Outcome::Invalid);
        Ok(WriteError::Invalid { error, decision: admitted.record().id })
    }

    /// An attempt on what the schema protects is in the log before the client is told.
    async fn record_violation(
        &self,
        caller: &Caller,
        request: &WriteRequest,
        at: Timestamp,
        decision: DecisionId,
        new_id: ResourceId,
        violation: Violation,
    ) -> Result<(), StoreError> {
        let tenant_store = self.store.tenant(caller.tenant);
        let model = tenant_store.model().await?;
        let Ok(resource_type) = served(&model, &request.endpoint) else { return Ok(()) };
        let (action, resource_id) = match &request.change {
            Change::Create { .. } => (Action::Create, new_id),
            Change::Replace { id, .. } | Change::Patch { id, .. } => (Action::Update, *id),
            Change::Delete { id, .. } => (Action::Delete, *id),
        };
        let record = DecisionRecord {
            id: decision,
            at,
            request_id: caller.request_id.clone(),
            txn: caller.txn,
            generation: model.generation,
            actor: caller.actor.clone(),
            action,
            resource_type: resource_type.name.clone(),
            resource_id,
            resource_version: None,
            outcome: Outcome::Invalid,
            violation: Some(violation),
            evaluations: Vec::new(),
        };
        tenant_store.record_refusal(Arc::new(record)).await?;
        self.metrics.decided(Outcome::Invalid);
        Ok(())
    }

    async fn written(&self, showing: &Showing, admitted: &AdmittedChange) -> Result<Written, WriteError> {
        let planned = admitted.planned();
        let answer = match &planned.after {
            Some(resource) => match showing.new_resource(planned.action, resource, &planned.members) {
                Some(answer) => answer,
                None => self.answer(showing, resource.clone()).await?,
            },
            None => Answer::Gone,
        };
        let decision = Some(Admission::of(admitted.record()));
        Ok(Written { action: Some(planned.action), answer, decision })
    }

    /// Rewriters have left nothing of what was asked for. The log says so, since the client is only shown what is there.
    async fn taken_back(
        &self,
        showing: &Showing,
        tenant: TenantId,
        before: Option<Resource>,
        record: DecisionRecord,
    ) -> Result<Written, WriteError> {
        let record = Arc::new(record);
        self.store.tenant(tenant).record_refusal(Arc::clone(&record)).await?;
        self.metrics.decided(record.outcome);
        self.unchanged(showing, before, Some(Admission::of(&record))).await
    }

    async fn unchanged(
        &self,
        showing: &Showing,
        before: Option<Resource>,
        decision: Option<Admission>,
    ) -> Result<Written, WriteError> {
        let resource = before.ok_or_else(|| StoreError::Damaged("a create without a difference".to_owned()))?;
        Ok(Written { action: None, answer: self.answer(showing, resource).await?, decision })
    }
}

/// What is told and recorded of a value that another resource has.
fn taken(planned: &PlannedChange, attribute: &str) -> ScimError {
    let path = AttributeRef::parse(attribute, &planned.resource_type).ok();
    let value = path.and_then(|path| path.select(planned.after.as_ref()?).into_iter().next().map(Cow::into_owned));
    ScimError::uniqueness_of(attribute, value.as_ref())
}

/// Reads the state before and applies the request to it.
async fn draft(
    snapshot: &dyn Snapshot,
    reading: Reading<'_>,
    change: &Change,
    at: Timestamp,
    new_id: ResourceId,
) -> Result<Draft, WriteError> {
    let before = |id, precondition| before(snapshot, reading.resource_type, id, precondition);
    Ok(match change {
        Change::Create { body } => plan::plan_create(reading, new_id, body, at)?,
        Change::Replace { id, body, precondition } => {
            plan::plan_replace(reading, before(*id, precondition).await?, body, at)?
        }
        Change::Patch { id, body, precondition } => {
            let operations = patch::parse(reading, body)?;
            plan::plan_patch(reading, before(*id, precondition).await?, &operations, at)?
        }
        Change::Delete { id, precondition } => plan::plan_delete(before(*id, precondition).await?),
    })
}

async fn before(
    snapshot: &dyn Snapshot,
    resource_type: &Arc<ResourceType>,
    id: ResourceId,
    precondition: &Precondition,
) -> Result<Resource, WriteError> {
    let resource = snapshot
        .resource(resource_type, id)
        .await?
        .ok_or_else(|| ScimError::not_found(&format!("{} `{id}`", resource_type.name)))?;
    precondition.check(&resource)?;
    Ok(resource)
}

/// Asks the store which of the named members are members, and works out what changes. Members that no edit speaks of
/// are not looked at, unless the edits speak of all: then they are gone through, a page at a time.
async fn settle_members(
    snapshot: &dyn Snapshot,
    draft: &Draft,
    listed_max: usize,
) -> Result<MembersChange, WriteError> {
    let edits = draft.member_edits.as_slice();
    let Some(group) = draft.after.as_ref().map(|group| group.id).filter(|_| !edits.is_empty()) else {
        return Ok(MembersChange::default());
    };
    let mut resolving = Resolving::new(group, edits, listed_max);
    if draft.before.is_some() && members::needs_all(edits) {
        let mut after = None;
        loop {
            let page = snapshot.members(group, after, MEMBERS_PAGE).await?;
            resolving.look_at(&page)?;
            after = page.last().map(|last| last.id);
            if page.len() < MEMBERS_PAGE {
                break;
            }
        }
    } else if draft.before.is_some() {
        let present = snapshot.members_among(group, resolving.named_ids()).await?;
        resolving.look_at(&present)?;
    }
    let strangers = snapshot.identify(&resolving.strangers()).await?;
    let strangers = strangers.into_iter().map(|member| (member.id, member.resource_type)).collect();
    Ok(resolving.finish(strangers)?)
}
