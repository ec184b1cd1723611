//! **A decision that rested on look-ups commits only if they still answer the same.** Schedules of writers, each made by a
//! seed, are run against the real pipeline, store and sandbox, and held against a serial execution: in the order in which
//! they were committed, each decision must have seen what stood just before it, and must leave a state that the rules allow. On
//! PostgreSQL the writers are on two nodes, either of which may be late at any time.
//!
//! `SCRUPLE_SCHEDULES=10000` runs the long form, `SCRUPLE_SEED=…` begins at the schedule that failed.

mod gates;
mod model;
mod schedule;
mod store;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::schedule::{Seen, run};
use self::world::Premises;

/// Schedules of an ordinary run: some seven seconds.
const SCHEDULES: u64 = 2_000;

/// Schedules in a row on one tenant, so that they begin with whatever the others have left.
const OF_A_TENANT: u64 = 10;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn every_decision_rests_on_what_stood_just_before_it() {
    let (begin, schedules) = (number("SCRUPLE_SEED", 0), number("SCRUPLE_SCHEDULES", SCHEDULES));
    let next = Arc::new(AtomicU64::new(begin / OF_A_TENANT));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let next = Arc::clone(&next);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(some(&next, (begin + schedules).div_ceil(OF_A_TENANT)))
            })
        })
        .collect();
    let seen = threads.into_iter().map(|thread| thread.join().unwrap()).fold(Seen::default(), Seen::and);
    println!("{seen:?}");
    // Where nobody is ever in the way of anybody, nothing is tested.
    assert!(seen.schedules >= schedules);
    for (what, number) in seen.numbers() {
        assert!(number > seen.schedules / 100, "{what}: {seen:?}");
    }
}

/// Runs schedules until there is none left.
async fn some(next: &AtomicU64, end: u64) -> Seen {
    let premises = Premises::open().await;
    let mut seen = Seen::default();
    loop {
        let tenant = next.fetch_add(1, Ordering::Relaxed);
        if tenant >= end {
            return seen;
        }
        let mut world = premises.tenant(tenant).await;
        for seed in tenant * OF_A_TENANT..(tenant + 1) * OF_A_TENANT {
            seen = seen.and(run(&premises, &mut world, seed).await);
        }
    }
}
