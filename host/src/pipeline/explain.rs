//! What a decision rests on: which other answers to what was read would have turned a verdict. Found by asking the constraint
//! again with each of them ([`crate::decision::hypotheses`]), so it is what the component does and no guess about its rule.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::decision::hypotheses::{Hypothesis, hypotheses};
use crate::decision::reads::ReadSet;
use crate::decision::said::Said;
use crate::decision::{ConstraintName, DecisionId, Evaluation, RecordedEvaluation, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::replay::{ReplayError, Undecidable, Witness};

/// Hypotheses about one evaluation at the most. 200: an evaluation that uses all of its fuel takes 4 ms, so one constraint
/// is explained in less than a second; an ordinary rule has made ten reads and takes as many microseconds for each.
const HYPOTHESES_MAX: usize = 200;

/// What one constraint's verdict rests on.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The constraint.
    pub constraint: ConstraintName,
    /// What would have turned its verdict or taken a reason away; or why that cannot be told.
    pub rests_on: Result<Vec<Turn>, Undecidable>,
}

/// Something that would have made the answer another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What would have had to be otherwise: one thing, or several at once.
    pub supposed: Vec<String>,
    /// The verdict then.
    pub verdict: String,
    /// Codes of the reasons then.
    pub reasons: Vec<String>,
}

impl Explanation {
    /// As it is shown.
    pub fn to_json(&self) -> Value {
        match &self.rests_on {
            Ok(turns) => json!({
                "constraint": self.constraint,
                "rests_on": turns.iter().map(|turn| json!({
                    "supposed": turn.supposed, "verdict": turn.verdict, "reasons": turn.reasons,
                })).collect::<Vec<_>>(),
            }),
            Err(undecidable) => json!({ "constraint": self.constraint, "undecidable": undecidable.to_string() }),
        }
    }
}

impl Pipeline {
    /// The entry of the log, and what each of its verdicts rests on.
    pub async fn explain(&self, tenant: TenantId, id: DecisionId) -> Result<(Value, Vec<Explanation>), ReplayError> {
        let (entry, decision) = self.entry(tenant, id).await?;
        let schemas = Arc::clone(&self.store.tenant(tenant).model().await?.schemas);
        let mut explanations = Vec::with_capacity(decision.evaluations.len());
        for recorded in &decision.evaluations {
            let rests_on = match self.witness(tenant, &decision, recorded, &schemas).await? {
                Ok(witness) => self.turns(tenant, &witness, recorded).await?,
                Err(undecidable) => Err(undecidable),
            };
            explanations.push(Explanation { constraint: recorded.constraint.clone(), rests_on });
        }
        Ok((entry, explanations))
    }

    async fn turns(
        &self,
        tenant: TenantId,
        witness: &Witness,
        recorded: &RecordedEvaluation,
    ) -> Result<Result<Vec<Turn>, Undecidable>, ReplayError> {
        let hypotheses = hypotheses(&recorded.reads, HYPOTHESES_MAX);
        let supposed = hypotheses.iter().map(|hypothesis| hypothesis.apply(&recorded.reads));
        let asked: Vec<ReadSet> = std::iter::once(recorded.reads.clone()).chain(supposed).collect();
        let mut answers = self.ask_each(tenant, witness, asked).await?.into_iter();
        let said = match answers.next() {
            Some(Ok(evaluation)) => said_by(&evaluation),
            Some(Err(undecidable)) => return Ok(Err(undecidable)),
            None => return Ok(Ok(Vec::new())),
        };
        let mut turning = Vec::new();
        for (hypothesis, answer) in hypotheses.iter().zip(answers) {
            // What it would have asked then was not read: that it would have turned is not known.
            let Ok(evaluation) = answer else { continue };
            let then = said_by(&evaluation);
            if then != said {
                turning.push((hypothesis, then));
            }
        }
        let together = self.together(tenant, witness, recorded, &said, &turning).await?;
        let single = turning.into_iter().map(|(hypothesis, then)| turn(then, vec![hypothesis.supposed.to_string()]));
        Ok(Ok(single.chain(together).collect()))
    }

    /// Where no single thing lets a change pass that was refused for several reasons: all those that take reasons away.
    async fn together(
        &self,
        tenant: TenantId,
        witness: &Witness,
        recorded: &RecordedEvaluation,
        said: &Said,
        turning: &[(&Hypothesis, Said)],
    ) -> Result<Option<Turn>, ReplayError> {
        if !said.refuses() || turning.iter().any(|(_, then)| !then.refuses()) {
            return Ok(None);
        }
        let fewer: Vec<&Hypothesis> = turning
            .iter()
            .filter(|(_, then)| then.reasons.len() < said.reasons.len())
            .map(|(hypothesis, _)| *hypothesis)
            .collect();
        if fewer.len() < 2 {
            return Ok(None);
        }
        let reads = fewer.iter().fold(recorded.reads.clone(), |reads, hypothesis| hypothesis.apply(&reads));
        let answer = self.ask_each(tenant, witness, vec![reads]).await?.pop();
        let Some(Ok(evaluation)) = answer else { return Ok(None) };
        let then = said_by(&evaluation);
        let supposed = fewer.iter().map(|hypothesis| hypothesis.supposed.to_string()).collect();
        Ok((!then.refuses()).then(|| turn(then, supposed)))
    }
}

fn said_by(evaluation: &Evaluation) -> Said {
    Said::of(&serde_json::to_value(evaluation).unwrap_or_default())
}

fn turn(then: Said, supposed: Vec<String>) -> Turn {
    Turn { supposed, reasons: then.reasons.into_iter().map(|(code, _)| code).collect(), verdict: then.verdict }
}
