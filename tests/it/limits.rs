//! What is set in `[scim]` is what holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple_tests::{TestServer, group, patch_op, user};
use serde_json::{Value, json};

#[tokio::test]
async fn limits_of_a_request_are_those_that_are_set() {
    let mut config = Config::default();
    let limits = &mut config.scim.limits;
    (limits.values_max, limits.members_max, limits.operations_max, limits.filter_terms_max) = (2, 2, 2, 4);
    (limits.text_bytes_max, limits.json_depth_max, limits.bulk_operations_max) = (800, 9, 2);
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let told = |refused: &scruple_tests::Response, limit: &str| {
        assert!(refused.detail().contains(limit), "`{limit}` is not in: {}", refused.detail());
    };

    let mut ada = user("ada");
    ada["roles"] = json!([{ "value": "a" }, { "value": "b" }, { "value": "c" }]);
    told(&acme.post("/Users", ada).await.expect_status(400), "the limit is 2");
    let mut ada = user("ada");
    ada["title"] = "x".repeat(801).into();
    told(&acme.post("/Users", ada).await.expect_status(400), "the limit is 800");
    let mut ada = user("ada");
    ada["name"] = (0..12).fold(json!("x"), |inner, _| json!({ "givenName": inner }));
    told(&acme.post("/Users", ada).await.expect_status(400), "the limit of 9");

    let ids: Vec<String> = (1..=3).map(|n| format!("01936d4e-0000-7000-8000-00000000000{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    told(&acme.post("/Groups", group("Club", &ids)).await.expect_status(400), "the limit is 2");
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let operations: Vec<Value> = (0..3).map(|n| patch_op("replace", "title", json!(n.to_string()))).collect();
    told(&acme.patch(&format!("/Users/{ada}"), Value::Array(operations)).await.expect_status(400), "the limit is 2");
    let filter = ["userName eq \"a\""; 5].join(" or ");
    told(&acme.query("/Users", &[("filter", &filter)]).await.expect_status(400), "4");

    let config = acme.get("/ServiceProviderConfig").await.body;
    assert_eq!(config["bulk"]["maxOperations"], 2);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_back_and_no_other_token_is() {
    let mut config = Config::default();
    config.scim.requests_per_second = 2;
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let told = Arc::clone(&seconds);
    let clock = Clock::from_fn(move || Timestamp::from_second(told.load(Ordering::SeqCst)).unwrap());
    let server = TestServer::start_at(config, clock).await;
    let acme = server.tenant("acme").await;
    let other = server.tenant("other").await;
    acme.get("/Users").await.expect_status(200);
    acme.get("/Users").await.expect_status(200);
    let refused = acme.get("/Users").await.expect_status(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("content-type"), Some("application/scim+json"));
    assert_eq!(refused.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(refused.body["status"], "429");
    acme.post("/Users", user("ada")).await.expect_status(429);
    other.get("/Users").await.expect_status(200);
    // Administration is not counted.
    for _ in 0..5 {
        acme.admin.get(&acme.api_path("/decisions")).await.expect_status(200);
    }
    seconds.fetch_add(1, Ordering::SeqCst);
    acme.post("/Users", user("ada")).await.expect_status(201);
}
