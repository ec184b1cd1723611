//! A real decision, made a test: what one of its constraints has read, with what is somebody's masked, its settings, and what
//! it says of that. Masked here and not by whoever asks: what a test does not need does not leave the server.
//!
//! A text on which the verdict rests cannot be masked: it stays as it is, and is named.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::decision::masking::{Masks, mask, texts};
use crate::decision::recorded::Unreadable;
use crate::decision::{DecisionId, Evaluation, RecordedDecision, RecordedEvaluation, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::replay::{ReplayError, Undecidable, Witness, which};
use crate::scim::schema::{Definitions, SchemaRegistry};
use crate::store::{ActivationState, StoreError};

/// Texts that are masked one after the other, to see which of them the verdict rests on. 200: in less than a second, since an
/// evaluation that uses all of its fuel takes 4 ms.
const TEXTS_MAX: usize = 200;

/// A test of a constraint.
#[derive(Clone, Debug)]
pub struct Captured {
    /// What was asked and read, masked: an entry of the decision log with one evaluation, of which only the reads are there.
    pub recorded: Value,
    /// The constraint's settings, masked alike.
    pub settings: Value,
    /// Its grants.
    pub grants: Value,
    /// What of the tenant's own definitions it takes for that; `None` where the schemas of RFC 7643 suffice.
    pub definitions: Option<Definitions>,
    /// What it says of that.
    pub evaluation: Evaluation,
    /// The texts that stay as they are, since the verdict rests on them.
    pub kept: Vec<String>,
}

/// What is to be masked.
struct Exhibit {
    witness: Witness,
    /// The entry of the log, as small as can be.
    entry: Value,
    texts: Vec<String>,
    definitions: Definitions,
}

impl Pipeline {
    /// Makes a test of one constraint's part in a decision.
    pub async fn capture(&self, tenant: TenantId, id: DecisionId, only: Option<&str>) -> Result<Captured, ReplayError> {
        let decision = self.recall(tenant, id).await?;
        let recorded = which(&decision, only)?;
        let (exhibit, said) = self.exhibit(tenant, &decision, recorded).await?;
        let (masks, kept) = self.masks(tenant, &exhibit, &said).await?;
        let evaluation = self.said_of(tenant, &exhibit, &masks).await?;
        let evaluation = evaluation.map_err(|why| uncapturable(recorded, &why.to_string()))?;
        Ok(Captured {
            recorded: masks.apply(&exhibit.entry),
            settings: masks.apply(&exhibit.witness.state.settings),
            grants: exhibit.witness.state.grants.clone(),
            definitions: Some(exhibit.definitions).filter(|definitions| *definitions != Definitions::default()),
            evaluation,
            kept,
        })
    }

    /// The constraint's part with as little of the tenant's definitions as it says the same with: none, those of the resource's
    /// type, all.
    async fn exhibit(
        &self,
        tenant: TenantId,
        decision: &RecordedDecision,
        recorded: &RecordedEvaluation,
    ) -> Result<(Exhibit, Evaluation), ReplayError> {
        let all = Definitions::clone(&self.store.tenant(tenant).model().await?.definitions);
        let entry = entry(decision, recorded);
        let mut why = "with the schemas that the tenant has now, it says something else".to_owned();
        for definitions in [Definitions::default(), all.of(&decision.resource_type), all] {
            // What the tenant has fits together, and so does what one type needs of it.
            let Ok(schemas) = SchemaRegistry::build(&definitions) else { continue };
            let witness = match self.witness(tenant, decision, recorded, &Arc::new(schemas)).await? {
                Ok(witness) => witness,
                Err(undecidable) => {
                    why = undecidable.to_string();
                    continue;
                }
            };
            let exhibit = Exhibit { witness, entry: entry.clone(), texts: texts(&entry), definitions };
            match self.said_of(tenant, &exhibit, &Masks::default()).await? {
                Ok(said) if codes(&entry_of(&said)) == codes(&recorded.entry) => return Ok((exhibit, said)),
                Ok(_) => {}
                Err(undecidable) => why = undecidable.to_string(),
            }
        }
        Err(uncapturable(recorded, &why))
    }

    /// As many masks as leave the answer what it is, and the texts that have none.
    async fn masks(
        &self,
        tenant: TenantId,
        exhibit: &Exhibit,
        said: &Evaluation,
    ) -> Result<(Masks, Vec<String>), ReplayError> {
        let masked = |masks: Masks, (place, text): (usize, &String)| masks.with(text, mask(text, place));
        let all = exhibit.texts.iter().enumerate().fold(Masks::default(), masked);
        if self.says_the_same(tenant, exhibit, &all, said).await? {
            return Ok((all, Vec::new()));
        }
        if exhibit.texts.len() > TEXTS_MAX {
            return Err(ReplayError::Uncapturable(format!(
                "the verdict rests on some of {} texts that were read; of more than {TEXTS_MAX} it is not looked for \
                 which may be masked",
                exhibit.texts.len()
            )));
        }
        let (mut masks, mut kept) = (Masks::default(), Vec::new());
        for text in exhibit.texts.iter().enumerate() {
            let one_more = masked(masks.clone(), text);
            match self.says_the_same(tenant, exhibit, &one_more, said).await? {
                true => masks = one_more,
                false => kept.push(text.1.clone()),
            }
        }
        Ok((masks, kept))
    }

    async fn says_the_same(
        &self,
        tenant: TenantId,
        exhibit: &Exhibit,
        masks: &Masks,
        said: &Evaluation,
    ) -> Result<bool, ReplayError> {
        let now = self.said_of(tenant, exhibit, masks).await?;
        Ok(now.is_ok_and(|now| codes(&entry_of(&now)) == codes(&entry_of(said))))
    }

    /// What the constraint says where everything is masked so, its settings included.
    async fn said_of(
        &self,
        tenant: TenantId,
        exhibit: &Exhibit,
        masks: &Masks,
    ) -> Result<Result<Evaluation, Undecidable>, ReplayError> {
        let damaged = |error: Unreadable| StoreError::Damaged(error.to_string());
        let decision = RecordedDecision::from_json(&masks.apply(&exhibit.entry)).map_err(damaged)?;
        let recorded = which(&decision, None)?;
        let Witness { constraint, pre, state, .. } = &exhibit.witness;
        let settings = masks.apply(&state.settings);
        let state = ActivationState { settings, ..state.clone() };
        let masked = match self.witness_of(&decision, recorded, state, Arc::clone(pre), &constraint.schemas) {
            Ok(masked) => masked,
            Err(undecidable) => return Ok(Err(undecidable)),
        };
        Ok(self.ask_again(tenant, &masked, &recorded.reads).await?)
    }
}

fn uncapturable(recorded: &RecordedEvaluation, why: &str) -> ReplayError {
    ReplayError::Uncapturable(format!("constraint `{}` cannot be made a fixture of: {why}", recorded.constraint))
}

/// As the log would have it.
fn entry_of(evaluation: &Evaluation) -> Value {
    serde_json::to_value(evaluation).unwrap_or_default()
}

/// Verdict and codes: what a test compares. Messages name values.
fn codes(entry: &Value) -> Value {
    let list = |name: &str| -> Vec<Value> {
        let reasons = entry.get(name).and_then(Value::as_array).into_iter().flatten();
        reasons.map(|reason| reason.get("code").cloned().unwrap_or_default()).collect()
    };
    let kind = entry.pointer("/fault/kind").cloned();
    json!([entry.get("verdict"), list("reasons"), list("warnings"), kind])
}

/// An entry of the log that has what was asked and read, and nothing of what was said.
fn entry(decision: &RecordedDecision, recorded: &RecordedEvaluation) -> Value {
    json!({
        "id": decision.id.to_string(),
        "at": decision.at.to_string(),
        "generation": 1,
        "actor": { "subject": decision.actor.subject, "label": "captured", "scopes": decision.actor.scopes },
        "action": decision.action,
        "resource_type": decision.resource_type,
        "resource_id": decision.resource_id.to_string(),
        "evaluations": [{
            "constraint": recorded.constraint,
            "plugin": recorded.plugin,
            "digest": recorded.digest,
            "reads": recorded.reads,
        }],
    })
}
