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

mod attempt;
mod draft;
mod judge;
mod record;
mod rehearse;

use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;
use tracing::{debug, warn};

use crate::change::Action;
use crate::constraints::Overloaded;
use crate::constraints::sandbox::Stopped;
use crate::decision::decide::warnings;
use crate::decision::{Actor, ConstraintName, DecisionId, DecisionRecord, Reason, Refusal, TenantId, Txn};
use crate::pipeline::Pipeline;
use crate::pipeline::answer::Answer;
use crate::pipeline::passwords::PasswordError;
use crate::scim::error::ScimError;
use crate::scim::projection::AttributeNames;
use crate::scim::resource::{Resource, ResourceId};
use crate::store::{CommitError, StoreError};

use attempt::Attempt;

/// How often a write is planned and judged before it gives up. A write loses a try only when another one of its tenant
/// commits in between, and from its second try on it waits for its turn; ten losses in a row mean that something else
/// is wrong.
const TRIES_MAX: u32 = 10;

/// How often a change of a resource is tried along with others before it waits until it is alone. It is in vain if one of those
/// ahead is not written, and that is rare; but it always is where a constraint looks up what those ahead change.
const TRIES_IN_COMPANY: u32 = 3;

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

    /// Which resource is to be changed, if it is there already.
    fn resource(&self) -> Option<ResourceId> {
        match self {
            Self::Create { .. } => None,
            Self::Replace { id, .. } | Self::Patch { id, .. } | Self::Delete { id, .. } => Some(*id),
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
#[derive(Clone, Copy, Debug)]
pub struct NewIds {
    /// Of the decision. The same in every try: a client that is told of its decision must find that one in the log.
    pub decision: DecisionId,
    /// Of the resource, if it creates one.
    pub resource: ResourceId,
}

impl Pipeline {
    /// Carries out a write of `caller`.
    pub async fn write(&self, caller: &Caller, request: &WriteRequest) -> Result<Written, WriteError> {
        let at = self.clock.now();
        let ids = NewIds { decision: DecisionId(self.clock.new_id(at)), resource: ResourceId(self.clock.new_id(at)) };
        self.write_as(caller, request, at, ids).await
    }

    /// The same with ids that are known beforehand. That no resource has them is for the caller to know.
    pub async fn write_as(
        &self,
        caller: &Caller,
        request: &WriteRequest,
        at: Timestamp,
        ids: NewIds,
    ) -> Result<Written, WriteError> {
        let NewIds { decision, resource: new_id } = ids;
        let (mut turn, mut hashes) = (None, None);
        let has_company = self.convoys.is_some() && matches!(request.change, Change::Patch { .. });
        let travels = self.convoys.as_ref().zip(request.change.resource());
        // Before it holds anything that others wait for.
        let place = self.sandbox.admit_write(caller.tenant)?;
        let join = || travels.map(|(convoys, resource)| convoys.join(caller.tenant, resource));
        let mut traveller = if has_company { join() } else { None };
        for attempt in 1..=TRIES_MAX {
            let pass = match &traveller {
                Some(traveller) => traveller.pass(&*self.store.tenant(caller.tenant)).await,
                None => None,
            };
            let looked = match &traveller {
                Some(traveller) if turn.is_none() && (attempt == 1 || pass.is_some()) && traveller.has_to_wait() => {
                    let looked = traveller.looks();
                    self.look_beforehand(caller, request).await.map(|glimpse| (looked, glimpse))
                }
                _ => None,
            };
            let lead = match &traveller {
                Some(traveller) if turn.is_some() => Some(traveller.lead_alone().await),
                Some(traveller) => Some(traveller.lead().await),
                None => None,
            };
            // He may have waited for others than those who are known.
            let knows_all = |looked| lead.as_ref().is_some_and(|lead| lead.knows_all_since(looked));
            let glimpse = looked.and_then(|(looked, glimpse)| knows_all(looked).then_some(glimpse));
            match self.attempt(caller, &place, request, at, ids, lead, glimpse, &mut hashes).await {
                Ok(Attempt::Done(written)) => return Ok(written),
                Err(WriteError::Scim(mut error)) => {
                    let Some(violation) = error.violation.take() else { return Err(error.into()) };
                    self.record_violation(caller, request, at, decision, new_id, *violation).await?;
                    return Err(WriteError::Invalid { error, decision });
                }
                Err(error) => return Err(error),
                Ok(Attempt::Moved(cause)) => {
                    debug!(decision.id = %decision, attempt, %cause, "what the decision rests on has moved; planning again");
                    let is_of_resource = matches!(cause, CommitError::VersionMoved);
                    traveller = traveller.or_else(join);
                    if let Some(traveller) = traveller.as_ref().filter(|_| is_of_resource) {
                        traveller.was_crossed();
                    }
                    // Who waits for a turn may wait for one who waits to be let through.
                    drop(pass);
                    if turn.is_none() && !(has_company && is_of_resource && attempt < TRIES_IN_COMPANY) {
                        turn = self.turnstile.turn(caller.tenant).await;
                    }
                }
            }
        }
        warn!(decision.id = %decision, tries = TRIES_MAX, "gave up on a contended write");
        Err(WriteError::Contended)
    }
}
