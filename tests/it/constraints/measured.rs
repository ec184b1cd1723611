//! What the benchmarks measure does what they say it does.

use scruple_tests::bench::change::{ENTERPRISE, Update};
use scruple_tests::bench::full_user;
use scruple_tests::components::{COMPARED_RULE, FIVE_READS};
use scruple_tests::{TenantClient, TestServer};
use serde_json::{Value, json};

async fn reads(acme: &TenantClient, decision: &str) -> usize {
    acme.decision(decision).await["evaluations"][0]["reads"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn the_compared_rule_judges_updates_by_name_department_and_external_id() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(COMPARED_RULE, json!({})).await;
    let update = Update::allowed(1_024).unwrap();
    let path = format!("/Users/{}", acme.post("/Users", update.before).await.expect_status(201).id());
    let allowed = acme.put(&path, update.after).await.expect_status(200);
    assert_eq!(reads(&acme, &allowed.decision_id().unwrap()).await, 4);

    let [named, identified, placed] = Update::denied(1_024).unwrap();
    assert_eq!(acme.put(&path, named.after).await.expect_status(403).reason_codes(), ["user-name"]);
    assert_eq!(acme.put(&path, identified.after).await.expect_status(403).reason_codes(), ["external-id"]);
    assert_eq!(acme.put(&path, placed.after).await.expect_status(403).reason_codes(), ["department"]);
}

#[tokio::test]
async fn five_reads_are_recorded_once_and_none_of_a_deletion() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(FIVE_READS, json!({})).await;
    let mut user = full_user("ada");
    let created = acme.post("/Users", user.clone()).await.expect_status(201);
    assert_eq!(reads(&acme, &created.decision_id().unwrap()).await, 5);
    let path = format!("/Users/{}", created.id());

    user["title"] = "Countess".into();
    let updated = acme.put(&path, user.clone()).await.expect_status(200);
    assert_eq!(reads(&acme, &updated.decision_id().unwrap()).await, 5);
    user[ENTERPRISE]["department"] = Value::Null;
    assert_eq!(acme.put(&path, user).await.expect_status(403).reason_codes(), ["incomplete"]);

    let deleted = acme.delete(&path).await.expect_status(204);
    assert_eq!(reads(&acme, &deleted.decision_id().unwrap()).await, 0);
}
