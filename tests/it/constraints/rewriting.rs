//! Rewriters over HTTP: what they change, who sees it, how it is recorded, and how they break.

use scruple_tests::components::{NORMALIZE_ATTRIBUTES, READS_EVERYTHING, REWRITES, REWRITES_AND_JUDGES, SAFE_VALUES};
use scruple_tests::{Response, TenantClient, TestServer, patch_op, user};
use serde_json::{Value, json};

/// Uploads the rewriter of the tests.
async fn with_rewrites(server: &TestServer) -> TenantClient {
    let acme = server.tenant("acme").await;
    let uploaded = acme.upload("rewrites", std::fs::read(REWRITES).unwrap()).await.expect_status(201);
    assert_eq!(uploaded.body["world"], "scruple:constraint/rewriter@0.1.0");
    acme
}

/// Puts it to work under a name: with these edits, and what else the administration API takes.
async fn rewrite(acme: &TenantClient, name: &str, edits: Value, more: Value) {
    let mut body = json!({ "plugin": "rewrites", "settings": { "edits": edits } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    acme.set(name, body).await.expect_status(200);
}

async fn decision_of(acme: &TenantClient, answer: &Response) -> Value {
    acme.decision(&answer.decision_id().unwrap()).await
}

/// Who was asked, and what each said.
fn said(decision: &Value) -> Vec<(&str, &str)> {
    let evaluations = decision["evaluations"].as_array().unwrap();
    evaluations.iter().map(|one| (one["constraint"].as_str().unwrap(), one["verdict"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn rewriters_run_in_their_order_and_each_sees_what_the_last_one_has_left() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    // By name the other way round than by order.
    rewrite(&acme, "b-first", json!([["set", "title", "Countess"]]), json!({ "order": 1 })).await;
    rewrite(
        &acme,
        "a-second",
        json!([["set", "nickName", "Ada"], ["set", "title", "Countess"]]),
        json!({ "order": 2 }),
    )
    .await;
    let made = acme.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!((&made.body["title"], &made.body["nickName"]), (&json!("Countess"), &json!("Ada")));
    assert_eq!(acme.get(&format!("/Users/{}", made.id())).await.body["title"], "Countess");

    let decision = decision_of(&acme, &made).await;
    assert_eq!(said(&decision), [("b-first", "rewrite"), ("a-second", "rewrite")]);
    let evaluations = &decision["evaluations"];
    assert_eq!(evaluations[0]["rewritten"], json!([{ "path": "title", "after": "Countess" }]));
    assert_eq!(evaluations[1]["rewritten"], json!([{ "path": "nickName", "after": "Ada" }]));
    assert_eq!(evaluations[0]["notes"], json!([{ "key": "title", "value": "" }]));
    assert_eq!(evaluations[1]["notes"], json!([{ "key": "title", "value": "Countess" }]));
    assert_eq!(evaluations[0]["reads"][0]["path"], "title");
    assert!(evaluations[0]["fuel_used"].as_u64().unwrap() > 0 && evaluations[0]["memory_bytes"].as_u64().unwrap() > 0);

    let path = format!("/Users/{}", made.id());
    let changed =
        acme.patch(&path, json!([patch_op("replace", "nickName", json!("Augusta"))])).await.expect_status(200);
    assert_eq!(changed.body["nickName"], "Ada");
}

#[tokio::test]
async fn those_that_judge_see_what_was_rewritten_and_one_component_may_do_both() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let component = std::fs::read(REWRITES_AND_JUDGES).unwrap();
    let uploaded = acme.upload("both", component).await.expect_status(201);
    assert_eq!(uploaded.body["world"], "scruple:constraint/rewriting-constraint@0.1.0");
    acme.set("both", json!({ "plugin": "both", "settings": { "title": "Countess" } })).await.expect_status(200);

    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    assert_eq!(refused.reason_codes(), ["titled"]);
    let decision = decision_of(&acme, &refused).await;
    assert_eq!(said(&decision), [("both", "rewrite"), ("both", "deny")]);
    let [rewrote, judged] = [0, 1].map(|at| &decision["evaluations"][at]["notes"]);
    assert_eq!(judged[1], json!({ "key": "changes to", "value": "Countess" }));
    assert_eq!(judged[0]["key"], "users");
    assert_eq!(rewrote[0]["key"], "directory");
    assert!(rewrote[0]["value"].as_str().unwrap().contains("a rewriter has no `directory`"), "{rewrote}");
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);

    let listed = acme.admin.get(&acme.api_path("/decisions?constraint=both")).await.body;
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_edit_outside_the_grant_refuses_and_is_recorded_with_its_path_and_nothing_is_told() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    let edits = json!([["set", "title", "Countess"], ["set", "userName", "root"]]);
    rewrite(&acme, "greedy", edits, json!({ "grants": { "reads": ["title"], "writes": ["title"] } })).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    let id = refused.decision_id().unwrap();
    assert_eq!(refused.detail(), format!("constraint `greedy` could not be evaluated; decision {id}"));
    let decision = acme.decision(&id).await;
    assert_eq!((&decision["outcome"], said(&decision)), (&json!("faulted"), vec![("greedy", "fault")]));
    let fault = &decision["evaluations"][0]["fault"];
    assert_eq!(fault["kind"], "bad-edit");
    assert_eq!(
        fault["message"],
        "the rewriter's edits are not valid: to edit `userName` is not granted; granted is `title`"
    );
}

#[tokio::test]
async fn edits_that_the_schema_does_not_allow_are_faults_of_the_rewriter_and_no_error_of_the_client() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    let tightenings = json!({ "tightenings": [
        { "resourceType": "User", "path": "userType", "canonicalValues": ["Employee"] },
        { "resourceType": "User", "path": "externalId", "mutability": "immutable" },
    ] });
    acme.admin.put(&acme.api_path("/tightenings"), tightenings).await.expect_status(200);
    for (edits, expected) in [
        (json!([["remove", "userName", null]]), "the edit of `userName` cannot be made"),
        (json!([["set", "active", "perhaps"]]), "the edit of `active` cannot be made"),
        (json!([["set", "userType", "Robot"]]), "the edits break the schema: `userType` must be one of"),
        (json!([["set", "externalId", "E2"]]), "the edits break the schema: `externalId` is immutable"),
        (json!([["set", "id", "x"]]), "`id` cannot be edited: it is read-only"),
        (json!([["set", "password", "t0p-s3cret"]]), "`password` cannot be edited: it is a secret"),
        (json!([["set", "shoeSize", 7]]), "`shoeSize` is no path of User"),
        (json!([["remove", "emails[type eq \"none\"]", null]]), "selects no value"),
        (json!([["append", "title", "x"]]), "nothing can be appended to `title`"),
    ] {
        rewrite(&acme, "wrong", edits.clone(), json!({})).await;
        let mut ada = user("ada");
        ada["externalId"] = "E1".into();
        let refused = acme.post("/Users", ada).await.expect_status(403);
        let decision = decision_of(&acme, &refused).await;
        let fault = &decision["evaluations"][0]["fault"];
        assert_eq!(fault["kind"], "bad-edit", "{edits}");
        assert!(fault["message"].as_str().unwrap().contains(expected), "{edits}: {fault}");
        assert!(!decision.to_string().contains("t0p-s3cret"), "{decision:#}");
    }
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);
}

#[tokio::test]
async fn a_rewriter_that_breaks_is_stopped_and_nobody_judges_what_it_would_have_left() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    acme.enforce(SAFE_VALUES, json!({ "rules": [{ "path": "userName", "pattern": "x" }] })).await;
    for (breaks, kind) in
        [("loops", "out-of-fuel"), ("fails", "failed"), ("many-edits", "memory"), ("huge-edit", "output")]
    {
        let body = json!({ "plugin": "rewrites", "settings": { "breaks": breaks }, "order": -1 });
        acme.set("broken", body.clone()).await.expect_status(200);
        let refused = acme.post("/Users", user("ada")).await.expect_status(403);
        let decision = decision_of(&acme, &refused).await;
        assert_eq!(said(&decision), [("broken", "fault")], "{breaks}");
        assert_eq!(decision["evaluations"][0]["fault"]["kind"], kind, "{breaks}: {decision:#}");

        // Failing open, it is as if it had given no edits: the others are asked.
        let mut open = body;
        open["on_fault"] = "allow".into();
        acme.set("broken", open).await.expect_status(200);
        let refused = acme.post("/Users", user("ada")).await.expect_status(400);
        assert_eq!(said(&decision_of(&acme, &refused).await), [("broken", "fault"), ("safe-values", "deny")]);
    }
}

#[tokio::test]
async fn two_rewriters_that_disagree_are_a_fault_that_names_both() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    rewrite(&acme, "first", json!([["set", "name.givenName", "Ada"]]), json!({ "order": 1 })).await;
    rewrite(&acme, "second", json!([["set", "name", { "givenName": "Augusta" }]]), json!({ "order": 2 })).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    let decision = decision_of(&acme, &refused).await;
    assert_eq!(said(&decision), [("first", "rewrite"), ("second", "fault")]);
    let fault = &decision["evaluations"][1]["fault"];
    assert_eq!(fault["kind"], "conflict");
    assert_eq!(
        fault["message"],
        "the rewriter changes `name.givenName`, which constraint `first` has set to another value"
    );

    rewrite(&acme, "second", json!([["remove", "name", null]]), json!({ "order": 2, "on_fault": "allow" })).await;
    let made = acme.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!(made.body["name"]["givenName"], "Ada", "the first one's edits stand");
    assert_eq!(said(&decision_of(&acme, &made).await), [("first", "rewrite"), ("second", "fault")]);

    rewrite(&acme, "second", json!([["set", "name", { "givenName": "Ada" }]]), json!({ "order": 2 })).await;
    acme.post("/Users", user("grace")).await.expect_status(201);
}

#[tokio::test]
async fn on_trial_edits_are_recorded_and_not_made() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    rewrite(&acme, "trial", json!([["set", "title", "Baroness"]]), json!({ "mode": "shadow", "order": 1 })).await;
    rewrite(&acme, "told", json!([["set", "nickName", "Ada"]]), json!({ "mode": "warn", "order": 2 })).await;
    rewrite(&acme, "counts", json!([["set", "title", "Countess"]]), json!({ "order": 3 })).await;
    rewrite(&acme, "late-trial", json!([["remove", "title", null]]), json!({ "mode": "shadow", "order": 4 })).await;
    rewrite(&acme, "off", json!([["set", "userName", "nobody"]]), json!({ "mode": "off", "order": 5 })).await;
    let made = acme.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!((&made.body["title"], made.body.get("nickName")), (&json!("Countess"), None));
    let warning = made.header("warning").unwrap_or_default();
    assert_eq!(warning, "199 scruple \"told: would be rewritten before it is stored: nickName\"");

    let decision = decision_of(&acme, &made).await;
    assert_eq!(
        said(&decision),
        [("trial", "rewrite"), ("told", "rewrite"), ("counts", "rewrite"), ("late-trial", "fault")]
    );
    let evaluations = &decision["evaluations"];
    assert_eq!(evaluations[0]["rewritten"], json!([{ "path": "title", "after": "Baroness" }]));
    assert_eq!(evaluations[2]["rewritten"], json!([{ "path": "title", "after": "Countess" }]));
    assert_eq!(evaluations[1]["warnings"][0]["paths"], json!(["nickName"]));
    assert_eq!(evaluations[3]["fault"]["kind"], "conflict");
    assert_eq!(evaluations[3]["notes"][0]["value"], "Countess", "each is shown the state at its place");
}

#[tokio::test]
async fn a_change_that_a_rewriter_takes_back_is_not_written_and_says_who_took_it_back() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    rewrite(&acme, "titles", json!([["set", "title", "Countess"]]), json!({})).await;
    acme.enforce(READS_EVERYTHING, json!({})).await;
    let made = acme.post("/Users", user("ada")).await.expect_status(201);
    let path = format!("/Users/{}", made.id());
    let version = made.body["meta"]["version"].clone();

    let title = json!([patch_op("replace", "title", json!("Baroness"))]);
    let answer = acme.patch(&path, title).await.expect_status(200);
    assert_eq!((&answer.body["title"], &answer.body["meta"]["version"]), (&json!("Countess"), &version));
    let decision = decision_of(&acme, &answer).await;
    assert_eq!(decision["outcome"], "unchanged");
    assert_eq!(said(&decision), [("titles", "rewrite")], "there is nothing to judge");
    let expected = json!([{ "path": "title", "before": "Baroness", "after": "Countess" }]);
    assert_eq!(decision["evaluations"][0]["rewritten"], expected);
    let listed = acme.admin.get(&acme.api_path("/decisions?verdict=unchanged")).await.expect_status(200).body;
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 1);

    // What is the case already is no change, and no rewriter is asked.
    let same = acme.patch(&path, json!([patch_op("replace", "title", json!("Countess"))])).await.expect_status(200);
    assert_eq!(same.decision_id(), None);
    // Of what is deleted there is nothing to rewrite.
    let deleted = acme.delete(&path).await.expect_status(204);
    let decision = decision_of(&acme, &deleted).await;
    assert!(said(&decision).iter().all(|(name, _)| *name != "titles"), "{decision:#}");
}

#[tokio::test]
async fn the_members_of_a_group_are_not_rewritten_and_change_beside_what_is() {
    let server = TestServer::start().await;
    let acme = with_rewrites(&server).await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    rewrite(&acme, "names", json!([["set", "displayName", "STAFF"]]), json!({})).await;
    let staff = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "staff" });
    let made = acme.post("/Groups", staff).await.expect_status(201);
    assert_eq!(made.body["displayName"], "STAFF");
    let path = format!("/Groups/{}", made.id());
    let operations = json!([
        patch_op("add", "members", json!([{ "value": ada }])),
        patch_op("replace", "displayName", json!("crew")),
    ]);
    let changed = acme.patch(&path, operations).await.expect_status(200);
    assert_eq!(changed.body["displayName"], "STAFF");
    assert_eq!(changed.body["members"][0]["value"], ada.as_str());
    assert_eq!(decision_of(&acme, &changed).await["outcome"], "allowed");

    rewrite(&acme, "names", json!([["remove", "members", null]]), json!({})).await;
    let refused = acme.patch(&path, json!([{ "op": "remove", "path": "members" }])).await.expect_status(403);
    let decision = decision_of(&acme, &refused).await;
    let message = decision["evaluations"][0]["fault"]["message"].as_str().unwrap();
    assert!(message.contains("`members` cannot be edited: members are not rewritten"), "{message}");
}

fn rules() -> Value {
    json!({ "rules": [
        { "path": "userName", "trim": true, "case": "lower" },
        { "path": "name.givenName", "trim": true },
        { "path": "displayName", "template": "{name.givenName} {name.familyName}" },
        { "path": "phoneNumbers.value", "phone": { "country": "44" } },
        { "path": "userType", "default": "Employee" },
    ] })
}

fn lovelace() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": " Ada@Example.com",
        "name": { "givenName": "Ada ", "familyName": "Lovelace" },
        "phoneNumbers": [
            { "value": "020 7946 0011", "type": "work" },
            { "value": "+44 (0)20 7946-0011", "type": "work" },
            { "value": "4711", "type": "other" },
        ],
    })
}

/// What `normalize-attributes` makes of it, whichever way it came.
#[track_caller]
fn assert_normalized(body: &Value) {
    assert_eq!(body["userName"], "ada@example.com");
    assert_eq!((&body["displayName"], &body["userType"]), (&json!("Ada Lovelace"), &json!("Employee")));
    let expected = json!([{ "value": "+442079460011", "type": "work" }, { "value": "4711", "type": "other" }]);
    assert_eq!(body["phoneNumbers"], expected);
}

#[tokio::test]
async fn normalize_attributes_brings_every_way_of_writing_into_one_shape() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(NORMALIZE_ATTRIBUTES, rules()).await;
    let made = acme.post("/Users", lovelace()).await.expect_status(201);
    assert_normalized(&made.body);
    let rewritten = decision_of(&acme, &made).await["evaluations"][0]["rewritten"].clone();
    assert_eq!(rewritten[1], json!({ "path": "name.givenName", "before": "Ada ", "after": "Ada" }));

    // The client repeats itself, in its own spelling and in ours: the version stays.
    let path = format!("/Users/{}", made.id());
    let again = acme.put(&path, lovelace()).await.expect_status(200);
    assert_eq!(again.body["meta"], made.body["meta"]);
    assert_eq!(decision_of(&acme, &again).await["outcome"], "unchanged");
    let ours = acme.put(&path, made.body.clone()).await.expect_status(200);
    assert_eq!((&ours.body["meta"], ours.decision_id()), (&made.body["meta"], None));

    let operations = json!([
        patch_op("replace", "phoneNumbers[type eq \"other\"].value", json!("(020) 7946 0022")),
        patch_op("add", "title", json!("Countess")),
    ]);
    let patched = acme.patch(&path, operations).await.expect_status(200);
    assert_eq!(patched.body["phoneNumbers"][1]["value"], "+442079460022");

    let mut grace = lovelace();
    grace["userName"] = "GRACE@example.com".into();
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "POST", "path": "/Users", "bulkId": "g", "data": grace }],
    });
    let answer = acme.post("/Bulk", bulk).await.expect_status(200);
    assert_eq!(answer.body["Operations"][0]["status"], "201", "{:#}", answer.body);
    let found = acme.query("/Users", &[("filter", "userName eq \"grace@example.com\"")]).await.body;
    let mut found = found["Resources"][0].clone();
    found["userName"] = "ada@example.com".into();
    assert_normalized(&found);
}

/// A name that is only taken once it is normalised is taken, and the client is told so.
#[tokio::test]
async fn a_rewritten_value_that_somebody_has_is_a_conflict_of_the_client() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(NORMALIZE_ATTRIBUTES, rules()).await;
    acme.post("/Users", lovelace()).await.expect_status(201);
    let mut other = lovelace();
    other["userName"] = "ADA@example.com  ".into();
    let refused = acme.post("/Users", other).await.expect_status(409);
    assert_eq!(refused.body["scimType"], "uniqueness");
    let decision = decision_of(&acme, &refused).await;
    assert_eq!((&decision["outcome"], &decision["violation"]["after"]), (&json!("invalid"), &json!("ada@example.com")));
    let rewritten = decision["evaluations"][0]["rewritten"].as_array().unwrap();
    let name = json!({ "path": "userName", "before": "ADA@example.com  ", "after": "ada@example.com" });
    assert!(rewritten.contains(&name), "{decision:#}");
}
