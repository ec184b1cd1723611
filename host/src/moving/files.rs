//! Files of a backup: each with its length and hash, readable by their owner alone, and durable before they are counted on.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use thiserror::Error;

/// A file cannot be used.
#[derive(Debug, Error)]
#[error("`{}`", path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3 hash, in hexadecimal.
    pub blake3: String,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
    |source| FileError { path: path.to_owned(), source }
}

/// The folder that a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder beside `path`, which goes unless it gets that name. Nobody else can look into it. The folders above are made.
pub(super) fn aside(path: &Path, word: &str) -> Result<TempDir, FileError> {
    let parent = parent(path);
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{name}.{word}-");
    builder.prefix(&prefix).permissions(Permissions::from_mode(0o700));
    builder.tempdir_in(parent).map_err(failed(parent))
}

/// Writes a new file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = private(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(failed(path))
}

fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// What a file is like.
pub(super) fn describe(folder: &Path, name: &str) -> Result<Kept, FileError> {
    let path = folder.join(name);
    let hashed = File::open(&path).and_then(|file| hash(file, |_| Ok(())));
    let (bytes, blake3) = hashed.map_err(failed(&path))?;
    Ok(Kept { name: name.to_owned(), bytes, blake3 })
}

/// Copies a file to a new one, and describes what was copied. `report` hears how many bytes that are.
pub(super) fn copy(from: &Path, to: &Path, report: &mut dyn FnMut(u64)) -> Result<(u64, String), FileError> {
    let mut source = File::open(from).map_err(failed(from))?;
    // What is found wrong while it is read is the source's, and the rest the copy's.
    let mut target = private(to).map_err(failed(to))?;
    let mut copied = 0;
    let hashed = hash(&mut source, |bytes| {
        target.write_all(bytes)?;
        copied += bytes.len() as u64;
        report(copied);
        Ok(())
    })
    .map_err(failed(to))?;
    target.sync_all().map_err(failed(to))?;
    Ok(hashed)
}

fn hash(mut file: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<(u64, String)> {
    let (mut hasher, mut length) = (blake3::Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        each(bytes)?;
        length += bytes.len() as u64;
    }
    Ok((length, hasher.finalize().to_hex().to_string()))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}
