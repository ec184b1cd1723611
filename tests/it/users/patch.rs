//! `PATCH /Users/{id}` (RFC 7644 §3.5.2), over HTTP. The forms themselves are tested beside `scim::patch`.

use reqwest::Method;
use scruple_tests::{TestServer, patch_op, user};
use serde_json::json;

#[tokio::test]
async fn all_operations_of_a_request_are_applied_or_none() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{id}");

    let half = json!([patch_op("add", "title", json!("Countess")), patch_op("replace", "shoeSize", json!(42))]);
    let refused = acme.patch(&path, half).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidPath");
    assert_eq!(acme.get(&path).await.body.get("title"), None);

    let whole = json!([
        patch_op("add", "title", json!("Countess")),
        patch_op("Replace", "emails[type eq \"work\"].value", json!("ada@elsewhere.org")),
        { "op": "remove", "path": "name.givenName" },
        patch_op("add", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", json!("Engines")),
    ]);
    let patched = acme.patch(&path, whole).await.expect_status(200).body;
    assert_eq!(patched["title"], "Countess");
    assert_eq!(patched["emails"][0]["value"], "ada@elsewhere.org");
    assert_eq!(patched["name"], json!({ "familyName": "Lovelace" }));
    assert_eq!(
        patched["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        json!({ "department": "Engines" })
    );
    assert_eq!(patched["meta"]["version"], "W/\"2\"");
}

#[tokio::test]
async fn deactivation_in_every_spelling_deactivates() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (n, operations) in [
        json!([{ "op": "replace", "path": "active", "value": false }]),
        json!([{ "op": "Replace", "path": "active", "value": "False" }]),
        json!([{ "op": "replace", "value": { "active": false } }]),
        json!([{ "op": "Add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": "false" }]),
    ]
    .into_iter()
    .enumerate()
    {
        let id = acme.post("/Users", user(&format!("user{n}"))).await.expect_status(201).id();
        let patched = acme.patch(&format!("/Users/{id}"), operations.clone()).await.expect_status(200);
        assert_eq!(patched.body["active"], false, "{operations}");
    }
}

#[tokio::test]
async fn patch_by_a_stale_version_fails() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let request = acme.scim.request(Method::PATCH, &format!("/scim/acme/v2/Users/{id}")).header("if-match", "W/\"9\"");
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    });
    acme.scim.send(request.json(&body)).await.expect_status(412);
    assert_eq!(acme.get(&format!("/Users/{id}")).await.body["active"], true);
}

#[tokio::test]
async fn a_removal_without_a_target_and_a_write_to_what_is_read_only_are_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    for (operation, scim_type) in [
        (json!({ "op": "remove" }), "noTarget"),
        (
            json!({ "op": "replace", "path": "emails[type eq \"home\" and value pr]", "value": { "value": "x@y.z" } }),
            "noTarget",
        ),
        (json!({ "op": "replace", "path": "id", "value": "mine" }), "mutability"),
        (json!({ "op": "replace", "path": "emails[type eq", "value": "x" }), "invalidPath"),
        (json!({ "op": "increment", "path": "title", "value": "x" }), "invalidSyntax"),
        // RFC 7644 §3.5.2.2: removing a required attribute is an error of mutability.
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
    ] {
        let refused = acme.patch(&format!("/Users/{id}"), json!([operation])).await.expect_status(400);
        assert_eq!(refused.body["scimType"], scim_type, "{operation}: {}", refused.detail());
    }
}
