//! [`Hearing`]: everybody who is asked about one change, in one turn.
//!
//! Rewriters and those that judge have the same turn. To wait for a second one while having the first could leave a
//! tenant's writes waiting for each other.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::admission::Turn;
use super::directory::DirectoryView;
use super::evaluate::Asked;
use super::registry::{ConstraintSet, EnabledConstraint};
use super::sandbox::{Operation, Sandbox, Stopped, WritePlace};
use crate::change::PlannedChange;
use crate::decision::{Evaluation, TenantId};
use crate::scim::patch::PatchOperation;

/// A change that is heard in the sandbox. Whoever was asked keeps the turn until he is done, also when nobody waits any more.
pub struct Hearing<'s> {
    sandbox: &'s Sandbox,
    tenant: TenantId,
    /// `None`: nobody is to be asked, so there is nothing to wait for.
    turn: Option<Arc<Turn>>,
}

impl Sandbox {
    /// Waits until the tenant's constraints may be asked about a change.
    pub async fn hearing(
        &self,
        WritePlace(place): &WritePlace,
        constraints: &ConstraintSet,
        planned: &PlannedChange,
    ) -> Hearing<'_> {
        let turn = match constraints.has_any_for(planned) {
            true => Some(Arc::new(place.turn().await)),
            false => None,
        };
        Hearing { sandbox: self, tenant: place.tenant(), turn }
    }

    /// Asks every constraint that judges such a change, in a hearing of its own.
    pub async fn evaluate(
        &self,
        place: &WritePlace,
        constraints: &ConstraintSet,
        operation: Arc<Operation>,
        directory: Arc<dyn DirectoryView>,
    ) -> Result<Vec<Evaluation>, Stopped> {
        self.hearing(place, constraints, &operation.planned).await.evaluate(constraints, operation, directory).await
    }
}

impl Hearing<'_> {
    /// Asks one rewriter for its edits.
    pub async fn rewrite(
        &self,
        rewriter: &Arc<EnabledConstraint>,
        operation: Arc<Operation>,
        directory: Arc<dyn DirectoryView>,
    ) -> Result<Asked<Vec<PatchOperation>>, Stopped> {
        let (runner, loader) = (self.sandbox.runner().clone(), Arc::clone(self.sandbox.loader()));
        let (tenant, rewriter) = (self.tenant, Arc::clone(rewriter));
        let asked = async move {
            let pre = loader.of(tenant, &rewriter).await;
            runner.rewrite(tenant, &rewriter, pre, &operation, &directory).await
        };
        self.ask(asked).await
    }

    /// Counts what came of asking a rewriter, once its edits were made.
    pub fn count(&self, evaluation: &Evaluation, operation: &Operation) {
        self.sandbox.metrics().evaluated(self.tenant, evaluation, operation.decision, operation.at);
    }

    /// Asks every constraint that judges such a change; all of them, even after a denial, so that the client gets every
    /// reason at once.
    pub async fn evaluate(
        &self,
        constraints: &ConstraintSet,
        operation: Arc<Operation>,
        directory: Arc<dyn DirectoryView>,
    ) -> Result<Vec<Evaluation>, Stopped> {
        let applicable = constraints.applicable(&operation.planned);
        if applicable.is_empty() {
            return Ok(Vec::new());
        }
        let (runner, loader) = (self.sandbox.runner().clone(), Arc::clone(self.sandbox.loader()));
        let (tenant, metrics) = (self.tenant, Arc::clone(self.sandbox.metrics()));
        let asked = async move {
            let mut evaluations = Vec::with_capacity(applicable.len());
            for constraint in &applicable {
                // One after the other: a tenant's turn holds the machine code of one of its components, however many it has.
                let pre = loader.of(tenant, constraint).await;
                if pre.as_ref().is_ok_and(|pre| !pre.checks()) {
                    continue;
                }
                let evaluation = runner.evaluate(tenant, constraint, pre, &operation, &directory).await;
                metrics.evaluated(tenant, &evaluation, operation.decision, operation.at);
                evaluations.push(evaluation);
            }
            evaluations
        };
        self.ask(asked).await
    }

    async fn ask<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Stopped> {
        let turn = self.turn.clone();
        let mut asked = Box::pin(async move {
            // Runs out with the guests, also when nobody waits for the answer any more.
            let _turn = turn;
            work.await
        });
        // The first slice runs here; whatever it does not finish goes on among the guests.
        if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
            return Ok(answer);
        }
        // A panic of ours in there must not pass for a verdict of anybody: nothing is decided.
        self.sandbox.run(asked).await
    }
}
