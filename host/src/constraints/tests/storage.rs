//! Compiled components on disk: found again, and never believed when they are not what we wrote.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use super::guest::Guest;
use super::world::{Stored, TENANT, schemas};
use crate::constraints::cache::CompiledFiles;
use crate::constraints::sandbox::{LoadError, Sandbox, SandboxConfig};
use crate::constraints::{Limits, compile};

fn config(folder: &Path, key: u8) -> SandboxConfig {
    SandboxConfig {
        cache_dir: Some(folder.to_owned()),
        cache_key: [key; 32],
        ..SandboxConfig::for_own_components(Limits::default())
    }
}

fn sandbox(folder: &Path, key: u8) -> Sandbox {
    Sandbox::new(config(folder, key)).unwrap()
}

fn kept(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A sandbox beside a store with one component, and how often that is fetched.
fn beside_store(folder: &Path, key: u8, bytes: &[u8]) -> (Sandbox, Arc<AtomicUsize>) {
    let source = Stored::new(bytes);
    let fetched = Arc::clone(&source.fetched);
    (Sandbox::new(SandboxConfig { source: Arc::new(source), ..config(folder, key) }).unwrap(), fetched)
}

/// Loads the component in a sandbox of its own; tells whether it had to be compiled.
async fn compiles(folder: &Path, key: u8, bytes: &[u8]) -> bool {
    let (sandbox, fetched) = beside_store(folder, key, bytes);
    let digest = compile::digest(bytes);
    let pre = sandbox.load(TENANT, &digest).await.unwrap();
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
async fn a_file_of_another_build_is_not_loaded_under_the_name_of_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(compiles(folder.path(), 1, &bytes).await);
    let file = kept(folder.path()).remove(0);
    // Signed with our key, by a host whose engine has other settings.
    let other = Engine::new(&Config::new()).unwrap();
    let component = Component::from_binary(&other, &bytes).unwrap();
    CompiledFiles::open(folder.path(), [1; 32], &other).unwrap().keep(&compile::digest(&bytes), &component);
    let others = kept(folder.path()).into_iter().find(|found| *found != file).expect("a file of its own");
    fs::rename(others, &file).unwrap();
    assert!(compiles(folder.path(), 1, &bytes).await, "code of another build was loaded");
    assert!(!compiles(folder.path(), 1, &bytes).await, "it was not made anew");
}

#[tokio::test]
async fn what_is_no_file_or_one_without_end_does_not_hold_the_server_up() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(compiles(folder.path(), 1, &bytes).await);
    let file = kept(folder.path()).remove(0);
    let elsewhere = folder.path().join("elsewhere");
    fs::copy(&file, &elsewhere).unwrap();
    let pipe =
        |at: &Path| rustix::fs::mknodat(rustix::fs::CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let link = |at: &Path| std::os::unix::fs::symlink(&elsewhere, at).unwrap();
    // 4 GiB that take no room on the disk.
    let endless = |at: &Path| fs::File::create(at).unwrap().set_len(4 << 30).unwrap();
    for (what, make) in [("a pipe", &pipe as &dyn Fn(&Path)), ("a link", &link), ("a file without end", &endless)] {
        fs::remove_file(&file).unwrap();
        make(&file);
        let compiled = tokio::time::timeout(Duration::from_secs(60), compiles(folder.path(), 1, &bytes)).await;
        assert!(compiled.unwrap_or_else(|_| panic!("{what} is waited for")), "{what} was loaded");
        assert!(!compiles(folder.path(), 1, &bytes).await, "{what} was not replaced");
    }
    // A folder cannot be replaced by a file: it costs a compilation each time, and nothing else.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(compiles(folder.path(), 1, &bytes).await);
}

#[tokio::test]
async fn what_was_loaded_stays_as_it_was_whatever_becomes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(compiles(folder.path(), 1, &bytes).await);
    let (sandbox, _) = beside_store(folder.path(), 1, &bytes);
    let pre = sandbox.load(TENANT, &compile::digest(&bytes)).await.unwrap();
    let before = sandbox.runner().describe(&pre).await.unwrap();
    // In place: a mapped file would change under our feet, and a shorter one end the process.
    let file = fs::OpenOptions::new().write(true).open(kept(folder.path()).remove(0)).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(format!("{:?}", sandbox.runner().describe(&pre).await.unwrap()), format!("{before:?}"));
}

/// Images of memories of about that size that the process has, by what the kernel calls them.
fn images(bytes: Range<u64>) -> usize {
    let is_image = |entry: &fs::DirEntry| {
        let name = fs::read_link(entry.path()).unwrap_or_default();
        name.to_string_lossy().contains("wasm-memory-image")
            && fs::metadata(entry.path()).is_ok_and(|image| bytes.contains(&image.len()))
    };
    fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap).filter(is_image).count()
}

/// Else the first evaluation would make it, at the guest's expense.
#[tokio::test]
async fn what_is_compiled_has_the_image_of_its_memory_before_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    // As large as no other one is, so that other tests of this process do not count.
    let guest = Guest::new().pages(16).with("(data (i32.const 700000) \"x\")");
    let bytes = guest.component();
    let size = 690_000..710_000;
    assert_eq!(images(size.clone()), 0);
    let (sandbox, fetched) = beside_store(folder.path(), 1, &bytes);
    let pre = sandbox.load(TENANT, &compile::digest(&bytes)).await.unwrap();
    assert_eq!(fetched.load(Ordering::Relaxed), 1, "it was to be compiled");
    assert_eq!(images(size.clone()), 1);
    sandbox.runner().describe(&pre).await.unwrap();
    assert_eq!(images(size), 1, "the guest has made another one");
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
    let bytes = Guest::new().component();
    let (sandbox, fetched) = beside_store(folder.path(), 1, &bytes);
    let (sandbox, digest) = (Arc::new(sandbox), compile::digest(&bytes));
    let loads: Vec<_> = (0..8)
        .map(|_| {
            let (sandbox, digest) = (Arc::clone(&sandbox), digest.clone());
            tokio::spawn(async move { sandbox.load(TENANT, &digest).await.unwrap() })
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
    let (sandbox, fetched) = beside_store(folder.path(), 1, &Guest::new().component());
    for _ in 0..3 {
        let error = sandbox.load(TENANT, "00ff").await.unwrap_err();
        assert!(matches!(error, LoadError::Digest { .. }), "{error}");
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 1, "a failure is remembered for a while");
}

#[tokio::test]
async fn what_was_not_used_for_long_makes_place_and_comes_back_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let components: Vec<Vec<u8>> = (0..12).map(|number| Guest::new().pages(number + 1).component()).collect();
    // Room for four of the lightest.
    let few = SandboxConfig { loaded_bytes_max: 4 * (96 << 10), ..config(folder.path(), 1) };
    let sandbox = Sandbox::new(few).unwrap();
    let mut held = Vec::new();
    for component in &components {
        let pre = sandbox.upload(TENANT, component.clone(), &schemas()).await.unwrap().pre;
        held.push(Arc::downgrade(&pre));
    }
    for component in &components {
        sandbox.load(TENANT, &compile::digest(component)).await.unwrap();
    }
    let (count, bytes) = sandbox.loaded().await;
    assert!((1..=4).contains(&count) && bytes <= 4 * (96 << 10), "{count} components of {bytes} bytes are in memory");
    // What made place is freed a little later, when nobody can be looking at it any more.
    let freed = async {
        while held.iter().filter(|pre| pre.strong_count() > 0).count() > 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            sandbox.loaded().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), freed).await.expect("somebody holds what made place");
}
