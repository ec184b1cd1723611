//! Sorting, cursors (RFC 9865) and `.search` (RFC 7644 §3.4.3).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use scruple::clock::Clock;
use scruple::config::Config;
use scruple_tests::{Response, TenantClient, TestServer, group, user};
use serde_json::{Value, json};

fn names(page: &Value) -> Vec<String> {
    let resources = page["Resources"].as_array().unwrap();
    let name =
        |resource: &Value| resource.get("userName").unwrap_or(&resource["displayName"]).as_str().unwrap().to_owned();
    resources.iter().map(name).collect()
}

async fn users(acme: &TenantClient, names: &[&str]) {
    for name in names {
        acme.post("/Users", user(name)).await.expect_status(201);
    }
}

/// Every page by cursor, with the other parameters.
async fn pages(acme: &TenantClient, parameters: &[(&str, &str)]) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let query = [parameters, &[("cursor", cursor.as_str())]].concat();
        let page = acme.query("/Users", &query).await.expect_status(200).body;
        let next = page["nextCursor"].as_str().map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => cursor = next,
            None => return pages,
        }
    }
}

#[tokio::test]
async fn a_list_is_in_the_order_that_is_asked_for() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    users(&acme, &["eve", "Ada", "dan", "bob", "Cid"]).await;
    for (query, expected) in [
        (vec![("sortBy", "userName")], vec!["Ada", "bob", "Cid", "dan", "eve"]),
        (vec![("sortBy", "userName"), ("sortOrder", "descending")], vec!["eve", "dan", "Cid", "bob", "Ada"]),
        (vec![("sortBy", "userName"), ("startIndex", "2"), ("count", "2")], vec!["bob", "Cid"]),
        (vec![("sortBy", "userName"), ("filter", "userName gt \"b\"")], vec!["bob", "Cid", "dan", "eve"]),
        (vec![("sortBy", "meta.created")], vec!["eve", "Ada", "dan", "bob", "Cid"]),
    ] {
        let found = acme.query("/Users", &query).await.expect_status(200).body;
        assert_eq!(names(&found), expected, "{query:?}");
    }
    let refused = acme.query("/Users", &[("sortBy", "shoeSize")]).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidValue");
    let config = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    assert_eq!(config["sort"]["supported"], true);
}

#[tokio::test]
async fn pages_by_cursor_cover_everything_once() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    users(&acme, &["a", "b", "c", "d", "e", "f", "g"]).await;
    for parameters in [
        vec![("count", "3")],
        vec![("count", "3"), ("filter", "userName co \"\" or active eq true")],
        vec![("count", "3"), ("sortBy", "userName")],
        vec![("count", "7")],
        vec![],
    ] {
        let pages = pages(&acme, &parameters).await;
        let seen: Vec<String> = pages.iter().flat_map(names).collect();
        assert_eq!(seen, ["a", "b", "c", "d", "e", "f", "g"], "{parameters:?}");
        for page in &pages {
            assert_eq!(page["itemsPerPage"], names(page).len());
            assert_eq!(page.get("startIndex"), None);
        }
    }
    let first = acme.query("/Users", &[("cursor", ""), ("count", "3")]).await.expect_status(200).body;
    assert_eq!(first["totalResults"], 7);
    let by_index = acme.query("/Users", &[("count", "3")]).await.expect_status(200).body;
    assert_eq!((&by_index["startIndex"], by_index.get("nextCursor")), (&json!(1), None));
    let total = acme.query("/Users", &[("cursor", ""), ("count", "0")]).await.expect_status(200).body;
    assert_eq!((&total["totalResults"], &total["itemsPerPage"]), (&json!(7), &json!(0)));
}

#[tokio::test]
async fn a_walk_by_cursor_misses_nobody_while_others_come_and_go() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let names: Vec<String> = (0..60).map(|number| format!("stays{number}")).collect();
    users(&acme, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..3 {
        let (acme, done) = (acme.clone(), Arc::clone(&done));
        writers.spawn(async move {
            let mut written = 0;
            // Bounded, whatever happens to the reader.
            while written < 2_000 && !(done.load(Ordering::Relaxed) && written > 0) {
                let id = acme.post("/Users", user(&format!("comes{writer}-{written}"))).await.expect_status(201).id();
                acme.delete(&format!("/Users/{id}")).await.expect_status(204);
                written += 1;
            }
            written
        });
    }
    let expected: BTreeSet<String> = names.into_iter().collect();
    for parameters in [
        vec![("count", "7")],
        vec![("count", "7"), ("filter", "active eq true")],
        vec![("count", "7"), ("filter", "userName sw \"stays\" or title eq \"nobody\"")],
        vec![("count", "7"), ("sortBy", "userName"), ("sortOrder", "descending")],
    ] {
        let seen: Vec<String> = pages(&acme, &parameters).await.iter().flat_map(self::names).collect();
        let each_once: HashSet<&String> = seen.iter().collect();
        assert_eq!(each_once.len(), seen.len(), "{parameters:?}: somebody was met twice");
        let stayed: BTreeSet<String> = seen.iter().filter(|name| name.starts_with("stays")).cloned().collect();
        assert_eq!(stayed, expected, "{parameters:?}");
    }
    done.store(true, Ordering::Relaxed);
    assert!(writers.join_all().await.into_iter().all(|written| written > 0));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_query_alone() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let other = server.tenant("other").await;
    for tenant in [&acme, &other] {
        users(tenant, &["a", "b", "c"]).await;
    }
    let first = acme.query("/Users", &[("cursor", ""), ("count", "1")]).await.expect_status(200).body;
    let cursor = first["nextCursor"].as_str().unwrap();
    let refused = |response: Response| {
        let response = response.expect_status(400);
        assert_eq!(response.body["scimType"], "invalidCursor", "{}", response.detail());
    };
    refused(other.query("/Users", &[("cursor", cursor)]).await);
    refused(acme.query("/Groups", &[("cursor", cursor)]).await);
    refused(acme.query("/", &[("cursor", cursor)]).await);
    refused(acme.query("/Users", &[("cursor", cursor), ("filter", "active eq true")]).await);
    refused(acme.query("/Users", &[("cursor", cursor), ("sortBy", "userName")]).await);
    refused(acme.query("/Users", &[("cursor", "made-up")]).await);
    let second = acme.query("/Users", &[("cursor", cursor), ("count", "1")]).await.expect_status(200).body;
    assert_eq!(names(&second), ["b"]);
    let count = acme.query("/Users", &[("cursor", cursor), ("count", "many")]).await.expect_status(400);
    assert_eq!(count.body["scimType"], "invalidCount");
}

#[tokio::test]
async fn a_cursor_expires_when_the_configuration_says() {
    let time = Arc::new(AtomicI64::new(1_767_225_600));
    let clock = Clock::from_fn({
        let time = Arc::clone(&time);
        move || jiff::Timestamp::from_second(time.load(Ordering::Relaxed)).unwrap()
    });
    let mut config = Config::default();
    config.scim.cursor_seconds = 7;
    let server = TestServer::start_at(config, clock).await;
    let acme = server.tenant("acme").await;
    users(&acme, &["a", "b"]).await;
    let shown = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    let expected = json!({ "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
                           "maxPageSize": 1000, "cursorTimeout": 7 });
    assert_eq!(shown["pagination"], expected);
    let first = acme.query("/Users", &[("cursor", ""), ("count", "1")]).await.expect_status(200).body;
    let cursor = first["nextCursor"].as_str().unwrap();
    time.fetch_add(6, Ordering::Relaxed);
    acme.query("/Users", &[("cursor", cursor), ("count", "1")]).await.expect_status(200);
    time.fetch_add(1, Ordering::Relaxed);
    let expired = acme.query("/Users", &[("cursor", cursor), ("count", "1")]).await.expect_status(400);
    assert_eq!(expired.body["scimType"], "expiredCursor", "{}", expired.detail());
}

fn search(parameters: Value) -> Value {
    let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    body.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_search_by_post_is_the_list_by_get() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    users(&acme, &["ada", "bob", "eve"]).await;
    let posted = acme
        .post(
            "/Users/.search",
            search(json!({ "filter": "userName gt \"b\"", "attributes": ["userName"], "sortBy": "userName",
                           "sortOrder": "descending", "startIndex": 1, "count": 1 })),
        )
        .await
        .expect_status(200);
    let query = [
        ("filter", "userName gt \"b\""),
        ("attributes", "userName"),
        ("sortBy", "userName"),
        ("sortOrder", "descending"),
        ("startIndex", "1"),
        ("count", "1"),
    ];
    assert_eq!(posted.body, acme.query("/Users", &query).await.expect_status(200).body);
    assert_eq!((names(&posted.body), &posted.body["totalResults"]), (vec!["eve".to_owned()], &json!(2)));

    let first = acme.post("/Users/.search", search(json!({ "cursor": "", "count": 2 }))).await.expect_status(200).body;
    let next = search(json!({ "cursor": first["nextCursor"], "count": 2 }));
    let second = acme.post("/Users/.search", next).await.expect_status(200).body;
    assert_eq!([names(&first), names(&second)].concat(), ["ada", "bob", "eve"]);

    acme.post("/Users/.search", json!({ "filter": "title pr" })).await.expect_status(400);
    acme.post("/Nothing/.search", search(json!({}))).await.expect_status(404);
    let refused = acme.post("/Users/.search", search(json!({ "filter": 7 }))).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidSyntax");
}

#[tokio::test]
async fn a_search_at_the_root_goes_through_every_type() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    users(&acme, &["ada", "bob"]).await;
    for name in ["Admins", "Builders"] {
        acme.post("/Groups", group(name, &[])).await.expect_status(201);
    }
    for (filter, expected) in [
        ("userName eq \"ada\"", vec!["ada"]),
        ("userName sw \"a\" or displayName sw \"b\"", vec!["ada", "Builders"]),
        ("not (userName pr)", vec!["Admins", "Builders"]),
        ("meta.resourceType eq \"Group\"", vec!["Admins", "Builders"]),
        ("meta.resourceType eq \"User\" and userName pr", vec!["ada", "bob"]),
        ("members pr", vec![]),
    ] {
        let found = acme.post("/.search", search(json!({ "filter": filter }))).await.expect_status(200).body;
        assert_eq!(
            (names(&found), &found["totalResults"]),
            (expected.iter().map(|name| (*name).to_owned()).collect(), &json!(expected.len())),
            "{filter}"
        );
        for path in ["", "/"] {
            assert_eq!(acme.query(path, &[("filter", filter)]).await.expect_status(200).body, found, "{filter}");
        }
    }
    let refused = acme.post("/.search", search(json!({ "filter": "shoeSize eq 42" }))).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidFilter");

    let mut by_index = Vec::new();
    for start in 1..=4 {
        let page =
            acme.post("/.search", search(json!({ "startIndex": start, "count": 1 }))).await.expect_status(200).body;
        assert_eq!(page["totalResults"], 4);
        by_index.extend(names(&page));
    }
    assert_eq!(by_index, ["ada", "bob", "Admins", "Builders"]);
    let mut by_cursor = Vec::new();
    let mut cursor = json!("");
    while !cursor.is_null() {
        let page = acme.post("/.search", search(json!({ "cursor": cursor, "count": 3 }))).await.expect_status(200).body;
        by_cursor.extend(names(&page));
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(by_cursor, by_index);
    let sorted =
        acme.post("/.search", search(json!({ "sortBy": "displayName", "attributes": ["displayName", "userName"] })));
    assert_eq!(names(&sorted.await.expect_status(200).body)[..2], ["Admins", "Builders"]);
}
