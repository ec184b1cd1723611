//! `GET /Users/{id}` (RFC 7644 §3.4.1).

use reqwest::Method;
use scruple_tests::{TestServer, group, user};
use serde_json::json;

#[tokio::test]
async fn attributes_and_excluded_attributes_shape_the_answer() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let path = format!("/Users/{id}");

    let some = acme.query(&path, &[("attributes", "USERNAME,name.familyName")]).await.expect_status(200).body;
    assert_eq!(some["userName"], "ada");
    assert_eq!(some["name"], json!({ "familyName": "Lovelace" }));
    assert_eq!(some["id"], id.as_str());
    assert_eq!(some.get("emails"), None);

    let most = acme.query(&path, &[("excludedAttributes", "emails,id")]).await.expect_status(200).body;
    assert_eq!(most["id"], id.as_str(), "`id` is returned always");
    assert_eq!(most["userName"], "ada");
    assert_eq!(most.get("emails"), None);

    acme.query(&path, &[("attributes", "userName"), ("excludedAttributes", "emails")]).await.expect_status(400);
}

#[tokio::test]
async fn the_groups_of_a_user_are_derived() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&ada])).await.expect_status(201).id();

    let read = acme.get(&format!("/Users/{ada}")).await.expect_status(200).body;
    let reference = format!("http://{}/scim/acme/v2/Groups/{staff}", server.address);
    let groups = read["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["value"], staff.as_str());
    assert_eq!(groups[0]["display"], "Staff");
    assert_eq!(groups[0]["$ref"], reference.as_str());

    acme.delete(&format!("/Groups/{staff}")).await.expect_status(204);
    assert_eq!(acme.get(&format!("/Users/{ada}")).await.body.get("groups"), None);
}

#[tokio::test]
async fn a_client_that_has_the_version_gets_304() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let conditional = async |tag: &str| {
        let path = format!("/scim/acme/v2/Users/{id}?excludedAttributes=groups");
        let request = acme.scim.request(Method::GET, &path);
        acme.scim.send(request.header("if-none-match", tag)).await.status
    };
    assert_eq!(conditional("W/\"1\"").await, 304);
    assert_eq!(conditional("W/\"2\"").await, 200);

    // The groups in the answer may have changed without a new version of the user.
    let request = acme.scim.request(Method::GET, &format!("/scim/acme/v2/Users/{id}"));
    acme.scim.send(request.header("if-none-match", "W/\"1\"")).await.expect_status(200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    for path in ["/Users/none".to_owned(), format!("/Users/{staff}"), "/Cars".to_owned(), "/Cars/1".to_owned()] {
        let missing = acme.get(&path).await.expect_status(404);
        assert_eq!(missing.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{path}");
    }
}
