//! Decisions that their tenants do not want to keep any longer: written down where the operator wants them, and dropped, a few at
//! a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tracing::{info, warn};

use crate::causes::with_causes;
use crate::pipeline::Pipeline;
use crate::store::{StoreError, StoredDecision, Tenant};

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

/// A folder that has each decision that was dropped, as a line of JSON, in a file of its tenant and day (UTC):
/// `acme/2026-11-27.jsonl`. After a crash between writing and dropping, or if several nodes drop at a time, a decision may be
/// there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    folder: PathBuf,
}

impl Pipeline {
    /// Drops what is too old by now, again and again, and never returns. What fails is said in the log and tried again.
    pub async fn keep_dropping_decisions(&self, exports: Option<&Exports>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.drop_old_decisions(exports).await {
                Ok(0) => {}
                Ok(dropped) => info!(dropped, "decisions were dropped that are not kept any longer"),
                Err(error) => {
                    warn!(error = with_causes(&error), "decisions that are not kept any longer are still there")
                }
            }
        }
    }

    /// Drops what is too old by now; how many decisions that were.
    pub async fn drop_old_decisions(&self, exports: Option<&Exports>) -> Result<u64, RetentionError> {
        let now = self.clock.now();
        let mut dropped = 0;
        for tenant in self.store.forgetful_tenants().await? {
            let Some(before) = kept_since(&tenant, now) else { continue };
            loop {
                let some = self.drop_some(&tenant, before, exports).await?;
                dropped += some as u64;
                if some < AT_ONCE {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(dropped)
    }

    async fn drop_some(
        &self,
        tenant: &Tenant,
        before: Timestamp,
        exports: Option<&Exports>,
    ) -> Result<usize, RetentionError> {
        let tenant_store = self.store.tenant(tenant.id);
        let mut through = None;
        if let Some(exports) = exports {
            let decisions = tenant_store.oldest_decisions(before, AT_ONCE).await?;
            let Some(last) = decisions.last() else { return Ok(0) };
            through = Some(last.id);
            let (exports, name) = (exports.clone(), tenant.name.clone());
            let written = tokio::task::spawn_blocking(move || exports.write(&name, &decisions)).await;
            written.map_err(|error| StoreError::Database(Box::new(error)))??;
        }
        // Not more than was written, whoever has dropped some of it meanwhile.
        Ok(tenant_store.drop_decisions(before, through, AT_ONCE).await?)
    }
}

/// `None`: since before time began.
fn kept_since(tenant: &Tenant, now: Timestamp) -> Option<Timestamp> {
    let kept = SignedDuration::from_secs(i64::from(tenant.decisions_kept_days?) * SECONDS_A_DAY);
    now.checked_sub(kept).ok()
}

impl Exports {
    /// Makes the folder, if need be.
    pub fn to(folder: &Path) -> Result<Self, RetentionError> {
        let failed = |source| RetentionError::Export { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Returns once they are on the disk.
    fn write(&self, tenant: &str, decisions: &[StoredDecision]) -> Result<(), RetentionError> {
        let mut days: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for decision in decisions {
            let lines = days.entry(day_of(decision)).or_default();
            lines.extend_from_slice(decision.record.to_string().as_bytes());
            lines.push(b'\n');
        }
        let folder = self.folder.join(tenant);
        for (day, lines) in days {
            let path = folder.join(format!("{day}.jsonl"));
            append(&path, &lines).map_err(|source| RetentionError::Export { path, source })?;
        }
        Ok(())
    }
}

/// A decision's id has its time (RFC 9562 §5.7).
fn day_of(decision: &StoredDecision) -> String {
    let (seconds, nanoseconds) = decision.id.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let at = Timestamp::new(i64::try_from(seconds).unwrap_or(0), i32::try_from(nanoseconds).unwrap_or(0));
    at.unwrap_or_default().to_zoned(TimeZone::UTC).date().to_string()
}

fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    // A crash may have left half a line.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    file.write_all(lines)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}
