//! What is set in `[scim]` is what holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple_tests::{Response, TestServer, group, patch_op, user};
use serde_json::{Value, json};

/// Every limit as low as it can be set, or low enough to be passed by a short request.
const LOW: &str = r#"
[scim]
page_size = 2
page_size_max = 3
body_bytes_max = 20000

[scim.limits]
filter_bytes_max = 256
filter_terms_max = 4
filter_depth_max = 4
path_bytes_max = 256
operations_max = 2
bulk_operations_max = 2
values_max = 2
members_max = 2
attributes_max = 32
text_bytes_max = 800
json_depth_max = 9
"#;

async fn server_with(settings: &str) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scruple.toml");
    std::fs::write(&file, settings).unwrap();
    TestServer::start_with(Config::read(&file).unwrap()).await
}

fn with(name: &str, value: Value) -> Value {
    let mut ada = user("ada");
    ada[name] = value;
    ada
}

/// An error of that status and `scimType` (`null`: none) that names the limit.
#[track_caller]
fn check(refused: &Response, status: u16, scim_type: Value, limit: &str) {
    let kind = (refused.status, &refused.body["scimType"], &refused.body["schemas"][0]);
    assert_eq!(kind, (status, &scim_type, &json!("urn:ietf:params:scim:api:messages:2.0:Error")), "{:#}", refused.body);
    assert!(refused.detail().contains(limit), "`{limit}` is not in: {}", refused.detail());
}

#[tokio::test]
async fn a_resource_beyond_a_limit_that_is_set_is_refused_by_its_name() {
    let server = server_with(LOW).await;
    let acme = server.tenant("acme").await;
    let invalid = || json!("invalidValue");
    let roles = |count: usize| (0..count).map(|n| json!({ "value": n.to_string() })).collect::<Value>();
    check(&acme.post("/Users", with("roles", roles(3))).await, 400, invalid(), "`roles` has 3 values; the limit is 2");
    let long = acme.post("/Users", with("title", "x".repeat(801).into())).await;
    check(&long, 400, invalid(), "`title` has 801 bytes; the limit is 800");
    let mut many = user("ada");
    many.as_object_mut().unwrap().extend((0..33).map(|n| (format!("attribute{n}"), json!(n))));
    check(&acme.post("/Users", many).await, 400, invalid(), "attributes; the limit is 32");
    let deep = (0..12).fold(json!("x"), |inner, _| json!({ "givenName": inner }));
    let deep = acme.post("/Users", with("name", deep)).await;
    check(&deep, 400, json!("invalidSyntax"), "deeper than the limit of 9");
    let large = acme.post("/Users", with("title", "x".repeat(20_000).into())).await;
    check(&large, 413, Value::Null, "larger than the limit of 20000 bytes");
    let ids: Vec<String> = (1..=3).map(|n| format!("01936d4e-0000-7000-8000-00000000000{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let club = acme.post("/Groups", group("Club", &ids)).await;
    check(&club, 400, json!("tooMany"), "names 3 members; the limit is 2");
    // What is just within them is let pass.
    let mut ada = with("roles", roles(2));
    ada["title"] = "x".repeat(800).into();
    acme.post("/Users", ada).await.expect_status(201);
}

#[tokio::test]
async fn a_query_beyond_a_limit_that_is_set_is_refused_by_its_name() {
    let server = server_with(LOW).await;
    let acme = server.tenant("acme").await;
    for name in ["ada", "bob", "cy", "dee"] {
        acme.post("/Users", user(name)).await.expect_status(201);
    }
    let long = format!("userName eq \"{}\"", "x".repeat(243));
    for (filter, limit) in [
        (["userName pr"; 5].join(" or "), "more than the limit of 4 comparisons"),
        (format!("{}userName pr{}", "(".repeat(5), ")".repeat(5)), "deeper than the limit of 4"),
        (long, "the filter has 257 bytes; the limit is 256"),
    ] {
        check(&acme.query("/Users", &[("filter", &filter)]).await, 400, json!("invalidFilter"), limit);
    }
    // RFC 7644 §3.4.2.4: a page may have fewer than were asked for.
    for (count, expected) in [(None, 2), (Some("3"), 3), (Some("1000"), 3)] {
        let query: Vec<(&str, &str)> = count.iter().map(|count| ("count", *count)).collect();
        let page = acme.query("/Users", &query).await.expect_status(200).body;
        let size = page["Resources"].as_array().unwrap().len();
        assert_eq!((&page["totalResults"], &page["itemsPerPage"], size), (&json!(4), &json!(expected), expected));
    }
}

#[tokio::test]
async fn a_patch_or_bulk_request_beyond_a_limit_that_is_set_is_refused_by_its_name() {
    let server = server_with(LOW).await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{ada}");
    let operations: Value = (0..3).map(|n| patch_op("replace", "title", json!(n.to_string()))).collect();
    check(&acme.patch(&path, operations).await, 400, json!("tooMany"), "there are 3 operations; the limit is 2");
    let long = format!("emails[value eq \"{}\"].type", "x".repeat(233));
    let long = acme.patch(&path, json!([patch_op("replace", &long, json!("home"))])).await;
    check(&long, 400, json!("invalidPath"), "the path has 257 bytes; the limit is 256");
    let bulk = |count: usize, title: &str| {
        let create = |n| json!({ "method": "POST", "path": "/Users", "bulkId": format!("{n}"), "data": user(title) });
        let operations: Value = (0..count).map(create).collect();
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
    };
    // RFC 7644 §3.7.4: either limit is 413.
    check(&acme.post("/Bulk", bulk(3, "x")).await, 413, Value::Null, "2");
    let large = acme.post("/Bulk", bulk(1, &"x".repeat(20_000))).await;
    check(&large, 413, Value::Null, "larger than the limit of 20000 bytes");
}

#[tokio::test]
async fn the_limits_that_the_rfc_has_a_place_for_are_published() {
    let server = server_with(LOW).await;
    let acme = server.tenant("acme").await;
    let config = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    assert_eq!(config["bulk"], json!({ "supported": true, "maxOperations": 2, "maxPayloadSize": 20_000 }));
    assert_eq!(config["filter"], json!({ "supported": true, "maxResults": 3 }));
    let pagination = &config["pagination"];
    assert_eq!((&pagination["defaultPageSize"], &pagination["maxPageSize"]), (&json!(2), &json!(3)));
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
