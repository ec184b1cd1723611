//! [`StandIn`]: a component that is asked in the place of a constraint, about one decision or about many.

use std::sync::Arc;

use serde_json::Value;

use super::{ReplayError, Undecidable, state_then};
use crate::constraints::sandbox::Checked;
use crate::decision::{ConstraintName, Evaluation, RecordedDecision, RecordedEvaluation, TenantId};
use crate::pipeline::Pipeline;
use crate::scim::schema::SchemaRegistry;
use crate::store::{Activation, ActivationState, StoreError};

/// A component, and what is needed to ask it. What is the same for all decisions is looked up, and found in order, once.
pub(in crate::pipeline) struct StandIn<'p> {
    pipeline: &'p Pipeline,
    tenant: TenantId,
    checked: &'p Checked,
    settings: Option<Value>,
    schemas: &'p Arc<SchemaRegistry>,
    history: Vec<Activation>,
    /// Settings that it takes: mostly those of the next decision, too.
    taken: Option<Value>,
}

impl Pipeline {
    /// Puts a component in the place of a constraint: with these settings, or with those that the constraint had.
    pub(in crate::pipeline) async fn stand_in<'p>(
        &'p self,
        tenant: TenantId,
        constraint: &ConstraintName,
        checked: &'p Checked,
        settings: Option<Value>,
        schemas: &'p Arc<SchemaRegistry>,
    ) -> Result<StandIn<'p>, StoreError> {
        let history = self.store.tenant(tenant).activation_history(constraint).await?;
        Ok(StandIn { pipeline: self, tenant, checked, settings, schemas, history, taken: None })
    }
}

impl StandIn<'_> {
    /// What it says to what the constraint was asked.
    pub(in crate::pipeline) async fn ask(
        &mut self,
        decision: &RecordedDecision,
        recorded: &RecordedEvaluation,
    ) -> Result<Result<Evaluation, Undecidable>, ReplayError> {
        if recorded.verdict() == "rewrite" {
            return Ok(Err(Undecidable::Rewriter));
        }
        let state = match state_then(&self.history, decision, recorded) {
            Ok(state) => state,
            Err(undecidable) => return Ok(Err(undecidable)),
        };
        let settings = self.settings.clone().unwrap_or_else(|| state.settings.clone());
        self.check(&settings).await?;
        let Checked { digest, descriptor, pre, .. } = self.checked;
        let (digest, descriptor) = (digest.clone(), descriptor.to_json());
        // All that it wants to read: there is nothing to be read but what is recorded.
        let state = ActivationState { settings, digest, descriptor, grants: Value::Null, ..state };
        match self.pipeline.witness_of(decision, recorded, state, Arc::clone(pre), self.schemas) {
            Ok(witness) => Ok(self.pipeline.ask_again(self.tenant, &witness, &recorded.reads).await?),
            Err(undecidable) => Ok(Err(undecidable)),
        }
    }

    async fn check(&mut self, settings: &Value) -> Result<(), ReplayError> {
        if self.taken.as_ref() == Some(settings) {
            return Ok(());
        }
        let Checked { descriptor, pre, .. } = self.checked;
        let problems = self.pipeline.sandbox.check_settings(self.tenant, pre, descriptor, settings).await?;
        if !problems.is_empty() {
            return Err(ReplayError::Settings(problems));
        }
        self.taken = Some(settings.clone());
        Ok(())
    }
}
