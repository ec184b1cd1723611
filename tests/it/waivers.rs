//! `/api/v1/tenants/{tenant}/waivers`, and that nothing goes around them.

use scruple_tests::components::{SAFE_VALUES, WRITE_ONCE};
use scruple_tests::{Response, TenantClient, TestServer, mail_at, patch_op, user};
use serde_json::{Value, json};

const UNTIL: &str = "2027-01-31T00:00:00Z";

async fn waive(acme: &TenantClient, body: Value) -> Response {
    acme.admin.post(&acme.api_path("/waivers"), body).await
}

/// A waiver of what keeps `externalId` as it is, with these members instead.
fn renumbering(more: Value) -> Value {
    let mut body = json!({
        "constraint": "write-once", "code": "immutable-attribute", "until": UNTIL, "ticket": "IAM-1",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn listed(acme: &TenantClient) -> Vec<Value> {
    let found = acme.admin.get(&acme.api_path("/waivers")).await.expect_status(200);
    found.body["waivers"].as_array().unwrap().clone()
}

/// A tenant whose numbers are set once, and somebody who has one.
async fn with_numbers(server: &TestServer) -> (TenantClient, String) {
    let acme = server.tenant("acme").await;
    acme.enforce(WRITE_ONCE, json!({ "attributes": ["externalId"] })).await;
    let mut ada = user("ada");
    ada["externalId"] = json!("E1");
    let id = acme.post("/Users", ada).await.expect_status(201).id();
    (acme, id)
}

fn to(number: &str) -> Value {
    json!([patch_op("replace", "externalId", json!(number))])
}

#[tokio::test]
async fn a_waived_reason_refuses_nothing_on_any_way_and_is_in_the_log_and_counted() {
    let server = TestServer::start().await;
    let (acme, ada) = with_numbers(&server).await;
    let path = format!("/Users/{ada}");
    acme.patch(&path, to("E2")).await.expect_status(400);
    let made = waive(&acme, renumbering(json!({ "resource": ada }))).await.expect_status(201).body;
    assert_eq!((&made["state"], &made["uses"], &made["by"]), (&json!("in-force"), &json!(0), &json!("acme admin")));

    acme.patch(&path, to("E2")).await.expect_status(200);
    let mut put = user("ada");
    put["externalId"] = json!("E3");
    acme.put(&path, put).await.expect_status(200);
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "PATCH", "path": path, "data": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": to("E4"),
        } }],
    });
    let done = acme.post("/Bulk", bulk).await.expect_status(200);
    assert_eq!(done.body["Operations"][0]["status"], "200", "{:#}", done.body);

    let decision = &acme.decisions().await[0];
    let evaluation = &decision["evaluations"][0];
    assert_eq!((&decision["outcome"], &evaluation["verdict"]), (&json!("allowed"), &json!("deny")));
    let waived = json!([{ "reason": 0, "code": "immutable-attribute", "waiver": made["id"] }]);
    assert_eq!(evaluation["waived"], waived);
    let found = &listed(&acme).await[0];
    assert_eq!((&found["uses"], &found["used_in"]), (&json!(3), &decision["id"]));
}

#[tokio::test]
async fn a_waiver_is_for_those_it_names_and_for_as_long_as_it_is_in_force() {
    let server = TestServer::start().await;
    let (acme, ada) = with_numbers(&server).await;
    let mut bob = user("bob");
    bob["externalId"] = json!("B1");
    let bob = acme.post("/Users", bob).await.expect_status(201).id();
    let of_ada = json!({ "resource_type": "User", "filter": "USERNAME eq \"ADA\"" });
    let made = waive(&acme, renumbering(of_ada)).await.expect_status(201).body;
    assert_eq!(made["filter"], "userName eq \"ADA\"", "in canonical spelling");
    acme.patch(&format!("/Users/{ada}"), to("E2")).await.expect_status(200);
    acme.patch(&format!("/Users/{bob}"), to("B2")).await.expect_status(400);
    // Not by becoming one of them in the same request.
    let renamed =
        json!([patch_op("replace", "userName", json!("ada2")), patch_op("replace", "externalId", json!("B2"))]);
    acme.patch(&format!("/Users/{bob}"), renamed).await.expect_status(400);

    let id = made["id"].as_str().unwrap();
    let path = acme.api_path(&format!("/waivers/{id}"));
    let revoked = acme.admin.delete(&path).await.expect_status(200).body;
    assert_eq!((&revoked["state"], &revoked["revoked_by"]), (&json!("revoked"), &json!("acme admin")));
    acme.patch(&format!("/Users/{ada}"), to("E3")).await.expect_status(400);
    acme.admin.delete(&path).await.expect_status(404);
    assert_eq!(listed(&acme).await.len(), 1, "it stays in the list");
}

#[tokio::test]
async fn only_what_is_waived_does_not_count() {
    let server = TestServer::start().await;
    let (acme, ada) = with_numbers(&server).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    waive(&acme, renumbering(json!({ "resource": ada }))).await.expect_status(201);
    let both = json!([
        patch_op("replace", "externalId", json!("E2")),
        patch_op("replace", "emails", json!([{ "value": "ada@elsewhere.org", "type": "work" }])),
    ]);
    let refused = acme.patch(&format!("/Users/{ada}"), both).await.expect_status(400);
    assert_eq!(refused.reason_codes(), ["domain"], "{:#}", refused.body);
    assert_eq!(listed(&acme).await[0]["uses"], 0, "nothing was committed by it");
}

#[tokio::test]
async fn a_waiver_that_makes_no_sense_is_refused_and_names_what_is_wrong() {
    let server = TestServer::start().await;
    let (acme, ada) = with_numbers(&server).await;
    let of_ada = json!({ "resource": ada });
    let with = |name: &str, value: Value| {
        let mut body = renumbering(of_ada.clone());
        body[name] = value;
        body
    };
    let matching = |filter: &str| renumbering(json!({ "resource_type": "User", "filter": filter }));
    for (body, pointer, named) in [
        (with("until", json!("2001-01-01T00:00:00Z")), "/until", "has passed"),
        (with("until", json!("2999-01-01T00:00:00Z")), "/until", "366 days"),
        (with("until", json!("tomorrow")), "/until", "`tomorrow`"),
        (with("constraint", json!("none")), "/constraint", "`none`"),
        (with("code", json!("No Code")), "/code", "lower-case"),
        (with("ticket", json!(" ")), "/ticket", "printable"),
        (with("resource", json!("ada")), "/resource", "`ada`"),
        (with("resource", json!("00000000-0000-7000-8000-000000000000")), "/resource", "no resource"),
        (with("filter", json!("userName pr")), "/resource", "either"),
        (renumbering(json!({})), "/resource", "either"),
        (matching("userName eq"), "/filter", "where a value should be"),
        (matching("colour eq \"red\""), "/filter", "colour"),
        (matching("groups.value eq \"x\""), "/filter", "kept apart"),
        (renumbering(json!({ "resource_type": "Robot", "filter": "id pr" })), "/resource_type", "`Robot`"),
    ] {
        let refused = waive(&acme, body.clone()).await.expect_status(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}: {:#}", refused.body);
        let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{body}: {detail}");
    }
    waive(&acme, with("colour", json!("red"))).await.expect_status(400);
    assert_eq!(listed(&acme).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_tenant_has_so_many_waivers_in_force_and_no_more() {
    let server = TestServer::start().await;
    let (acme, ada) = with_numbers(&server).await;
    let waiver = renumbering(json!({ "resource": ada }));
    for _ in 0..100 {
        waive(&acme, waiver.clone()).await.expect_status(201);
    }
    let refused = waive(&acme, waiver.clone()).await.expect_status(409);
    assert!(refused.detail().contains("100 waivers"), "{}", refused.detail());
    let id = listed(&acme).await[0]["id"].as_str().unwrap().to_owned();
    acme.admin.delete(&acme.api_path(&format!("/waivers/{id}"))).await.expect_status(200);
    waive(&acme, waiver).await.expect_status(201);
}
