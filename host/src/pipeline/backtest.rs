//! What another version would have said: of decisions in the log, two constraints that were both asked ([`Pipeline::compare`]), or
//! one of them and a component that was not there ([`Pipeline::backtest`], by the recorded reads). Only where they differ,
//! and grouped by what they say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::constraints::sandbox::{Checked, UploadPlace};
use crate::decision::said::Said;
use crate::decision::{ConstraintName, DecisionId, RecordedDecision, TenantId};
use crate::pipeline::Pipeline;
use crate::pipeline::replay::{Candidate, ReplayError, Undecidable, which};
use crate::pipeline::upload::PushError;
use crate::store::{DecisionQuery, StoreError};

/// Decisions that are looked at, at the most. 1,000: one that uses all of its fuel takes 4 ms, so that a component that always
/// does has 4 s of one of the tenant's turns; an ordinary one takes 20 ms in all.
pub const DECISIONS_MAX: usize = 1_000;

/// Decisions named in a group: enough to look at, whatever their number.
const EXAMPLES_MAX: usize = 5;

/// Pages of the log that are walked, of those without any decision of the constraint too: a page without one takes 20 ms.
const PAGES_MAX: usize = 50;

/// Which decisions.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// The newest, so many.
    pub limit: usize,
}

/// How the answers of two differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Decisions in which both have an answer.
    pub compared: u64,
    /// Those in which both say the same.
    pub same: u64,
    /// What the one said and what the other says, the most frequent first.
    pub differences: Vec<Differing>,
    /// Why there is no answer, with the number of decisions.
    pub undecidable: Vec<(String, u64)>,
}

/// Decisions in which the answers differ alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// What the one said.
    pub was: Said,
    /// What the other says.
    pub would_be: Said,
    /// How many.
    pub count: u64,
    /// The newest of them.
    pub decisions: Vec<DecisionId>,
}

/// A comparison in the making.
#[derive(Default)]
struct Tally {
    compared: u64,
    same: u64,
    differing: BTreeMap<(Said, Said), (u64, Vec<DecisionId>)>,
    undecidable: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, decision: DecisionId, was: &Value, would_be: &Value) {
        self.compared = self.compared.saturating_add(1);
        let (was, would_be) = (Said::of(was), Said::of(would_be));
        if was == would_be {
            self.same = self.same.saturating_add(1);
            return;
        }
        let (count, examples) = self.differing.entry((was.without_paths(), would_be.without_paths())).or_default();
        *count = count.saturating_add(1);
        if examples.len() < EXAMPLES_MAX {
            examples.push(decision);
        }
    }

    fn undecidable(&mut self, why: &Undecidable) {
        let count = self.undecidable.entry(why.to_string()).or_default();
        *count = count.saturating_add(1);
    }

    fn into_comparison(self) -> Comparison {
        let differing = self.differing.into_iter();
        let mut differences: Vec<Differing> = differing
            .map(|((was, would_be), (count, decisions))| Differing { was, would_be, count, decisions })
            .collect();
        differences.sort_by_key(|differing| std::cmp::Reverse(differing.count));
        let mut undecidable: Vec<(String, u64)> = self.undecidable.into_iter().collect();
        undecidable.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Comparison { compared: self.compared, same: self.same, differences, undecidable }
    }
}

impl Comparison {
    /// As it is shown.
    pub fn to_json(&self) -> Value {
        let said = |said: &Said| json!({ "verdict": said.verdict, "reasons": said.codes() });
        let differences = self.differences.iter().map(|differing| {
            json!({
                "was": said(&differing.was),
                "would_be": said(&differing.would_be),
                "count": differing.count,
                "decisions": differing.decisions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        let undecidable = self.undecidable.iter().map(|(why, count)| json!({ "why": why, "count": count }));
        json!({
            "compared": self.compared,
            "same": self.same,
            "differences": differences.collect::<Vec<_>>(),
            "undecidable": undecidable.collect::<Vec<_>>(),
        })
    }
}

impl Pipeline {
    /// How two constraints differ that were asked about the same changes: one that counts and one in `shadow`, mostly.
    pub async fn compare(
        &self,
        tenant: TenantId,
        one: &ConstraintName,
        other: &ConstraintName,
        stretch: Stretch,
    ) -> Result<Comparison, ReplayError> {
        let mut tally = Tally::default();
        for decision in self.decisions_of(tenant, one, stretch).await? {
            // Those in which the other was not asked compare nothing.
            if let (Ok(was), Ok(would_be)) = (which(&decision, Some(&one.0)), which(&decision, Some(&other.0))) {
                tally.add(decision.id, &was.entry, &would_be.entry);
            }
        }
        Ok(tally.into_comparison())
    }

    /// How a component would have differed from a constraint in whose place it is asked.
    pub async fn backtest(
        &self,
        tenant: TenantId,
        constraint: &ConstraintName,
        place: &UploadPlace,
        candidate: Candidate,
        stretch: Stretch,
    ) -> Result<Comparison, ReplayError> {
        let model = self.store.tenant(tenant).model().await?;
        let checked = self.sandbox.upload_in(place, candidate.component, &model.schemas).await;
        let checked: Checked = checked.map_err(PushError::from)?;
        let mut stand_in = self.stand_in(tenant, constraint, &checked, candidate.settings, &model.schemas).await?;
        let mut tally = Tally::default();
        for decision in self.decisions_of(tenant, constraint, stretch).await? {
            let recorded = which(&decision, Some(&constraint.0))?;
            match stand_in.ask(&decision, recorded).await? {
                Ok(said) => {
                    let said = serde_json::to_value(said).map_err(StoreError::Unwritable)?;
                    tally.add(decision.id, &recorded.entry, &said);
                }
                Err(undecidable) => tally.undecidable(&undecidable),
            }
        }
        Ok(tally.into_comparison())
    }

    /// The newest decisions in which a constraint was asked.
    async fn decisions_of(
        &self,
        tenant: TenantId,
        constraint: &ConstraintName,
        Stretch { since, limit }: Stretch,
    ) -> Result<Vec<RecordedDecision>, StoreError> {
        let store = self.store.tenant(tenant);
        let limit = limit.min(DECISIONS_MAX);
        let (mut found, mut before) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let missing = limit.saturating_sub(found.len());
            let query = DecisionQuery {
                since,
                constraint: Some(constraint.clone()),
                before,
                limit: missing,
                ..DecisionQuery::default()
            };
            let page = store.decisions(query).await?;
            for stored in &page.decisions {
                let decision = RecordedDecision::from_json(&stored.record);
                found.push(decision.map_err(|error| StoreError::Damaged(error.to_string()))?);
            }
            before = page.next;
            if before.is_none() || found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }
}
