//! `PUT /Users/{id}` (RFC 7644 §3.5.1).

use reqwest::Method;
use scruple_tests::{TestServer, user};

#[tokio::test]
async fn what_a_put_leaves_out_is_gone() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body["title"] = "Countess".into();
    let id = acme.post("/Users", body).await.expect_status(201).id();
    let replaced = acme.put(&format!("/Users/{id}"), user("ada")).await.expect_status(200);
    assert_eq!(replaced.body.get("title"), None);
    assert_eq!(replaced.body["meta"]["version"], "W/\"2\"");
}

#[tokio::test]
async fn a_put_of_what_was_read_changes_nothing() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = acme.post("/Users", user("ada")).await.expect_status(201);
    let replaced = acme.put(&format!("/Users/{}", created.id()), created.body.clone()).await.expect_status(200);
    assert_eq!(replaced.body, created.body);
    assert_eq!(acme.decisions().await.len(), 1, "a write that changes nothing leaves no decision");
}

#[tokio::test]
async fn a_stale_version_is_refused_and_nothing_written() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/scim/acme/v2/Users/{id}");
    let put = async |tag: &str, name: &str| {
        let request = acme.scim.request(Method::PUT, &path).header("if-match", tag).json(&user(name));
        acme.scim.send(request).await
    };
    put("W/\"1\"", "ada2").await.expect_status(200);
    let refused = put("W/\"1\"", "ada3").await.expect_status(412);
    assert!(refused.detail().contains("W/\"2\""), "{}", refused.detail());
    assert_eq!(acme.get(&format!("/Users/{id}")).await.body["userName"], "ada2");
    put("", "ada3").await.expect_status(412);
    put("*", "ada4").await.expect_status(200);
}

#[tokio::test]
async fn a_renamed_user_frees_the_old_name_and_takes_the_new() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    acme.put(&format!("/Users/{ada}"), user("countess")).await.expect_status(200);
    let second = acme.post("/Users", user("ada")).await.expect_status(201).id();
    acme.put(&format!("/Users/{second}"), user("Countess")).await.expect_status(409);
}

#[tokio::test]
async fn a_write_that_excludes_the_version_that_is_there_is_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let put = async |tag: &str| {
        let request = acme.scim.request(Method::PUT, &acme.scim_path(&format!("/Users/{id}")));
        acme.scim.send(request.header("if-none-match", tag).json(&user("ada2"))).await
    };
    put("*").await.expect_status(412);
    let refused = put("W/\"1\"").await.expect_status(412);
    assert!(refused.detail().contains("If-None-Match"), "{}", refused.detail());
    put("W/\"7\"").await.expect_status(200);
}
