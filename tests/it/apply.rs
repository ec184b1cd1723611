//! Constraints as code over HTTP: a plan, and the change as a whole.

mod waivers;

use reqwest::Method;
use scruple_tests::components::{SAFE_VALUES, WRITE_ONCE};
use scruple_tests::{Response, TenantClient, TestServer, mail_at, user};
use serde_json::{Value, json};

/// Uploads a component under its name, and tells its digest.
async fn uploaded(acme: &TenantClient, plugin: &str, component: &str) -> String {
    let made = acme.upload(plugin, std::fs::read(component).unwrap()).await;
    assert!(matches!(made.status, 200 | 201), "{:#}", made.body);
    made.body["digest"].as_str().unwrap().to_owned()
}

async fn staged(acme: &TenantClient, table: &str, csv: &str) -> Response {
    let request = acme.admin.request(Method::POST, &acme.api_path(&format!("/tables/{table}/staged")));
    acme.admin.send(request.header("content-type", "text/csv").body(csv.to_owned())).await
}

async fn plan(acme: &TenantClient, wanted: &Value) -> Response {
    acme.admin.post(&acme.api_path("/plan"), wanted.clone()).await
}

/// Carries out the plan of that generation.
async fn apply(acme: &TenantClient, wanted: &Value, generation: &Value) -> Response {
    let mut body = wanted.clone();
    body["generation"] = generation.clone();
    acme.admin.post(&acme.api_path("/apply"), body).await
}

/// Plans and applies.
async fn applied(acme: &TenantClient, wanted: &Value) -> Value {
    let planned = plan(acme, wanted).await.expect_status(200).body;
    apply(acme, wanted, &planned["generation"]).await.expect_status(200).body
}

async fn generation(acme: &TenantClient) -> Value {
    acme.admin.get(&acme.api_path("")).await.expect_status(200).body["generation"].clone()
}

/// Name and action of each step.
fn actions(plan: &Value) -> Vec<String> {
    let steps = plan["constraints"].as_array().unwrap().iter().chain(plan["tables"].as_array().unwrap());
    steps.map(|step| format!("{} {}", step["name"].as_str().unwrap(), step["action"].as_str().unwrap())).collect()
}

/// Constraints with their revisions and generations.
async fn constraints(acme: &TenantClient) -> Vec<Value> {
    let listed = acme.admin.get(&acme.api_path("/constraints")).await.expect_status(200).body;
    let constraints = listed["constraints"].as_array().unwrap();
    constraints.iter().map(|one| json!([one["name"], one["revision"], one["generation"]])).collect()
}

fn write_once(digest: &str, attributes: &[&str]) -> Value {
    json!({ "digest": digest, "settings": { "attributes": attributes }, "grants": { "reads": attributes } })
}

#[tokio::test]
async fn what_is_planned_is_done_in_one_generation_and_done_once() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    uploaded(&acme, "safe-values", SAFE_VALUES).await;
    let codes = staged(&acme, "codes", "code\nD-7\n").await.expect_status(201).body;
    staged(&acme, "codes", "code\nD-7\n").await.expect_status(200);
    assert_eq!((&codes["rows"], generation(&acme).await), (&json!(1), json!(0)));
    let wanted = json!({
        "constraints": {
            "write-once": write_once(&digest, &["externalId"]),
            "mail": { "plugin": "safe-values", "version": 1, "settings": mail_at("example.com"), "mode": "shadow", "order": 7 },
        },
        "tables": { "codes": { "digest": codes["digest"] } },
    });
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    assert_eq!(actions(&planned), ["mail create", "write-once create", "codes create"]);
    assert_eq!((&planned["generation"], &planned["changes"]), (&json!(0), &json!(3)));
    // What the plugin asks for, since nothing was said of grants.
    let grants = &planned["constraints"][0]["state"]["grants"];
    assert!(grants.get("reads").is_none() && grants["capabilities"][0] == "tables:*", "{grants}");
    assert!(constraints(&acme).await.is_empty());
    acme.admin.get(&acme.api_path("/tables/codes")).await.expect_status(404);

    let done = apply(&acme, &wanted, &planned["generation"]).await.expect_status(200).body;
    assert_eq!((&done["generation"], actions(&done)), (&json!(1), actions(&planned)));
    assert_eq!(constraints(&acme).await, [json!(["write-once", 1, 1]), json!(["mail", 1, 1])]);
    assert_eq!(acme.admin.get(&acme.api_path("/tables/codes")).await.expect_status(200).body["generation"], 1);

    let again = applied(&acme, &wanted).await;
    assert_eq!(actions(&again), ["mail unchanged", "write-once unchanged", "codes unchanged"]);
    assert_eq!((&again["changes"], &again["generation"], generation(&acme).await), (&json!(0), &json!(1), json!(1)));
    assert_eq!(constraints(&acme).await, [json!(["write-once", 1, 1]), json!(["mail", 1, 1])]);
}

#[tokio::test]
async fn an_update_tells_each_value_that_changes_and_leaves_a_revision_to_go_back_to() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    let mut wanted = json!({ "constraints": { "ids": write_once(&digest, &["externalId"]) } });
    wanted["constraints"]["ids"]["plugin"] = json!("write-once");
    applied(&acme, &wanted).await;
    wanted["constraints"]["ids"]["mode"] = json!("warn");
    wanted["constraints"]["ids"]["settings"]["attributes"] = json!(["externalId", "userName"]);
    wanted["constraints"]["ids"]["grants"] = Value::Null;
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    let step = &planned["constraints"][0];
    let changes = json!([
        { "pointer": "/grants/reads", "from": ["externalId"] },
        { "pointer": "/mode", "from": "enforce", "to": "warn" },
        { "pointer": "/settings/attributes", "from": ["externalId"], "to": ["externalId", "userName"] },
    ]);
    assert_eq!((&step["action"], &step["differences"]), (&json!("update"), &changes));

    apply(&acme, &wanted, &planned["generation"]).await.expect_status(200);
    let path = acme.api_path("/constraints/ids");
    let history = acme.admin.get(&format!("{path}/history")).await.expect_status(200).body["history"].clone();
    assert_eq!((&history[0]["by"], &history[0]["mode"]), (&json!("acme admin"), &json!("warn")));
    let back = acme.admin.post(&format!("{path}/rollback"), json!({})).await.expect_status(200).body;
    assert_eq!((&back["revision"], &back["mode"]), (&json!(3), &json!("enforce")));
    // Which is drift.
    assert_eq!(actions(&plan(&acme, &wanted).await.expect_status(200).body), ["ids update"]);
}

#[tokio::test]
async fn what_is_not_named_goes_unless_it_is_to_be_kept_or_its_part_is_left_out() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let request = acme.admin.request(Method::PUT, &acme.api_path("/tables/codes"));
    acme.admin.send(request.json(&json!(["a"]))).await.expect_status(201);
    let mut wanted = json!({ "constraints": { "write-once": write_once(&digest, &["externalId"]) } });
    assert_eq!(
        actions(&plan(&acme, &wanted).await.expect_status(200).body),
        ["safe-values remove", "write-once create", "codes kept"]
    );
    wanted["keep_others"] = json!(true);
    wanted["tables"] = json!({});
    let kept = applied(&acme, &wanted).await;
    assert_eq!(actions(&kept), ["safe-values kept", "write-once create", "codes kept"]);
    assert_eq!(constraints(&acme).await.len(), 2);

    wanted["keep_others"] = json!(false);
    let gone = applied(&acme, &wanted).await;
    assert_eq!(actions(&gone), ["safe-values remove", "write-once unchanged", "codes remove"]);
    assert_eq!(constraints(&acme).await, [json!(["write-once", 1, 3])]);
    acme.admin.get(&acme.api_path("/tables/codes")).await.expect_status(404);
    assert_eq!(actions(&plan(&acme, &json!({})).await.expect_status(200).body), ["write-once kept"]);
    assert_eq!(actions(&applied(&acme, &json!({ "constraints": {} })).await), ["write-once remove"]);
}

#[tokio::test]
async fn a_plan_that_others_have_overtaken_is_not_carried_out() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    let wanted = json!({ "constraints": { "write-once": write_once(&digest, &["externalId"]) } });
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let refused = apply(&acme, &wanted, &planned["generation"]).await.expect_status(409);
    assert_eq!(refused.body["code"], "generation-moved");
    assert_eq!(constraints(&acme).await, [json!(["safe-values", 1, 1])]);
    let blind = acme.admin.post(&acme.api_path("/apply"), wanted.clone()).await.expect_status(400);
    assert_eq!(blind.body["code"], "missing-generation");

    // Of two at the same time one is carried out.
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    let (one, other) =
        tokio::join!(apply(&acme, &wanted, &planned["generation"]), apply(&acme, &wanted, &planned["generation"]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!((statuses, generation(&acme).await), ([200, 409], json!(2)));
}

#[tokio::test]
async fn if_anything_cannot_be_nothing_is_done_and_everything_that_is_wrong_is_told() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    let nobody = "0".repeat(64);
    let wanted = json!({
        "constraints": {
            "fine": { "plugin": "write-once", "digest": digest, "settings": { "attributes": ["externalId"] } },
            "settings": { "plugin": "write-once", "digest": digest, "settings": { "attributes": [7], "attribute": 1 }, "grants": 7 },
            "unknown": { "plugin": "write-once", "digest": nobody },
            "number": { "plugin": "write-once", "version": 9 },
            "grants": {
                "plugin": "write-once", "version": 1, "settings": { "attributes": ["externalId"] },
                "grants": { "reads": ["externalId"], "capabilities": ["directory:User"] },
            },
            "both": { "plugin": "write-once", "version": 1, "digest": digest },
            "words": { "version": 1, "mode": "loud", "on_fault": "shrug" },
            "No/Name": { "version": 1 },
        },
        "tables": { "codes": { "digest": nobody } },
    });
    for path in ["/plan", "/apply"] {
        let mut body = wanted.clone();
        body["generation"] = json!(0);
        let refused = acme.admin.post(&acme.api_path(path), body).await.expect_status(422);
        assert_eq!(refused.body["code"], "invalid-constraints");
        let errors = refused.body["errors"].as_array().unwrap();
        let pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(
            pointers,
            [
                "/constraints/No~1Name",
                "/constraints/both",
                "/constraints/grants/grants",
                "/constraints/number/version",
                "/constraints/settings/grants",
                "/constraints/settings/settings",
                "/constraints/settings/settings/attributes/0",
                "/constraints/unknown/digest",
                "/constraints/words/mode",
                "/constraints/words/on_fault",
                "/tables/codes/digest",
            ],
            "{errors:#?}"
        );
    }
    assert_eq!((generation(&acme).await, constraints(&acme).await.len()), (json!(0), 0));
    acme.admin.get(&acme.api_path("/constraints/fine/history")).await.expect_status(404);
}

#[tokio::test]
async fn what_is_no_such_message_is_refused_with_its_place() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let send = async |text: &str, detail: &str| {
        let request = acme.admin.request(Method::POST, &acme.api_path("/plan"));
        let refused = acme.admin.send(request.body(text.to_owned())).await.expect_status(400);
        assert!(refused.detail().contains(detail), "{}", refused.detail());
    };
    send(r#"{"constraints": {"a": {"version": 1}, "a": {"version": 2}}}"#, "`a` is there twice").await;
    send(r#"{"constraints": {"a": {"version": 1, "modus": "warn"}}}"#, "at `constraints.a.modus`: unknown field").await;
    send(r#"{"constraint": {}}"#, "unknown field `constraint`").await;
    send(r#"{"constraints": []}"#, "an object by name").await;
    send("{", "not valid").await;
    let many: serde_json::Map<String, Value> = (0..51).map(|n| (format!("c{n}"), json!({ "version": 1 }))).collect();
    let refused = plan(&acme, &json!({ "constraints": many })).await.expect_status(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/constraints");
    assert_eq!(refused.body["errors"][0]["detail"], "there would be 51 constraints, more than the limit of 50");
}

#[tokio::test]
async fn a_constraint_and_the_table_that_it_looks_into_come_together() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "safe-values", SAFE_VALUES).await;
    let titles = staged(&acme, "titles", "title\nCountess\n").await.expect_status(201).body["digest"].clone();
    let wanted = json!({
        "constraints": { "titles": {
            "plugin": "safe-values", "digest": digest,
            "settings": { "rules": [{ "path": "title", "table": "titles" }] },
            "grants": { "reads": ["title"], "capabilities": ["tables:titles"] },
        } },
        "tables": { "titles": { "digest": titles } },
    });
    let entitled = |name: &str, title: &str| {
        let mut user = user(name);
        user["title"] = json!(title);
        user
    };
    acme.post("/Users", entitled("before", "Duke")).await.expect_status(201);
    applied(&acme, &wanted).await;
    acme.post("/Users", entitled("ada", "Countess")).await.expect_status(201);
    acme.post("/Users", entitled("eve", "Duke")).await.expect_status(400);
}
