//! Requests that are meant to hurt: each gets an error that names the limit, and the server goes on.

use scruple_tests::{TenantClient, TestServer, user};
use serde_json::json;

async fn still_works(acme: &TenantClient) {
    let total = acme.get("/Users").await.expect_status(200).body["totalResults"].clone();
    assert_eq!(total, 0);
}

async fn post_raw(acme: &TenantClient, path: &str, body: String) -> scruple_tests::Response {
    let request = acme.scim.request(reqwest::Method::POST, &acme.scim_path(path));
    acme.scim.send(request.header("content-type", "application/scim+json").body(body)).await
}

#[tokio::test]
async fn json_nested_a_hundred_thousand_deep_is_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{{\"userName\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
        let refused = post_raw(&acme, "/Users", body).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidSyntax");
        assert!(refused.detail().contains("recursion limit"), "{}", refused.detail());
    }
    still_works(&acme).await;
}

#[tokio::test]
async fn a_filter_nested_a_hundred_thousand_deep_is_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    // As a query a URL carries about 64 KiB; in a PATCH path there is room for all of it.
    let deep = |depth: usize| format!("{}userName pr{}", "(".repeat(depth), ")".repeat(depth));
    for filter in [deep(5_000), "not (".repeat(5_000)] {
        let refused = acme.query("/Users", &[("filter", &filter)]).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidFilter", "{}", refused.detail());
    }
    let path = format!("emails[{}]", deep(100_000));
    let operations = json!([{ "op": "remove", "path": path }]);
    let refused = acme.patch(&format!("/Users/{ada}"), operations).await.expect_status(400);
    assert!(refused.detail().len() < 2_000, "the answer repeats the attack: {} bytes", refused.detail().len());
    acme.delete(&format!("/Users/{ada}")).await.expect_status(204);
    still_works(&acme).await;
}

#[tokio::test]
async fn a_body_larger_than_the_limit_is_refused_by_its_size() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let limit = server.app.scim.body_bytes_max;
    let mut body = user("ada");
    body["title"] = "x".repeat(limit).into();
    let refused = post_raw(&acme, "/Users", body.to_string()).await.expect_status(413);
    assert!(refused.detail().contains(&limit.to_string()), "{}", refused.detail());
    still_works(&acme).await;
}

#[tokio::test]
async fn of_operations_beyond_the_limit_nothing_is_looked_at_but_their_number() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let max = server.app.scim.limits.bulk_operations_max;
    // Deeper than JSON may be that is looked at.
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let operations = format!("{}{deep}", "1,".repeat(max));
    let bulk = |operations: &str| {
        let body = format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{operations}]}}"#
        );
        post_raw(&acme, "/Bulk", body)
    };
    let refused = bulk(&operations).await.expect_status(413);
    assert!(refused.detail().contains(&format!("{} operations", max + 1)), "{}", refused.detail());
    bulk(&deep).await.expect_status(400);
    still_works(&acme).await;
}

#[tokio::test]
async fn ids_names_and_tokens_that_are_none_are_errors_and_not_crashes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for id in ["%00", "..%2F..%2Fetc", "'%20or%201=1", "01936D4E-0000-7000-8000-000000000000", &"x".repeat(5_000)] {
        acme.get(&format!("/Users/{id}")).await.expect_status(404);
    }
    for token in ["scr_", "\u{7f}", "a b"] {
        if reqwest::header::HeaderValue::from_str(token).is_ok() {
            acme.scim.with_token(token).get("/scim/acme/v2/Users").await.expect_status(401);
        }
    }
    for name in ["", "Acme", "a_b", "-a", "a-", "../x", &"a".repeat(64)] {
        let refused = server.operator().post("/api/v1/tenants", json!({ "name": name })).await.expect_status(400);
        assert_eq!(refused.body["code"], "invalid-name", "{name}");
    }
    still_works(&acme).await;
}

#[tokio::test]
async fn values_longer_than_any_name_are_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body["displayName"] = "x".repeat(1 << 20).into();
    let refused = acme.post("/Users", body).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidValue");
    assert!(refused.detail().contains("displayName"), "{}", refused.detail());
    still_works(&acme).await;
}

#[tokio::test]
async fn settings_nested_a_hundred_thousand_deep_are_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let body = format!("{{\"plugin\":\"x\",\"settings\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = acme.admin.request(reqwest::Method::PUT, &acme.api_path("/constraints/x"));
    let refused = acme.admin.send(request.body(body)).await.expect_status(400);
    assert_eq!(refused.body["code"], "invalid-body");
    assert!(refused.detail().contains("recursion limit"), "{}", refused.detail());
}
