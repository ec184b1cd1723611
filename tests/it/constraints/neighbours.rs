//! A tenant that wants too much is told to come back, and the others do not notice.

use std::fs;

use scruple::config::Config;
use scruple_tests::components::{SAFE_VALUES, SPIN_FOREVER};
use scruple_tests::{Response, TestServer, compile_heavy, mail_at, user};
use serde_json::json;
use tokio::task::JoinSet;

/// The first answer of many requests that are under way at once.
async fn first(requests: &mut JoinSet<Response>) -> Response {
    requests.join_next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_tenant_that_uploads_too_much_at_once_is_told_to_come_back_and_another_is_served() {
    let server = TestServer::start().await;
    let (noisy, quiet) = (server.tenant("noisy").await, server.tenant("quiet").await);
    // Half a minute's work, of which the tenant gets one after the other.
    let component = compile_heavy(30_000);
    let mut uploads = JoinSet::new();
    for _ in 0..9 {
        let (noisy, component) = (noisy.clone(), component.clone());
        uploads.spawn(async move { noisy.upload("rules", component).await });
    }
    let refused = first(&mut uploads).await.expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.body["code"], "overloaded");
    assert_eq!(refused.detail(), "the tenant has 8 uploads under way already, as many as it may have");

    quiet.upload("safe-values", fs::read(SAFE_VALUES).unwrap()).await.expect_status(201);
    assert!(uploads.len() > 5, "the other tenant has waited for {} compilations", 8 - uploads.len());
    uploads.abort_all();
}

#[tokio::test]
async fn a_tenant_whose_writes_wait_too_long_is_told_to_come_back_and_another_is_served() {
    let mut config = Config::default();
    config.scim.writes_waiting_max = 1;
    config.sandbox.fuel_max = Some(u64::MAX / 2);
    config.sandbox.deadline_ms = Some(1_000);
    let server = TestServer::start_with(config).await;
    let (noisy, quiet) = (server.tenant("noisy").await, server.tenant("quiet").await);
    noisy.enforce(SPIN_FOREVER, json!({})).await;
    quiet.enforce(SAFE_VALUES, mail_at("example.com")).await;

    let mut writes = JoinSet::new();
    for number in 0..4 {
        let noisy = noisy.clone();
        writes.spawn(async move { noisy.post("/Users", user(&format!("user-{number}"))).await });
    }
    let refused = first(&mut writes).await.expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("content-type"), Some("application/scim+json"));
    assert_eq!(refused.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(refused.detail(), "the tenant has 3 writes under way already, as many as it may have");

    quiet.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!(writes.len(), 3, "the loops were over before the other tenant was served");
    // Those that were let in are answered.
    while let Some(answer) = writes.join_next().await {
        answer.unwrap().expect_status(403);
    }
}
