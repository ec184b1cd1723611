//! What is stored already when definitions change, and what is written meanwhile.

use scruple_tests::{TestServer, patch_op, user};
use serde_json::json;

use super::{BADGE, ENTERPRISE, tighten, with, write_once};

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
async fn what_was_let_be_by_force_is_in_no_way_of_what_asks_nothing_of_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    tighten(&acme, write_once(), true).await.expect_status(200);
    let mut more = write_once();
    more.as_array_mut().unwrap().push(json!({ "resourceType": "User", "path": "title", "mutability": "immutable" }));
    tighten(&acme, more.clone(), false).await.expect_status(200);
    // What does ask something of users finds the one that is not as they are to be.
    more.as_array_mut().unwrap().push(json!({ "resourceType": "User", "path": "nickName", "indexed": true }));
    let refused = tighten(&acme, more, false).await.expect_status(409);
    assert_eq!(refused.body["errors"][0]["detail"], "is required and has no value");
}

#[tokio::test]
async fn values_under_an_extension_that_was_taken_away_by_force_are_looked_at_when_it_comes_back() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let extend = async |kind: &str, force: &str| {
        let schema = json!({ "id": BADGE, "name": "Badge", "attributes": [{ "name": "number", "type": kind }] });
        let schema_path = acme.api_path(&format!("/schemas/{BADGE}"));
        acme.admin.put(&schema_path, schema).await.expect_status(200);
        let extensions = json!([{ "schema": ENTERPRISE, "required": false }, { "schema": BADGE, "required": false }]);
        let user = json!({
            "name": "User", "endpoint": "/Users", "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
            "schemaExtensions": extensions,
        });
        acme.admin.put(&acme.api_path(&format!("/resource-types/User{force}")), user).await
    };
    extend("string", "").await.expect_status(200);
    let ada = acme.post("/Users", with("ada", json!({ BADGE: { "number": "A-1" } }))).await.expect_status(201).id();
    let extended = acme.api_path("/resource-types/User");
    acme.admin.delete(&extended).await.expect_status(409);
    acme.admin.delete(&format!("{extended}?force=true")).await.expect_status(200);
    let refused = extend("integer", "").await.expect_status(409);
    assert_eq!(refused.body["errors"][0]["pointer"], format!("/User/{ada}/{BADGE}:number"));
    extend("string", "").await.expect_status(200);
    assert_eq!(acme.get(&format!("/Users/{ada}")).await.body[BADGE]["number"], "A-1");
}

#[tokio::test]
async fn what_becomes_unique_while_writers_go_on_is_unique_and_found_by_its_index() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", with("ada", json!({ "nickName": "same" }))).await.expect_status(201).id();
    // Writers that move a value about: at any moment one at the most has it.
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let acme = acme.clone();
            tokio::spawn(async move {
                let id = acme.post("/Users", user(&format!("u{writer}"))).await.expect_status(201).id();
                for n in 0..20 {
                    let set = json!([patch_op("replace", "nickName", json!(format!("w{writer}-{n}")))]);
                    acme.patch(&format!("/Users/{id}"), set).await.expect_status(200);
                }
                (id, format!("w{writer}-19"))
            })
        })
        .collect();
    let unique = json!([{ "resourceType": "User", "path": "nickName", "uniqueness": "server" }]);
    tighten(&acme, unique, false).await.expect_status(200);
    for writer in writers {
        let (id, last) = writer.await.unwrap();
        let found = acme.query("/Users", &[("filter", &format!("nickName eq \"{last}\""))]).await.body;
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)));
        acme.post("/Users", with(&format!("late-{last}"), json!({ "nickName": last }))).await.expect_status(409);
    }
    for n in 0..19 {
        // What was given up is free again.
        acme.post("/Users", with(&format!("free{n}"), json!({ "nickName": format!("W0-{n}") })))
            .await
            .expect_status(201);
    }
    // Taken back, two may have it; declared again, it is refused for those two.
    tighten(&acme, json!([]), false).await.expect_status(200);
    acme.post("/Users", with("eve", json!({ "nickName": "SAME" }))).await.expect_status(201);
    let unique = json!([{ "resourceType": "User", "path": "nickName", "uniqueness": "server" }]);
    let refused = tighten(&acme, unique.clone(), true).await.expect_status(409);
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 1, "{:#}", refused.body);
    acme.patch(&format!("/Users/{ada}"), json!([{ "op": "remove", "path": "nickName" }])).await.expect_status(200);
    tighten(&acme, unique, false).await.expect_status(200);
    acme.post("/Users", with("zoe", json!({ "nickName": "same" }))).await.expect_status(409);
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
