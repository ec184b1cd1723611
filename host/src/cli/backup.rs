//! `scruple backup` and `scruple restore`.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::causes::with_causes;
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::clock::Clock;
use crate::moving::backup::{self, BackupError, BackupProgress, Manifest};
use crate::moving::restore::{self, RestoreError};

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Folder to make: the backup.
    out: PathBuf,
    /// Data folder of the server.
    #[arg(long, value_name = "DIR", default_value = "scruple-data")]
    data: PathBuf,
    /// If there is a backup of that name, put this one in its place, once it is whole.
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup: a folder that `scruple backup` has made.
    backup: PathBuf,
    /// Data folder to make.
    #[arg(long, value_name = "DIR", default_value = "scruple-data")]
    data: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, output: &Output) -> Result<(), Failure> {
        let bar = bar(output);
        let mut report = |progress| match progress {
            BackupProgress::Copied(done, of) => show(&bar, "copying", done, of),
            BackupProgress::Checking => bar.set_message("checking"),
        };
        let made = backup::backup(&self.data, &self.out, self.replace, Clock::system().now(), &mut report);
        bar.finish_and_clear();
        let made = made.map_err(|error| {
            let text = with_causes(&error);
            match error {
                BackupError::NoSource { .. } | BackupError::Exists { .. } | BackupError::NoBackup { .. } => {
                    Failure::Usage(text)
                }
                BackupError::Damaged { .. } => Failure::Unexpected(text),
                BackupError::Secrets(_) | BackupError::Database { .. } | BackupError::File(_) => Failure::Local(text),
            }
        })?;
        let (data, out) = (self.data.display(), self.out.display());
        output.line(
            &json!({ "backup": out.to_string(), "manifest": made }),
            format!(
                "backed up `{data}` to `{out}`: {}, checked. The server's keys are in it: let nobody else read it",
                size(&made)
            ),
        )
    }
}

impl Restore {
    pub(super) fn run(&self, output: &Output) -> Result<(), Failure> {
        let bar = bar(output);
        let restored = restore::restore(&self.backup, &self.data, &mut |done, of| show(&bar, "copying", done, of));
        bar.finish_and_clear();
        let restored = restored.map_err(|error| {
            let text = with_causes(&error);
            match error {
                RestoreError::NoBackup { .. }
                | RestoreError::Newer { .. }
                | RestoreError::NotEmpty { .. }
                | RestoreError::Store(_) => Failure::Usage(text),
                RestoreError::Damaged { .. } => Failure::Unexpected(text),
                RestoreError::File(_) => Failure::Local(text),
            }
        })?;
        let data = self.data.display();
        output.line(
            &json!({ "data": data.to_string(), "manifest": restored }),
            format!(
                "restored `{data}` as it was at {}: {}; serve it with `scruple serve --data {data}`",
                restored.made_at,
                size(&restored)
            ),
        )
    }
}

fn size(manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    indicatif::BinaryBytes(bytes).to_string()
}

fn bar(output: &Output) -> ProgressBar {
    let bar = if output.is_json() { ProgressBar::hidden() } else { ProgressBar::no_length() };
    if let Ok(style) =
        ProgressStyle::with_template("{msg:10} {wide_bar} {binary_bytes}/{binary_total_bytes} ({elapsed})")
    {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, word: &'static str, done: u64, of: u64) {
    bar.set_message(word);
    bar.set_length(of);
    bar.set_position(done);
}
