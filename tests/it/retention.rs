//! Decisions are kept as long as their tenant says: not longer, and not shorter.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use scruple::app::App;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use scruple::pipeline::retention::{Exports, Retention};
use scruple_tests::database::TestDatabase;
use scruple_tests::{TenantClient, TestServer, user};
use serde_json::{Value, json};

const DAY: i64 = 86_400;

/// Noon.
const BEGIN: i64 = 1_767_268_800;

const KEPT_NOWHERE: Retention = Retention { exports: None, partition_days: None };

fn exporting(folder: &Path) -> Retention {
    Retention { exports: Some(Exports::to(folder).unwrap()), partition_days: None }
}

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

    let drop_old = || server.app.pipeline.drop_old_decisions(&KEPT_NOWHERE);
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
    let retention = exporting(&folder);
    assert_eq!(server.app.pipeline.drop_old_decisions(&retention).await.unwrap(), 512);
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
    let retention = exporting(&folder);
    // A file where the tenant's folder is to be.
    std::fs::write(folder.join("acme"), "").unwrap();
    let failed = server.app.pipeline.drop_old_decisions(&retention).await.unwrap_err();
    assert!(failed.to_string().contains("so they are not dropped"), "{failed}");
    assert_eq!(kept(&acme).await, decisions);
}

/// A server on PostgreSQL that has its decision log in partitions of a day.
async fn server_of_partitions() -> (TestServer, TestDatabase, Arc<AtomicI64>) {
    let database = TestDatabase::create();
    let now = Arc::new(AtomicI64::new(BEGIN));
    let told = Arc::clone(&now);
    let clock = Clock::from_fn(move || Timestamp::from_second(told.load(Ordering::Relaxed)).unwrap());
    let mut config = Config::default();
    config.store.database = Some(database.url.clone());
    config.store.decisions_partition_days = Some(1);
    (TestServer::start_at(config, clock).await, database, now)
}

/// Does what is done each minute; how many decisions were dropped one by one.
async fn round(server: &TestServer) -> u64 {
    server.app.pipeline.drop_old_decisions(&server.app.retention).await.unwrap()
}

/// The tables that have something of the decision log, in the order of time.
async fn written(server: &TestServer) -> Vec<String> {
    let partitions = server.app.store.decision_partitions().await.unwrap();
    partitions.into_iter().filter(|partition| !partition.is_blank).map(|partition| partition.name).collect()
}

#[tokio::test]
async fn a_partition_goes_whole_when_its_end_has_passed_for_all() {
    let (server, _database, now) = server_of_partitions().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    for tenant in [&acme, &other] {
        keep(tenant, json!(2)).await;
    }
    assert_eq!(round(&server).await, 0);
    // The second of January at noon, in a partition of its own, and the third.
    let mut days = Vec::new();
    for day in 0..2 {
        now.fetch_add(DAY, Ordering::Relaxed);
        round(&server).await;
        days.push((users(&acme, &format!("day-{day}"), 2).await, users(&other, &format!("day-{day}"), 1).await));
    }
    assert_eq!(written(&server).await, ["decision_from_20260102", "decision_from_20260103"]);
    // To the hour they are two days old, and the day's end is not.
    now.store(BEGIN + 3 * DAY + 3_600, Ordering::Relaxed);
    assert_eq!(round(&server).await, 0);
    assert_eq!(kept(&acme).await, [days[0].0.clone(), days[1].0.clone()].concat());
    now.fetch_add(DAY / 2, Ordering::Relaxed);
    assert_eq!(round(&server).await, 0, "a decision was dropped alone");
    assert_eq!(written(&server).await, ["decision_from_20260103"]);
    assert_eq!(kept(&acme).await, days[1].0);
    assert_eq!(kept(&other).await, days[1].1);
}

#[tokio::test]
async fn what_one_tenant_keeps_for_ever_holds_its_partitions_and_nothing_of_others() {
    let (server, _database, now) = server_of_partitions().await;
    let (acme, keeper) = (server.tenant("acme").await, server.tenant("keeper").await);
    keep(&acme, json!(1)).await;
    round(&server).await;
    now.fetch_add(DAY, Ordering::Relaxed);
    users(&acme, "old", 3).await;
    let held = users(&keeper, "held", 2).await;
    now.fetch_add(DAY, Ordering::Relaxed);
    let young = users(&acme, "young", 2).await;
    now.fetch_add(DAY / 2, Ordering::Relaxed);
    // The end of the second is a day ago to the second; that of the third is not.
    assert_eq!(round(&server).await, 3);
    assert_eq!(kept(&acme).await, young);
    assert_eq!(kept(&keeper).await, held);
    assert_eq!(written(&server).await, ["decision_from_20260102", "decision_from_20260103"]);

    // When it is kept no longer, it goes whole.
    keep(&keeper, json!(1)).await;
    assert_eq!(round(&server).await, 0);
    assert_eq!(written(&server).await, ["decision_from_20260103"]);
    assert_eq!(kept(&keeper).await, Vec::<String>::new());
    now.fetch_add(DAY, Ordering::Relaxed);
    assert_eq!(round(&server).await, 0);
    assert_eq!(written(&server).await, Vec::<String>::new());
    assert_eq!(kept(&acme).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_there_before_partitions_is_dropped_as_before_and_then_whole() {
    let (server, _database, now) = server_of_partitions().await;
    let acme = server.tenant("acme").await;
    keep(&acme, json!(1)).await;
    let noon = users(&acme, "noon", 2).await;
    now.fetch_add(60, Ordering::Relaxed);
    let later = users(&acme, "later", 1).await;
    round(&server).await;
    assert_eq!(written(&server).await, ["decision_first"]);
    now.fetch_add(DAY - 30, Ordering::Relaxed);
    assert_eq!(round(&server).await, 2, "the first has no beginning: nobody waits for its end");
    assert_eq!(kept(&acme).await, later);
    assert_ne!(noon, later);
    now.fetch_add(DAY, Ordering::Relaxed);
    assert_eq!(round(&server).await, 0);
    assert_eq!(written(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_partition_is_dropped_when_all_in_it_was_written_down_and_not_before() {
    let (server, database, now) = server_of_partitions().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    let gone = server.tenant("gone").await;
    for tenant in [&acme, &other, &gone] {
        keep(tenant, json!(1)).await;
    }
    round(&server).await;
    now.fetch_add(DAY, Ordering::Relaxed);
    // More than is read at once.
    let (ours, theirs) = (users(&acme, "ours", 510).await, users(&other, "theirs", 3).await);
    users(&gone, "gone", 1).await;
    server.operator().delete("/api/v1/tenants/gone").await.expect_status(204);
    now.fetch_add(2 * DAY, Ordering::Relaxed);

    let folder = server.data().join("decisions");
    let retention = Retention { partition_days: Some(1), ..exporting(&folder) };
    // A file where the second tenant's folder is to be.
    std::fs::write(folder.join("other"), "").unwrap();
    let failed = server.app.pipeline.drop_old_decisions(&retention).await.unwrap_err();
    assert!(failed.to_string().contains("so they are not dropped"), "{failed}");
    assert_eq!(written(&server).await, ["decision_from_20260102"]);
    assert_eq!(kept(&other).await, theirs);

    std::fs::remove_file(folder.join("other")).unwrap();
    let file = |tenant: &str| folder.join(tenant).join("2026-01-02.jsonl");
    assert_eq!(lines(&file("acme")), ours, "what comes before was written down");
    std::fs::remove_file(file("acme")).unwrap();
    // Partitions are dropped also when nobody wants them any more.
    let retention = Retention { partition_days: None, ..retention };
    assert_eq!(server.app.pipeline.drop_old_decisions(&retention).await.unwrap(), 0);
    assert_eq!(lines(&file("acme")), ours);
    assert_eq!(lines(&file("other")), theirs);
    assert!(!folder.join("gone").exists());
    assert_eq!(written(&server).await, Vec::<String>::new());
    drop((server, database));
}

#[test]
fn partitions_of_a_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data = folder.path().to_owned();
    config.store.decisions_partition_days = Some(1);
    let compiler = CompilerProgram::at(folder.path().to_owned());
    let refused = App::open(&config, None, Clock::system(), compiler).err().unwrap().to_string();
    assert!(refused.contains("`store.decisions_partition_days` is set") && refused.contains("SQLite"), "{refused}");
    assert!(!folder.path().join("scruple.db").exists());
}
