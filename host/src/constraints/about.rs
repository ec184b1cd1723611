//! Calls of `about`: who a component is, and whether settings make sense to it. Nothing is granted meanwhile, and the
//! budget is smaller than that of an evaluation.

use super::bindings::exports::scruple::constraint::about;
use super::compile::ConstraintPre;
use super::convert::{bad_output, check_count, message_from_wit};
use super::evaluate::{Runner, unavailable};
use super::settings::SettingsProblem;
use super::state::CallLabel;
use crate::decision::ConstraintFault;

const NOBODY: CallLabel = CallLabel { tenant: None, constraint: None };

impl Runner {
    /// Calls `describe`.
    pub(super) async fn describe(&self, pre: &ConstraintPre) -> Result<about::Descriptor, ConstraintFault> {
        let fuel_max = self.limits.fuel_about_max;
        let mut store = self.new_store(NOBODY, None, fuel_max).map_err(|error| unavailable(&error))?;
        let instance = self.instantiate(pre, &mut store, fuel_max).await?;
        // All of its exports: what does not fit is to be known before it is asked for the first time.
        pre.exports.check_types(&mut store, &instance).map_err(|error| unavailable(&error))?;
        let about = pre.exports.about.load(&mut store, &instance).map_err(|error| unavailable(&error))?;
        let described = about.call_describe(&mut store).await;
        described.map_err(|error| self.fault(&error, &mut store, fuel_max))
    }

    /// Calls `check-settings`.
    pub(super) async fn check_settings(
        &self,
        pre: &ConstraintPre,
        settings: &str,
    ) -> Result<Vec<SettingsProblem>, ConstraintFault> {
        let fuel_max = self.limits.fuel_about_max;
        let mut store = self.new_store(NOBODY, None, fuel_max).map_err(|error| unavailable(&error))?;
        let instance = self.instantiate(pre, &mut store, fuel_max).await?;
        let about = pre.exports.about.load(&mut store, &instance).map_err(|error| unavailable(&error))?;
        match about.call_check_settings(&mut store, settings).await {
            Ok(Ok(())) => Ok(Vec::new()),
            Ok(Err(problems)) => self.problems(problems),
            Err(error) => Err(self.fault(&error, &mut store, fuel_max)),
        }
    }

    fn problems(&self, problems: Vec<about::SettingsProblem>) -> Result<Vec<SettingsProblem>, ConstraintFault> {
        if problems.is_empty() {
            return Err(bad_output("settings refused without a problem"));
        }
        check_count("refusal of settings", problems.len(), self.limits.reasons_max, "problems")?;
        let cut = |text| message_from_wit(text, &self.limits);
        let ours = |problem: about::SettingsProblem| SettingsProblem {
            pointer: cut(problem.pointer),
            message: cut(problem.message),
        };
        Ok(problems.into_iter().map(ours).collect())
    }
}
