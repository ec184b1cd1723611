//! What each verdict does to the change, the answer and the log.

use scruple_tests::components::ANSWERS;
use scruple_tests::{Response, TenantClient, TestServer, user};
use serde_json::{Value, json};

const DECISION: &str = "urn:scruple:params:scim:api:messages:1.0:Decision";

/// Puts the guest that answers as it is told to work under a name.
async fn answers(acme: &TenantClient, name: &str, settings: Value, more: Value) {
    acme.upload("answers", std::fs::read(ANSWERS).unwrap()).await;
    let mut body = json!({ "plugin": "answers", "settings": settings });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    acme.set(name, body).await.expect_status(200);
}

async fn create_under(settings: Value, more: Value) -> (TestServer, TenantClient, Response) {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    answers(&acme, "rule", settings, more).await;
    let answer = acme.post("/Users", user("ada")).await;
    (server, acme, answer)
}

fn because(code: &str) -> Value {
    json!({ "code": code, "message": format!("because of {code}"), "paths": ["userName"] })
}

#[tokio::test]
async fn the_whole_answer_to_a_denied_change() {
    let settings = json!({ "verdict": "deny", "reasons": [because("first"), because("second")] });
    let (_server, acme, answer) = create_under(settings, json!({})).await;
    let decision = answer.decision_id().unwrap();
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body,
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error", DECISION],
            "status": "403",
            "detail": "rule: because of first (userName); rule: because of second (userName)",
            DECISION: {
                "decisionId": decision,
                "outcome": "denied",
                "reasons": [
                    { "constraint": "rule", "code": "first", "message": "because of first", "paths": ["userName"] },
                    { "constraint": "rule", "code": "second", "message": "because of second", "paths": ["userName"] },
                ],
            },
        })
    );
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);
    assert_eq!(acme.decision(&decision).await["outcome"], "denied");
}

#[tokio::test]
async fn the_scim_type_of_a_reason_picks_the_status() {
    for (scim_type, status) in [("uniqueness", 409), ("mutability", 400), ("invalidValue", 400)] {
        let mut reason = because("typed");
        reason["scimType"] = scim_type.into();
        let (_server, _acme, answer) = create_under(json!({ "verdict": "deny", "reasons": [reason] }), json!({})).await;
        assert_eq!((answer.status, &answer.body["scimType"]), (status, &json!(scim_type)));
    }
}

#[tokio::test]
async fn allow_and_not_applicable_let_pass_and_are_told_apart_in_the_log() {
    for verdict in ["allow", "not-applicable"] {
        let (_server, acme, answer) = create_under(json!({ "verdict": verdict }), json!({})).await;
        let decision = acme.decision(&answer.expect_status(201).decision_id().unwrap()).await;
        assert_eq!(decision["outcome"], "allowed");
        assert_eq!(decision["evaluations"][0]["verdict"], verdict);
    }
}

#[tokio::test]
async fn a_held_change_is_503_with_the_time_to_come_back() {
    let settings = json!({ "verdict": "hold", "reasons": [because("later")], "notBeforeSeconds": 90 });
    let (_server, acme, answer) = create_under(settings, json!({})).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("90")));
    assert_eq!(answer.reason_codes(), ["later"]);
    assert_eq!(acme.decisions().await[0]["outcome"], "held");
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);
}

#[tokio::test]
async fn every_constraint_is_asked_even_after_a_denial_and_all_reasons_are_told() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for name in ["one", "two", "three"] {
        answers(&acme, name, json!({ "verdict": "deny", "reasons": [because(name)] }), json!({})).await;
    }
    answers(&acme, "zero", json!({ "verdict": "allow" }), json!({ "order": 9 })).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    let mut codes = refused.reason_codes();
    codes.sort_unstable();
    assert_eq!(codes, ["one", "three", "two"]);
    let decision = acme.decision(&refused.decision_id().unwrap()).await;
    assert_eq!(decision["evaluations"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_denial_outweighs_a_hold_and_a_fault_outweighs_both() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    answers(&acme, "holds", json!({ "verdict": "hold", "reasons": [because("later")] }), json!({})).await;
    answers(&acme, "denies", json!({ "verdict": "deny", "reasons": [because("never")] }), json!({})).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    assert_eq!(refused.body[DECISION]["outcome"], "denied");
    answers(&acme, "breaks", json!({ "verdict": "fault" }), json!({})).await;
    let refused = acme.post("/Users", user("ada")).await.expect_status(403);
    assert_eq!(refused.body[DECISION]["outcome"], "faulted");
}

#[tokio::test]
async fn shadow_says_nothing_warn_says_it_and_off_is_not_asked() {
    let settings = json!({ "verdict": "deny", "reasons": [because("strict")] });
    for (mode, warned, asked) in [("shadow", false, 1), ("warn", true, 1), ("off", false, 0)] {
        let (_server, acme, answer) = create_under(settings.clone(), json!({ "mode": mode })).await;
        let answer = answer.expect_status(201);
        let warning = answer.header("warning").unwrap_or_default();
        assert_eq!(warning.contains("rule: because of strict"), warned, "{mode}: {warning}");
        let decision = acme.decision(&answer.decision_id().unwrap()).await;
        assert_eq!(decision["evaluations"].as_array().unwrap().len(), asked, "{mode}");
        if asked == 1 {
            assert_eq!(decision["evaluations"][0]["verdict"], "deny", "{mode}");
            assert_eq!(decision["evaluations"][0]["mode"], mode);
        }
    }
}

#[tokio::test]
async fn warnings_and_notes_are_recorded_and_refuse_nothing() {
    let settings = json!({
        "verdict": "allow", "warnings": [because("odd")], "notes": [["rule", "seven of nine"]], "log": ["for the author"],
    });
    let (_server, acme, answer) = create_under(settings, json!({})).await;
    let answer = answer.expect_status(201);
    assert!(answer.header("warning").unwrap().contains("because of odd"));
    let evaluation = acme.decision(&answer.decision_id().unwrap()).await["evaluations"][0].clone();
    assert_eq!(evaluation["warnings"][0]["code"], "odd");
    assert_eq!(evaluation["notes"], json!([{ "key": "rule", "value": "seven of nine" }]));
    assert!(!evaluation.to_string().contains("for the author"), "the log is kept apart from the decision");
}

#[tokio::test]
async fn a_change_that_a_constraint_does_not_declare_is_not_shown_to_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    // `required-attributes` judges users only.
    acme.enforce(scruple_tests::components::REQUIRED_ATTRIBUTES, json!({ "attributes": ["title"] })).await;
    let made = acme.post("/Groups", scruple_tests::group("Staff", &[])).await.expect_status(201);
    let decision = acme.decision(&made.decision_id().unwrap()).await;
    assert_eq!(decision["evaluations"], json!([]));
}

#[tokio::test]
async fn the_problems_that_a_component_finds_in_its_settings_are_told_by_pointer() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.upload("answers", std::fs::read(ANSWERS).unwrap()).await.expect_status(201);
    let settings = json!({ "verdict": "allow", "problems": [["/verdict", "not on a Monday"]] });
    let refused = acme.set("rule", json!({ "plugin": "answers", "settings": settings })).await.expect_status(422);
    assert_eq!(refused.body["code"], "invalid-settings");
    assert_eq!(refused.body["errors"], json!([{ "pointer": "/verdict", "detail": "not on a Monday" }]));
}

#[tokio::test]
async fn what_the_benchmarks_measure_judges_by_five_attributes() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(scruple_tests::components::FIVE_READS, json!({})).await;
    acme.post("/Users", scruple_tests::bench::full_user("ada")).await.expect_status(201);
    let refused = acme.post("/Users", user("bob")).await.expect_status(403);
    assert_eq!(refused.reason_codes(), ["incomplete"]);
    let reads = acme.decision(&refused.decision_id().unwrap()).await["evaluations"][0]["reads"].clone();
    assert_eq!(reads.as_array().map(Vec::len), Some(5), "{reads:#}");
}
