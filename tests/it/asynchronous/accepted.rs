//! Requests that are accepted, and what comes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use reqwest::Method;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{TestServer, mail_at, user};
use serde_json::{Value, json};

use super::{accepted, allow, events, outcome, prefer, start};

#[tokio::test]
async fn a_request_is_accepted_carried_out_and_its_answer_is_had_afterwards() {
    let (server, acme) = start().await;
    let answer = prefer(&acme, "respond-async", Method::POST, "/Users", user("ada")).await.expect_status(202);
    let txn = answer.header("set-txn").unwrap();
    assert_eq!((&answer.body, answer.header("content-length")), (&Value::Null, Some("0")));
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    let location = format!("http://{}/scim/acme/v2/AsyncRequests/{txn}", server.address);
    assert_eq!(answer.header("location"), Some(location.as_str()));

    let told = outcome(&acme, txn).await;
    assert_eq!(told["schemas"], json!(["urn:scruple:params:scim:api:messages:1.0:AsyncRequest"]));
    assert_eq!((&told["txn"], &told["state"], &told["status"]), (&json!(txn), &json!("done"), &json!("201")));
    let id = told["response"]["id"].as_str().unwrap();
    let ada = acme.get(&format!("/Users/{id}")).await.expect_status(200);
    assert_eq!(told["response"], ada.body);
    assert_eq!(told["headers"]["etag"], ada.header("etag").unwrap());
    assert_eq!(told["headers"]["location"], ada.body["meta"]["location"]);
    let operation = json!({
        "method": "POST", "status": "201", "version": told["headers"]["etag"], "location": told["headers"]["location"],
    });
    assert_eq!(events(&told), [(txn, format!("/Users/{id}").as_str(), &operation)]);

    // The decision is on the client, the request and the txn.
    let decision = acme.decision(told["headers"]["scruple-decision-id"].as_str().unwrap()).await;
    assert_eq!(decision["txn"], txn);
    assert_eq!(decision["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(decision["actor"]["label"], "acme scim");
}

#[tokio::test]
async fn every_request_that_changes_a_resource_can_be_accepted() {
    let (_server, acme) = start().await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{id}?attributes=title");
    let mut changed = user("ada");
    changed["title"] = "Countess".into();
    let txn = accepted(&acme, Method::PUT, &path, changed).await;
    let told = outcome(&acme, &txn).await;
    assert_eq!((&told["status"], &told["response"]["title"]), (&json!("200"), &json!("Countess")));
    assert_eq!(told["response"].get("userName"), None, "it was not asked for");

    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "title", "value": "Lady" }],
    });
    let txn = accepted(&acme, Method::PATCH, &path, patch.clone()).await;
    assert_eq!(outcome(&acme, &txn).await["response"]["title"], "Lady");

    // Its condition is the request's.
    let request = acme.scim.request(Method::DELETE, &acme.scim_path(&path));
    let request = request.header("prefer", "respond-async").header("if-match", "W/\"1\"");
    let stale = acme.scim.send(request).await.expect_status(202);
    let told = outcome(&acme, stale.header("set-txn").unwrap()).await;
    assert_eq!(told["status"], "412");

    let txn = accepted(&acme, Method::DELETE, &path, Value::Null).await;
    let told = outcome(&acme, &txn).await;
    assert_eq!((&told["status"], told.get("response")), (&json!("204"), None));
    acme.get(&path).await.expect_status(404);

    let txn = accepted(&acme, Method::PATCH, &path, patch).await;
    let told = outcome(&acme, &txn).await;
    let error = &told["response"];
    assert_eq!((&told["status"], &error["status"]), (&json!("404"), &json!("404")));
    let operation = json!({ "method": "PATCH", "status": "404", "response": error });
    assert_eq!(events(&told), [(txn.as_str(), format!("/Users/{id}").as_str(), &operation)]);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reasons() {
    let (_server, acme) = start().await;
    acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
    let txn = accepted(&acme, Method::POST, "/Users", user("ada")).await;
    let told = outcome(&acme, &txn).await;
    assert_eq!((&told["status"], &told["response"]["scimType"]), (&json!("400"), &json!("invalidValue")));
    let refused = &told["response"]["urn:scruple:params:scim:api:messages:1.0:Decision"];
    assert_eq!(refused["reasons"][0]["constraint"], "safe-values");
    let decision = acme.decision(refused["decisionId"].as_str().unwrap()).await;
    assert_eq!((&decision["outcome"], &decision["txn"]), (&json!("denied"), &json!(txn)));
    let told = events(&told);
    assert_eq!((told[0].1, &told[0].2["response"]["scimType"]), ("/Users", &json!("invalidValue")));
}

#[tokio::test]
async fn a_bulk_request_is_accepted_and_each_of_its_operations_has_an_event_by_its_place() {
    let (_server, acme) = start().await;
    acme.post("/Users", user("eve")).await.expect_status(201);
    let create = |name: &str| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) });
    let message = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": 1,
        "Operations": [create("ada"), create("eve"), create("bob")],
    });
    let txn = accepted(&acme, Method::POST, "/Bulk", message).await;
    let told = outcome(&acme, &txn).await;
    assert_eq!(told["status"], "200");
    let operations = told["response"]["Operations"].as_array().unwrap();
    let path = operations[0]["location"].as_str().unwrap().split_once("/v2").unwrap().1;
    acme.get(path).await.expect_status(200);
    let expected = [
        (format!("{txn}:0"), path.to_owned(), &operations[0]),
        (format!("{txn}:1"), "/Bulk".to_owned(), &operations[1]),
    ];
    let expected: Vec<_> = expected.iter().map(|(txn, uri, told)| (txn.as_str(), uri.as_str(), *told)).collect();
    assert_eq!(events(&told), expected);
    assert_eq!(operations[1]["response"]["scimType"], "uniqueness");
    let decided = acme.decisions().await;
    assert_eq!(decided.iter().filter(|decision| decision["txn"] == txn.as_str()).count(), 2);
}

#[tokio::test]
async fn who_would_rather_wait_is_answered_when_it_is_done() {
    let (_server, acme) = start().await;
    let answer = prefer(&acme, "respond-async, wait=60", Method::POST, "/Users", user("ada")).await.expect_status(201);
    assert_eq!(answer.header("set-txn"), None);
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    let again = acme.get(&format!("/Users/{}", answer.id())).await.expect_status(200);
    assert_eq!((&answer.body, answer.header("etag")), (&again.body, again.header("etag")));
    assert_eq!(answer.header("location"), again.body["meta"]["location"].as_str());
    let taken = prefer(&acme, "wait=60, respond-async", Method::POST, "/Users", user("ada")).await.expect_status(409);
    assert_eq!(taken.body["scimType"], "uniqueness");
}

#[tokio::test]
async fn what_came_of_a_request_is_for_its_tenant_alone() {
    let (server, acme) = start().await;
    let other = server.tenant("other").await;
    let txn = accepted(&acme, Method::POST, "/Users", user("ada")).await;
    outcome(&acme, &txn).await;
    let path = format!("/AsyncRequests/{txn}");
    other.get(&path).await.expect_status(404);
    other.scim.get(&acme.scim_path(&path)).await.expect_status(404);
    acme.scim.with_token("").get(&acme.scim_path(&path)).await.expect_status(401);
    acme.get("/AsyncRequests/none").await.expect_status(404);
    acme.delete(&path).await.expect_status(405);
}

#[tokio::test]
async fn an_outcome_is_kept_for_a_day() {
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let told = Arc::clone(&seconds);
    let clock = Clock::from_fn(move || Timestamp::from_second(told.load(Ordering::SeqCst)).unwrap());
    let server = TestServer::start_at(Config::default(), clock).await;
    let acme = server.tenant("acme").await;
    allow(&acme).await;
    let txn = accepted(&acme, Method::POST, "/Users", user("ada")).await;
    let at_first = outcome(&acme, &txn).await;
    seconds.fetch_add(24 * 3_600, Ordering::SeqCst);
    assert_eq!(outcome(&acme, &txn).await, at_first);
    seconds.fetch_add(1, Ordering::SeqCst);
    acme.get(&format!("/AsyncRequests/{txn}")).await.expect_status(404);
}
