//! A tenant that requires signatures.

use scruple_tests::components::CHECK_SETTINGS_BREAKS;

use super::*;

const SETTINGS: &str = "externalId";

fn constraint(order: i32) -> Value {
    json!({ "plugin": "write-once", "settings": { "attributes": [SETTINGS] }, "order": order })
}

/// The same in a file that is applied.
fn applied(digest: &str, order: i32) -> Value {
    let constraint = json!({ "digest": digest, "settings": { "attributes": [SETTINGS] }, "order": order });
    json!({ "constraints": { "write-once": constraint } })
}

async fn shown_policy(acme: &TenantClient) -> Value {
    acme.admin.get(&acme.api_path("/signing-policy")).await.expect_status(200).body
}

/// A tenant that knows two keys and has a constraint in force that nobody has signed.
async fn tenant(server: &TestServer) -> (TenantClient, String) {
    let acme = server.tenant("acme").await;
    add_key(&acme, "release", 1).await.expect_status(200);
    add_key(&acme, "review", 2).await.expect_status(200);
    push(&acme, bytes(WRITE_ONCE), "").await.expect_status(201);
    acme.set("write-once", constraint(0)).await.expect_status(200);
    (acme, digest(&bytes(WRITE_ONCE)))
}

#[tokio::test]
async fn what_is_not_signed_as_required_is_refused_before_it_is_compiled() {
    let server = TestServer::start().await;
    let (acme, _) = tenant(&server).await;
    require(&acme, 1, &["release", "review"]).await.expect_status(200);
    // It is no component: whoever had looked would say so.
    let refused = push(&acme, b"no component".to_vec(), "").await.expect_status(422);
    assert_eq!(refused.body["code"], "unsigned");
    assert!(refused.detail().contains("by one of the keys `release`, `review`; it is signed by none of them"));
    let signed = word(&key(2).sign(&digest(b"no component")));
    assert_eq!(
        push(&acme, b"no component".to_vec(), &signed).await.expect_status(422).body["code"],
        "component-invalid"
    );

    // A key that is known and does not count is not enough.
    require(&acme, 1, &["release"]).await.expect_status(200);
    let refused = push(&acme, b"no component".to_vec(), &signed).await.expect_status(422);
    assert_eq!(refused.body["code"], "unsigned");
    assert!(refused.detail().ends_with("by the key `release`; it is signed by none of them"), "{}", refused.detail());
    require(&acme, 2, &["release", "review"]).await.expect_status(200);
    let refused = push(&acme, b"no component".to_vec(), &signed).await.expect_status(422);
    assert!(refused.detail().ends_with("by 2 of the keys `release`, `review`; it is signed by `review` alone"));
}

#[tokio::test]
async fn the_code_of_what_is_not_signed_is_not_asked_about_settings() {
    let server = TestServer::start().await;
    let (acme, _) = tenant(&server).await;
    acme.upload("broken", bytes(CHECK_SETTINGS_BREAKS)).await.expect_status(201);
    let set = async || acme.set("broken", json!({ "plugin": "broken", "settings": { "way": "trap" } })).await;
    assert_eq!(set().await.expect_status(422).body["code"], "component-fault");
    require(&acme, 1, &["release"]).await.expect_status(200);
    assert_eq!(set().await.expect_status(422).body["code"], "unsigned");
}

#[tokio::test]
async fn what_is_in_force_stays_so_and_is_not_put_to_work_again_until_it_is_signed() {
    let server = TestServer::start().await;
    let (acme, digest) = tenant(&server).await;
    acme.set("write-once", constraint(1)).await.expect_status(200);
    let (wanted, changed) = (applied(&digest, 1), applied(&digest, 7));
    let plan = async |wanted: &Value| acme.admin.post(&acme.api_path("/plan"), wanted.clone()).await;

    let set = require(&acme, 1, &["release"]).await.expect_status(200).body;
    assert_eq!(set["unsigned"][0]["constraint"], "write-once");
    assert_eq!(set, shown_policy(&acme).await);
    let listed = acme.admin.get(&acme.api_path("/constraints")).await.expect_status(200).body;
    assert_eq!(listed["constraints"][0]["unsigned"], set["unsigned"][0]["detail"], "the list says so");
    let mut ada = user("ada");
    ada["externalId"] = json!("E1");
    let ada = acme.post("/Users", ada).await.expect_status(201).id();
    let renumbered = json!([scruple_tests::patch_op("replace", SETTINGS, json!("E2"))]);
    acme.patch(&format!("/Users/{ada}"), renumbered.clone()).await.expect_status(400);

    let refused = acme.set("write-once", constraint(2)).await.expect_status(422);
    assert_eq!(refused.body["code"], "unsigned");
    let back = acme.api_path("/constraints/write-once/rollback");
    assert_eq!(acme.admin.post(&back, json!({})).await.expect_status(422).body["code"], "unsigned");
    let refused = plan(&changed).await.expect_status(422).body;
    assert_eq!(refused["errors"][0]["pointer"], "/constraints/write-once");
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("by the key `release`"));
    assert_eq!(plan(&wanted).await.expect_status(200).body["changes"], 0, "what is as wanted is left alone");
    let shown = acme.admin.get(&acme.api_path("/constraints/write-once")).await.expect_status(200).body;
    assert_eq!((&shown["revision"], &shown["signed_by"]), (&json!(2), &json!([])));

    push(&acme, bytes(WRITE_ONCE), &word(&key(1).sign(&digest))).await.expect_status(200);
    assert_eq!(shown_policy(&acme).await["unsigned"], json!([]));
    let shown = acme.admin.get(&acme.api_path("/constraints/write-once")).await.expect_status(200).body;
    assert_eq!((&shown["unsigned"], &shown["signed_by"][0]["key"]), (&Value::Null, &json!("release")));
    acme.admin.post(&back, json!({})).await.expect_status(200);
    plan(&changed).await.expect_status(200);

    // A key that is removed counts no more, and nobody else is in its place: nothing passes until the policy is set anew.
    acme.admin.delete(&acme.api_path("/signing-keys/release")).await.expect_status(204);
    let refused = acme.set("write-once", constraint(3)).await.expect_status(422);
    assert!(refused.detail().contains("no key counts any more"), "{}", refused.detail());
    assert_eq!((&shown_policy(&acme).await["required"], &shown_policy(&acme).await["keys"]), (&json!(1), &json!([])));
    acme.patch(&format!("/Users/{ada}"), renumbered).await.expect_status(400);
    acme.admin.delete(&acme.api_path("/constraints/write-once")).await.expect_status(204);
    require(&acme, 0, &[]).await.expect_status(200);
    acme.set("write-once", constraint(3)).await.expect_status(200);
}

#[tokio::test]
async fn a_file_is_not_applied_by_a_plan_that_was_made_before_signatures_were_required() {
    let server = TestServer::start().await;
    let (acme, digest) = tenant(&server).await;
    let mut wanted = applied(&digest, 5);
    let plan = acme.admin.post(&acme.api_path("/plan"), wanted.clone()).await.expect_status(200).body;
    require(&acme, 1, &["release"]).await.expect_status(200);
    wanted["generation"] = plan["generation"].clone();
    let refused = acme.admin.post(&acme.api_path("/apply"), wanted).await.expect_status(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/constraints/write-once");
    let shown = acme.admin.get(&acme.api_path("/constraints/write-once")).await.expect_status(200).body;
    assert_eq!((&shown["order"], &shown["revision"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn a_policy_that_nobody_can_satisfy_is_not_set() {
    let server = TestServer::start().await;
    let (acme, _) = tenant(&server).await;
    for (required, keys, code) in [
        (1, vec![], "invalid-policy"),
        (3, vec!["release", "review"], "invalid-policy"),
        (2, vec!["release", "release"], "invalid-policy"),
        (0, vec!["release"], "invalid-policy"),
        (1, vec!["nobody"], "unknown-signing-key"),
    ] {
        assert_eq!(
            require(&acme, required, &keys).await.expect_status(422).body["code"],
            code,
            "{required} of {keys:?}"
        );
    }
    assert_eq!(shown_policy(&acme).await, json!({ "required": 0, "keys": [], "unsigned": [] }));
}

#[tokio::test]
async fn whoever_may_only_write_constraints_sees_keys_and_policy_and_changes_neither() {
    let server = TestServer::start().await;
    let (acme, _) = tenant(&server).await;
    let body = json!({ "label": "author", "scopes": ["author"] });
    let token = acme.admin.post(&acme.api_path("/tokens"), body).await.expect_status(201).body;
    let author = acme.admin.with_token(token["token"].as_str().unwrap());
    author.get(&acme.api_path("/signing-keys")).await.expect_status(200);
    author.get(&acme.api_path("/signing-policy")).await.expect_status(200);
    author.put(&acme.api_path("/signing-policy"), json!({ "required": 0 })).await.expect_status(403);
    author.delete(&acme.api_path("/signing-keys/release")).await.expect_status(403);
    let body = json!({ "public_key": key(9).public().to_pem() });
    author.put(&acme.api_path("/signing-keys/mine"), body).await.expect_status(403);
}
