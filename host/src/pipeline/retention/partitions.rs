//! A log in partitions: they are made ahead, and dropped whole once no tenant keeps anything in them.
//!
//! Nothing is dropped of a partition before its end has passed for a tenant: a partition that is half empty takes as long to be dropped
//! as one that is full, and was emptied for nothing. Where its end has passed for one tenant and not for another one that has something
//! in it, and in the first and the last, which have no two ends, a tenant's decisions are dropped a few at a time.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{AT_ONCE, Retention, RetentionError, kept_since};
use crate::causes::with_causes;
use crate::pipeline::Pipeline;
use crate::store::{DecisionPartition, DecisionSpan, PartitionCare, Tenant};

/// Decisions dropped one by one before the partitions are looked after again: some ten minutes.
const AT_A_TIME: u64 = 3_000_000;

/// Time between two looks at a partition that a tenant keeps. There may be many of them, with many tenants in each.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// When each of the partitions was looked at that a tenant keeps.
#[derive(Default)]
pub(super) struct Looks(HashMap<String, Timestamp>);

impl Looks {
    fn is_due(&self, partition: &DecisionPartition, now: Timestamp) -> bool {
        self.0.get(&partition.name).is_none_or(|at| now.duration_since(*at) >= LOOK_AGAIN)
    }
}

/// Whoever has the care, and for what.
struct Round<'r> {
    pipeline: &'r Pipeline,
    care: &'r dyn PartitionCare,
    retention: &'r Retention,
    now: Timestamp,
    /// The tenants that do not keep decisions for ever, by id.
    forgetful: Vec<Tenant>,
    dropped: u64,
}

impl Pipeline {
    /// One node does that at a time; the others do nothing.
    pub(super) async fn drop_old_of_partitions(
        &self,
        retention: &Retention,
        looks: &mut Looks,
    ) -> Result<u64, RetentionError> {
        let Some(care) = self.store.care_for_partitions().await? else { return Ok(0) };
        let forgetful = self.store.forgetful_tenants().await;
        let done = match forgetful {
            Ok(forgetful) => {
                let now = self.clock.now();
                let round = Round { pipeline: self, care: &*care, retention, now, forgetful, dropped: 0 };
                round.run(looks).await
            }
            Err(error) => Err(error.into()),
        };
        care.give_up().await;
        done
    }
}

impl Round<'_> {
    async fn run(mut self, looks: &mut Looks) -> Result<u64, RetentionError> {
        self.prepare().await;
        let partitions = self.care.partitions().await?;
        looks.0.retain(|name, _| partitions.iter().any(|partition| partition.name == *name));
        // Nothing has passed for anybody before.
        let Some(passed) = self.forgetful.iter().filter_map(|tenant| kept_since(tenant, self.now)).max() else {
            return Ok(0);
        };
        for partition in partitions.iter().filter(|partition| !partition.is_blank) {
            let has_passed = partition.to.is_some_and(|to| to <= passed);
            if has_passed && looks.is_due(partition, self.now) {
                if self.care.is_kept(partition, self.now).await? {
                    self.drop_of_kept(partition).await?;
                    if self.dropped < AT_A_TIME {
                        looks.0.insert(partition.name.clone(), self.now);
                    }
                } else {
                    self.drop_whole(partition).await?;
                    continue;
                }
            }
            if partition.from.is_none() || partition.to.is_none() {
                self.drop_of_half_open(partition).await?;
            }
        }
        Ok(self.dropped)
    }

    /// What fails here keeps nothing from being dropped.
    async fn prepare(&self) {
        let prepared = match self.retention.partition_days {
            Some(days) => self.care.prepare(self.now, days).await,
            None => self.care.tidy(self.now).await.map(|()| true),
        };
        match prepared {
            Ok(true) => {}
            Ok(false) => info!("the partitions of the decision log are prepared later: others are at work there"),
            Err(error) => warn!(error = with_causes(&error), "the partitions of the decision log cannot be prepared"),
        }
    }

    async fn drop_whole(&self, partition: &DecisionPartition) -> Result<(), RetentionError> {
        let decisions = self.export(partition).await?;
        let name = &partition.name;
        if self.care.drop_whole(partition).await? {
            info!(partition = name, exported = decisions, "a partition of the decision log was dropped");
        } else {
            info!(partition = name, "a partition of the decision log is dropped later: others are at work there");
        }
        Ok(())
    }

    /// Writes down what is in it, if that is wanted; how many decisions that were.
    async fn export(&self, partition: &DecisionPartition) -> Result<u64, RetentionError> {
        let Some(exports) = &self.retention.exports else { return Ok(0) };
        let (mut exported, mut last) = (0, None);
        loop {
            let found = self.care.decisions(partition, last.as_ref(), AT_ONCE).await?;
            let Some(next) = found.last().cloned() else { return Ok(exported) };
            last = Some(next);
            for of_tenant in found.chunk_by(|one, other| one.tenant == other.tenant) {
                // What a tenant has that is being deleted goes with it.
                let Some(name) = of_tenant.first().and_then(|one| one.tenant_name.as_ref()) else { continue };
                exported += of_tenant.len() as u64;
                let decisions = of_tenant.iter().map(|one| one.decision.clone()).collect();
                exports.write(name, decisions).await?;
            }
        }
    }

    /// What those have in it for whom it has passed.
    async fn drop_of_kept(&mut self, partition: &DecisionPartition) -> Result<(), RetentionError> {
        let Some(before) = partition.to else { return Ok(()) };
        let span = DecisionSpan { from: partition.from, before };
        for id in self.care.forgetful(partition, self.now).await? {
            let Ok(place) = self.forgetful.binary_search_by_key(&id, |tenant| tenant.id) else { continue };
            if let Some(tenant) = self.forgetful.get(place) {
                let (pipeline, most) = (self.pipeline, AT_A_TIME.saturating_sub(self.dropped));
                self.dropped += pipeline.drop_span(tenant, span, self.retention, most).await?;
            }
        }
        Ok(())
    }

    /// What is too old in it, day or not.
    async fn drop_of_half_open(&mut self, partition: &DecisionPartition) -> Result<(), RetentionError> {
        for tenant in &self.forgetful {
            let Some(before) = kept_since(tenant, self.now) else { continue };
            let span = DecisionSpan { from: partition.from, before: partition.to.map_or(before, |to| to.min(before)) };
            if self.dropped < AT_A_TIME && span.from.is_none_or(|from| from < span.before) {
                let most = AT_A_TIME.saturating_sub(self.dropped);
                self.dropped += self.pipeline.drop_span(tenant, span, self.retention, most).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_is_kept_is_looked_at_once_an_hour() {
        let partition = DecisionPartition { name: "p".to_owned(), from: None, to: None, is_blank: false };
        let mut looks = Looks::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(looks.is_due(&partition, now));
        looks.0.insert(partition.name.clone(), now);
        assert!(!looks.is_due(&partition, now + SignedDuration::from_mins(59)));
        assert!(looks.is_due(&partition, now + SignedDuration::from_mins(60)));
    }
}
