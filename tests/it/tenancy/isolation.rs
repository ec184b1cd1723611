//! What belongs to one tenant does not exist for another.

use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{TestServer, group, mail_at, user};
use serde_json::json;

#[tokio::test]
async fn two_tenants_may_have_a_user_of_the_same_name() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    acme.post("/Users", user("ada")).await.expect_status(201);
    globex.post("/Users", user("ada")).await.expect_status(201);
    acme.post("/Users", user("ada")).await.expect_status(409);
}

#[tokio::test]
async fn a_resource_of_another_tenant_is_not_found_by_any_method() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{ada}");

    let found = globex.get(&path).await.expect_status(404);
    let missing = globex.get("/Users/01936d4e-0000-7000-8000-000000000000").await.expect_status(404);
    assert_eq!(
        found.detail().replace(&ada, "ID"),
        missing.detail().replace("01936d4e-0000-7000-8000-000000000000", "ID"),
        "the answer tells that the resource exists elsewhere"
    );
    globex.put(&path, user("ada")).await.expect_status(404);
    globex.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await.expect_status(404);
    globex.delete(&path).await.expect_status(404);
    assert_eq!(globex.query("/Users", &[("filter", "userName eq \"ada\"")]).await.body["totalResults"], 0);
    acme.get(&path).await.expect_status(200);
}

#[tokio::test]
async fn a_user_of_another_tenant_cannot_be_made_a_member() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let refused = globex.post("/Groups", group("Staff", &[&ada])).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidValue");
    assert!(refused.detail().contains(&ada), "{}", refused.detail());
}

#[tokio::test]
async fn a_constraint_of_one_tenant_does_not_judge_another() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    acme.enforce(SAFE_VALUES, mail_at("acme.example")).await;
    acme.post("/Users", user("ada")).await.expect_status(400);
    globex.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!(globex.decisions().await.len(), 1);
}

#[tokio::test]
async fn decisions_plugins_and_constraints_of_another_tenant_are_not_found() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    let decision = acme.decisions().await[0]["id"].as_str().unwrap().to_owned();

    globex.admin.get(&globex.api_path(&format!("/decisions/{decision}"))).await.expect_status(404);
    globex.admin.get(&globex.api_path("/constraints/safe-values")).await.expect_status(404);
    globex.admin.get(&globex.api_path("/plugins/safe-values/versions")).await.expect_status(404);
    globex.set("safe-values", json!({ "plugin": "safe-values" })).await.expect_status(422);
    assert_eq!(globex.decisions().await.len(), 0);
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_with_its_tokens_at_once() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    server.operator().delete("/api/v1/tenants/acme").await.expect_status(204);
    acme.get("/Users").await.expect_status(401);
    server.operator().get("/api/v1/tenants/acme").await.expect_status(404);

    let again = server.tenant("acme").await;
    assert_eq!(again.get("/Users").await.body["totalResults"], 0);
}
