//! `/api/v1/tenants/{tenant}/decisions`.

use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{TenantClient, TestServer, mail_at, patch_op, user};
use serde_json::{Value, json};

async fn list(acme: &TenantClient, query: &str) -> Value {
    acme.admin.get(&acme.api_path(&format!("/decisions{query}"))).await.expect_status(200).body
}

fn ids(page: &Value) -> Vec<String> {
    page["decisions"].as_array().unwrap().iter().map(|decision| decision["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_admitted_change_without_constraints_is_recorded_so() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let made = acme.post("/Users", user("ada")).await.expect_status(201);
    let decision = acme.decision(&made.decision_id().unwrap()).await;
    assert_eq!(decision["outcome"], "allowed");
    assert_eq!(decision["action"], "create");
    assert_eq!(decision["resource_type"], "User");
    assert_eq!(decision["resource_id"], made.id().as_str());
    assert_eq!(decision["actor"]["label"], "acme scim");
    assert_eq!(decision["evaluations"], json!([]));
    assert_eq!(decision["request_id"], made.header("x-request-id").unwrap());
}

#[tokio::test]
async fn the_log_is_filtered_by_verdict_constraint_resource_and_time() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let first = acme.post("/Users", user("ada")).await.expect_status(201);
    acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
    let denied = acme.post("/Users", user("bob")).await.expect_status(400);
    let title = json!([patch_op("add", "title", json!("Countess"))]);
    let changed = acme.patch(&format!("/Users/{}", first.id()), title).await.expect_status(200);
    let [first_id, denied, changed] = [&first, &denied, &changed].map(|answer| answer.decision_id().unwrap());

    let all = [changed.clone(), denied.clone(), first_id.clone()];
    assert_eq!(ids(&list(&acme, "").await), all);
    assert_eq!(ids(&list(&acme, "?verdict=denied").await), all[1..2]);
    assert_eq!(ids(&list(&acme, "?constraint=safe-values").await), [changed.clone(), denied.clone()]);
    assert_eq!(ids(&list(&acme, "?constraint=none").await), Vec::<String>::new());
    assert_eq!(ids(&list(&acme, &format!("?resource={}", first.id())).await), [changed, first_id]);
    assert_eq!(ids(&list(&acme, "?since=2001-01-01T00:00:00Z").await), all);
    assert_eq!(ids(&list(&acme, "?since=2999-01-01T00:00:00Z").await), Vec::<String>::new());
}

#[tokio::test]
async fn the_log_is_walked_by_cursor_without_gap_or_repetition() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for n in 0..7 {
        acme.post("/Users", user(&format!("user{n}"))).await.expect_status(201);
    }
    let whole = ids(&list(&acme, "").await);
    let (mut walked, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = list(&acme, &query).await;
        walked.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&cursor={next}");
    }
    assert_eq!(walked, whole);
    assert_eq!(walked.len(), 7);
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_and_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for (query, named) in [
        ("?since=yesterday", "yesterday"),
        ("?verdict=maybe", "maybe"),
        ("?resource=ada", "resource"),
        ("?cursor=xyz", "cursor"),
        ("?limit=many", "limit"),
        ("?colour=red", "colour"),
    ] {
        let refused = acme.admin.get(&acme.api_path(&format!("/decisions{query}"))).await.expect_status(400);
        assert_eq!(refused.body["code"], "invalid-query", "{query}");
        assert!(refused.detail().contains(named), "{query}: {}", refused.detail());
    }
}
