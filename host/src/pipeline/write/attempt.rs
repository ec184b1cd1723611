//! One try at a write: judged, and committed or refused; or found to be judged by what is out of date.

use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Judgement;
use super::{Admission, Caller, NewIds, WriteError, WriteRequest, Written};
use crate::constraints::sandbox::WritePlace;
use crate::decision::{AdmittedChange, KeptSecret, Outcome, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::answer::{Answer, Showing};
use crate::pipeline::convoy::Lead;
use crate::pipeline::moment::Moment;
use crate::scim::resource::Resource;
use crate::store::{CommitError, Glimpse, Queued, StoreError};

/// One try's outcome: done with, or to be tried again.
pub(super) enum Attempt {
    Done(Written),
    Moved(CommitError),
}

impl Pipeline {
    /// `lead`: what it is judged by is on its way. `glimpse`: what was looked at beforehand.
    #[expect(clippy::too_many_arguments, reason = "a request, and what one try leaves to the next")]
    pub(super) async fn attempt(
        &self,
        caller: &Caller,
        place: &WritePlace,
        request: &WriteRequest,
        at: Timestamp,
        ids: NewIds,
        mut lead: Option<Lead>,
        glimpse: Option<Glimpse>,
        hashes: &mut Option<Arc<[KeptSecret]>>,
    ) -> Result<Attempt, WriteError> {
        let ahead = lead.as_ref().map(Lead::ahead).unwrap_or_default();
        let is_in_company = lead.as_ref().is_some_and(Lead::is_in_company);
        let moment = Moment::recalled(self.store.tenant(caller.tenant), glimpse, &ahead).await?;
        let judged = self.judge(caller, place, request, at, ids, moment).await;
        if !matches!(judged, Ok(Judgement::Decided { decided: Ok(_), .. }))
            && let Some(lead) = lead.take()
        {
            // A client is told nothing that rests on what never came to be.
            if !lead.leave().await {
                return Ok(Attempt::Moved(CommitError::VersionMoved));
            }
            // No commit asks these again, and they may have been answered before the others arrived.
            if is_in_company && judged.as_ref().is_ok_and(Judgement::has_looked_up) {
                return Ok(Attempt::Moved(CommitError::LookUpMoved));
            }
        }
        match judged? {
            Judgement::Moved(moved) => Ok(Attempt::Moved(moved)),
            Judgement::Unchanged { showing, before } => {
                Ok(Attempt::Done(self.unchanged(&showing, before, None).await?))
            }
            Judgement::TakenBack { showing, before, record } => {
                Ok(Attempt::Done(self.taken_back(&showing, caller.tenant, before, *record).await?))
            }
            Judgement::Decided { decided: Err(refusal), .. } => {
                // The log has it before the client does: a refusal that cannot be recorded is not given (500).
                self.store.tenant(caller.tenant).record_refusal(Arc::clone(&refusal.record)).await?;
                self.metrics.decided(refusal.record.outcome);
                Err(WriteError::Refused(refusal))
            }
            Judgement::Decided { decided: Ok(admitted), showing } => {
                // Once a request: a hash is made to be dear.
                let secrets = match hashes {
                    Some(secrets) => Arc::clone(secrets),
                    None => Arc::clone(hashes.insert(self.passwords.keep(&admitted.planned().secrets).await?)),
                };
                self.commit(caller.tenant, &showing, Arc::new(admitted.keep_secrets(secrets)), lead).await
            }
        }
    }

    async fn commit(
        &self,
        tenant: TenantId,
        showing: &Showing,
        admitted: Arc<AdmittedChange>,
        lead: Option<Lead>,
    ) -> Result<Attempt, WriteError> {
        let tenant_store = self.store.tenant(tenant);
        let rests_on = lead.as_ref().and_then(Lead::premise);
        let committed = match tenant_store.queue_commit(Arc::clone(&admitted), rests_on).await {
            Ok(Queued { premise, committing }) => {
                let under_way = lead.map(|lead| lead.set_out(&admitted, premise));
                let committed = committing.await;
                if let (Some(under_way), Ok(())) = (under_way, &committed) {
                    under_way.arrived();
                }
                committed
            }
            Err(error) => Err(error),
        };
        match committed {
            Ok(()) => {
                self.metrics.decided(Outcome::Allowed);
                Ok(Attempt::Done(self.written(showing, &admitted).await?))
            }
            Err(CommitError::Duplicate { attribute }) => Err(self.record_taken(tenant, &admitted, &attribute).await?),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(
                moved @ (CommitError::VersionMoved
                | CommitError::GenerationMoved
                | CommitError::LookUpMoved
                | CommitError::MemberMoved),
            ) => Ok(Attempt::Moved(moved)),
        }
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

    pub(super) async fn unchanged(
        &self,
        showing: &Showing,
        before: Option<Resource>,
        decision: Option<Admission>,
    ) -> Result<Written, WriteError> {
        let resource = before.ok_or_else(|| StoreError::Damaged("a create without a difference".to_owned()))?;
        Ok(Written { action: None, answer: self.answer(showing, resource).await?, decision })
    }
}
