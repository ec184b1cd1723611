//! Decisions that their tenants do not want to keep any longer: written down where the operator wants them, and dropped, a few at
//! a time, or a partition at a time.

mod exports;
mod partitions;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tracing::{info, warn};

pub use self::exports::Exports;
use self::partitions::Looks;
use crate::causes::with_causes;
use crate::pipeline::Pipeline;
use crate::store::{DecisionSpan, StoreError, Tenant};

/// Decisions dropped in one transaction: some 10 ms of SQLite's writer, for which others wait.
const AT_ONCE: usize = 500;

/// Time for others between two of those: at most a tenth of the writer's is taken, and 5,000 decisions a second are dropped, which
/// is more than a machine can make.
const PAUSE: Duration = Duration::from_millis(100);

/// Time between two looks at what is too old by now. Days are kept, so it may be a minute longer.
const INTERVAL: Duration = Duration::from_secs(60);

const SECONDS_A_DAY: i64 = 86_400;

/// Decisions could not be dropped.
#[derive(Debug, Error)]
pub enum RetentionError {
    /// They were to be written down first.
    #[error("decisions cannot be written to `{}`, so they are not dropped", path.display())]
    Export {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the operator wants done with the decision log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Where decisions are written down before they are dropped.
    pub exports: Option<Exports>,
    /// The log is to be in partitions of so many days.
    pub partition_days: Option<u32>,
}

impl Pipeline {
    /// Drops what is too old by now, again and again, and never returns. What fails is said in the log and tried again.
    pub async fn keep_dropping_decisions(&self, retention: &Retention) {
        let mut looks = Looks::default();
        loop {
            match self.drop_old(retention, &mut looks).await {
                Ok(0) => {}
                Ok(dropped) => info!(dropped, "decisions were dropped that are not kept any longer"),
                Err(error) => {
                    warn!(error = with_causes(&error), "decisions that are not kept any longer are still there")
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Drops what is too old by now; how many decisions that were, without those of partitions that were dropped whole.
    pub async fn drop_old_decisions(&self, retention: &Retention) -> Result<u64, RetentionError> {
        self.drop_old(retention, &mut Looks::default()).await
    }

    async fn drop_old(&self, retention: &Retention, looks: &mut Looks) -> Result<u64, RetentionError> {
        // What is there counts, not what is set: partitions stay when nobody wants them any more.
        if retention.partition_days.is_some() || !self.store.decision_partitions().await?.is_empty() {
            return self.drop_old_of_partitions(retention, looks).await;
        }
        let now = self.clock.now();
        let mut dropped = 0;
        for tenant in self.store.forgetful_tenants().await? {
            let Some(before) = kept_since(&tenant, now) else { continue };
            dropped += self.drop_span(&tenant, DecisionSpan::before(before), retention, u64::MAX).await?;
        }
        Ok(dropped)
    }

    /// Drops what a tenant has in a span, as many as `most` and a few; how many those are.
    async fn drop_span(
        &self,
        tenant: &Tenant,
        span: DecisionSpan,
        retention: &Retention,
        most: u64,
    ) -> Result<u64, RetentionError> {
        let mut dropped = 0;
        loop {
            let some = self.drop_some(tenant, span, retention).await?;
            dropped += some as u64;
            if some < AT_ONCE || dropped >= most {
                return Ok(dropped);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn drop_some(
        &self,
        tenant: &Tenant,
        span: DecisionSpan,
        retention: &Retention,
    ) -> Result<usize, RetentionError> {
        let tenant_store = self.store.tenant(tenant.id);
        let mut through = None;
        if let Some(exports) = &retention.exports {
            let decisions = tenant_store.oldest_decisions(span, AT_ONCE).await?;
            let Some(last) = decisions.last() else { return Ok(0) };
            through = Some(last.id);
            exports.write(&tenant.name, decisions).await?;
        }
        // Not more than was written, whoever has dropped some of it meanwhile.
        Ok(tenant_store.drop_decisions(span, through, AT_ONCE).await?)
    }
}

/// `None`: since before time began.
fn kept_since(tenant: &Tenant, now: Timestamp) -> Option<Timestamp> {
    let kept = SignedDuration::from_secs(i64::from(tenant.decisions_kept_days?) * SECONDS_A_DAY);
    now.checked_sub(kept).ok()
}
