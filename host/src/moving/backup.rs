//! A backup: a folder with the file that a server keeps everything in, as it was at one moment, and the keys without which nobody
//! could use it. A manifest says what is in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::files::{self, FileError, Kept};
use crate::secrets::{self, SecretsError};
use crate::store::{self, StoreError};

/// The manifest's name.
pub(super) const MANIFEST: &str = "backup.json";

/// The form of backups that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its form.
    pub scruple_backup: u32,
    /// The program that made it.
    pub version: String,
    /// Of the database's schema.
    pub schema_version: i64,
    /// When it was begun.
    pub made_at: String,
    /// Its files, but for this one.
    pub files: Vec<Kept>,
}

/// No backup was made.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is nothing to be kept.
    #[error(
        "there is no database in `{}`: name the data folder of a server that keeps what it has in a file (of PostgreSQL, use `pg_dump`, and keep `secret.key`)",
        data.display()
    )]
    NoSource {
        /// Where it should be.
        data: PathBuf,
    },
    /// Something has the name.
    #[error("`{}` is there already: name another folder, or replace that backup with `--replace`", out.display())]
    Exists {
        /// The name.
        out: PathBuf,
    },
    /// What has the name is not a backup, and not replaced.
    #[error("`{}` is no backup, and is not replaced: name another folder", out.display())]
    NoBackup {
        /// The name.
        out: PathBuf,
    },
    /// The data folder's keys.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The database, or its copy.
    #[error("the database in `{}` cannot be copied", data.display())]
    Database {
        /// Where it is.
        data: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The copy is not in order, so what was copied is not.
    #[error("the database in `{}` is damaged", data.display())]
    Damaged {
        /// Where it is.
        data: PathBuf,
        /// What is found.
        #[source]
        source: StoreError,
    },
    /// The backup cannot be written.
    #[error("the backup cannot be written")]
    File(#[from] FileError),
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupProgress {
    /// Bytes that are copied, and how many there are.
    Copied(u64, u64),
    /// The copy is read, and checked.
    Checking,
}

/// Makes a backup of a data folder, whose server may be at work, in a folder `out`. That is there once all of it is, and durable.
/// With `replace` it may be there before, as a backup.
pub fn backup(
    data: &Path,
    out: &Path,
    replace: bool,
    now: Timestamp,
    report: &mut dyn FnMut(BackupProgress),
) -> Result<Manifest, BackupError> {
    if !store::has_file(data) {
        return Err(BackupError::NoSource { data: data.to_owned() });
    }
    may_be_written(out, replace)?;
    let aside = files::aside(out, "partial")?;
    let schema_version = copy_database(data, aside.path(), report)?;
    for (name, bytes) in secrets::kept(data)? {
        files::write(&aside.path().join(name), &bytes)?;
    }
    let names = std::iter::once(store::file_name()).chain(secrets::KEPT);
    let names = names.filter(|name| aside.path().join(name).is_file());
    let files = names.map(|name| files::describe(aside.path(), name)).collect::<Result<_, _>>()?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { scruple_backup: FORMAT, version, schema_version, made_at: now.to_string(), files };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    files::write(&aside.path().join(MANIFEST), format!("{text}\n").as_bytes())?;
    files::sync_folder(aside.path())?;
    put_in_place(aside, out, replace)?;
    Ok(manifest)
}

/// The manifest of a backup, if it is one.
pub(super) fn manifest(folder: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()
}

fn may_be_written(out: &Path, replace: bool) -> Result<(), BackupError> {
    match out.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) if !replace => Err(BackupError::Exists { out: out.to_owned() }),
        Ok(_) if manifest(out).is_none() => Err(BackupError::NoBackup { out: out.to_owned() }),
        Ok(_) => Ok(()),
    }
}

fn copy_database(data: &Path, aside: &Path, report: &mut dyn FnMut(BackupProgress)) -> Result<i64, BackupError> {
    let copy = aside.join(store::file_name());
    let made = File::options().write(true).create_new(true).mode(0o600).open(&copy);
    let file = made.map_err(|source| FileError { path: copy.clone(), source })?;
    let schema_version = store::copy_file(data, &copy, &mut |done, of| report(BackupProgress::Copied(done, of)))
        .map_err(|source| BackupError::Database { data: data.to_owned(), source })?;
    report(BackupProgress::Checking);
    store::check_integrity(&copy).map_err(|source| BackupError::Damaged { data: data.to_owned(), source })?;
    file.sync_all().map_err(|source| FileError { path: copy, source })?;
    Ok(schema_version)
}

/// Gives the backup its name, in one step.
fn put_in_place(aside: tempfile::TempDir, out: &Path, replace: bool) -> Result<(), BackupError> {
    let failed = |source: io::Error| FileError { path: out.to_owned(), source };
    if replace && out.exists() {
        // What was there has the other name then, and goes with it.
        renameat_with(CWD, aside.path(), CWD, out, RenameFlags::EXCHANGE).map_err(|error| failed(error.into()))?;
    } else {
        match renameat_with(CWD, aside.path(), CWD, out, RenameFlags::NOREPLACE) {
            Ok(()) => drop(aside.keep()),
            Err(rustix::io::Errno::EXIST) => return Err(BackupError::Exists { out: out.to_owned() }),
            Err(error) => return Err(failed(error.into()).into()),
        }
    }
    Ok(files::sync_folder(files::parent(out))?)
}
