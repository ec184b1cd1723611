//! Requests that the server stopped in the middle of: none is lost, none is carried out twice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use scruple::decision::{Actor, Txn};
use scruple::http::asynchronous::job::{Job, Work};
use scruple::http::extract::BaseUrl;
use scruple::pipeline::write::{Caller, Change, WriteRequest};
use scruple::scim::projection::AttributeNames;
use scruple::store::NewAsyncRequest;
use scruple_tests::{ServerProcess, TenantClient, TestServer, group};
use serde_json::{Value, json};

use super::{accepted, allow, outcome, start};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// A request that the server stopped after accepting it. Groups may have the same name: two show that it was done twice.
async fn cut_off(server: &TestServer, name: &str) -> (Txn, Caller, WriteRequest) {
    let tenant = server.app.store.tenant_named("acme").await.unwrap().unwrap().id;
    let at = server.app.clock.now();
    let txn = Txn(server.app.clock.new_id(at));
    let actor = Actor { subject: "token".to_owned(), label: "Entra".to_owned(), scopes: vec!["scim".to_owned()] };
    let caller = Caller { tenant, actor, request_id: format!("request {name}"), txn: Some(txn) };
    let body = group(name, &[]).as_object().unwrap().clone();
    let names = AttributeNames::default();
    let request = WriteRequest { endpoint: "Groups".to_owned(), change: Change::Create { body }, names };
    let base = BaseUrl("http://before/scim/acme/v2".to_owned());
    let job = Job { caller: caller.clone(), base, work: Work::Write(request.clone()) };
    let kept = NewAsyncRequest { txn, accepted_at: at, request: job.to_text().unwrap() };
    server.app.store.tenant(tenant).accept(kept).await.unwrap();
    (txn, caller, request)
}

/// A server of its own process, and a tenant that allows the preference.
async fn start_in(data: &Path) -> (ServerProcess, TenantClient) {
    let server = ServerProcess::start(program(), data).unwrap();
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let acme = TenantClient::new(server.address, "acme", &operator).await;
    allow(&acme).await;
    (server, acme)
}

async fn groups_named(acme: &TenantClient, name: &str) -> Vec<Value> {
    let found = acme.query("/Groups", &[("filter", &format!("displayName eq \"{name}\""))]).await.expect_status(200);
    found.body["Resources"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_was_accepted_and_not_begun_is_carried_out_at_the_next_start() {
    let (server, acme) = start().await;
    let (txn, ..) = cut_off(&server, "Club").await;
    let running = acme.get(&format!("/AsyncRequests/{txn}")).await.expect_status(200);
    assert_eq!(running.body["state"], "running");
    server.app.resume().await.unwrap();
    let told = outcome(&acme, &txn.to_string()).await;
    assert_eq!((&told["state"], &told["status"]), (&json!("done"), &json!("201")));
    assert_eq!(groups_named(&acme, "Club").await.len(), 1);
    let decision = acme.decision(told["headers"]["scruple-decision-id"].as_str().unwrap()).await;
    assert_eq!((&decision["actor"]["label"], &decision["request_id"]), (&json!("Entra"), &json!("request Club")));

    server.app.resume().await.unwrap();
    server.app.under_way.over().await;
    assert_eq!(groups_named(&acme, "Club").await.len(), 1, "what is finished was taken up again");
}

#[tokio::test]
async fn what_was_decided_before_the_stop_is_told_and_not_done_again() {
    let (server, acme) = start().await;
    let (txn, caller, request) = cut_off(&server, "Club").await;
    server.app.pipeline.write(&caller, &request).await.unwrap();
    server.app.resume().await.unwrap();
    let told = outcome(&acme, &txn.to_string()).await;
    assert_eq!((&told["state"], told.get("status")), (&json!("interrupted"), None));
    let there = groups_named(&acme, "Club").await;
    assert_eq!(there.len(), 1);
    let decisions = told["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!((&decisions[0]["outcome"], &decisions[0]["resourceId"]), (&json!("allowed"), &there[0]["id"]));
    assert_eq!(acme.decision(decisions[0]["decisionId"].as_str().unwrap()).await["txn"], txn.to_string());
}

/// Sends a request to a server that may be gone before it answers.
async fn try_to_be_accepted(acme: TenantClient, name: String, count: Arc<AtomicUsize>) -> (String, Option<String>) {
    let request = acme.scim.request(Method::POST, &acme.scim_path("/Groups")).header("prefer", "respond-async");
    let answer = acme.scim.try_send(request.json(&group(&name, &[]))).await;
    let txn = answer.ok().map(|answer| answer.expect_status(202).header("set-txn").unwrap().to_owned());
    count.fetch_add(usize::from(txn.is_some()), Ordering::Relaxed);
    (name, txn)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_carries_out_what_it_accepted_once() {
    let data = tempfile::tempdir().unwrap();
    let (server, acme) = start_in(data.path()).await;
    let count = Arc::new(AtomicUsize::new(0));
    let sent: Vec<_> = (0..32)
        .map(|number| tokio::spawn(try_to_be_accepted(acme.clone(), format!("Club {number}"), Arc::clone(&count))))
        .collect();
    // In the middle: some are done then, some are being carried out, some were not even accepted.
    while count.load(Ordering::Relaxed) < 8 {
        tokio::task::yield_now().await;
    }
    server.kill().unwrap();

    let server = ServerProcess::start(program(), data.path()).unwrap();
    let acme = acme.at(server.address);
    for sent in sent {
        let (name, txn) = sent.await.unwrap();
        let Some(txn) = txn else {
            assert!(groups_named(&acme, &name).await.len() <= 1, "{name} was made twice");
            continue;
        };
        let told = outcome(&acme, &txn).await;
        let there = groups_named(&acme, &name).await;
        assert_eq!(there.len(), 1, "{told:#}");
        let id = match told["state"].as_str() {
            Some("done") => &told["response"]["id"],
            _ => &told["decisions"][0]["resourceId"],
        };
        assert_eq!(*id, there[0]["id"], "{told:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_finishes_what_it_accepted() {
    let data = tempfile::tempdir().unwrap();
    let (server, acme) = start_in(data.path()).await;
    let operations: Vec<Value> = (0..1_000)
        .map(|number| {
            let data = group(&format!("Club {number}"), &[]);
            json!({ "method": "POST", "path": "/Groups", "bulkId": number.to_string(), "data": data })
        })
        .collect();
    let message = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let txn = accepted(&acme, Method::POST, "/Bulk", message).await;
    // When some of it is done, the rest is under way.
    while acme.query("/Groups", &[("count", "0")]).await.expect_status(200).body["totalResults"] == 0 {}
    assert!(server.stop().unwrap().success());

    let server = ServerProcess::start(program(), data.path()).unwrap();
    let told = outcome(&acme.at(server.address), &txn).await;
    assert_eq!((&told["state"], &told["status"]), (&json!("done"), &json!("200")));
    assert_eq!(told["securityEvents"].as_array().unwrap().len(), 1_000);
}
