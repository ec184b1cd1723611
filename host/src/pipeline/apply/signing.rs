//! Components of a plan that the tenant wants signed.

use super::{Step, WantedProblem, pointer};
use crate::pipeline::signing::SigningState;
use crate::store::{ActivationState, Unsigned};

/// What is in the way of the steps that put something to work. What is as wanted already is left alone, signed or not.
pub(super) fn problems(steps: &[Step<ActivationState>], signing: &SigningState) -> Vec<WantedProblem> {
    let changed = steps.iter().filter(|step| step.changes());
    let lacking = |step: &Step<ActivationState>| {
        let unsigned = signing.lacking(&step.after.as_ref()?.digest)?;
        Some(problem(&step.name, &unsigned))
    };
    changed.filter_map(lacking).collect()
}

/// What a constraint's component lacks.
pub(super) fn problem(name: &str, unsigned: &Unsigned) -> WantedProblem {
    WantedProblem { pointer: pointer(&["constraints", name]), message: unsigned.to_string() }
}
