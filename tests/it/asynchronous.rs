//! `Prefer: respond-async` (RFC 9967 §2.5.1).

mod accepted;
mod passed_over;
mod restart;

use reqwest::Method;
use scruple_tests::{Response, TenantClient, TestServer};
use serde_json::{Value, json};

/// A server whose tenant `acme` allows it.
async fn start() -> (TestServer, TenantClient) {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    allow(&acme).await;
    (server, acme)
}

async fn allow(acme: &TenantClient) {
    acme.admin.patch(&acme.api_path(""), json!({ "respond_async": true })).await.expect_status(200);
}

/// Sends a request with a preference.
async fn prefer(acme: &TenantClient, preference: &str, method: Method, path: &str, body: Value) -> Response {
    let request = acme.scim.request(method, &acme.scim_path(path)).header("prefer", preference);
    let request = if body.is_null() { request } else { request.json(&body) };
    acme.scim.send(request).await
}

/// Sends a request to be answered before it is carried out. The `txn`.
async fn accepted(acme: &TenantClient, method: Method, path: &str, body: Value) -> String {
    let answer = prefer(acme, "respond-async", method, path, body).await.expect_status(202);
    answer.header("set-txn").unwrap().to_owned()
}

/// What came of a request, as soon as it is over.
async fn outcome(acme: &TenantClient, txn: &str) -> Value {
    for _ in 0..3_000 {
        let told = acme.get(&format!("/AsyncRequests/{txn}")).await.expect_status(200);
        if told.body["state"] != "running" {
            assert_eq!(told.header("retry-after"), None);
            return told.body;
        }
        assert_eq!(told.header("retry-after"), Some("1"));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("`{txn}` is still running");
}

/// The operation that a completion event tells of, with the event's `txn` and `uri`.
fn events(outcome: &Value) -> Vec<(&str, &str, &Value)> {
    let events = outcome["securityEvents"].as_array().unwrap();
    let told = events.iter().map(|event| {
        let operation = &event["events"]["urn:ietf:params:scim:event:misc:asyncresp"];
        (event["txn"].as_str().unwrap(), event["sub_id"]["uri"].as_str().unwrap(), operation)
    });
    told.collect()
}
