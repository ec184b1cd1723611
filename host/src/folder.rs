//! The data folder: one program at a time has it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The data folder cannot be had.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It cannot be made or locked.
    #[error("cannot use the data folder `{}`", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another program has it.
    #[error("the data folder `{}` is in use by another server (or by `scruple migrate`): stop that one, or name another folder with `--data`", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Takes the folder, and makes it if need be. It is ours as long as the file is held: two servers on one folder would each believe
/// in their own caches.
pub fn lock(data: &Path) -> Result<File, FolderError> {
    let failed = |source| FolderError::Unusable { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(failed)?;
    let file = File::create(data.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse { path: data.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
