//! `DELETE /Users/{id}` (RFC 7644 §3.6).

use reqwest::Method;
use scruple_tests::{TestServer, group, user};

#[tokio::test]
async fn a_deleted_user_is_gone_and_its_name_free() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{id}");
    acme.delete(&path).await.expect_status(204);
    acme.get(&path).await.expect_status(404);
    acme.delete(&path).await.expect_status(404);
    assert_eq!(acme.query("/Users", &[("filter", "userName eq \"ada\"")]).await.body["totalResults"], 0);
    acme.post("/Users", user("ada")).await.expect_status(201);
}

#[tokio::test]
async fn a_deleted_user_leaves_its_groups_and_they_get_a_new_version() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&ada])).await.expect_status(201).id();
    acme.delete(&format!("/Users/{ada}")).await.expect_status(204);
    let read = acme.get(&format!("/Groups/{staff}")).await.expect_status(200).body;
    assert_eq!(read.get("members"), None);
    assert_eq!(read["meta"]["version"], "W/\"2\"");
}

#[tokio::test]
async fn a_delete_by_a_stale_version_fails() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let request = acme.scim.request(Method::DELETE, &format!("/scim/acme/v2/Users/{id}"));
    acme.scim.send(request.header("if-match", "W/\"0\"")).await.expect_status(412);
    acme.get(&format!("/Users/{id}")).await.expect_status(200);
}
