//! [`Exports`]: decisions as lines of JSON, in files by tenant and day.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::RetentionError;
use crate::store::{StoreError, StoredDecision};

/// A folder that has each decision that was dropped, as a line of JSON, in a file of its tenant and day (UTC):
/// `acme/2026-11-27.jsonl`. After a crash between writing and dropping, or if several nodes drop at a time, a decision may be
/// there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    folder: PathBuf,
}

impl Exports {
    /// Makes the folder, if need be.
    pub fn to(folder: &Path) -> Result<Self, RetentionError> {
        let failed = |source| RetentionError::Export { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Returns once they are on the disk.
    pub(super) async fn write(&self, tenant: &str, decisions: Vec<StoredDecision>) -> Result<(), RetentionError> {
        let (exports, name) = (self.clone(), tenant.to_owned());
        let written = tokio::task::spawn_blocking(move || exports.write_blocking(&name, &decisions)).await;
        written.map_err(|error| StoreError::Database(Box::new(error)))?
    }

    fn write_blocking(&self, tenant: &str, decisions: &[StoredDecision]) -> Result<(), RetentionError> {
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
