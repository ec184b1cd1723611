//! One hostile guest per limit: what stops it, how it is recorded, what the client sees. A fault is never a denial.

use scruple_tests::components::{
    ANSWERS, CHECK_SETTINGS_BREAKS, DEEP_RECURSION, FAILS, GROW_MEMORY, HOST_CALL_FLOOD, HUGE_OUTPUT,
    PANIC_WITH_MESSAGE, PANICS_WITH_ALL_IT_READ, SPIN_FOREVER, TRAP,
};
use scruple_tests::{TenantClient, TestServer, user};
use serde_json::{Value, json};

/// Creates a user under the guest, which must fault in this way; returns the fault and the answer's detail.
async fn check(component: &str, settings: Value, kind: &str) -> (Value, String) {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(component, settings).await;
    let name = std::path::Path::new(component).file_stem().unwrap().to_str().unwrap().to_owned();

    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    let id = refused.decision_id().unwrap();
    assert_eq!(refused.detail(), format!("constraint `{name}` could not be evaluated; decision {id}"));
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);

    let decision = acme.decision(&id).await;
    assert_eq!(decision["outcome"], "faulted");
    let evaluation = &decision["evaluations"][0];
    assert_eq!(evaluation["verdict"], "fault");
    let fault = evaluation["fault"].clone();
    assert_eq!(fault["kind"], kind, "{fault:#}");

    fails_open(&acme, &name).await;
    (fault, refused.detail().to_owned())
}

/// The same constraint with `on_fault: allow`: the change passes, the fault is recorded all the same.
async fn fails_open(acme: &TenantClient, name: &str) {
    let mut body = acme.admin.get(&acme.api_path(&format!("/constraints/{name}"))).await.expect_status(200).body;
    body = json!({ "plugin": body["plugin"], "settings": body["settings"], "on_fault": "allow" });
    acme.set(name, body).await.expect_status(200);
    let passed = acme.post("/Users", user("ada")).await.expect_status(201);
    let decision = acme.decision(&passed.decision_id().unwrap()).await;
    assert_eq!((&decision["outcome"], &decision["evaluations"][0]["verdict"]), (&json!("allowed"), &json!("fault")));
}

#[tokio::test]
async fn a_constraint_that_never_returns_is_stopped_by_its_fuel() {
    let (fault, _) = check(SPIN_FOREVER, json!({}), "out-of-fuel").await;
    assert!(fault["message"].as_str().unwrap().contains("fuel"), "{fault}");
}

#[tokio::test]
async fn a_constraint_that_never_returns_is_stopped_by_the_clock_when_fuel_would_not() {
    let mut config = scruple::config::Config::default();
    config.sandbox.fuel_max = Some(u64::MAX / 2);
    config.sandbox.deadline_ms = Some(50);
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    acme.enforce(SPIN_FOREVER, json!({})).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    let decision = acme.decision(&refused.decision_id().unwrap()).await;
    assert_eq!(decision["evaluations"][0]["fault"]["kind"], "deadline");
}

#[tokio::test]
async fn a_constraint_that_takes_memory_is_stopped_by_the_limit() {
    check(GROW_MEMORY, json!({}), "memory").await;
}

/// The stack of a constraint built with the SDK lies at the beginning of its memory: it traps where memory ends, before
/// the engine's limit is reached. A guest that reaches that one is tested beside the sandbox.
#[tokio::test]
async fn a_constraint_that_recurses_is_stopped_where_its_stack_ends() {
    check(DEEP_RECURSION, json!({}), "trap").await;
}

#[tokio::test]
async fn a_constraint_that_floods_the_host_is_stopped_by_its_calls() {
    check(HOST_CALL_FLOOD, json!({}), "host-calls").await;
}

#[tokio::test]
async fn a_constraint_that_says_too_much_is_stopped_by_the_limits_on_what_it_says() {
    for (way, kind) in [
        ("message", "output"),
        ("reasons", "output"),
        ("error", "output"),
        ("notes", "bad-output"),
        ("warnings", "bad-output"),
    ] {
        check(HUGE_OUTPUT, json!({ "way": way, "bytes": 400_000 }), kind).await;
    }
}

/// A log changes no outcome, so what is beyond its limit is dropped and no fault.
#[tokio::test]
async fn a_constraint_that_logs_too_much_is_not_heard_to_the_end() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(HUGE_OUTPUT, json!({ "way": "log", "bytes": 400_000 })).await;
    acme.post("/Users", user("ada")).await.expect_status(201);
}

#[tokio::test]
async fn a_trap_is_a_fault() {
    check(TRAP, json!({}), "trap").await;
}

#[tokio::test]
async fn an_error_is_a_fault_with_the_constraints_own_words_for_the_log_alone() {
    let (fault, detail) = check(FAILS, json!({}), "failed").await;
    assert!(fault["message"].as_str().unwrap().contains("the stars are not right"), "{fault}");
    assert!(!detail.contains("stars"), "{detail}");
}

#[tokio::test]
async fn a_panic_is_an_error_with_its_message_and_not_a_bare_trap() {
    let (fault, detail) = check(PANIC_WITH_MESSAGE, json!({}), "failed").await;
    assert!(fault["message"].as_str().unwrap().contains("the moon is full"), "{fault}");
    assert!(!detail.contains("moon"), "{detail}");
}

#[tokio::test]
async fn a_denial_without_a_reason_is_bad_output() {
    check(ANSWERS, json!({ "verdict": "deny", "reasons": [] }), "bad-output").await;
}

#[tokio::test]
async fn one_tenants_broken_constraint_does_not_stop_another_tenant() {
    let server = TestServer::start().await;
    let (acme, globex) = (server.tenant("acme").await, server.tenant("globex").await);
    acme.enforce(SPIN_FOREVER, json!({})).await;
    let (refused, passed) = tokio::join!(acme.post("/Users", user("ada")), globex.post("/Users", user("ada")));
    assert_eq!((refused.status, passed.status), (403, 201));
}

/// Its message may have what it was granted, and is for the log alone; a password is nowhere.
#[tokio::test]
async fn a_panic_with_all_that_could_be_read_tells_the_client_nothing_and_the_log_no_secret() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(PANICS_WITH_ALL_IT_READ, json!({})).await;
    let mut ada = user("ada");
    ada["password"] = json!("open-sesame-4711");
    ada["title"] = json!("of the analytical engine ".repeat(400));
    let refused = acme.post("/Users", ada).await.expect_status(403);
    let answer = refused.body.to_string();
    for word in ["open-sesame", "ada@example.com", "analytical"] {
        assert!(!answer.contains(word), "{answer}");
    }
    let decision = acme.decision(&refused.decision_id().unwrap()).await;
    let message = decision["evaluations"][0]["fault"]["message"].as_str().unwrap();
    assert!(message.contains("`password` is not granted") && message.contains("ada@example.com"), "{message}");
    assert!(message.ends_with('…') && message.len() < 4_096 + 100, "{} bytes", message.len());
    assert!(!decision.to_string().contains("open-sesame"), "{decision:#}");
}

#[tokio::test]
async fn a_constraint_that_breaks_over_its_settings_is_not_put_to_work() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let component = std::fs::read(CHECK_SETTINGS_BREAKS).unwrap();
    acme.upload("rules", component).await.expect_status(201);
    for (way, expected) in [
        ("loop", "used all of its fuel (10000000)"),
        ("trap", "wasm `unreachable` instruction executed"),
        ("panic", "the settings are not to my liking"),
        ("problems", "1000 problems, more than the limit of 32"),
    ] {
        let body = json!({ "plugin": "rules", "settings": { "way": way } });
        let refused = acme.set("rules", body).await.expect_status(422);
        assert_eq!(refused.body["code"], "component-fault", "{:#}", refused.body);
        assert!(refused.detail().contains(expected), "{way}: {}", refused.detail());
    }
    for wrong in [json!({ "way": 7 }), json!([]), json!(null), json!({ "way": "loop", "more": 1 })] {
        let body = json!({ "plugin": "rules", "settings": wrong });
        let refused = acme.set("rules", body).await;
        assert!(matches!(refused.status, 400 | 422), "{wrong}: {:#}", refused.body);
    }
    let listed = acme.admin.get(&acme.api_path("/constraints")).await.expect_status(200).body;
    assert!(!listed.to_string().contains("rules"), "{listed:#}");
    acme.post("/Users", user("ada")).await.expect_status(201);
}
