//! What a server keeps in its data folder, elsewhere: moved to PostgreSQL, in a [`backup`], and [restored](restore) from there.

pub mod backup;
mod files;
pub mod restore;

use std::path::Path;

use thiserror::Error;

pub use self::files::{FileError, Kept};
use crate::folder::{self, FolderError};
use crate::secrets::{Secrets, SecretsError};
use crate::store::{self, MoveTo};
pub use crate::store::{MoveError, MovePhase, MoveProgress, MoveState, MovedTable, StoreError};

/// It was not moved.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its keys.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// What is in it, or where it goes.
    #[error(transparent)]
    Move(#[from] MoveError),
}

/// Copies everything from a data folder, of which no server may be at work, into a database, and compares both; the tables, or
/// `None` if that had been done before. The folder keeps its keys, and its server is served from the database afterwards.
pub fn migrate(
    data: &Path,
    url: &str,
    ca_file: Option<&Path>,
    report: &mut dyn FnMut(MoveProgress<'_>),
) -> Result<Option<Vec<MovedTable>>, MigrateError> {
    must_have_file(data)?;
    let _lock = folder::lock(data)?;
    let node = Secrets::open(data)?.node(data)?;
    Ok(store::move_to_postgres(data, MoveTo { url, ca_file, node: &node }, report)?)
}

/// Has what is in a data folder served from there again; how it stood to a move before.
pub fn give_up(data: &Path) -> Result<MoveState, MigrateError> {
    must_have_file(data)?;
    let _lock = folder::lock(data)?;
    Ok(store::give_up_move(data)?)
}

/// Else the folder would be made.
fn must_have_file(data: &Path) -> Result<(), MoveError> {
    if store::has_file(data) { Ok(()) } else { Err(MoveError::NoSource { directory: data.to_owned() }) }
}
