//! Waivers in a plan.

use jiff::{Span, Timestamp};
use scruple_tests::components::WRITE_ONCE;
use scruple_tests::{TenantClient, TestServer, patch_op, user};
use serde_json::{Value, json};

use super::{applied, apply, generation, plan, uploaded, write_once};

const UNTIL: &str = "2027-01-31T00:00:00Z";

fn contractors(until: &str) -> Value {
    json!({
        "constraint": "write-once", "code": "immutable-attribute", "resource_type": "User",
        "filter": "USERTYPE  eq \"Contractor\"", "until": until, "ticket": "IAM-1",
    })
}

fn one(resource: &str) -> Value {
    json!({
        "constraint": "write-once", "code": "immutable-attribute", "resource": resource, "until": UNTIL, "ticket": "IAM-2",
    })
}

/// What becomes of each waiver, and for whom it is.
fn waivers(plan: &Value) -> Vec<String> {
    let steps = plan["waivers"].as_array().unwrap().iter();
    steps
        .map(|step| format!("{} {}", step["state"]["ticket"].as_str().unwrap(), step["action"].as_str().unwrap()))
        .collect()
}

/// Ticket and state of each waiver that ever was, oldest first.
async fn kept(acme: &TenantClient) -> Vec<String> {
    let found = acme.admin.get(&acme.api_path("/waivers")).await.expect_status(200).body;
    let rows = found["waivers"].as_array().unwrap().iter().rev();
    rows.map(|row| format!("{} {}", row["ticket"].as_str().unwrap(), row["state"].as_str().unwrap())).collect()
}

/// A tenant with `write-once` in force by a file, somebody to whom it applies, and the file.
async fn tenant(server: &TestServer) -> (TenantClient, String, Value) {
    let acme = server.tenant("acme").await;
    let digest = uploaded(&acme, "write-once", WRITE_ONCE).await;
    let mut ada = user("ada");
    ada["externalId"] = json!("E1");
    let ada = acme.post("/Users", ada).await.expect_status(201).id();
    let wanted = json!({ "constraints": { "write-once": write_once(&digest, &["externalId"]) } });
    (acme, ada, wanted)
}

#[tokio::test]
async fn waivers_come_with_their_constraint_stay_as_they_are_and_are_taken_back() {
    let server = TestServer::start().await;
    let (acme, ada, mut wanted) = tenant(&server).await;
    wanted["waivers"] = json!([contractors(UNTIL), one(&ada)]);
    let done = applied(&acme, &wanted).await;
    assert_eq!(waivers(&done), ["IAM-1 create", "IAM-2 create"]);
    assert_eq!((&done["changes"], generation(&acme).await), (&json!(3), json!(1)), "all in one generation");
    assert_eq!(done["waivers"][0]["state"]["filter"], "userType eq \"Contractor\"", "in canonical spelling");
    let renumbered = json!([patch_op("replace", "externalId", json!("E2"))]);
    acme.patch(&format!("/Users/{ada}"), renumbered.clone()).await.expect_status(200);

    let again = applied(&acme, &wanted).await;
    assert_eq!(
        (waivers(&again), &again["changes"]),
        (vec!["IAM-1 unchanged".into(), "IAM-2 unchanged".into()], &json!(0))
    );
    let listed = acme.admin.get(&acme.api_path("/waivers?in_force=true")).await.expect_status(200).body;
    assert_eq!(listed["waivers"][1]["uses"], 1, "it is the same one still: {listed:#}");
    // A waiver is what it says: one that says another thing is another.
    wanted["waivers"][0]["ticket"] = json!("IAM-3");
    wanted["waivers"].as_array_mut().unwrap().pop();
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    assert_eq!(waivers(&planned), ["IAM-3 create", "IAM-1 remove", "IAM-2 remove"]);
    wanted["keep_others"] = json!(true);
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    assert_eq!(waivers(&planned), ["IAM-3 create", "IAM-1 kept", "IAM-2 kept"]);
    wanted["keep_others"] = json!(false);
    applied(&acme, &wanted).await;
    assert_eq!(kept(&acme).await, ["IAM-1 revoked", "IAM-2 revoked", "IAM-3 in-force"]);
    acme.patch(&format!("/Users/{ada}"), json!([patch_op("replace", "externalId", json!("E3"))]))
        .await
        .expect_status(400);

    // A part that is left out stays as it is.
    wanted.as_object_mut().unwrap().remove("waivers");
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    assert_eq!((waivers(&planned), &planned["changes"]), (vec!["IAM-3 kept".into()], &json!(0)));
    let gone = applied(&acme, &json!({ "waivers": [] })).await;
    assert_eq!(waivers(&gone), ["IAM-3 remove"]);
}

#[tokio::test]
async fn a_file_stays_right_when_time_passes_and_when_what_it_waives_is_gone() {
    let server = TestServer::start().await;
    let (acme, ada, mut wanted) = tenant(&server).await;
    applied(&acme, &wanted).await;
    // Ends before the test does.
    #[expect(clippy::disallowed_methods, reason = "the server's time is the system's")]
    let soon = Timestamp::now().checked_add(Span::new().milliseconds(1_500)).unwrap();
    wanted["waivers"] = json!([contractors(&soon.to_string()), one(&ada)]);
    applied(&acme, &wanted).await;
    // Made twice by hand, it is the same to a file.
    acme.admin.post(&acme.api_path("/waivers"), one(&ada)).await.expect_status(201);
    acme.delete(&format!("/Users/{ada}")).await.expect_status(204);
    let planned = plan(&acme, &wanted).await.expect_status(200).body;
    assert_eq!((waivers(&planned).concat(), &planned["changes"]), ("IAM-1 unchangedIAM-2 unchanged".into(), &json!(0)));
    assert_eq!(
        (planned["waivers"][1]["ids"].as_array().unwrap().len(), &planned["waivers"][0]["ended"]),
        (2, &json!(false))
    );
    while kept(&acme).await[0] == "IAM-1 in-force" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(kept(&acme).await[0], "IAM-1 expired");
    let later = applied(&acme, &wanted).await;
    assert_eq!((&later["changes"], &later["waivers"][0]["ended"]), (&json!(0), &json!(true)), "{later:#}");
    // But one that nobody has made, and both of the others at once.
    wanted["waivers"] = json!([contractors("2001-01-01T00:00:00Z")]);
    let refused = plan(&acme, &wanted).await.expect_status(422).body;
    assert_eq!(
        refused["errors"],
        json!([{ "pointer": "/waivers/0/until", "detail": "`2001-01-01T00:00:00Z` has passed" }])
    );
    wanted["waivers"] = json!([]);
    assert_eq!(applied(&acme, &wanted).await["waivers"][0]["ids"].as_array().unwrap().len(), 2);
    assert_eq!(kept(&acme).await, ["IAM-1 expired", "IAM-2 revoked", "IAM-2 revoked"]);
}

#[tokio::test]
async fn waivers_that_cannot_be_are_told_with_their_places_and_nothing_is_done() {
    let server = TestServer::start().await;
    let (acme, ada, mut wanted) = tenant(&server).await;
    let with = |name: &str, value: &str| {
        let mut waiver = contractors(UNTIL);
        waiver[name] = json!(value);
        waiver
    };
    wanted["constraints"]["broken"] = json!({ "version": 1, "mode": "loud" });
    wanted["waivers"] = json!([
        contractors(UNTIL),
        with("filter", "userType eq \"Contractor\""),
        with("until", "tomorrow"),
        with("until", "2999-01-01T00:00:00Z"),
        with("constraint", "nobody"),
        { "constraint": "nobody", "code": "No", "resource_type": "User", "filter": "colour pr", "until": UNTIL, "ticket": " " },
        with("resource", &ada),
        one("00000000-0000-7000-8000-000000000000"),
        with("constraint", "broken"),
    ]);
    let refused = plan(&acme, &wanted).await.expect_status(422).body;
    let errors = refused["errors"].as_array().unwrap();
    let pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/constraints/broken/mode",
        "/waivers/1",
        "/waivers/2/until",
        "/waivers/3/until",
        "/waivers/4/constraint",
        "/waivers/5/code",
        "/waivers/5/constraint",
        "/waivers/5/filter",
        "/waivers/5/ticket",
        "/waivers/6/resource",
        "/waivers/7/resource",
    ];
    assert_eq!(pointers, expected, "{errors:#?}");
    apply(&acme, &wanted, &json!(0)).await.expect_status(422);
    // A constraint that goes takes nobody's waiver with it.
    let gone = json!({ "constraints": {}, "waivers": [contractors(UNTIL)] });
    let refused = plan(&acme, &gone).await.expect_status(422).body;
    assert_eq!(refused["errors"][0]["pointer"], "/waivers/0/constraint");
    assert_eq!((generation(&acme).await, kept(&acme).await.len()), (json!(0), 0));
}

#[tokio::test]
async fn a_file_has_no_more_waivers_in_force_than_a_tenant_may_have() {
    let server = TestServer::start().await;
    let (acme, _, mut wanted) = tenant(&server).await;
    let many = |from: usize, count: usize| -> Vec<Value> {
        let waiver = |n: usize| {
            let mut waiver = contractors(UNTIL);
            waiver["ticket"] = json!(format!("T-{n}"));
            waiver
        };
        (from..from + count).map(waiver).collect()
    };
    let too_many = |body: Value, total: usize| {
        let error = &body["errors"][0];
        assert_eq!(error["pointer"], "/waivers");
        let expected = format!("there would be {total} waivers in force, more than the limit of 100");
        assert_eq!(error["detail"], expected);
    };
    wanted["waivers"] = json!(many(0, 101));
    too_many(plan(&acme, &wanted).await.expect_status(422).body, 101);
    wanted["waivers"] = json!(many(0, 100));
    applied(&acme, &wanted).await;
    wanted["waivers"] = json!(many(100, 1));
    assert_eq!(plan(&acme, &wanted).await.expect_status(200).body["changes"], 101);
    wanted["keep_others"] = json!(true);
    too_many(plan(&acme, &wanted).await.expect_status(422).body, 101);
}
