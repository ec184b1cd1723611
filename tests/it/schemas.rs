//! Tenants' own schemas, resource types and tightenings, over HTTP.

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
async fn a_tightening_that_stored_resources_break_lists_them_and_is_forced_only_aloud() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", with("ada", json!({ "userType": "Robot" }))).await.expect_status(201).id();
    acme.post("/Users", with("eve", json!({ "externalId": "E2", "userType": "employee" }))).await.expect_status(201);

    let refused = tighten(&acme, write_once(), false).await.expect_status(409);
    assert_eq!(refused.body["code"], "resources-break-it");
    let mut errors: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
    errors.sort_unstable();
    assert_eq!(errors, [format!("/User/{ada}/externalId"), format!("/User/{ada}/userType")]);
    // Nothing has taken effect.
    acme.post("/Users", user("cy")).await.expect_status(201);

    let forced = tighten(&acme, write_once(), true).await.expect_status(200).body;
    assert_eq!(forced["broken_total"], 2);
    assert_eq!(forced["broken"][0]["id"], ada);
    acme.post("/Users", user("dee")).await.expect_status(400);
}

#[tokio::test]
async fn uniqueness_cannot_be_forced_on_two_with_the_same_value() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for name in ["ada", "eve"] {
        let numbered = with(name, json!({ ENTERPRISE: { "employeeNumber": "7" } }));
        acme.post("/Users", numbered).await.expect_status(201);
    }
    let unique =
        json!([{ "resourceType": "User", "path": format!("{ENTERPRISE}:employeeNumber"), "uniqueness": "server" }]);
    let refused = tighten(&acme, unique, true).await.expect_status(409);
    assert!(refused.detail().contains("mend them first"), "{}", refused.detail());
    let found = acme.query("/Users", &[("filter", &format!("{ENTERPRISE}:employeeNumber eq \"7\""))]).await;
    assert_eq!(found.body["totalResults"], 2, "the indexes are as they were");
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

#[tokio::test]
async fn a_write_planned_by_older_schemas_does_not_commit() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    // Writers that never stop, and a tightening in their midst: what is stored after it respects it.
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let acme = acme.clone();
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                for n in 0..20 {
                    let body = with(&format!("u{writer}-{n}"), json!({ "userType": format!("T{writer}") }));
                    statuses.push(acme.post("/Users", body).await.status);
                }
                statuses
            })
        })
        .collect();
    let list = json!([{ "resourceType": "User", "path": "userType", "canonicalValues": ["Employee"] }]);
    let forced = tighten(&acme, list, true).await.expect_status(200).body;
    let mut created = 0;
    for writer in writers {
        created += writer.await.unwrap().into_iter().filter(|status| *status == 201).count();
    }
    assert_eq!(json!(created), forced["broken_total"], "each that was created was there to be counted");
}
