//! The examples of RFC 7644, as they are printed there, over HTTP.
//!
//! Only ids and versions are put in: the RFC's are not those of this server, and some are cut short (`2819c223...`).
//! Where an example is not the JSON that it should be, the test says so.

mod bulk;
mod modifying;
mod retrieving;

use reqwest::Method;
use scruple_tests::{Response, TenantClient, TestServer};
use serde_json::{Value, json};

/// §3.3.
const BJENSEN: &str = r#"{
  "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName":"bjensen",
  "externalId":"bjensen",
  "name":{
    "formatted":"Ms. Barbara J Jensen III",
    "familyName":"Jensen",
    "givenName":"Barbara"
  }
}"#;

/// The text of an example with what is put in, as JSON.
fn example(text: &str, put_in: &[(&str, &str)]) -> Value {
    let text = put_in.iter().fold(text.to_owned(), |text, (printed, real)| text.replace(printed, real));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Sends a request with the headers that the RFC's have.
async fn send(
    acme: &TenantClient,
    method: Method,
    path: &str,
    body: Option<&Value>,
    headers: &[(&str, &str)],
) -> Response {
    let mut request = acme.scim.request(method, &acme.scim_path(path)).header("Accept", "application/scim+json");
    if let Some(body) = body {
        request = request.header("Content-Type", "application/scim+json").body(body.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    acme.scim.send(request).await
}

async fn create(acme: &TenantClient, endpoint: &str, body: Value) -> Response {
    send(acme, Method::POST, endpoint, Some(&body), &[]).await.expect_status(201)
}

fn named(user_name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name })
}

fn without(mut body: Value, names: &[&str]) -> Value {
    for name in names {
        body.as_object_mut().unwrap().remove(*name);
    }
    body
}

#[tokio::test]
async fn section_3_3_a_user_is_created() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = create(&acme, "/Users", example(BJENSEN, &[])).await;
    assert_eq!(created.header("content-type"), Some("application/scim+json"));
    let location = format!("http://{}/scim/acme/v2/Users/{}", server.address, created.id());
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert_eq!(created.body["meta"]["location"], location.as_str());
    assert_eq!(created.body["meta"]["resourceType"], "User");
    assert_eq!(created.body["meta"]["created"], created.body["meta"]["lastModified"]);
    assert_eq!(created.body["meta"]["version"].as_str(), created.header("etag"));
    assert_eq!(without(created.body.clone(), &["id", "meta"]), example(BJENSEN, &[]));
    // "a "User" resource with a duplicate "userName" … MUST return HTTP status code 409 (Conflict) with … "uniqueness""
    let again = send(&acme, Method::POST, "/Users", Some(&example(BJENSEN, &[])), &[]).await.expect_status(409);
    assert_eq!(again.body["scimType"], "uniqueness");
}

#[tokio::test]
async fn section_3_6_a_deleted_user_is_gone() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = create(&acme, "/Users", example(BJENSEN, &[])).await;
    let path = format!("/Users/{}", created.id());
    let version = [("If-Match", created.header("etag").unwrap())];
    let deleted = send(&acme, Method::DELETE, &path, None, &version).await.expect_status(204);
    assert_eq!(deleted.body, Value::Null);
    let gone = acme.get(&path).await.expect_status(404);
    assert_eq!(gone.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(gone.body["status"], "404");
    assert!(gone.detail().contains(&created.id()), "{}", gone.detail());
    create(&acme, "/Users", example(BJENSEN, &[])).await;
}

#[tokio::test]
async fn section_3_12_an_error_has_its_status_as_a_text() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let missing = acme.get("/Users/2819c223-7f76-453a-919d-413861904646").await.expect_status(404);
    assert_eq!(missing.body["status"], "404");
    assert!(missing.detail().contains("2819c223-7f76-453a-919d-413861904646"), "{}", missing.detail());
    // The second example ("Attribute 'id' is readOnly") is of a PUT, where §3.5.1 has read-only values ignored; it is
    // an error where the attribute is the target of an operation.
    let id = create(&acme, "/Users", example(BJENSEN, &[])).await.id();
    let operations = json!([{ "op": "replace", "path": "id", "value": "x" }]);
    let refused = acme.patch(&format!("/Users/{id}"), operations).await.expect_status(400);
    assert_eq!((&refused.body["scimType"], &refused.body["status"]), (&json!("mutability"), &json!("400")));
}

#[tokio::test]
async fn section_3_14_a_resource_has_its_version_in_header_and_body() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = create(&acme, "/Users", example(BJENSEN, &[])).await;
    let version = created.header("etag").unwrap().to_owned();
    assert!(version.starts_with("W/\""), "{version}");
    assert_eq!(created.body["meta"]["version"], version.as_str());
    let path = format!("/Users/{}", created.id());
    let displayed = format!("{path}?attributes=displayName");
    let unchanged = send(&acme, Method::GET, &displayed, None, &[("If-None-Match", &version)]).await.expect_status(304);
    assert_eq!(unchanged.body, Value::Null);

    let title = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": "title", "value": "Tour Guide" }],
    });
    let changed = send(&acme, Method::PATCH, &path, Some(&title), &[("If-Match", &version)]).await.expect_status(200);
    assert_ne!(changed.header("etag"), Some(version.as_str()));
    send(&acme, Method::GET, &displayed, None, &[("If-None-Match", &version)]).await.expect_status(200);
    send(&acme, Method::PATCH, &path, Some(&title), &[("If-Match", &version)]).await.expect_status(412);
    send(&acme, Method::PUT, &path, Some(&example(BJENSEN, &[])), &[("If-Match", &version)]).await.expect_status(412);
}

#[tokio::test]
async fn section_4_discovery_is_open_to_get_and_refuses_filters() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let config = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    assert_eq!(config["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]));
    let user_schema = acme.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await.expect_status(200).body;
    assert_eq!(user_schema["id"], "urn:ietf:params:scim:schemas:core:2.0:User");
    let schemas = acme.get("/Schemas").await.expect_status(200).body;
    assert_eq!(schemas["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));

    // Figure 9, but for `required`: an enterprise extension that every user must have would refuse most clients' users.
    let listed = acme.get("/ResourceTypes").await.expect_status(200).body;
    assert_eq!(listed["totalResults"], 2);
    let base = format!("http://{}/scim/acme/v2", server.address);
    let user_type = example(
        r#"{
          "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
          "id":"User",
          "name":"User",
          "endpoint": "/Users",
          "description": "User Account",
          "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
          "schemaExtensions": [{
            "schema":
              "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            "required": true
          }],
          "meta": {
            "location":"https://example.com/v2/ResourceTypes/User",
            "resourceType": "ResourceType"
          }
        }"#,
        &[("https://example.com/v2", &base), ("true", "false")],
    );
    let group_type = example(
        r#"{
          "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
          "id":"Group",
          "name":"Group",
          "endpoint": "/Groups",
          "description": "Group",
          "schema": "urn:ietf:params:scim:schemas:core:2.0:Group",
          "meta": {
            "location":"https://example.com/v2/ResourceTypes/Group",
            "resourceType": "ResourceType"
          }
        }"#,
        &[("https://example.com/v2", &base)],
    );
    assert_eq!(listed["Resources"], json!([user_type, group_type]));
    for endpoint in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        let refused = acme.query(endpoint, &[("filter", "name eq \"User\"")]).await.expect_status(403);
        assert_eq!(refused.body["status"], "403", "{endpoint}");
        acme.query(endpoint, &[("sortBy", "name"), ("startIndex", "5")]).await.expect_status(200);
    }
}
