//! Tenants' own schemas, resource types and tightenings, over HTTP.

mod stored;

use scruple_tests::components::READS_EVERYTHING;
use scruple_tests::{TenantClient, TestServer, patch_op, user};
use serde_json::{Value, json};

const BADGE: &str = "urn:example:params:scim:schemas:Badge";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn tighten(acme: &TenantClient, tightenings: Value, force: bool) -> scruple_tests::client::Response {
    let path = acme.api_path(if force { "/tightenings?force=true" } else { "/tightenings" });
    acme.admin.put(&path, json!({ "tightenings": tightenings })).await
}

fn with(user_name: &str, more: Value) -> Value {
    let mut user = user(user_name);
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

/// The write-once schema, declared and not coded.
fn write_once() -> Value {
    json!([
        { "resourceType": "User", "path": "externalId", "mutability": "immutable", "required": true },
        { "resourceType": "User", "path": "userType", "canonicalValues": ["Employee", "Contractor"] },
        { "resourceType": "User", "path": format!("{ENTERPRISE}:employeeNumber"), "uniqueness": "server" },
    ])
}

#[tokio::test]
async fn what_is_declared_write_once_is_set_once_in_every_spelling_and_every_attempt_is_in_the_log() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    tighten(&acme, write_once(), false).await.expect_status(200);

    acme.post("/Users", user("ada")).await.expect_status(400);
    let ada = acme.post("/Users", with("ada", json!({ "externalId": "E1" }))).await.expect_status(201).id();
    let path = format!("/Users/{ada}");
    for operations in [
        json!([patch_op("replace", "externalId", json!("E2"))]),
        json!([patch_op("Add", "urn:ietf:params:scim:schemas:core:2.0:User:EXTERNALID", json!("E2"))]),
        json!([{ "op": "replace", "value": { "externalId": "E2" } }]),
        json!([{ "op": "remove", "path": "externalId" }]),
        json!([{ "op": "replace", "path": "externalId", "value": null }]),
    ] {
        let refused = acme.patch(&path, operations.clone()).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "mutability", "{operations}");
        let entry = acme.decision(&refused.decision_id().unwrap()).await;
        assert_eq!((&entry["outcome"], &entry["resource_id"]), (&json!("invalid"), &json!(ada)));
        assert_eq!(entry["violation"]["attribute"], "externalId");
        // To take it away breaks two rules; either is what happened.
        let broken = entry["violation"]["characteristic"].as_str().unwrap();
        assert!(broken == "mutability" || broken == "required" && refused.detail().contains("required"), "{entry:#}");
        assert_eq!(entry["violation"]["before"], "E1");
        assert_eq!(entry["actor"]["label"], "acme scim");
    }
    let put = acme.put(&path, with("ada", json!({ "externalId": "E2" }))).await.expect_status(400);
    assert_eq!(acme.decision(&put.decision_id().unwrap()).await["violation"]["after"], "E2");
    // Unchanged, or left out: it stays as it is.
    acme.put(&path, with("ada", json!({ "externalId": "E1", "title": "Countess" }))).await.expect_status(200);
    let left_out = acme.put(&path, with("ada", json!({ "title": "Dr" }))).await.expect_status(200).body;
    assert_eq!(left_out["externalId"], "E1");
    assert_eq!(acme.decisions().await.iter().filter(|entry| entry["outcome"] == "invalid").count(), 7);
}

#[tokio::test]
async fn a_value_outside_the_list_and_one_that_another_has_are_refused() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    tighten(&acme, write_once(), false).await.expect_status(200);
    let robot = with("r2", json!({ "externalId": "E2", "userType": "Robot" }));
    let refused = acme.post("/Users", robot).await.expect_status(400);
    assert!(refused.detail().contains("`Employee`, `Contractor`"), "{}", refused.detail());

    let numbered = |name: &str, number: &str| {
        with(name, json!({ "externalId": name, "userType": "Employee", ENTERPRISE: { "employeeNumber": number } }))
    };
    acme.post("/Users", numbered("ada", "A-1")).await.expect_status(201);
    let taken = acme.post("/Users", numbered("eve", "a-1")).await.expect_status(409);
    assert_eq!(taken.body["scimType"], "uniqueness");
    let entry = acme.decision(&taken.decision_id().unwrap()).await;
    assert_eq!(entry["violation"]["characteristic"], "uniqueness");
    assert_eq!(entry["violation"]["after"], "a-1");
}

#[tokio::test]
async fn what_is_returned_on_request_is_shown_to_those_who_name_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", with("ada", json!({ "title": "Countess" }))).await.expect_status(201).id();
    let on_request = json!([{ "resourceType": "User", "path": "title", "returned": "request" }]);
    tighten(&acme, on_request, false).await.expect_status(200);
    let path = format!("/Users/{ada}");
    assert_eq!(acme.get(&path).await.body["title"], Value::Null);
    assert_eq!(acme.get(&format!("{path}?attributes=title")).await.body["title"], "Countess");
    let list = acme.query("/Users", &[("filter", "title eq \"countess\"")]).await.expect_status(200).body;
    assert_eq!((&list["totalResults"], &list["Resources"][0]["title"]), (&json!(1), &Value::Null));
    let patched = acme.patch(&path, json!([patch_op("replace", "title", json!("Dr"))])).await.expect_status(200);
    assert_eq!(patched.body["title"], Value::Null);
    assert_eq!(acme.get(&format!("{path}?attributes=title")).await.body["title"], "Dr");
    let schema = acme.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await.body;
    let title = schema["attributes"].as_array().unwrap().iter().find(|found| found["name"] == "title").unwrap();
    assert_eq!(title["returned"], "request");
}

#[tokio::test]
async fn what_is_never_returned_is_in_no_answer_no_constraint_and_no_log() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", with("ada", json!({ "nickName": "old-secret" }))).await.expect_status(201).id();
    let path = format!("/Users/{ada}");
    acme.upload("reads-everything", std::fs::read(READS_EVERYTHING).unwrap()).await;
    let settings = json!({
        "values": ["nickName"], "has": ["nickName"], "matches": ["nickName pr"], "whole": true, "differences": [""],
    });
    acme.set("reader", json!({ "plugin": "reads-everything", "settings": settings })).await.expect_status(200);

    // As long as somebody has a value in the open, it cannot be made a secret, not even by force.
    let never = json!([{ "resourceType": "User", "path": "nickName", "returned": "never" }]);
    let refused = tighten(&acme, never.clone(), true).await.expect_status(409);
    assert!(refused.detail().contains("mend them first"), "{}", refused.detail());
    assert_eq!(refused.body["errors"][0]["pointer"], format!("/User/{ada}/nickName"));
    acme.patch(&path, json!([{ "op": "remove", "path": "nickName" }])).await.expect_status(200);
    tighten(&acme, never, false).await.expect_status(200);

    let created = acme.post("/Users", with("eve", json!({ "nickName": "new-secret" }))).await.expect_status(201);
    assert_eq!(created.body["nickName"], Value::Null);
    let changed = acme.patch(&path, json!([patch_op("replace", "nickName", json!("new-secret"))])).await;
    assert_eq!(changed.expect_status(200).body["nickName"], Value::Null);
    for answer in [
        acme.get(&format!("{path}?attributes=nickName")).await,
        acme.query("/Users", &[("attributes", "nickName,userName")]).await,
        acme.query("/Users", &[("filter", "nickName eq \"new-secret\"")]).await,
    ] {
        assert!(!answer.body.to_string().contains("new-secret"), "{:#}", answer.body);
    }
    let hidden = acme.query("/Users", &[("filter", "nickName pr")]).await;
    assert_eq!(hidden.body["totalResults"], 0);
    for decision in acme.decisions().await.iter().take(2) {
        let evaluation = &decision["evaluations"][0];
        let note = |key: &str| {
            let notes = evaluation["notes"].as_array().unwrap();
            notes.iter().find(|note| note["key"] == key).unwrap_or_else(|| panic!("no `{key}` in {notes:#?}"))["value"]
                .to_string()
        };
        for refused in ["after values nickName", "after has nickName", "after matches nickName pr"] {
            assert!(note(refused).contains("not granted"), "{refused}: {}", note(refused));
        }
        let id = decision["id"].as_str().unwrap();
        let logged = acme.decision(id).await.to_string();
        assert!(!logged.contains("new-secret"), "{logged}");
    }
    let schema = acme.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await.body;
    let shown = schema["attributes"].as_array().unwrap().iter().find(|found| found["name"] == "nickName").unwrap();
    assert_eq!(shown["returned"], "never");
}

#[tokio::test]
async fn neither_case_nor_what_is_always_returned_can_be_tightened() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (set, expected) in [
        (json!({ "caseExact": true }), "neither is stricter"),
        (json!({ "caseExact": false }), "neither is stricter"),
        (json!({ "returned": "always" }), "would show more"),
    ] {
        let mut tightening = json!({ "resourceType": "User", "path": "title" });
        tightening.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
        let refused = tighten(&acme, json!([tightening]), true).await.expect_status(422);
        let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{detail}");
    }
}

#[tokio::test]
async fn schemas_show_what_is_enforced_and_other_tenants_are_as_they_were() {
    let server = TestServer::start().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    tighten(&acme, write_once(), false).await.expect_status(200);
    let attribute = |schema: &Value, name: &str| {
        let attributes = schema["attributes"].as_array().unwrap();
        attributes.iter().find(|attribute| attribute["name"] == name).cloned().unwrap_or_default()
    };
    let path = "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User";
    let shown = acme.get(path).await.expect_status(200).body;
    assert_eq!(attribute(&shown, "externalId")["mutability"], "immutable");
    assert_eq!(attribute(&shown, "externalId")["required"], true);
    assert_eq!(attribute(&shown, "userType")["canonicalValues"], json!(["Employee", "Contractor"]));
    let theirs = other.get(path).await.expect_status(200).body;
    assert_eq!(attribute(&theirs, "userType")["canonicalValues"], Value::Null);
    other.post("/Users", user("ada")).await.expect_status(201);
}

#[tokio::test]
async fn a_resource_type_of_the_tenants_own_is_served_like_any_other() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let schema = json!({
        "id": BADGE, "name": "Badge", "description": "Badges",
        "attributes": [
            { "name": "number", "type": "string", "required": true, "uniqueness": "server" },
            { "name": "color", "type": "string", "canonicalValues": ["red", "blue"], "canonicalOnly": true, "indexed": true },
            { "name": "issued", "type": "dateTime", "mutability": "immutable" },
        ],
    });
    acme.admin.put(&acme.api_path(&format!("/schemas/{BADGE}")), schema).await.expect_status(200);
    let resource_type = json!({ "name": "Badge", "endpoint": "/Badges", "description": "Badge", "schema": BADGE, "schemaExtensions": [] });
    acme.admin.put(&acme.api_path("/resource-types/Badge"), resource_type).await.expect_status(200);

    let badge = |number: &str, color: &str| json!({ "schemas": [BADGE], "number": number, "color": color, "issued": "2026-01-01T00:00:00Z" });
    let id = acme.post("/Badges", badge("1", "red")).await.expect_status(201).id();
    acme.post("/Badges", badge("1", "blue")).await.expect_status(409);
    acme.post("/Badges", badge("2", "green")).await.expect_status(400);
    acme.post("/Badges", badge("2", "blue")).await.expect_status(201);
    let found = acme.query("/Badges", &[("filter", "color eq \"RED\" and issued gt \"2025-12-31T00:00:00Z\"")]).await;
    assert_eq!((&found.body["totalResults"], &found.body["Resources"][0]["id"]), (&json!(1), &json!(id)));
    let path = format!("/Badges/{id}");
    acme.patch(&path, json!([patch_op("replace", "issued", json!("2026-02-01T00:00:00Z"))])).await.expect_status(400);
    let types = acme.get("/ResourceTypes").await.expect_status(200).body;
    assert!(types["Resources"].as_array().unwrap().iter().any(|found| found["name"] == "Badge"), "{types}");

    // Not while there are badges, and not the schema while there is the type.
    let type_path = acme.api_path("/resource-types/Badge");
    acme.admin.delete(&format!("{type_path}?force=true")).await.expect_status(409);
    acme.admin.delete(&acme.api_path(&format!("/schemas/{BADGE}"))).await.expect_status(422);
    let badges = acme.get("/Badges").await.body["Resources"].as_array().unwrap().clone();
    for badge in badges {
        acme.delete(&format!("/Badges/{}", badge["id"].as_str().unwrap())).await.expect_status(204);
    }
    acme.admin.delete(&type_path).await.expect_status(200);
    acme.get("/Badges").await.expect_status(404);
}

#[tokio::test]
async fn what_is_no_schema_is_refused_with_the_place_of_each_problem() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let schema = json!({ "id": BADGE, "name": "Badge", "attributes": [{ "name": "1st", "type": "text" }] });
    let refused = acme.admin.put(&acme.api_path(&format!("/schemas/{BADGE}")), schema).await.expect_status(422);
    let pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert!(pointers.contains(&"/attributes/0/name") && pointers.contains(&"/attributes/0/type"), "{pointers:?}");
    let looser = json!([{ "resourceType": "User", "path": "userName", "required": false }]);
    let refused = tighten(&acme, looser, true).await.expect_status(422);
    assert!(refused.body["errors"][0]["pointer"].as_str().unwrap().starts_with("/tightenings/0"), "{:#}", refused.body);
}
