//! A disk that is full: SQLite is told that its file may not grow.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::super::driver::{Connection, params};
use super::super::{Inner, SqlStore};
use super::{file, open};
use crate::store::conformance::{Budget, Faults, Faulty, Test, World, conformance, user, user_type};
use crate::store::{CommitError, StoreError};

/// The most pages that a file may have.
const PAGES_MAX: i64 = 1 << 30;

/// The file of a store, which may be kept from growing.
struct File {
    inner: Arc<Inner>,
    is_full: AtomicBool,
}

impl File {
    fn of(store: &SqlStore) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(&store.inner), is_full: AtomicBool::new(false) })
    }

    /// As many pages as it has, and so many more.
    async fn limit(&self, more: i64) {
        let limit = move |connection: &Connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", params![], |row| row.get(0))?;
            let most = pages.saturating_add(more).min(PAGES_MAX);
            let limited: i64 =
                connection.query_row(&format!("PRAGMA max_page_count = {most}"), params![], |row| row.get(0))?;
            assert_eq!(limited, most);
            Ok::<_, StoreError>(())
        };
        self.inner.writer.write(limit).await.unwrap();
    }
}

/// The whole file is free of room, in one way: what needs a page more fails.
#[async_trait]
impl Faults for File {
    fn ways(&self, reads: bool) -> usize {
        usize::from(!reads)
    }

    async fn arm(&self, _way: usize, place: usize) {
        // It is full once; then there is room again.
        let is_full = place == 0;
        self.is_full.store(is_full, Ordering::Relaxed);
        self.limit(if is_full { 0 } else { PAGES_MAX }).await;
    }

    async fn disarm(&self) -> bool {
        let was_full = self.is_full.swap(false, Ordering::Relaxed);
        self.limit(PAGES_MAX).await;
        was_full
    }
}

/// Those of the conformance tests that write a lot, while it finds no room at first.
#[test]
fn what_finds_no_room_has_done_nothing_and_is_done_when_there_is_some() {
    let mut tests: Vec<(&str, Test)> = conformance!();
    tests.retain(|(name, _)| name.contains("contents") || name.contains("revision"));
    let (mut failed, budget) = (BTreeSet::new(), Arc::<Budget>::default());
    for (_, test) in tests {
        let (_directory, store) = open();
        let store = Faulty::new(store.clone(), File::of(&store), &budget);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test(&store));
        failed.extend(store.failures().into_iter().filter(|(_, failures)| *failures > 0).map(|(name, _)| name));
    }
    // Whether a small row needs a page more is chance; what has more does.
    for name in ["put_table", "stage_table"] {
        assert!(failed.contains(name), "`{name}` has always found room: {failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_finds_no_room_loses_nothing_that_was_acknowledged() {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let disk = File::of(&store);
    disk.limit(20).await;
    let writers = (0..16).map(|writer| {
        let acme = acme.clone();
        tokio::spawn(async move {
            let (mut done, mut refused) = (Vec::new(), 0);
            for number in 0..20 {
                let user = user(&format!("user-{writer}-{number}"));
                match acme.create(&user).await {
                    Ok(()) => done.push(user),
                    Err(CommitError::Store(StoreError::Full(_))) => refused += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            (done, refused)
        })
    });
    let (mut done, mut refused) = (Vec::new(), 0);
    for writer in writers.collect::<Vec<_>>() {
        let (these, not) = writer.await.unwrap();
        done.extend(these);
        refused += not;
    }
    assert!(!done.is_empty() && refused > 0, "{} and {refused}", done.len());
    // It is read all the while, and written when there is room.
    for user in &done {
        assert_eq!(acme.get(user).await.as_ref(), Some(user));
    }
    let mut late = 0;
    while let Ok(()) = acme.create(&user(&format!("late-{late}"))).await {
        late += 1;
        assert!(late < 200, "there is always room");
    }
    disk.limit(PAGES_MAX).await;
    acme.create(&user("late")).await.unwrap();
    let stored = acme.snapshot().await.count(&user_type(), None).await.unwrap();
    assert_eq!(usize::try_from(stored).unwrap(), done.len() + late + 1);
    let logged: i64 = file(&directory).query_row("SELECT count(*) FROM decision", params![], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(logged).unwrap(), done.len() + late + 1);
}
