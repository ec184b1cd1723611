//! Compiled components on disk: found again, and never believed when they are not what we wrote.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::guest::Guest;
use super::world::{TENANT, schemas};
use crate::constraints::sandbox::{LoadError, Sandbox, SandboxConfig};
use crate::constraints::{Limits, compile};

fn sandbox(folder: &Path, key: u8) -> Sandbox {
    let config = SandboxConfig {
        cache_dir: Some(folder.to_owned()),
        cache_key: [key; 32],
        ..SandboxConfig::for_own_components(Limits::default())
    };
    Sandbox::new(config).unwrap()
}

fn kept(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Loads the component in a sandbox of its own; tells whether it had to be compiled.
async fn compiles(folder: &Path, key: u8, bytes: &[u8]) -> bool {
    let fetched = AtomicUsize::new(0);
    let fetch = async {
        fetched.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(bytes.to_vec())
    };
    let digest = compile::digest(bytes);
    let pre = sandbox(folder, key).load(TENANT, &digest, fetch).await.unwrap();
    assert_eq!(pre.digest(), digest);
    fetched.load(Ordering::Relaxed) == 1
}

#[tokio::test]
async fn an_uploaded_component_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    sandbox(folder.path(), 1).upload(TENANT, bytes.clone(), &schemas()).await.unwrap();
    assert!(!compiles(folder.path(), 1, &bytes).await);
}

#[tokio::test]
async fn a_file_that_is_not_what_we_wrote_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(compiles(folder.path(), 1, &bytes).await);
    let file = kept(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();

    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for tampered in [changed, whole[..whole.len() / 2].to_vec(), whole[..10].to_vec(), Vec::new()] {
        fs::write(&file, tampered).unwrap();
        assert!(compiles(folder.path(), 1, &bytes).await, "a file that was tampered with was loaded");
        assert!(!compiles(folder.path(), 1, &bytes).await, "it was not made anew");
    }
}

#[tokio::test]
async fn a_file_of_another_key_or_of_another_component_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(compiles(folder.path(), 1, &bytes).await);
    let file = kept(folder.path()).remove(0);
    assert!(compiles(folder.path(), 2, &bytes).await, "another host's file was loaded");

    let other = Guest::reading("userName").component();
    assert!(compiles(folder.path(), 2, &other).await);
    let name = file.file_name().unwrap().to_str().unwrap();
    let swapped = name.replace(&compile::digest(&bytes), &compile::digest(&other));
    fs::copy(&file, folder.path().join(swapped)).unwrap();
    assert!(compiles(folder.path(), 2, &other).await, "one component's code was loaded as another's");
}

#[tokio::test]
async fn a_refused_component_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest::new().describe("unreachable");
    sandbox(folder.path(), 1).upload(TENANT, guest.component(), &schemas()).await.unwrap_err();
    assert_eq!(kept(folder.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn many_that_load_at_once_wait_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Arc::new(sandbox(folder.path(), 1));
    let bytes = Guest::new().component();
    let fetched = Arc::new(AtomicUsize::new(0));
    let loads: Vec<_> = (0..8)
        .map(|_| {
            let (sandbox, bytes, fetched) = (Arc::clone(&sandbox), bytes.clone(), Arc::clone(&fetched));
            tokio::spawn(async move {
                let digest = compile::digest(&bytes);
                let fetch = async {
                    fetched.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, Infallible>(bytes)
                };
                sandbox.load(TENANT, &digest, fetch).await.unwrap();
            })
        })
        .collect();
    for load in loads {
        load.await.unwrap();
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fetch = async { Ok::<_, Infallible>(Guest::new().component()) };
    let error = sandbox(folder.path(), 1).load(TENANT, "00ff", fetch).await.unwrap_err();
    assert!(matches!(error, LoadError::Digest { .. }), "{error}");
}
