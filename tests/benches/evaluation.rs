//! One evaluation of a constraint that reads five attributes of a 2 KB user in a fresh instance, beside the same rule in
//! native Rust on the same bytes with serde_json. `cargo bench --package scruple-tests --bench evaluation`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use scruple_tests::bench::{Subject, full_user};
use serde_json::Value;

/// The rule, on JSON text: what a service without Scruple would do in a webhook that gets the document.
fn native(text: &[u8]) -> bool {
    let Ok(user) = serde_json::from_slice::<Value>(text) else { return false };
    let name = user["userName"].as_str().unwrap_or("");
    let active = user["active"].as_bool().unwrap_or(false);
    let family = user["name"]["familyName"].as_str().unwrap_or("");
    let emails = user["emails"].as_array();
    let work = emails.and_then(|emails| emails.iter().find(|email| email["type"] == "work"));
    let work = work.and_then(|email| email["value"].as_str()).unwrap_or("");
    let enterprise = &user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
    let department = enterprise["department"].as_str().unwrap_or("");
    active && !name.is_empty() && !family.is_empty() && work.ends_with("@example.com") && !department.is_empty()
}

fn evaluation(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let subject = runtime.block_on(async {
        let subject = Subject::five_reads().await.unwrap();
        subject.check().await.unwrap();
        Arc::new(subject)
    });
    let text = full_user("ada").to_string().into_bytes();
    assert!(native(&text), "the rule must hold of the document on both sides");

    let mut group = criterion.benchmark_group(format!("five reads of a user of {} bytes", text.len()));
    group.bench_function("native Rust, from JSON text", |bencher| bencher.iter(|| native(black_box(&text))));
    group.bench_function("component, fresh instance, reads recorded", |bencher| {
        bencher.to_async(&runtime).iter(|| {
            let subject = Arc::clone(&subject);
            async move { black_box(subject.evaluate_alone().await) }
        });
    });
    group.bench_function("the same, admitted and on the guests' runtime", |bencher| {
        bencher.to_async(&runtime).iter(|| {
            let subject = Arc::clone(&subject);
            async move { black_box(subject.evaluate_as_the_server_does().await) }
        });
    });
    group.finish();
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
