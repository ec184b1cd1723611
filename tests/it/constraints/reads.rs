//! Every read is recorded; what is not granted cannot be read; what is never returned cannot be read at all.

use scruple_tests::components::READS_EVERYTHING;
use scruple_tests::{TenantClient, TestServer, group, patch_op, user};
use serde_json::{Value, json};

async fn reading(acme: &TenantClient, settings: Value, grants: Value) {
    acme.upload("reads-everything", std::fs::read(READS_EVERYTHING).unwrap()).await;
    let mut body = json!({ "plugin": "reads-everything", "settings": settings });
    if !grants.is_null() {
        body["grants"] = grants;
    }
    acme.set("reader", body).await.expect_status(200);
}

/// The one evaluation of the newest decision.
async fn evaluation(acme: &TenantClient) -> Value {
    acme.decisions().await[0]["evaluations"][0].clone()
}

fn note<'a>(evaluation: &'a Value, key: &str) -> &'a str {
    let notes = evaluation["notes"].as_array().unwrap();
    let found = notes.iter().find(|note| note["key"] == key);
    found.unwrap_or_else(|| panic!("no note `{key}` in {notes:#?}"))["value"].as_str().unwrap()
}

fn reads(evaluation: &Value, document: &str) -> Vec<Value> {
    let all = evaluation["reads"].as_array().unwrap();
    all.iter().filter(|read| read["document"] == document).cloned().collect()
}

#[tokio::test]
async fn what_a_constraint_read_stands_in_the_decision_and_nothing_else() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let settings = json!({
        "values": ["userName", "emails[type eq \"work\"].value", "title"],
        "has": ["emails", "phoneNumbers"],
        "matches": ["active eq true"],
    });
    reading(&acme, settings, Value::Null).await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    let evaluation = evaluation(&acme).await;
    assert_eq!(
        reads(&evaluation, "after"),
        [
            json!({ "document": "after", "path": "userName", "values": ["ada"] }),
            json!({ "document": "after", "path": "emails[type eq \"work\"].value", "values": ["ada@example.com"] }),
            json!({ "document": "after", "path": "title", "values": [] }),
            json!({ "document": "after", "path": "emails", "present": true }),
            json!({ "document": "after", "path": "phoneNumbers", "present": false }),
            json!({ "document": "after", "path": "active eq true", "matches": true }),
        ]
    );
    assert!(!evaluation["reads"].to_string().contains("Lovelace"), "the family name was not read");
    assert!(evaluation["fuel_used"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn an_attribute_outside_the_grant_is_not_granted_by_any_way_of_asking() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let settings = json!({
        "values": ["userName", "name.familyName", "emails[type eq \"work\"].value"],
        "has": ["name"],
        "matches": ["name.familyName eq \"Lovelace\"", "userName eq \"ada\""],
        "json": ["name"],
        "whole": true,
        "differences": ["", "name"],
        "count": [["User", "name.familyName eq \"Lovelace\""], ["User", "userName eq \"ada\""], ["Group", "displayName pr"]],
        "table": [["reference", "key"]],
    });
    reading(&acme, settings, json!({ "reads": ["userName", "emails.value"], "capabilities": ["directory:User"] }))
        .await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    let evaluation = evaluation(&acme).await;
    for refused in [
        "after values name.familyName",
        "after values emails[type eq \"work\"].value",
        "after has name",
        "after matches name.familyName eq \"Lovelace\"",
        "after json name",
        "differences name",
        "count name.familyName eq \"Lovelace\"",
        "count displayName pr",
        "table key",
    ] {
        assert!(note(&evaluation, refused).contains("not granted"), "{refused}: {}", note(&evaluation, refused));
    }
    assert!(note(&evaluation, "after values userName").contains("ada"));
    assert!(note(&evaluation, "after matches userName eq \"ada\"").contains("true"));
    assert!(note(&evaluation, "count userName eq \"ada\"").contains('0'), "as of before the operation");
    let everything = evaluation.to_string();
    assert!(!everything.contains("Ada\""), "something not granted got through: {everything}");
    let refused = evaluation["reads"].as_array().unwrap().iter().filter(|read| !read["refused"].is_null()).count();
    assert_eq!(refused, 7, "refused reads are recorded too, a repeated one once: {:#}", evaluation["reads"]);
}

#[tokio::test]
async fn a_password_cannot_be_read_by_a_constraint_that_is_granted_everything() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let settings = json!({
        "values": ["password"], "has": ["password"], "matches": ["password pr"], "whole": true, "differences": [""],
    });
    reading(&acme, settings, Value::Null).await;
    let mut body = user("ada");
    body["password"] = "t1meMa$heen".into();
    acme.post("/Users", body).await.expect_status(201);
    let evaluation = evaluation(&acme).await;
    for refused in ["after values password", "after has password", "after matches password pr"] {
        assert!(note(&evaluation, refused).contains("not granted"), "{refused}: {}", note(&evaluation, refused));
    }
    assert!(!evaluation.to_string().contains("t1meMa$heen"), "{evaluation:#}");
}

#[tokio::test]
async fn differences_are_effective_and_at_the_finest_path() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", user("ada")).await.expect_status(201).id();
    reading(&acme, json!({ "differences": [""], "changes": ["name", "userName", "emails"] }), Value::Null).await;
    let operations = json!([
        patch_op("replace", "userName", json!("ada")),
        patch_op("replace", "name.givenName", json!("Augusta")),
        patch_op("add", "emails", json!([{ "value": "ada@home.example", "type": "home" }])),
    ]);
    acme.patch(&format!("/Users/{id}"), operations).await.expect_status(200);
    let evaluation = evaluation(&acme).await;
    let reads = evaluation["reads"].as_array().unwrap();
    let differences = &reads.iter().find(|read| read["differences_under"] == "").unwrap()["answer"];
    let paths: Vec<&str> =
        differences.as_array().unwrap().iter().map(|difference| difference["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["emails[value eq \"ada@home.example\"]", "name.givenName"]);
    assert_eq!(note(&evaluation, "changes name"), "true");
    assert_eq!(note(&evaluation, "changes userName"), "false");
}

#[tokio::test]
async fn look_ups_answer_as_of_before_and_are_recorded_with_their_answers() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&ada])).await.expect_status(201).id();
    let nobody = "01936d4e-0000-7000-8000-000000000000";
    let settings = json!({
        "get": [["User", ada], ["User", nobody], ["User", "no id at all"]],
        "find": [["Group", "displayName eq \"staff\""]],
        "count": [["User", format!("groups.value eq \"{staff}\" and active eq true")], ["User", "userName eq \"bob\""]],
        "isMember": [[staff, ada], [staff, nobody]],
    });
    reading(&acme, settings, Value::Null).await;
    acme.post("/Users", user("bob")).await.expect_status(201);
    let evaluation = evaluation(&acme).await;
    assert!(note(&evaluation, &format!("get {ada}")).contains(&ada));
    assert_eq!(note(&evaluation, &format!("get {nobody}")), "None");
    assert!(note(&evaluation, "find displayName eq \"staff\"").contains(&staff));
    assert_eq!(note(&evaluation, "count userName eq \"bob\""), "0", "the operation itself is not seen");
    assert_eq!(note(&evaluation, &format!("is-member {ada}")), "true");
    assert_eq!(note(&evaluation, &format!("is-member {nobody}")), "false");
    let look_ups = evaluation["reads"].as_array().unwrap().iter().filter(|read| !read["look_up"].is_null()).count();
    assert_eq!(look_ups, 8, "each look-up stands in the log, the empty ones too: {:#}", evaluation["reads"]);
}

#[tokio::test]
async fn the_members_of_a_group_are_read_with_what_the_operation_changes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let bob = acme.post("/Users", user("bob")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&ada])).await.expect_status(201).id();
    let has = |id: &str| format!("members[value eq \"{id}\"]");
    let settings = json!({ "values": ["members.value"], "has": [has(&ada), has(&bob)], "differences": ["members"] });
    reading(&acme, settings, Value::Null).await;
    let operations = json!([
        patch_op("add", "members", json!([{ "value": bob }])),
        { "op": "remove", "path": has(&ada) },
    ]);
    acme.patch(&format!("/Groups/{staff}"), operations).await.expect_status(200);
    let evaluation = evaluation(&acme).await;
    assert_eq!(note(&evaluation, &format!("before has {}", has(&ada))), "true");
    assert_eq!(note(&evaluation, &format!("before has {}", has(&bob))), "false");
    assert_eq!(note(&evaluation, &format!("after has {}", has(&ada))), "false");
    assert_eq!(note(&evaluation, &format!("after has {}", has(&bob))), "true");
    let before = note(&evaluation, "before values members.value");
    let after = note(&evaluation, "after values members.value");
    assert!(before.contains(&ada) && !before.contains(&bob), "{before}");
    assert!(after.contains(&bob) && !after.contains(&ada), "{after}");
}

#[tokio::test]
async fn the_groups_of_a_user_are_read_as_a_look_up() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &[&ada])).await.expect_status(201).id();
    reading(&acme, json!({ "values": ["groups.value"] }), Value::Null).await;
    acme.delete(&format!("/Users/{ada}")).await.expect_status(204);
    let evaluation = evaluation(&acme).await;
    assert!(note(&evaluation, "before values groups.value").contains(&staff));
    let look_ups = evaluation["reads"].as_array().unwrap().iter().filter(|read| !read["look_up"].is_null()).count();
    assert_eq!(look_ups, 1, "{:#}", evaluation["reads"]);
}
