//! The part of a write that writes nothing: what the request would make of the present state, and what the tenant's
//! constraints say of that.

use std::sync::Arc;

use jiff::Timestamp;

use super::draft::{draft, settle_members};
use super::{Caller, Change, NewIds, WriteError, WriteRequest};
use crate::constraints::sandbox::WritePlace;
use crate::constraints::{DirectoryView, Operation};
use crate::decision::decide::DecisionContext;
use crate::decision::{AdmittedChange, DecisionRecord, Refusal, decide, unchanged};
use crate::pipeline::answer::Showing;
use crate::pipeline::directory::MomentDirectory;
use crate::pipeline::moment::Moment;
use crate::pipeline::rewrite::rewrite_in_order;
use crate::pipeline::{Pipeline, reading, served};
use crate::scim::patch;
use crate::scim::resource::Resource;
use crate::store::{CommitError, Glimpse};

/// What is to be done with a request.
pub(super) enum Judgement {
    /// Nothing: it was judged by what is out of date.
    Moved(CommitError),
    /// Nothing: it asks for what is the case already.
    Unchanged {
        /// How the resource is to be shown.
        showing: Showing,
        /// The resource.
        before: Option<Resource>,
    },
    /// Nothing: rewriters have left nothing of it.
    TakenBack {
        /// How the resource is to be shown.
        showing: Showing,
        /// The resource.
        before: Option<Resource>,
        /// What the log is to have of it.
        record: Box<DecisionRecord>,
    },
    /// It is to be committed, or refused.
    Decided {
        /// How the outcome is to be shown.
        showing: Showing,
        /// Which of both.
        decided: Result<AdmittedChange, Box<Refusal>>,
    },
}

impl Judgement {
    /// Whether a constraint has looked something up for it.
    pub(super) fn has_looked_up(&self) -> bool {
        let record = match self {
            Self::Moved(_) | Self::Unchanged { .. } => return false,
            Self::TakenBack { record, .. } => &**record,
            Self::Decided { decided: Ok(admitted), .. } => &**admitted.record(),
            Self::Decided { decided: Err(refusal), .. } => &*refusal.record,
        };
        record.evaluations.iter().any(|evaluation| evaluation.reads.look_ups().next().is_some())
    }
}

impl Pipeline {
    /// Looks at what a request will be planned by, for one who waits for his turn. `None`: he looks when it has come.
    pub(super) async fn look_beforehand(&self, caller: &Caller, request: &WriteRequest) -> Option<Glimpse> {
        let Change::Patch { id, body, .. } = &request.change else { return None };
        let named = patch::named_ids(body);
        self.store.tenant(caller.tenant).glimpse(&request.endpoint, *id, &named).await.ok()?
    }

    /// Plans a request against a moment and has the tenant's constraints judge it.
    pub(super) async fn judge(
        &self,
        caller: &Caller,
        place: &WritePlace,
        request: &WriteRequest,
        at: Timestamp,
        ids: NewIds,
        moment: Moment,
    ) -> Result<Judgement, WriteError> {
        let moment = Arc::new(moment);
        let judged = self.judge_presuming(caller, place, request, at, ids, &moment).await;
        // Also what is refused must be so by what was in force when resources were looked at.
        if moment.is_outdated().await? { Ok(Judgement::Moved(CommitError::GenerationMoved)) } else { judged }
    }

    /// The same by the model that was in force at the beginning.
    async fn judge_presuming(
        &self,
        caller: &Caller,
        place: &WritePlace,
        request: &WriteRequest,
        at: Timestamp,
        NewIds { decision, resource: new_id }: NewIds,
        moment: &Arc<Moment>,
    ) -> Result<Judgement, WriteError> {
        let model = moment.model().await?;
        let constraints = self.constraints(caller.tenant, model.generation).await?;
        if constraints.generation != model.generation {
            return Ok(Judgement::Moved(CommitError::GenerationMoved));
        }

        let resource_type = served(&model, &request.endpoint)?;
        let showing = Showing::of(caller.tenant, &model, resource_type, request)?;
        let draft = draft(moment, reading(&model, resource_type, &self.limits), &request.change, at, new_id).await?;
        let members = settle_members(moment, &draft, self.limits.members_listed_max).await?;
        let before = draft.before.clone();
        let Some(planned) = draft.settle(members) else {
            return Ok(Judgement::Unchanged { showing, before });
        };

        let context = DecisionContext {
            id: decision,
            at,
            request_id: caller.request_id.clone(),
            txn: caller.txn,
            generation: constraints.generation,
            actor: caller.actor.clone(),
        };
        let directory: Arc<dyn DirectoryView> = Arc::new(MomentDirectory::new(Arc::clone(moment)));
        let operation = Operation { decision, actor: caller.actor.clone(), at, planned: Arc::new(planned) };
        let hearing = self.sandbox.hearing(place, &constraints, &operation.planned).await;
        let rewriting = rewrite_in_order(&hearing, &constraints, operation, &directory, &self.limits).await?;
        let left_nothing = rewriting.left_nothing();
        let (operation, evaluations) = rewriting.judge(&hearing, &constraints, directory).await?;
        if left_nothing {
            let record = Box::new(unchanged(context, &operation.planned, evaluations));
            return Ok(Judgement::TakenBack { showing, before, record });
        }
        Ok(Judgement::Decided {
            showing,
            decided: decide(context, Arc::clone(&operation.planned), evaluations, &constraints.waivers),
        })
    }
}
