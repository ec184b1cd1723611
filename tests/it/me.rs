//! `/Me` (RFC 7644 §3.11).

use scruple_tests::client::ApiClient;
use scruple_tests::{TenantClient, TestServer, patch_op, user};
use serde_json::json;

/// A client whose token speaks for a user.
async fn speaking_for(acme: &TenantClient, id: &str) -> TenantClient {
    let body = json!({ "label": "a person", "scopes": ["scim"], "user": id });
    let made = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201);
    TenantClient { scim: acme.scim.with_token(made.body["token"].as_str().unwrap()), ..acme.clone() }
}

#[tokio::test]
async fn me_is_the_user_that_the_token_speaks_for_and_says_where_that_user_is() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201);
    acme.post("/Users", user("charles")).await.expect_status(201);
    let permanent = ada.header("location").unwrap().to_owned();
    let me = speaking_for(&acme, &ada.id()).await;

    let read = me.get("/Me").await.expect_status(200);
    assert_eq!(read.body, ada.body);
    assert_eq!(read.header("location"), Some(permanent.as_str()));
    let brief = me.get("/Me?attributes=userName").await.expect_status(200);
    assert_eq!(brief.body["userName"], "ada");
    assert!(brief.body.get("emails").is_none(), "{:#}", brief.body);

    let patched = me.patch("/Me", json!([patch_op("replace", "title", json!("Countess"))])).await.expect_status(200);
    assert_eq!(patched.header("location"), Some(permanent.as_str()));
    let put = me.put("/Me", user("ada")).await.expect_status(200);
    assert_eq!(put.header("location"), Some(permanent.as_str()));
    assert!(put.body.get("title").is_none(), "a PUT replaces the whole: {:#}", put.body);

    // RFC 7644 §3.11 has it "in any response".
    let taken = me.put("/Me", user("charles")).await.expect_status(409);
    assert_eq!(taken.header("location"), Some(permanent.as_str()));
    let deleted = me.delete("/Me").await.expect_status(204);
    assert_eq!(deleted.header("location"), Some(permanent.as_str()));
    acme.get(&format!("/Users/{}", ada.id())).await.expect_status(404);
    me.get("/Me").await.expect_status(404);
}

#[tokio::test]
async fn a_version_that_is_not_me_any_more_is_not_overwritten() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201);
    let me = speaking_for(&acme, &ada.id()).await;
    let request = me.scim.request(reqwest::Method::DELETE, &me.scim_path("/Me")).header("if-match", "W/\"9\"");
    me.scim.send(request).await.expect_status(412);
    me.get("/Me").await.expect_status(200);
}

#[tokio::test]
async fn without_a_user_behind_the_token_and_for_a_registration_me_is_not_implemented() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let refused = acme.get("/Me").await.expect_status(501);
    assert_eq!(refused.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert!(refused.detail().contains("speaks for no user"), "{}", refused.detail());
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    speaking_for(&acme, &ada).await.post("/Me", user("bob")).await.expect_status(501);
}

#[tokio::test]
async fn a_token_that_speaks_for_another_tenants_user_reaches_nobody() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let other = server.tenant("other").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let me: ApiClient = speaking_for(&other, &ada).await.scim;
    me.get("/scim/other/v2/Me").await.expect_status(404);
    me.delete("/scim/other/v2/Me").await.expect_status(404);
    acme.get(&format!("/Users/{ada}")).await.expect_status(200);
}
