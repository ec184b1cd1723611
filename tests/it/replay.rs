//! `/api/v1/tenants/{tenant}/decisions/{id}/replay`, `explanation` and `fixture`, and the commands that use them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use reqwest::Method;
use scruple_tests::components::{
    DEPENDENCY_GUARD, GROUP_GATE, NORMALIZE_ATTRIBUTES, PROTECTED_ACCOUNTS, REQUIRED_ATTRIBUTES, SAFE_VALUES,
    SPIN_FOREVER, WRITE_ONCE,
};
use scruple_tests::{Response, TenantClient, TestServer, group, mail_at, patch_op, user};
use serde_json::{Value, json};

async fn replay(acme: &TenantClient, id: &str, query: &str, component: Option<&str>) -> Response {
    let path = acme.api_path(&format!("/decisions/{id}/replay{query}"));
    let request = acme.admin.request(Method::POST, &path);
    let request = match component {
        Some(file) => request.body(fs::read(file).unwrap()),
        None => request,
    };
    acme.admin.send(request).await
}

async fn replayed(acme: &TenantClient, id: &str) -> Vec<Value> {
    let found = replay(acme, id, "", None).await.expect_status(200);
    found.body["replays"].as_array().unwrap().clone()
}

async fn rests_on(acme: &TenantClient, id: &str) -> Vec<Value> {
    let path = acme.api_path(&format!("/decisions/{id}/explanation"));
    let found = acme.admin.get(&path).await.expect_status(200).body;
    assert_eq!(found["decision"]["id"], id);
    found["explanations"][0]["rests_on"].as_array().unwrap().clone()
}

/// What a constraint has read. That a user's groups were looked up to answer that is recorded for the commit alone.
fn asked_for(evaluation: &Value) -> Vec<Value> {
    let reads = evaluation["reads"].as_array().unwrap().iter();
    reads.filter(|read| read.pointer("/look_up/kind") != Some(&json!("groups-of"))).cloned().collect()
}

fn once() -> Value {
    json!({ "attributes": ["externalId"] })
}

/// The decision that refuses to renumber somebody.
async fn renumbered(acme: &TenantClient, name: &str) -> String {
    let mut body = user(name);
    body["externalId"] = json!("E1");
    let made = acme.post("/Users", body).await.expect_status(201);
    let path = format!("/Users/{}", made.id());
    let refused = acme.patch(&path, json!([patch_op("replace", "externalId", json!("E2"))])).await.expect_status(400);
    refused.decision_id().unwrap()
}

#[tokio::test]
async fn every_decision_comes_out_the_same_with_the_same_reasons_and_fuel() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    acme.enforce(REQUIRED_ATTRIBUTES, json!({ "attributes": ["name.familyName"] })).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let guarded = json!({ "accounts": ["root"], "groups": [{ "displayName": "Administrators", "minimum": 1 }] });
    acme.enforce(PROTECTED_ACCOUNTS, guarded).await;
    let gates = json!({ "gates": [{ "displayName": "Payroll", "membersMatch": "userType eq \"Employee\"" }] });
    acme.enforce(GROUP_GATE, gates).await;
    acme.enforce(DEPENDENCY_GUARD, json!({})).await;

    let root = acme.post("/Users", user("root")).await.expect_status(201);
    let ada = acme.post("/Users", user("ada")).await.expect_status(201);
    let admins = acme.post("/Groups", group("Administrators", &[&root.id()])).await.expect_status(201);
    acme.post("/Groups", group("Payroll", &[&ada.id()])).await.expect_status(400);
    let active = json!([patch_op("replace", "active", json!(false))]);
    acme.patch(&format!("/Users/{}", root.id()), active.clone()).await.expect_status(403);
    acme.patch(&format!("/Users/{}", ada.id()), active).await.expect_status(200);
    let nobody = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", root.id()) }]);
    acme.patch(&format!("/Groups/{}", admins.id()), nobody).await.expect_status(403);
    acme.delete(&format!("/Users/{}", root.id())).await.expect_status(403);
    acme.delete(&format!("/Users/{}", ada.id())).await.expect_status(204);
    let elsewhere = json!([{ "value": "eve@elsewhere.org", "type": "work" }]);
    let mut eve = user("eve");
    eve["emails"] = elsewhere;
    acme.post("/Users", eve).await.expect_status(400);
    renumbered(&acme, "grace").await;

    let (mut compared, mut with_look_ups) = (0, 0);
    for decision in acme.decisions().await {
        let id = decision["id"].as_str().unwrap();
        for replay in replayed(&acme, id).await {
            let same = json!({ "verdict": true, "reasons": true, "fuel": true });
            assert_eq!(replay["same"], same, "{replay:#}");
            let [recorded, replayed] = ["recorded", "replayed"].map(|side| asked_for(&replay[side]));
            assert_eq!(replayed, recorded, "{replay:#}");
            compared += 1;
            with_look_ups += usize::from(recorded.iter().any(|read| read.get("look_up").is_some()));
        }
    }
    assert!(compared > 30 && with_look_ups > 5, "{compared} evaluations, {with_look_ups} with look-ups");
}

#[tokio::test]
async fn it_is_asked_with_the_settings_and_the_component_of_then() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    acme.set("write-once", json!({ "plugin": "write-once", "settings": { "attributes": ["title"] } }))
        .await
        .expect_status(200);
    let same = json!({ "verdict": true, "reasons": true, "fuel": true });
    assert_eq!(replayed(&acme, &id).await[0]["same"], same);
    acme.admin.delete(&acme.api_path("/constraints/write-once")).await.expect_status(204);
    assert_eq!(replayed(&acme, &id).await[0]["same"], same);
}

#[tokio::test]
async fn another_component_is_asked_in_its_place_and_what_it_has_not_read_is_not_guessed() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    let decisions = acme.decisions().await.len();

    let own = replay(&acme, &id, "", Some(WRITE_ONCE)).await.expect_status(200).body;
    assert_eq!(own["replays"][0]["same"]["verdict"], true, "{own:#}");
    let other = "?constraint=write-once&settings={}";
    let other = replay(&acme, &id, other, Some(SPIN_FOREVER)).await.expect_status(200).body;
    assert_eq!(other["replays"][0]["replayed"]["fault"]["kind"], "out-of-fuel", "{other:#}");
    assert_eq!(other["replays"][0]["same"]["verdict"], false);
    let settings = replay(&acme, &id, "?constraint=write-once", Some(PROTECTED_ACCOUNTS)).await.expect_status(422);
    assert_eq!(settings.body["code"], "invalid-settings", "{:#}", settings.body);
    let no_json = replay(&acme, &id, "?settings=x", Some(PROTECTED_ACCOUNTS)).await.expect_status(400);
    assert!(no_json.detail().contains("`settings` is no JSON"), "{}", no_json.detail());
    // Nothing is left of all that.
    assert_eq!(acme.decisions().await.len(), decisions);
    let plugins = acme.admin.get(&acme.api_path("/plugins")).await.expect_status(200).body;
    assert_eq!(plugins["versions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_component_reads_beyond_the_record_is_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    let query = "?constraint=write-once&settings={\"attributes\":[\"externalId\",\"title\"]}";
    let found = replay(&acme, &id, query, Some(WRITE_ONCE)).await.expect_status(200).body;
    let undecidable = &found["replays"][0]["undecidable"];
    assert_eq!(undecidable["kind"], "unread", "{found:#}");
    assert!(undecidable["detail"].as_str().unwrap().contains("`title`"), "{undecidable}");
    assert_eq!(found["replays"][0]["replayed"], Value::Null);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_and_named() {
    let server = TestServer::start().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    let allowed = acme.post("/Users", user("ada")).await.expect_status(201).decision_id().unwrap();
    acme.enforce(WRITE_ONCE, once()).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let id = renumbered(&acme, "bob").await;

    assert_eq!(replayed(&acme, &allowed).await, [] as [Value; 0]);
    let none = replay(&acme, &allowed, "?constraint=once", None).await.expect_status(400);
    assert!(none.detail().contains("no constraint was asked"), "{}", none.detail());
    let unknown = replay(&acme, &id, "?constraint=once", None).await.expect_status(400);
    assert!(unknown.detail().contains("`once`") && unknown.detail().contains("`write-once`"), "{}", unknown.detail());
    let several = acme.admin.get(&acme.api_path(&format!("/decisions/{id}/fixture"))).await.expect_status(400);
    assert!(several.detail().contains("several"), "{}", several.detail());
    let path = acme.api_path(&format!("/decisions/{id}/replay"));
    let garbage = acme.admin.send(acme.admin.request(Method::POST, &path).body("garbage")).await.expect_status(422);
    assert_eq!(garbage.body["code"], "component-invalid");
    // What is another tenant's is not there.
    replay(&other, &id, "", None).await.expect_status(404);
    other.admin.get(&other.api_path(&format!("/decisions/{id}/explanation"))).await.expect_status(404);
    replay(&acme, "x", "", None).await.expect_status(404);
}

#[tokio::test]
async fn an_explanation_names_what_would_have_turned_the_verdict() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    let turned = json!({ "supposed": ["externalId had not changed"], "verdict": "allow", "reasons": [] });
    let found = rests_on(&acme, &id).await;
    assert!(
        found.iter().any(|turn| turn["supposed"] == turned["supposed"] && turn["reasons"] == json!([])),
        "{found:#?}"
    );
    acme.admin.delete(&acme.api_path("/constraints/write-once")).await.expect_status(204);

    acme.enforce(REQUIRED_ATTRIBUTES, json!({ "attributes": ["title", "nickName"] })).await;
    let id = acme.post("/Users", user("bob")).await.expect_status(400).decision_id().unwrap();
    let found = rests_on(&acme, &id).await;
    let last = found.last().unwrap();
    assert_eq!(last["supposed"].as_array().unwrap().len(), 2, "only both together let it pass: {found:#?}");
    assert_eq!(last["verdict"], "allow");
    acme.admin.delete(&acme.api_path("/constraints/required-attributes")).await.expect_status(204);

    let keeper = json!({ "groups": [{ "displayName": "Administrators", "minimum": 1 }] });
    acme.enforce(PROTECTED_ACCOUNTS, keeper).await;
    let root = acme.post("/Users", user("root")).await.expect_status(201).id();
    acme.post("/Groups", group("Administrators", &[&root])).await.expect_status(201);
    let id = acme.delete(&format!("/Users/{root}")).await.expect_status(403).decision_id().unwrap();
    let found = rests_on(&acme, &id).await;
    let allowed = found.iter().filter(|turn| turn["verdict"] == "allow" || turn["verdict"] == "not-applicable");
    assert!(allowed.count() > 0, "{found:#?}");
}

#[tokio::test]
async fn a_rewriters_part_is_not_told() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(NORMALIZE_ATTRIBUTES, json!({ "rules": [{ "path": "userName", "trim": true }] })).await;
    let id = acme.post("/Users", user(" ada")).await.expect_status(201).decision_id().unwrap();
    let found = replayed(&acme, &id).await;
    assert_eq!(found[0]["undecidable"]["kind"], "rewriter", "{found:#?}");
}

fn scruple(server: &TestServer, acme: &TenantClient, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scruple-under-test"));
    command.args(args).env("SCRUPLE_SERVER", format!("http://{}", server.address));
    command.env("SCRUPLE_TOKEN", acme.admin.token()).env("SCRUPLE_TENANT", "acme");
    command
}

/// The server is in this process, so that nobody may be waited for in its threads.
async fn output(server: &TestServer, acme: &TenantClient, args: &[&str]) -> Output {
    let mut command = scruple(server, acme, args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_captured_decision_is_a_test_without_anybody_in_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
    let id = acme.post("/Users", user("lovelace")).await.expect_status(400).decision_id().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().to_str().unwrap();
    let capture = ["decisions", "capture", &id, "--fixtures", fixtures, "--name", "an-address-elsewhere"];
    let captured = output(&server, &acme, &capture).await;
    assert_eq!(captured.status.code(), Some(0), "{captured:?}");

    let case = folder.path().join("an-address-elsewhere");
    let recorded = fs::read_to_string(case.join("recorded.json")).unwrap();
    assert!(!recorded.contains("lovelace"), "{recorded}");
    let expected: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
    assert_eq!(expected["verdict"], "deny", "{expected}");

    let tested = output(&server, &acme, &["plugin", "test", SAFE_VALUES, "--fixtures", fixtures]).await;
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert_eq!(tested.status.code(), Some(0), "{said}");
    assert!(said.contains("1 passed, 0 failed"), "{said}");
    // A component that asks something else is not said to pass.
    let other = output(&server, &acme, &["plugin", "test", PROTECTED_ACCOUNTS, "--fixtures", fixtures]).await;
    assert_ne!(other.status.code(), Some(0), "{other:?}");
    let again = output(&server, &acme, &capture).await;
    assert_eq!(again.status.code(), Some(2), "what is there must not be written over");
}

#[tokio::test]
async fn a_text_on_which_the_verdict_rests_stays_and_is_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let id = acme.post("/Users", user("lovelace")).await.expect_status(201).decision_id().unwrap();
    let fixture = acme.admin.get(&acme.api_path(&format!("/decisions/{id}/fixture"))).await.expect_status(200).body;
    // Settings name the domain, which is a part of the address: masked, it would be another one.
    assert_eq!(fixture["kept"], json!(["lovelace@example.com"]), "{fixture:#}");
    assert_eq!(fixture["expected"]["verdict"], "allow");
}

#[tokio::test]
async fn the_commands_tell_what_came_of_it_and_by_their_exit_code() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    let same = output(&server, &acme, &["decisions", "replay", &id]).await;
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(String::from_utf8_lossy(&same.stdout).contains("write-once: the same: deny"), "{same:?}");
    let other = output(
        &server,
        &acme,
        &["decisions", "replay", &id, SPIN_FOREVER, "--constraint", "write-once", "--settings", "{}"],
    )
    .await;
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    assert!(String::from_utf8_lossy(&other.stdout).contains("not the same: verdict, reasons, fuel"), "{other:?}");
    let explained = output(&server, &acme, &["decisions", "explain", &id]).await;
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(said.contains("externalId had not changed: "), "{said}");
}

#[tokio::test]
async fn a_component_that_is_watched_is_asked_again_when_its_file_changes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    let id = renumbered(&acme, "ada").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.wasm");
    fs::copy(WRITE_ONCE, &file).unwrap();
    let args = ["decisions", "replay", &id, file.to_str().unwrap(), "--constraint", "write-once", "--watch"];
    let mut child = scruple(&server, &acme, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = tokio::task::spawn_blocking(move || {
        let first = lines.next().unwrap().unwrap();
        // Whole when it is there: an editor that writes a file while it is read is another matter.
        fs::copy(REQUIRED_ATTRIBUTES, file.with_extension("new")).unwrap();
        fs::rename(file.with_extension("new"), &file).unwrap();
        (first, lines.next().unwrap().unwrap())
    });
    let (first, second) = read.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains("the same: deny"), "{first}");
    assert!(second.contains("undecidable"), "{second}");
}

fn shadowing(plugin: &str, settings: &Value) -> Value {
    json!({ "plugin": plugin, "settings": settings, "mode": "shadow" })
}

async fn differences(acme: &TenantClient, one: &str, other: &str) -> Value {
    let path = acme.api_path(&format!("/constraints/{one}/differences?with={other}"));
    acme.admin.get(&path).await.expect_status(200).body
}

#[tokio::test]
async fn two_versions_are_compared_on_live_traffic_and_only_their_differences_are_told() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    acme.set("next", shadowing("safe-values", &mail_at("example.org"))).await.expect_status(200);
    let mut both = user("both");
    both["emails"] = json!([{ "value": "a@elsewhere.net" }]);
    for name in ["ada", "bob"] {
        acme.post("/Users", user(name)).await.expect_status(201);
    }
    acme.post("/Users", both).await.expect_status(400);
    let found = differences(&acme, "safe-values", "next").await;
    assert_eq!((&found["compared"], &found["same"]), (&json!(3), &json!(1)), "{found:#}");
    let difference = &found["differences"][0];
    let said = json!([{ "verdict": "allow", "reasons": [] }, { "verdict": "deny", "reasons": ["domain"] }]);
    assert_eq!(json!([difference["was"], difference["would_be"]]), said);
    let newest: Vec<Value> = acme.decisions().await[1..3].iter().map(|decision| decision["id"].clone()).collect();
    assert_eq!((&difference["count"], &difference["decisions"]), (&json!(2), &json!(newest)));
    let other_way = differences(&acme, "next", "safe-values").await;
    assert_eq!(other_way["differences"][0]["was"], difference["would_be"]);
    assert_eq!(differences(&acme, "safe-values", "none").await["compared"], 0);

    let diff = ["constraint", "diff", "safe-values", "next"];
    let told = output(&server, &acme, &diff).await;
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(said.starts_with("3 decisions compared, 1 the same\n  2 × deny (domain) instead of allow: "), "{said}");
    assert_eq!(output(&server, &acme, &["constraint", "diff", "next", "next"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_candidate_is_tried_on_what_was_decided_and_what_it_cannot_know_is_counted() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, once()).await;
    for name in ["ada", "bob"] {
        renumbered(&acme, name).await;
    }
    let backtest = async |query: &str, component: &str| {
        let path = acme.api_path(&format!("/constraints/write-once/backtest{query}"));
        acme.admin.send(acme.admin.request(Method::POST, &path).body(fs::read(component).unwrap())).await
    };
    let same = backtest("", WRITE_ONCE).await.expect_status(200).body;
    assert_eq!((&same["compared"], &same["same"]), (&json!(2), &json!(2)), "{same:#}");
    assert_eq!((&same["differences"], &same["undecidable"]), (&json!([]), &json!([])));
    let looping = backtest("?settings={}&limit=1", SPIN_FOREVER).await.expect_status(200).body;
    assert_eq!((&looping["compared"], &looping["differences"][0]["count"]), (&json!(1), &json!(1)), "{looping:#}");
    assert_eq!(looping["differences"][0]["would_be"]["reasons"], json!(["out-of-fuel"]));
    let other = backtest("?settings={\"attributes\":[\"title\"]}", WRITE_ONCE).await.expect_status(200).body;
    assert_eq!((&other["compared"], &other["undecidable"][0]["count"]), (&json!(0), &json!(2)), "{other:#}");
    let settings = backtest("", PROTECTED_ACCOUNTS).await.expect_status(422);
    assert_eq!(settings.body["code"], "invalid-settings");
    for query in ["?limit=0", "?limit=1001", "?since=yesterday", "?colour=red"] {
        assert_eq!(backtest(query, WRITE_ONCE).await.expect_status(400).body["code"], "invalid-query", "{query}");
    }
    let candidate = ["constraint", "diff", "write-once", "--candidate", WRITE_ONCE];
    let told = output(&server, &acme, &candidate).await;
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "2 decisions compared, 2 the same");
    let neither = output(&server, &acme, &candidate[..3]).await;
    assert_eq!(neither.status.code(), Some(2), "{neither:?}");
}
