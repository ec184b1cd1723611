//! What is expected of a constraint in a case, and how that differs from what it says. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decision::{ConstraintFault, DecisionRecord, Evaluation, Rewrite, Verdict};

/// What a recorded fuel may be exceeded by, in percent: another version of the host counts the same, but a compiler that is a
/// little newer makes other code of the same source.
const FUEL_SLACK_PERCENT: u64 = 25;

/// What is expected of a case, or what came of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// `allow`, `deny`, `hold`, `not-applicable`, `rewrite`, `fault`; `not-asked` where it judges no such operations;
    /// `unchanged` where the request changes nothing.
    pub verdict: String,
    /// The codes of the reasons, in their order; of a fault its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The codes of the warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Of a rewriter, the paths that it changes, with their values after.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub rewritten: Map<String, Value>,
    /// The most fuel that it may use. Not compared if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_max: Option<u64>,
}

impl Expected {
    /// What was decided.
    pub fn of(record: Option<&DecisionRecord>) -> Self {
        match record {
            Some(record) => Self::of_evaluations(&record.evaluations),
            None => Self::bare("unchanged"),
        }
    }

    fn bare(verdict: &str) -> Self {
        Self {
            verdict: verdict.to_owned(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            rewritten: Map::new(),
            fuel_max: None,
        }
    }

    /// Where the component asks what is not recorded: never what somebody expects.
    pub fn undecidable(missing: String) -> Self {
        Self { reasons: vec![format!("`{missing}` was not read")], ..Self::bare("undecidable") }
    }

    /// What these say.
    pub fn of_evaluations(evaluations: &[Evaluation]) -> Self {
        // One that rewrites and judges is asked twice: what it says in the end is the last word.
        let Some(last) = evaluations.last() else { return Self::bare("not-asked") };
        let codes = |reasons: &[super::Reason]| reasons.iter().map(|reason| reason.code.clone()).collect();
        let (verdict, reasons) = match &last.answer {
            Ok(Verdict::Allow) => ("allow", Vec::new()),
            Ok(Verdict::NotApplicable) => ("not-applicable", Vec::new()),
            Ok(Verdict::Deny(reasons)) => ("deny", codes(reasons)),
            Ok(Verdict::Hold(hold)) => ("hold", codes(&hold.reasons)),
            Ok(Verdict::Rewrite(_)) => ("rewrite", Vec::new()),
            Err(fault) => ("fault", vec![ConstraintFault::kind(fault).to_owned()]),
        };
        let fuel = evaluations.iter().map(|evaluation| evaluation.fuel_used).max().unwrap_or(0);
        Self {
            verdict: verdict.to_owned(),
            reasons,
            warnings: evaluations.iter().flat_map(codes_of_warnings).collect(),
            rewritten: evaluations.iter().flat_map(rewritten).collect(),
            fuel_max: Some(with_slack(fuel)),
        }
    }

    /// What is not as expected, in words.
    pub fn differences(&self, found: &Self, fuel_used: u64) -> Vec<String> {
        let mut differences = Vec::new();
        if (&self.verdict, &self.reasons) != (&found.verdict, &found.reasons) {
            differences.push(format!("expected {}, got {}", self.in_words(), found.in_words()));
        }
        if self.warnings != found.warnings {
            differences.push(format!("expected the warnings {:?}, got {:?}", self.warnings, found.warnings));
        }
        if self.rewritten != found.rewritten {
            let (expected, found) = (Value::from(self.rewritten.clone()), Value::from(found.rewritten.clone()));
            differences.push(format!("expected to be rewritten {expected}, got {found}"));
        }
        if let Some(fuel_max) = self.fuel_max.filter(|fuel_max| fuel_used > *fuel_max) {
            differences.push(format!("used {fuel_used} of fuel, more than its `fuel_max` of {fuel_max}"));
        }
        differences
    }

    /// `deny (immutable-attribute)`.
    pub fn in_words(&self) -> String {
        match self.reasons.as_slice() {
            [] => self.verdict.clone(),
            reasons => format!("{} ({})", self.verdict, reasons.join(", ")),
        }
    }
}

fn codes_of_warnings(evaluation: &Evaluation) -> Vec<String> {
    evaluation.warnings.iter().map(|warning| warning.code.clone()).collect()
}

fn rewritten(evaluation: &Evaluation) -> Vec<(String, Value)> {
    let Ok(Verdict::Rewrite(Rewrite { changes, .. })) = &evaluation.answer else { return Vec::new() };
    changes.iter().map(|change| (change.path.clone(), change.after.clone().unwrap_or(Value::Null))).collect()
}

/// A quarter more, in two digits: what is recorded should not change with every build.
fn with_slack(fuel: u64) -> u64 {
    let fuel = fuel.saturating_add(fuel.saturating_mul(FUEL_SLACK_PERCENT) / 100);
    let step = 10_u64.pow(fuel.checked_ilog10().unwrap_or(0).saturating_sub(1));
    fuel.div_ceil(step).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_recorded_with_a_quarter_more_in_two_digits() {
        assert_eq!([0, 7, 1_000, 2_081, 4_800_000].map(with_slack), [0, 8, 1_300, 2_700, 6_000_000]);
    }
}
