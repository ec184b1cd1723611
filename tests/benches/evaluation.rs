//! One evaluation of a constraint that reads five attributes of a 2 KB user in a fresh instance, beside the same rule in
//! native Rust on the same bytes with serde_json, and what its steps take.
//! `cargo bench --package scruple-tests --bench benches -- evaluation`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use scruple::decision::Verdict;
use scruple::scim::schema::SchemaRegistry;
use scruple_tests::bench::change::{ENTERPRISE, Update, created, deleted, updated};
use scruple_tests::bench::{Bench, Subject, full_user};
use scruple_tests::components::FIVE_READS;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// The rule, on JSON text: what a service without Scruple would do in a webhook that gets the document.
fn native(text: &[u8]) -> bool {
    let Ok(user) = serde_json::from_slice::<Value>(text) else { return false };
    let name = user["userName"].as_str().unwrap_or("");
    let active = user["active"].as_bool().unwrap_or(false);
    let family = user["name"]["familyName"].as_str().unwrap_or("");
    let emails = user["emails"].as_array();
    let work = emails.and_then(|emails| emails.iter().find(|email| email["type"] == "work"));
    let work = work.and_then(|email| email["value"].as_str()).unwrap_or("");
    let department = user[ENTERPRISE]["department"].as_str().unwrap_or("");
    active && !name.is_empty() && !family.is_empty() && work.ends_with("@example.com") && !department.is_empty()
}

/// The guest put to a creation, an update and a deletion: it reads five attributes, the same twice, nothing.
struct Changes {
    create: Subject,
    update: Subject,
    delete: Subject,
}

async fn changes(bench: &Bench) -> Changes {
    let schemas = SchemaRegistry::core();
    let user = full_user("ada");
    let mut renamed = user.clone();
    renamed["title"] = "Countess".into();
    let update = Update { before: user.clone(), after: renamed };
    let five_reads = || std::fs::read(FIVE_READS).unwrap();
    let changes = Changes {
        create: bench.subject(five_reads(), created(&user, &schemas).unwrap()).await.unwrap(),
        update: bench.subject(five_reads(), updated(&update, &schemas).unwrap()).await.unwrap(),
        delete: bench.subject(five_reads(), deleted(&user, &schemas).unwrap()).await.unwrap(),
    };
    changes.create.check(Verdict::Allow, 5).await.unwrap();
    changes.update.check(Verdict::Allow, 5).await.unwrap();
    changes.delete.check(Verdict::NotApplicable, 0).await.unwrap();
    changes
}

fn against_native(criterion: &mut Criterion, runtime: &Runtime, changes: &Changes) {
    let text = full_user("ada").to_string().into_bytes();
    assert!(native(&text), "the rule must hold of the document on both sides");
    let subject = &changes.create;
    let mut group = criterion.benchmark_group("five reads of a 2 KB user");
    group.bench_function("native Rust, from JSON text", |bencher| bencher.iter(|| native(black_box(&text))));
    group.bench_function("component, fresh instance, reads recorded", |bencher| {
        bencher.to_async(runtime).iter(|| async { black_box(subject.evaluate_alone().await) });
    });
    group.bench_function("the same, admitted and on the guests' runtime", |bencher| {
        bencher.to_async(runtime).iter(|| async { black_box(subject.evaluate_as_the_server_does().await) });
    });
    group.finish();
}

/// Each row does all that the one before it does, and one step more.
fn steps(criterion: &mut Criterion, runtime: &Runtime, changes: &Changes) {
    let mut group = criterion.benchmark_group("steps of an evaluation");
    group.bench_function("store", |bencher| bencher.iter(|| changes.delete.make_store().unwrap()));
    group.bench_function("instantiate", |bencher| {
        bencher.to_async(runtime).iter(|| async { changes.delete.make_instance().await.unwrap() });
    });
    for (name, subject) in [
        ("call", &changes.delete),
        ("five recorded reads", &changes.create),
        ("five recorded reads and five repeated", &changes.update),
    ] {
        group.bench_function(name, |bencher| {
            bencher.to_async(runtime).iter(|| async { black_box(subject.evaluate_alone().await) });
        });
    }
    group.finish();
}

/// Runs the benchmark.
pub(crate) fn run() {
    let mut criterion =
        Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (_bench, changes) = runtime.block_on(async {
        let bench = Bench::start().await.unwrap();
        let changes = changes(&bench).await;
        (bench, changes)
    });
    against_native(&mut criterion, &runtime, &changes);
    steps(&mut criterion, &runtime, &changes);
    criterion.final_summary();
}
