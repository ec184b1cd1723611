//! What the operator sees of the server, and a tenant of its constraints, without anybody reading a log.

use std::process::Command;

use reqwest::Method;
use scruple_tests::components::{SAFE_VALUES, SPIN_FOREVER, TRAP};
use scruple_tests::{TestServer, mail_at, user};
use serde_json::{Value, json};

/// What the operator is told, and its media type.
async fn scraped(server: &TestServer) -> (String, String) {
    let request = reqwest::Client::new().request(Method::GET, format!("http://{}/metrics", server.address));
    let answer = request.bearer_auth(server.operator().token()).send().await.unwrap().error_for_status().unwrap();
    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.text().await.unwrap(), media_type)
}

/// The number in the line that begins so.
fn number(text: &str, series: &str) -> f64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    rest.unwrap_or_else(|| panic!("no `{series}` in:\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn the_operator_sees_what_is_asked_how_it_is_answered_and_whose_constraints_break() {
    let server = TestServer::start().await;
    let (acme, broken) = (server.tenant("acme").await, server.tenant("broken").await);
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    let mut elsewhere = user("eve");
    elsewhere["emails"] = json!([{ "value": "eve@elsewhere.org" }]);
    acme.post("/Users", elsewhere).await.expect_status(400);
    acme.get("/Users").await.expect_status(200);
    acme.upload("rules", b"no component".to_vec()).await.expect_status(422);
    broken.enforce(SPIN_FOREVER, json!({})).await;
    for _ in 0..3 {
        broken.post("/Users", user("ada")).await.expect_status(403);
    }

    let (text, media_type) = scraped(&server).await;
    assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
    for (series, expected) in [
        (r#"scruple_decisions_total{outcome="allowed"}"#, 1.0),
        (r#"scruple_decisions_total{outcome="denied"}"#, 1.0),
        (r#"scruple_decisions_total{outcome="faulted"}"#, 3.0),
        (r#"scruple_evaluations_total{answer="allow"}"#, 1.0),
        (r#"scruple_evaluations_total{answer="deny"}"#, 1.0),
        (r#"scruple_evaluations_total{answer="fault"}"#, 3.0),
        ("scruple_evaluation_seconds_count", 5.0),
        (r#"scruple_evaluation_fuel_bucket{le="1e+07"}"#, 5.0),
        (r#"scruple_compilations_total{ending="done"}"#, 2.0),
        (r#"scruple_requests_total{class="scim-read",status="2xx"}"#, 1.0),
        (r#"scruple_requests_total{class="scim-write",status="2xx"}"#, 1.0),
        (r#"scruple_requests_total{class="scim-write",status="4xx"}"#, 4.0),
        (r#"scruple_requests_total{class="api-write",status="4xx"}"#, 1.0),
        (r#"scruple_under_way{queue="writes"}"#, 0.0),
        (r#"scruple_constraint_faults_total{tenant="broken",constraint="spin-forever",kind="out-of-fuel"}"#, 3.0),
    ] {
        assert_eq!(number(&text, series), expected, "{series} in:\n{text}");
    }
    assert!(number(&text, "scruple_evaluation_fuel_sum") > 30_000_000.0);
    assert!(!text.contains("acme"), "a tenant is named of whom there is nothing to say:\n{text}");

    server.operator().delete("/api/v1/tenants/broken").await.expect_status(204);
    assert!(!scraped(&server).await.0.contains("broken"), "a tenant that is gone is still named");
}

#[tokio::test]
async fn a_tenant_sees_how_often_its_constraint_broke_and_where_to_read_why() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(TRAP, json!({})).await;
    let shown = async || acme.admin.get(&acme.api_path("/constraints/trap")).await.expect_status(200).body;
    assert_eq!(shown().await["faults"], Value::Null);

    acme.post("/Users", user("ada")).await.expect_status(403);
    let last = acme.post("/Users", user("eve")).await.expect_status(403).decision_id().unwrap();
    let faults = shown().await["faults"].clone();
    assert_eq!((&faults["count"], &faults["kinds"]), (&json!(2), &json!({ "trap": 2 })));
    assert_eq!((&faults["last_kind"], &faults["last_decision"]), (&json!("trap"), &json!(last)));
    let decision = acme.decision(&last).await;
    assert_eq!(decision["at"], faults["last_at"]);

    // It is still in force: a guard is not switched off because it is broken.
    let listed = acme.admin.get(&acme.api_path("/constraints")).await.expect_status(200).body;
    assert_eq!((&listed["constraints"][0]["mode"], &listed["constraints"][0]["faults"]), (&json!("enforce"), &faults));
    let mut list = Command::new(env!("CARGO_BIN_EXE_scruple-under-test"));
    list.args(["constraint", "list", "--server", &format!("http://{}", server.address)]);
    list.env("SCRUPLE_TENANT", "acme").env("SCRUPLE_TOKEN", acme.admin.token());
    let output = tokio::task::spawn_blocking(move || list.output().unwrap()).await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("2, the last (trap) in {last}")), "{told}");
}
