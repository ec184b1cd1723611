//! A data folder from a backup.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::backup::{FORMAT, MANIFEST, Manifest, manifest};
use super::files::{self, FileError};
use crate::secrets;
use crate::store::{self, StoreError};

/// Nothing was restored. The data folder is as it was.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// There is no backup.
    #[error("`{}` is no backup: it has no {MANIFEST} that can be read", backup.display())]
    NoBackup {
        /// Where it should be.
        backup: PathBuf,
    },
    /// A newer program has made it.
    #[error(
        "the backup was made by Scruple {version}, in form {found}; this program knows only form {FORMAT}: use that version, or a newer one"
    )]
    Newer {
        /// Its form.
        found: u32,
        /// The program that made it.
        version: String,
    },
    /// Something of it is missing, or another than it was.
    #[error("the backup is damaged: {what}")]
    Damaged {
        /// What is wrong with it.
        what: String,
    },
    /// The database is not one that this program can serve.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is something in the data folder.
    #[error("`{}` is not empty: name a folder that is, or that is not there", data.display())]
    NotEmpty {
        /// The folder.
        data: PathBuf,
    },
    /// The data folder cannot be written.
    #[error("the backup cannot be restored")]
    File(#[from] FileError),
}

/// Makes a data folder, which must not be there or be empty, from a backup. It is there once all of it is, and durable. `report` hears
/// how many bytes are copied, and of how many.
pub fn restore(backup: &Path, data: &Path, report: &mut dyn FnMut(u64, u64)) -> Result<Manifest, RestoreError> {
    let manifest = readable(backup)?;
    must_be_empty(data)?;
    let of = manifest.files.iter().map(|file| file.bytes).sum();
    let aside = files::aside(data, "restoring")?;
    let mut before = 0;
    for kept in &manifest.files {
        let from = backup.join(&kept.name);
        if !from.is_file() {
            return Err(RestoreError::Damaged { what: format!("`{}` is missing", kept.name) });
        }
        let found = files::copy(&from, &aside.path().join(&kept.name), &mut |bytes| report(before + bytes, of))?;
        if found != (kept.bytes, kept.blake3.clone()) {
            let what = format!("`{}` is not as it was written ({} bytes then, {} now)", kept.name, kept.bytes, found.0);
            return Err(RestoreError::Damaged { what });
        }
        before += kept.bytes;
    }
    store::check_servable(&aside.path().join(store::file_name()))?;
    files::sync_folder(aside.path())?;
    // Over an empty folder that is one step, too; over one that is not empty it fails.
    fs::rename(aside.path(), data).map_err(|source| FileError { path: data.to_owned(), source })?;
    drop(aside.keep());
    files::sync_folder(files::parent(data))?;
    Ok(manifest)
}

/// The manifest, if all of it makes sense.
fn readable(backup: &Path) -> Result<Manifest, RestoreError> {
    let manifest = manifest(backup).ok_or_else(|| RestoreError::NoBackup { backup: backup.to_owned() })?;
    if manifest.scruple_backup > FORMAT {
        return Err(RestoreError::Newer { found: manifest.scruple_backup, version: manifest.version });
    }
    let known = |name: &str| name == store::file_name() || secrets::KEPT.contains(&name);
    // INVARIANT: a name from a manifest leads nowhere but into the two folders.
    if let Some(unknown) = manifest.files.iter().find(|file| !known(&file.name)) {
        return Err(RestoreError::Damaged {
            what: format!("{MANIFEST} has a file that no backup has: {:?}", unknown.name),
        });
    }
    for needed in [store::file_name(), secrets::KEY_FILE] {
        if !manifest.files.iter().any(|file| file.name == needed) {
            return Err(RestoreError::Damaged { what: format!("{MANIFEST} does not have `{needed}`") });
        }
    }
    store::must_know(manifest.schema_version)?;
    Ok(manifest)
}

fn must_be_empty(data: &Path) -> Result<(), RestoreError> {
    match fs::read_dir(data) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(RestoreError::NotEmpty { data: data.to_owned() }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FileError { path: data.to_owned(), source }.into()),
    }
}
