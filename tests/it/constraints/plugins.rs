//! Each shipped plugin against the real host. Their rules in detail are tested natively, beside their code.

use scruple_tests::components::{
    DEPENDENCY_GUARD, GROUP_GATE, PROTECTED_ACCOUNTS, REQUIRED_ATTRIBUTES, SAFE_VALUES, WRITE_ONCE,
};
use scruple_tests::{TestServer, group, mail_at, patch_op, user};
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn required_attributes_before_creation_and_activation() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut incomplete = user("ada");
    incomplete["active"] = false.into();
    let id = acme.post("/Users", incomplete).await.expect_status(201).id();
    acme.enforce(REQUIRED_ATTRIBUTES, json!({ "attributes": ["title"] })).await;

    let refused = acme.post("/Users", user("bob")).await.expect_status(400);
    assert_eq!(refused.reason_codes(), ["required-attribute-missing"]);
    let activate = patch_op("replace", "active", json!("True"));
    acme.patch(&format!("/Users/{id}"), json!([activate])).await.expect_status(400);
    let both = json!([activate, patch_op("add", "title", json!("Countess"))]);
    acme.patch(&format!("/Users/{id}"), both).await.expect_status(200);
}

#[tokio::test]
async fn write_once_refuses_every_way_and_logs_every_attempt_with_both_values_and_the_client() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, json!({ "attributes": ["externalId"] })).await;
    let mut ada = user("ada");
    ada["externalId"] = "E1".into();
    let path = format!("/Users/{}", acme.post("/Users", ada.clone()).await.expect_status(201).id());

    let patches: [Value; 5] = [
        json!([patch_op("replace", "externalId", json!("E2"))]),
        json!([patch_op("Add", "EXTERNALID", json!("E2"))]),
        json!([{ "op": "replace", "value": { "externalId": "E2" } }]),
        json!([patch_op("replace", "urn:ietf:params:scim:schemas:core:2.0:User:externalId", json!("E2"))]),
        json!([{ "op": "remove", "path": "externalId" }]),
    ];
    for operations in &patches {
        let refused = acme.patch(&path, operations.clone()).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "mutability", "{operations}");
        assert_eq!(refused.reason_codes(), ["immutable-attribute"], "{operations}");
    }
    let mut changed = ada.clone();
    changed["externalId"] = "E2".into();
    acme.put(&path, changed).await.expect_status(400);
    acme.put(&path, user("ada")).await.expect_status(400);
    ada["title"] = "Countess".into();
    acme.put(&path, ada).await.expect_status(200);

    let page = acme.admin.get(&acme.api_path("/decisions?verdict=denied&constraint=write-once")).await.body;
    let attempts = page["decisions"].as_array().unwrap();
    assert_eq!(attempts.len(), 7);
    for attempt in attempts {
        let note = &attempt["evaluations"][0]["notes"][0];
        assert_eq!(note["key"], "write-once externalId");
        let fact: Value = serde_json::from_str(note["value"].as_str().unwrap()).unwrap();
        assert_eq!(fact["old"], "E1");
        assert!(fact["new"] == "E2" || fact["new"] == "", "{fact}");
        assert_eq!(fact["client"], attempt["actor"]["subject"]);
        assert_eq!(attempt["actor"]["label"], "acme scim");
    }
}

#[tokio::test]
async fn safe_values_judges_what_is_new() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    acme.enforce(SAFE_VALUES, mail_at("acme.example")).await;
    assert_eq!(acme.post("/Users", user("bob")).await.expect_status(400).reason_codes(), ["domain"]);
    let title = json!([patch_op("add", "title", json!("Countess"))]);
    acme.patch(&format!("/Users/{id}"), title).await.expect_status(200);
}

#[tokio::test]
async fn protected_accounts_stay_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("root")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&id])).await.expect_status(201).id();
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "accounts": ["ROOT"] })).await;
    let path = format!("/Users/{id}");

    for operations in [
        json!([patch_op("replace", "active", json!(false))]),
        json!([patch_op("Replace", "active", json!("False"))]),
        json!([{ "op": "replace", "value": { "active": false } }]),
        json!([{ "op": "remove", "path": "active" }]),
    ] {
        let refused = acme.patch(&path, operations.clone()).await.expect_status(403);
        assert_eq!(refused.reason_codes(), ["protected-account-deactivated"], "{operations}");
    }
    let mut inactive = user("root");
    inactive["active"] = false.into();
    acme.put(&path, inactive).await.expect_status(403);
    acme.delete(&path).await.expect_status(403);

    let group_path = format!("/Groups/{staff}");
    for operations in [
        json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]),
        json!([patch_op("Remove", "members", json!([{ "value": id }]))]),
        json!([{ "op": "remove", "path": "members" }]),
        json!([patch_op("replace", "members", json!([]))]),
    ] {
        let refused = acme.patch(&group_path, operations.clone()).await.expect_status(403);
        assert_eq!(refused.reason_codes(), ["protected-account-removed-from-group"], "{operations}");
    }
    acme.put(&group_path, group("Staff", &[])).await.expect_status(403);
    acme.delete(&group_path).await.expect_status(403);
}

#[tokio::test]
async fn a_group_keeps_its_active_members() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let a = acme.post("/Users", user("a")).await.expect_status(201).id();
    let b = acme.post("/Users", user("b")).await.expect_status(201).id();
    let admins = acme.post("/Groups", group("Admins", &[&a, &b])).await.expect_status(201).id();
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "groups": [{ "displayName": "admins", "minimum": 1 }] })).await;
    let off = json!([patch_op("replace", "active", json!(false))]);
    acme.patch(&format!("/Users/{a}"), off.clone()).await.expect_status(200);
    let refused = acme.patch(&format!("/Users/{b}"), off).await.expect_status(403);
    assert_eq!(refused.reason_codes(), ["too-few-active-members"]);
    acme.delete(&format!("/Users/{b}")).await.expect_status(403);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{b}\"]") }]);
    acme.patch(&format!("/Groups/{admins}"), remove).await.expect_status(403);
    acme.delete(&format!("/Users/{a}")).await.expect_status(204);
}

#[tokio::test]
async fn a_gated_group_takes_those_who_match() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut employee = user("ada");
    employee["userType"] = "Employee".into();
    let employee = acme.post("/Users", employee).await.expect_status(201).id();
    let other = acme.post("/Users", user("bob")).await.expect_status(201).id();
    acme.enforce(
        GROUP_GATE,
        json!({ "gates": [{ "displayName": "Payroll", "membersMatch": "userType eq \"Employee\"" }] }),
    )
    .await;
    let refused = acme.post("/Groups", group("Payroll", &[&employee, &other])).await.expect_status(400);
    assert_eq!(refused.reason_codes(), ["member-not-eligible"]);
    assert!(refused.detail().contains(&other), "{}", refused.detail());
    acme.post("/Groups", group("Payroll", &[&employee])).await.expect_status(201);
    acme.post("/Groups", group("Lunch", &[&other])).await.expect_status(201);
}

#[tokio::test]
async fn nobody_leaves_on_whom_others_depend() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(DEPENDENCY_GUARD, json!({})).await;
    let boss = acme.post("/Users", user("boss")).await.expect_status(201).id();
    let mut ada = user("ada");
    ada[ENTERPRISE] = json!({ "manager": { "value": "01936d4e-0000-7000-8000-000000000000" } });
    assert_eq!(acme.post("/Users", ada.clone()).await.expect_status(400).reason_codes(), ["manager-unknown"]);
    ada[ENTERPRISE]["manager"]["value"] = boss.clone().into();
    let ada = acme.post("/Users", ada).await.expect_status(201).id();
    assert_eq!(acme.delete(&format!("/Users/{boss}")).await.expect_status(403).reason_codes(), ["user-is-manager"]);

    acme.post("/Groups", group("Crew", &[&ada])).await.expect_status(201);
    assert_eq!(acme.delete(&format!("/Users/{ada}")).await.expect_status(403).reason_codes(), ["last-member"]);
}
