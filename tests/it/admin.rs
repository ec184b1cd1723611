//! `/api/v1`: tenants, tokens, plugins, constraints. Who may pass is in `tenancy/coverage.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple_tests::components::{REQUIRED_ATTRIBUTES, SAFE_VALUES};
use scruple_tests::{TestServer, mail_at, user};
use serde_json::json;

#[tokio::test]
async fn a_token_is_shown_once_works_at_once_and_is_revoked_at_once() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let body = json!({ "label": "Okta", "scopes": ["scim"] });
    let made = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201).body;
    let client = acme.scim.with_token(made["token"].as_str().unwrap());
    client.get("/scim/acme/v2/Users").await.expect_status(200);

    let listed = acme.admin.get(&acme.api_path("/tokens")).await.expect_status(200).body;
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap()));
    assert!(listed["tokens"].as_array().unwrap().iter().any(|token| token["label"] == "Okta"));

    let path = acme.api_path(&format!("/tokens/{}", made["id"].as_str().unwrap()));
    acme.admin.delete(&path).await.expect_status(204);
    client.get("/scim/acme/v2/Users").await.expect_status(401);
    acme.admin.delete(&path).await.expect_status(404);
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_refused_for_what_is_wrong() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (body, code, named) in [
        (json!({ "label": "", "scopes": ["scim"] }), "invalid-label", "label"),
        (json!({ "label": "x", "scopes": [] }), "invalid-scope", "scim"),
        (json!({ "label": "x", "scopes": ["root"] }), "invalid-scope", "root"),
        (json!({ "label": "x", "scopes": ["scim"], "expires_at": "soon" }), "invalid-expiry", "soon"),
        (json!({ "label": "x", "scopes": ["scim"], "expires_at": "2001-01-01T00:00:00Z" }), "invalid-expiry", "2001"),
        (json!({ "label": "x", "scope": ["scim"] }), "invalid-body", "scope"),
    ] {
        let refused = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(400);
        assert_eq!(refused.body["code"], code);
        assert!(refused.detail().contains(named), "{}", refused.detail());
    }
}

#[tokio::test]
async fn a_tenants_settings_are_changed_one_by_one_or_together() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let change = |body: serde_json::Value| async { acme.admin.patch(&acme.api_path(""), body).await };
    let of = |tenant: &serde_json::Value| {
        (tenant["profile"].clone(), tenant["respond_async"].clone(), tenant["generation"].clone())
    };
    let shown = acme.admin.get(&acme.api_path("")).await.expect_status(200).body;
    assert_eq!(of(&shown), (json!("rfc"), json!(false), json!(0)));
    let changed = change(json!({ "respond_async": true })).await.expect_status(200).body;
    assert_eq!(of(&changed), (json!("rfc"), json!(true), json!(0)));
    let changed = change(json!({ "profile": "entra" })).await.expect_status(200).body;
    assert_eq!(of(&changed), (json!("entra"), json!(true), json!(1)));
    let changed = change(json!({ "profile": "okta", "respond_async": false })).await.expect_status(200).body;
    assert_eq!(of(&changed), (json!("okta"), json!(false), json!(2)));
    for (days, generation) in [(json!(90), 2), (json!(null), 2)] {
        let changed = change(json!({ "decisions_kept_days": days })).await.expect_status(200).body;
        assert_eq!((&changed["decisions_kept_days"], &changed["generation"]), (&days, &json!(generation)));
        assert_eq!(of(&changed), (json!("okta"), json!(false), json!(2)));
    }
    for (body, code) in [
        (json!({}), "nothing-to-change"),
        (json!({ "profile": "onelogin" }), "invalid-profile"),
        (json!({ "respond_async": "on" }), "invalid-body"),
        (json!({ "decisions_kept_days": 0 }), "invalid-days"),
        (json!({ "decisions_kept_days": 36_501 }), "invalid-days"),
        (json!({ "decisions_kept_days": -1 }), "invalid-body"),
        (json!({ "respond-async": true }), "invalid-body"),
    ] {
        assert_eq!(change(body).await.expect_status(400).body["code"], code);
    }
    let shown = acme.admin.get(&acme.api_path("")).await.expect_status(200).body;
    assert_eq!(shown, changed);
}

#[tokio::test]
async fn the_same_component_again_is_the_same_version() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let component = std::fs::read(SAFE_VALUES).unwrap();
    let first = acme.upload("rules", component.clone()).await.expect_status(201).body;
    let again = acme.upload("rules", component).await.expect_status(200).body;
    assert_eq!((&first["version"], &first["digest"]), (&again["version"], &again["digest"]));
    assert_eq!(first["version"], 1);
    assert_eq!(first["descriptor"]["name"], "safe-values");
    assert!(first["compile_ms"].is_number());

    let other = acme.upload("rules", std::fs::read(REQUIRED_ATTRIBUTES).unwrap()).await.expect_status(201).body;
    assert_eq!(other["version"], 2);
    let listed = acme.admin.get(&acme.api_path("/plugins/rules/versions")).await.expect_status(200).body;
    assert_eq!(listed["versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn settings_that_break_the_schema_are_named_by_pointer_and_nothing_changes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let before = acme.admin.get(&acme.api_path("/constraints")).await.body;
    assert_eq!((&before["generation"], before["constraints"].as_array().map(Vec::len)), (&json!(1), Some(1)));

    let wrong = json!({ "plugin": "safe-values", "settings": { "rules": "example.com" } });
    let refused = acme.set("safe-values", wrong).await.expect_status(422);
    assert_eq!(refused.body["code"], "invalid-settings");
    assert_eq!(refused.body["errors"][0]["pointer"], "/rules");

    let unknown = json!({ "plugin": "safe-values", "version": 9 });
    assert_eq!(acme.set("safe-values", unknown).await.expect_status(422).body["code"], "unknown-version");
    let mode = json!({ "plugin": "safe-values", "mode": "sometimes" });
    assert_eq!(acme.set("safe-values", mode).await.expect_status(400).body["code"], "invalid-mode");
    let grants = json!({
        "plugin": "safe-values", "settings": mail_at("example.com"),
        "grants": { "reads": [], "capabilities": ["directory:User"] },
    });
    let refused = acme.set("safe-values", grants).await.expect_status(422);
    assert_eq!(refused.body["code"], "invalid-grants");
    assert!(refused.detail().contains("directory:User"), "{}", refused.detail());

    let after = acme.admin.get(&acme.api_path("/constraints")).await.body;
    for name in ["generation", "constraints"] {
        assert_eq!(after[name], before[name]);
    }
}

#[tokio::test]
async fn a_constraint_goes_back_to_an_earlier_state_and_its_history_stays() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
    acme.post("/Users", user("bob")).await.expect_status(400);

    let back = acme.admin.post(&acme.api_path("/constraints/safe-values/rollback"), json!({})).await.expect_status(200);
    assert_eq!(back.body["settings"], mail_at("example.com"));
    assert_eq!(back.body["revision"], 3);
    acme.post("/Users", user("bob")).await.expect_status(201);

    let history = acme.admin.get(&acme.api_path("/constraints/safe-values/history")).await.expect_status(200).body;
    let revisions: Vec<_> = history["history"].as_array().unwrap().iter().map(|state| &state["revision"]).collect();
    assert_eq!(revisions, [&json!(3), &json!(2), &json!(1)]);

    acme.admin.delete(&acme.api_path("/constraints/safe-values")).await.expect_status(204);
    let mut elsewhere = user("eve");
    elsewhere["emails"] = json!([{ "value": "eve@nowhere.net" }]);
    acme.post("/Users", elsewhere).await.expect_status(201);
    acme.admin.get(&acme.api_path("/constraints/safe-values")).await.expect_status(404);

    let revived = json!({ "revision": 2 });
    let back = acme.admin.post(&acme.api_path("/constraints/safe-values/rollback"), revived).await.expect_status(200);
    assert_eq!((&back.body["revision"], &back.body["settings"]), (&json!(5), &mail_at("elsewhere.org")));
    let missing = acme.admin.post(&acme.api_path("/constraints/safe-values/rollback"), json!({ "revision": 4 })).await;
    assert_eq!(missing.expect_status(422).body["code"], "unknown-revision");
}

#[tokio::test]
async fn a_tenant_has_no_more_constraints_than_it_may() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let body = json!({ "plugin": "safe-values", "settings": mail_at("example.com") });
    for n in 1..50 {
        acme.set(&format!("rule-{n}"), body.clone()).await.expect_status(200);
    }
    let refused = acme.set("one-more", body.clone()).await.expect_status(409);
    assert_eq!(refused.body["code"], "too-many-constraints");
    acme.set("rule-7", body).await.expect_status(200);
}

#[tokio::test]
async fn every_change_to_the_constraints_raises_the_generation() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let generation = async || acme.admin.get(&acme.api_path("/constraints")).await.body["generation"].as_i64().unwrap();
    let first = generation().await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let second = generation().await;
    acme.admin.delete(&acme.api_path("/constraints/safe-values")).await.expect_status(204);
    let third = generation().await;
    assert!(first < second && second < third, "{first} {second} {third}");
}

#[tokio::test]
async fn a_token_stops_being_valid_when_it_expires() {
    let now = Arc::new(AtomicI64::new(1_800_000_000));
    let clock = Arc::clone(&now);
    let clock = Clock::from_fn(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
    let server = TestServer::start_at(Config::default(), clock).await;
    let acme = server.tenant("acme").await;
    let expires_at = Timestamp::from_second(1_800_003_600).unwrap().to_string();
    let body = json!({ "label": "short", "scopes": ["scim"], "expires_at": expires_at });
    let made = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201).body;
    let client = acme.scim.with_token(made["token"].as_str().unwrap());
    now.fetch_add(3_599, Ordering::Relaxed);
    client.get("/scim/acme/v2/Users").await.expect_status(200);
    now.fetch_add(1, Ordering::Relaxed);
    let refused = client.get("/scim/acme/v2/Users").await.expect_status(401);
    assert!(refused.detail().contains("expired"), "{}", refused.detail());
}

#[tokio::test]
async fn an_author_uploads_and_looks_and_puts_nothing_to_work() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let body = json!({ "label": "CI", "scopes": ["author"] });
    let made = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201).body;
    let author = acme.admin.with_token(made["token"].as_str().unwrap());
    let upload = author.request(reqwest::Method::POST, &acme.api_path("/plugins/other/versions"));
    author.send(upload.body(std::fs::read(REQUIRED_ATTRIBUTES).unwrap())).await.expect_status(201);
    for path in ["/plugins", "/constraints", "/constraints/safe-values/history", "/decisions"] {
        author.get(&acme.api_path(path)).await.expect_status(200);
    }
    let other = json!({ "plugin": "other", "settings": { "attributes": ["title"] } });
    author.put(&acme.api_path("/constraints/other"), other).await.expect_status(403);
    author.delete(&acme.api_path("/constraints/safe-values")).await.expect_status(403);
    author.post(&acme.api_path("/constraints/safe-values/rollback"), json!({})).await.expect_status(403);
    author.get(&acme.api_path("/tokens")).await.expect_status(403);
    author.get("/scim/acme/v2/Users").await.expect_status(403);
}
