//! Requests that are answered as usual, whatever they prefer.

use std::path::Path;

use reqwest::Method;
use scruple::config::Config;
use scruple_tests::{TestServer, user};
use serde_json::{Value, json};

use super::{accepted, allow, outcome, prefer, start};

#[tokio::test]
async fn a_tenant_allows_it_or_not_and_says_so() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let answer = prefer(&acme, "respond-async", Method::POST, "/Users", user("ada")).await.expect_status(201);
    assert_eq!((answer.header("set-txn"), answer.header("preference-applied")), (None, None));
    assert_eq!(acme.get("/ServiceProviderConfig").await.body.get("securityEvents"), None);

    allow(&acme).await;
    accepted(&acme, Method::POST, "/Users", user("bob")).await;
    acme.post("/Users", user("eve")).await.expect_status(201);
    let config = acme.get("/ServiceProviderConfig").await.body;
    assert_eq!(config["securityEvents"], json!({ "asyncRequest": "request" }));

    acme.admin.patch(&acme.api_path(""), json!({ "respond_async": false })).await.expect_status(200);
    prefer(&acme, "respond-async", Method::POST, "/Users", user("carol")).await.expect_status(201);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_at_once() {
    let (_server, acme) = start().await;
    let send = |content_type: &'static str, body: &'static str| {
        let request = acme.scim.request(Method::POST, &acme.scim_path("/Users"));
        acme.scim.send(request.header("prefer", "respond-async").header("content-type", content_type).body(body))
    };
    let refused = send("application/scim+json", "{").await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidSyntax");
    send("application/scim+json", "[]").await.expect_status(400);
    send("text/plain", "{}").await.expect_status(415);
    // What is wrong with its content is found when it is carried out.
    let txn = accepted(&acme, Method::POST, "/Users", json!({ "userName": "ada" })).await;
    assert_eq!(outcome(&acme, &txn).await["status"], "400");
}

/// Whether a text stands in any file of a folder.
fn stands_in(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => stands_in(&path, text),
            false => std::fs::read(&path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes()),
        }
    })
}

#[tokio::test]
async fn a_request_with_a_password_is_not_written_down() {
    let (server, acme) = start().await;
    let mut ada = user("ada");
    ada["password"] = "t0p-Secret-of-Ada".into();
    let id = prefer(&acme, "respond-async", Method::POST, "/Users", ada).await.expect_status(201).id();
    let path = format!("/Users/{id}");
    for operation in [
        json!({ "op": "replace", "path": "PASSWORD", "value": "t0p-Secret-by-Path" }),
        json!({ "op": "add", "value": { "urn:ietf:params:scim:schemas:core:2.0:User:password": "t0p-Secret-by-Urn" } }),
    ] {
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation.clone()],
        });
        prefer(&acme, "respond-async", Method::PATCH, &path, patch.clone()).await.expect_status(200);
        let bulk = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{ "method": "PATCH", "path": path, "data": patch }],
        });
        prefer(&acme, "respond-async", Method::POST, "/Bulk", bulk).await.expect_status(200);
    }
    // The search itself finds what is there.
    let txn = accepted(&acme, Method::POST, "/Users", user("no-Secret-of-Bob")).await;
    outcome(&acme, &txn).await;
    assert!(stands_in(server.data(), "no-Secret-of-Bob"));
    assert!(!stands_in(server.data(), "t0p-Secret"));
}

#[tokio::test]
async fn with_as_many_under_way_as_there_may_be_the_client_waits() {
    let mut config = Config::default();
    config.scim.async_requests_max = 1;
    let server = TestServer::start_with(config).await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    allow(&acme).await;
    allow(&other).await;
    let tenant = server.app.store.tenant_named("acme").await.unwrap().unwrap().id;
    let under_way = server.app.under_way.place(tenant).unwrap();
    prefer(&acme, "respond-async", Method::POST, "/Users", user("ada")).await.expect_status(201);
    accepted(&other, Method::POST, "/Users", user("ada")).await;
    drop(under_way);
    let txn = accepted(&acme, Method::POST, "/Users", user("bob")).await;
    outcome(&acme, &txn).await;
    // What is over makes room.
    accepted(&acme, Method::POST, "/Users", user("eve")).await;
}

#[tokio::test]
async fn reads_and_the_users_own_alias_are_answered_as_usual() {
    let (_server, acme) = start().await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    for path in ["/Users", &format!("/Users/{id}"), "/ServiceProviderConfig"] {
        prefer(&acme, "respond-async", Method::GET, path, Value::Null).await.expect_status(200);
    }
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    prefer(&acme, "respond-async", Method::POST, "/Users/.search", search).await.expect_status(200);

    let body = json!({ "label": "ada", "scopes": ["scim"], "user": id });
    let made = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201);
    let ada = scruple_tests::TenantClient { scim: acme.scim.with_token(made.body["token"].as_str().unwrap()), ..acme };
    let answer = prefer(&ada, "respond-async", Method::PUT, "/Me", user("ada")).await.expect_status(200);
    assert_eq!(answer.header("set-txn"), None);
}
