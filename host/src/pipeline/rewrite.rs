//! Rewriters: asked one after the other, each shown what the last one has left.

use std::sync::Arc;

use crate::change::PlannedChange;
use crate::change::rewrite::{Editing, RewriteError, rewritten};
use crate::constraints::sandbox::Stopped;
use crate::constraints::{ConstraintSet, DirectoryView, EnabledConstraint, Hearing, Operation};
use crate::decision::{ConstraintFault, ConstraintName, Evaluation, FailurePolicy, Mode, Reason, Rewrite, Verdict};
use crate::scim::limits::ScimLimits;
use crate::scim::patch::PatchOperation;
use crate::scim::path::parse::excerpt;

/// Bytes that what one rewriter has changed may fill in the decision log. 1 MiB: as much as what it reads.
const REWRITE_BYTES_MAX: usize = 1 << 20;

/// Paths that a warning names. 32, as many as a reason of a component may.
const WARNED_PATHS_MAX: usize = 32;

/// What rewriters have made of a change.
pub(super) struct Rewriting {
    /// What is to be judged now.
    operation: Arc<Operation>,
    /// One for each rewriter that was asked, in the tenant's order.
    evaluations: Vec<Evaluation>,
    /// Whether one broke that fails closed. Then the others were not asked, and nobody is to judge what is left: it is not
    /// what the tenant wants to be judged.
    broke: bool,
}

/// Edits that are part of the change, and whose they are.
struct Made {
    by: ConstraintName,
    edits: Vec<PatchOperation>,
}

/// Asks the tenant's rewriters, in their order.
pub(super) async fn rewrite_in_order(
    hearing: &Hearing<'_>,
    constraints: &ConstraintSet,
    operation: Operation,
    directory: &Arc<dyn DirectoryView>,
    limits: &ScimLimits,
) -> Result<Rewriting, Stopped> {
    let rewriters = constraints.rewriters(&operation.planned);
    let mut rewriting =
        Rewriting { operation: Arc::new(operation), evaluations: Vec::with_capacity(rewriters.len()), broke: false };
    let (mut editing, mut made) = (Editing::new(limits), Vec::new());
    for rewriter in &rewriters {
        let operation = Arc::clone(&rewriting.operation);
        let asked = hearing.rewrite(rewriter, operation, Arc::clone(directory)).await?;
        let mut planned = None;
        let asked = asked.and_then(|edits| {
            let from = &rewriting.operation.planned;
            let (to, verdict) = make(&mut editing, from, &edits, &made)?;
            planned = to;
            if rewriter.mode == Mode::Enforce {
                made.push(Made { by: rewriter.name.clone(), edits });
            }
            Ok(verdict)
        });
        let mut evaluation = rewriter.evaluation(asked);
        hearing.count(&evaluation, &rewriting.operation);
        match rewriter.mode {
            Mode::Enforce => rewriting.take(planned),
            Mode::Warn => evaluation.warnings.extend(warning(&evaluation)),
            Mode::Shadow | Mode::Off => {}
        }
        rewriting.broke = fails_closed(rewriter, &evaluation);
        rewriting.evaluations.push(evaluation);
        if rewriting.broke {
            break;
        }
        // Edits of a large resource are some milliseconds of work of this thread's, each time: others are let in between.
        tokio::task::yield_now().await;
    }
    Ok(rewriting)
}

/// Makes one rewriter's edits: what they leave, if it differs, and what the log says of it.
fn make(
    editing: &mut Editing<'_>,
    from: &PlannedChange,
    edits: &[PatchOperation],
    made: &[Made],
) -> Result<(Option<PlannedChange>, Verdict), ConstraintFault> {
    let bad = |error: RewriteError| ConstraintFault::BadEdit { detail: error.to_string() };
    let Some(to) = editing.rewrite(from, edits).map_err(bad)? else {
        return Ok((None, Verdict::Rewrite(Rewrite::default())));
    };
    let changed = rewritten(from, &to);
    for Made { by, edits } in made {
        if let Some(path) = editing.undone(edits, from, &to, &changed).map_err(bad)? {
            return Err(ConstraintFault::Conflict { path, earlier: by.0.clone() });
        }
    }
    Ok((Some(to), Verdict::Rewrite(Rewrite::of(changed, REWRITE_BYTES_MAX))))
}

impl Rewriting {
    /// Whether the change would change nothing any more.
    pub(super) fn left_nothing(&self) -> bool {
        !self.broke && !self.operation.planned.changes_anything()
    }

    /// Has what is left judged, if anything is and all rewriters have done their part. Gives that, and all that was said.
    pub(super) async fn judge(
        mut self,
        hearing: &Hearing<'_>,
        constraints: &ConstraintSet,
        directory: Arc<dyn DirectoryView>,
    ) -> Result<(Arc<Operation>, Vec<Evaluation>), Stopped> {
        if !self.broke && !self.left_nothing() {
            self.evaluations.extend(hearing.evaluate(constraints, Arc::clone(&self.operation), directory).await?);
        }
        Ok((self.operation, self.evaluations))
    }

    /// Goes on with what a rewriter has left.
    fn take(&mut self, planned: Option<PlannedChange>) {
        if let Some(planned) = planned {
            self.operation = Arc::new(Operation { planned: Arc::new(planned), ..(*self.operation).clone() });
        }
    }
}

fn fails_closed(rewriter: &EnabledConstraint, evaluation: &Evaluation) -> bool {
    let counts = rewriter.mode == Mode::Enforce && rewriter.on_fault == FailurePolicy::Deny;
    counts && evaluation.answer.is_err()
}

/// What the client is told of edits that `warn` does not make. The values are for the log.
fn warning(evaluation: &Evaluation) -> Option<Reason> {
    let Ok(Verdict::Rewrite(Rewrite { changes, .. })) = &evaluation.answer else { return None };
    let paths: Vec<String> = changes.iter().take(WARNED_PATHS_MAX).map(|change| change.path.clone()).collect();
    let named: Vec<String> = paths.iter().map(|path| excerpt(path)).collect();
    let message = format!("would be rewritten before it is stored: {}", named.join(", "));
    (!paths.is_empty()).then(|| Reason { code: "would-rewrite".to_owned(), message, paths, scim_type: None })
}
