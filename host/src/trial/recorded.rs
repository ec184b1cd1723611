//! What a server has decided and captured, judged again here: by nothing but what was read then.

use std::sync::Arc;

use serde_json::Value;

use super::{TrialError, Tried, bad_grants, bad_settings, local, unchecked};
use crate::constraints::recording::recorded_operation;
use crate::constraints::registry::EnabledParts;
use crate::constraints::sandbox::AboutError;
use crate::constraints::{EnabledConstraint, Grants, Recording};
use crate::decision::reads::ReadSet;
use crate::decision::{ConstraintName, Evaluation, FailurePolicy, Mode, RecordedDecision, TenantId};

/// What came of it.
pub(super) enum Judged {
    /// What the component says.
    Said(Box<Evaluation>),
    /// It asks this, which the record has no answer to.
    Undecidable(String),
}

impl Tried {
    /// Has the component judge what is recorded, with these settings and grants, which are checked as a server would.
    pub(super) async fn judge_recorded(
        &self,
        decision: &RecordedDecision,
        reads: &ReadSet,
        settings: &Value,
        grants: Option<&Value>,
    ) -> Result<Judged, TrialError> {
        let resource_type =
            self.declared.schemas.resource_type(&decision.resource_type).ok_or_else(|| {
                TrialError::Input(format!("there is no resource type `{}` here", decision.resource_type))
            })?;
        let constraint = self.constraint(settings, grants).await?;
        let operation = Arc::new(recorded_operation(decision, resource_type));
        let recording = Arc::new(Recording::of(reads));
        let pre = Arc::clone(&self.checked.pre);
        let runner = self.sandbox.runner();
        let said = runner.replay(TenantId(0), &constraint, pre, &operation, &recording).await;
        Ok(match recording.missing() {
            Some(missing) => Judged::Undecidable(missing.to_owned()),
            None => Judged::Said(Box::new(said)),
        })
    }

    async fn constraint(&self, settings: &Value, grants: Option<&Value>) -> Result<EnabledConstraint, TrialError> {
        let descriptor = &self.checked.descriptor;
        let checked = self.sandbox.check_settings(TenantId(0), &self.checked.pre, descriptor, settings).await;
        match checked {
            Ok(problems) if problems.is_empty() => {}
            Ok(problems) => return Err(bad_settings(&problems)),
            Err(AboutError::Fault(fault)) => return Err(unchecked(&fault)),
            Err(AboutError::Overloaded(overloaded)) => return Err(local(overloaded)),
        }
        let grants = Grants::parse(grants, descriptor, &self.declared.schemas)
            .map_err(|error| bad_grants(&error.to_string()))?;
        let parts = EnabledParts {
            name: ConstraintName(descriptor.name.clone()),
            plugin: descriptor.name.clone(),
            version: 1,
            digest: self.checked.digest.clone(),
            mode: Mode::Enforce,
            on_fault: FailurePolicy::Deny,
            settings: settings.to_string(),
            descriptor: Ok(descriptor.clone()),
            grants: Ok(grants),
            schemas: Arc::clone(&self.declared.schemas),
        };
        Ok(EnabledConstraint::new(parts, self.limits()))
    }
}
