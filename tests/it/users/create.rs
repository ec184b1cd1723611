//! `POST /Users` (RFC 7644 §3.3).

use scruple_tests::{TestServer, user};
use serde_json::{Value, json};

#[tokio::test]
async fn the_whole_answer_to_a_created_user() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = acme
        .post(
            "/Users",
            json!({
                "schemas": [
                    "urn:ietf:params:scim:schemas:core:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                ],
                "userName": "Ada@Example.com",
                "externalId": "e-1",
                "name": { "givenName": "Ada", "familyName": "Lovelace" },
                "active": true,
                "emails": [{ "value": "ada@example.com", "type": "work", "primary": true }],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Engines" },
            }),
        )
        .await
        .expect_status(201);

    let id = created.id();
    let location = format!("http://{}/scim/acme/v2/Users/{id}", server.address);
    let mut body = created.body.clone();
    let meta = body["meta"].as_object_mut().unwrap();
    let made: jiff::Timestamp = meta.remove("created").unwrap().as_str().unwrap().parse().unwrap();
    let changed: jiff::Timestamp = meta.remove("lastModified").unwrap().as_str().unwrap().parse().unwrap();
    assert_eq!(made, changed);
    assert_eq!(
        body,
        json!({
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            ],
            "id": id,
            "externalId": "e-1",
            "userName": "Ada@Example.com",
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "active": true,
            "emails": [{ "value": "ada@example.com", "type": "work", "primary": true }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Engines" },
            "meta": { "resourceType": "User", "location": location, "version": "W/\"1\"" },
        })
    );
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    assert_eq!(created.header("content-type"), Some("application/scim+json"));
}

#[tokio::test]
async fn a_user_name_is_unique_whatever_its_case() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.post("/Users", user("straße")).await.expect_status(201);
    let refused = acme.post("/Users", user("STRASSE")).await.expect_status(409);
    assert_eq!(refused.body["scimType"], "uniqueness");
    assert_eq!(refused.body["status"], "409");
    assert!(refused.detail().contains("userName"), "{}", refused.detail());
}

#[tokio::test]
async fn a_user_without_a_user_name_is_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body.as_object_mut().unwrap().remove("userName");
    let refused = acme.post("/Users", body).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidValue");
    assert!(refused.detail().contains("userName"), "{}", refused.detail());
}

#[tokio::test]
async fn a_password_is_neither_returned_nor_recorded() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body["password"] = "t1meMa$heen".into();
    let created = acme.post("/Users", body).await.expect_status(201);
    assert_eq!(created.body.get("password"), None);
    let read = acme.query(&format!("/Users/{}", created.id()), &[("attributes", "password,userName")]).await;
    assert_eq!(read.body.get("password"), None);
    let log = serde_json::to_string(&acme.decisions().await).unwrap();
    assert!(!log.contains("t1meMa$heen"), "{log}");
}

#[tokio::test]
async fn what_only_the_provider_may_write_is_ignored() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body["id"] = "mine".into();
    body["meta"] = json!({ "version": "W/\"77\"" });
    body["groups"] = json!([{ "value": "some" }]);
    let created = acme.post("/Users", body).await.expect_status(201);
    assert_ne!(created.id(), "mine");
    assert_eq!(created.body["meta"]["version"], "W/\"1\"");
    assert_eq!(created.body.get("groups"), None);
}

#[tokio::test]
async fn unknown_attributes_and_wrong_types_are_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (name, value, named) in [
        ("shoeSize", json!(42), "shoeSize"),
        ("active", json!("perhaps"), "active"),
        ("userName", json!(["ada"]), "userName"),
        ("name", json!("Ada"), "name"),
        ("emails", json!([{ "value": 1 }]), "emails.value"),
    ] {
        let mut body = user("ada");
        body[name] = value;
        let refused = acme.post("/Users", body).await.expect_status(400);
        assert!(refused.detail().contains(named), "`{named}` is not named in: {}", refused.detail());
    }
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);
}

#[tokio::test]
async fn a_body_that_is_no_scim_message_is_refused_for_what_it_is() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let send = async |content_type: &str, body: &str| {
        let request = acme.scim.request(reqwest::Method::POST, "/scim/acme/v2/Users");
        acme.scim.send(request.header("content-type", content_type).body(body.to_owned())).await
    };
    for body in ["", "{", "[]", "null", "\"ada\""] {
        let refused = send("application/scim+json", body).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidSyntax", "{body}");
    }
    let refused = send("text/xml", "<user/>").await.expect_status(415);
    assert!(refused.detail().contains("text/xml"), "{}", refused.detail());
    let accepted = send("application/json; charset=utf-8", &user("ada").to_string()).await;
    assert_eq!(accepted.expect_status(201).body["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User"]));
}

#[tokio::test]
async fn a_user_with_nulls_and_empty_lists_has_no_such_attributes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = user("ada");
    body["title"] = Value::Null;
    body["phoneNumbers"] = json!([]);
    let created = acme.post("/Users", body).await.expect_status(201);
    assert_eq!((created.body.get("title"), created.body.get("phoneNumbers")), (None, None));
}
