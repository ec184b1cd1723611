//! Decisions are kept as long as their tenant says: not longer, and not shorter.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::pipeline::retention::Exports;
use scruple_tests::{TenantClient, TestServer, user};
use serde_json::{Value, json};

const DAY: i64 = 86_400;

/// Noon.
const BEGIN: i64 = 1_767_268_800;

/// A server whose days the test counts.
async fn server_of_days() -> (TestServer, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(BEGIN));
    let told = Arc::clone(&now);
    let clock = Clock::from_fn(move || Timestamp::from_second(told.load(Ordering::Relaxed)).unwrap());
    (TestServer::start_at(Config::default(), clock).await, now)
}

async fn users(tenant: &TenantClient, prefix: &str, count: usize) -> Vec<String> {
    let mut decisions = Vec::new();
    for n in 0..count {
        let made = tenant.post("/Users", user(&format!("{prefix}-{n}"))).await.expect_status(201);
        decisions.push(made.decision_id().unwrap());
    }
    decisions
}

async fn kept(tenant: &TenantClient) -> Vec<String> {
    let page = tenant.admin.get(&tenant.api_path("/decisions?limit=500")).await.expect_status(200).body;
    let decisions = page["decisions"].as_array().unwrap().iter();
    decisions.rev().map(|decision| decision["id"].as_str().unwrap().to_owned()).collect()
}

async fn keep(tenant: &TenantClient, days: Value) {
    tenant.admin.patch(&tenant.api_path(""), json!({ "decisions_kept_days": days })).await.expect_status(200);
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_a_tenant_does_not_keep_any_longer_is_dropped_and_nothing_else() {
    let (server, now) = server_of_days().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    let old = users(&acme, "old", 3).await;
    let others = users(&other, "old", 2).await;
    now.fetch_add(30 * DAY, Ordering::Relaxed);
    let new = users(&acme, "new", 2).await;

    let drop_old = || server.app.pipeline.drop_old_decisions(None);
    assert_eq!(drop_old().await.unwrap(), 0, "they are kept for ever");
    keep(&acme, json!(30)).await;
    assert_eq!(drop_old().await.unwrap(), 0, "to the second they are 30 days old");
    now.fetch_add(1, Ordering::Relaxed);
    assert_eq!(drop_old().await.unwrap(), 3);
    assert_eq!(kept(&acme).await, new);
    acme.admin.get(&acme.api_path(&format!("/decisions/{}", old[0]))).await.expect_status(404);
    assert_eq!(kept(&other).await, others);

    keep(&acme, json!(null)).await;
    now.fetch_add(1_000 * DAY, Ordering::Relaxed);
    assert_eq!(drop_old().await.unwrap(), 0);
    assert_eq!(acme.query("/Users", &[("count", "0")]).await.body["totalResults"], 5);
}

#[tokio::test]
async fn what_is_dropped_was_written_down_by_tenant_and_day() {
    let (server, now) = server_of_days().await;
    let acme = server.tenant("acme").await;
    keep(&acme, json!(1)).await;
    // More than is dropped at once.
    let first = users(&acme, "first", 510).await;
    now.fetch_add(DAY, Ordering::Relaxed);
    let second = users(&acme, "second", 2).await;
    now.fetch_add(DAY + 1, Ordering::Relaxed);

    let folder = server.data().join("decisions");
    let day = |day: &str| folder.join("acme").join(format!("{day}.jsonl"));
    // What an earlier run had half written when it was killed.
    std::fs::create_dir_all(folder.join("acme")).unwrap();
    std::fs::write(day("2026-01-01"), "{\"id\":\"earlier\"}\n{\"id\":\"hal").unwrap();
    let exports = Exports::to(&folder).unwrap();
    assert_eq!(server.app.pipeline.drop_old_decisions(Some(&exports)).await.unwrap(), 512);
    let text = std::fs::read_to_string(day("2026-01-01")).unwrap();
    assert!(text.starts_with("{\"id\":\"earlier\"}\n{\"id\":\"hal\n{"), "{text}");
    std::fs::write(day("2026-01-01"), text.lines().skip(2).collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(lines(&day("2026-01-01")), first);
    assert_eq!(lines(&day("2026-01-02")), second);
    assert_eq!(kept(&acme).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_dropped() {
    let (server, now) = server_of_days().await;
    let acme = server.tenant("acme").await;
    keep(&acme, json!(1)).await;
    let decisions = users(&acme, "old", 2).await;
    now.fetch_add(2 * DAY, Ordering::Relaxed);
    let folder = server.data().join("decisions");
    let exports = Exports::to(&folder).unwrap();
    // A file where the tenant's folder is to be.
    std::fs::write(folder.join("acme"), "").unwrap();
    let failed = server.app.pipeline.drop_old_decisions(Some(&exports)).await.unwrap_err();
    assert!(failed.to_string().contains("so they are not dropped"), "{failed}");
    assert_eq!(kept(&acme).await, decisions);
}
