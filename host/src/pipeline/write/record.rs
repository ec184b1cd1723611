//! What ends without a commit and without a refusal of the constraints, and is in the log all the same.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Admission, Caller, Change, WriteError, WriteRequest, Written};
use crate::change::{Action, PlannedChange};
use crate::decision::{AdmittedChange, DecisionId, DecisionRecord, Outcome, TenantId};
use crate::pipeline::answer::Showing;
use crate::pipeline::{Pipeline, served};
use crate::scim::error::ScimError;
use crate::scim::path::AttributeRef;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::violation::Violation;
use crate::store::StoreError;

impl Pipeline {
    /// Only the commit knows that another resource has a value. The log has that with those who were asked: a rewriter may
    /// have made the value what it is.
    pub(super) async fn record_taken(
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
    pub(super) async fn record_violation(
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

    /// Rewriters have left nothing of what was asked for. The log says so, since the client is only shown what is there.
    pub(super) async fn taken_back(
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
}

/// What is told and recorded of a value that another resource has.
fn taken(planned: &PlannedChange, attribute: &str) -> ScimError {
    let path = AttributeRef::parse(attribute, &planned.resource_type).ok();
    let value = path.and_then(|path| path.select(planned.after.as_ref()?).into_iter().next().map(Cow::into_owned));
    ScimError::uniqueness_of(attribute, value.as_ref())
}
