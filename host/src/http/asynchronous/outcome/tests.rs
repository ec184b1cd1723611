//! What is kept of an answer, and what its client is told.

use uuid::Uuid;

use super::*;
use crate::decision::DecisionId;
use crate::http::respond;

const BASE: &str = "http://x/scim/acme/v2";
const TXN: Txn = Txn(Uuid::from_u128(0xA));
const SIMPLE: &str = "0000000000000000000000000000000a";

fn about(method: &'static str, target: &str) -> About {
    About { base: BASE.to_owned(), method, target: target.to_owned() }
}

/// As it is told after it was kept.
fn told(outcome: &Outcome) -> Value {
    let outcome = serde_json::to_string(outcome).unwrap();
    let at = Timestamp::from_second(9).unwrap();
    let progress = Progress::Finished { at, outcome };
    message(TXN, &AsyncRequest { accepted_at: Timestamp::UNIX_EPOCH, progress }).unwrap()
}

fn event(txn: &str, uri: &str, operation: Value) -> Value {
    json!({
        "jti": txn, "txn": txn, "iat": 9, "iss": BASE, "sub_id": { "format": "scim", "uri": uri },
        "events": { "urn:ietf:params:scim:event:misc:asyncresp": operation },
    })
}

#[test]
fn an_unfinished_request_is_running() {
    let progress = Progress::Unfinished { request: "{}".to_owned() };
    let running = message(TXN, &AsyncRequest { accepted_at: Timestamp::UNIX_EPOCH, progress }).unwrap();
    let expected = json!({
        "schemas": ["urn:scruple:params:scim:api:messages:1.0:AsyncRequest"],
        "txn": SIMPLE, "acceptedAt": "1970-01-01T00:00:00Z", "state": "running",
    });
    assert_eq!(running, expected);
}

#[tokio::test]
async fn an_answer_is_told_as_it_would_have_been_given_and_as_an_event() {
    let mut response = respond::message(StatusCode::CREATED, json!({ "userName": "ada" }));
    let location = format!("{BASE}/Users/7");
    for (name, value) in
        [("etag", "W/\"1\""), ("location", &location), ("warning", "199 a \"b\""), ("warning", "199 c \"d\"")]
    {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    let answered = Answered::of(Ok(response), "r").await;
    let told = told(&Outcome::done(about("POST", "/Users"), &answered));
    let operation = json!({ "method": "POST", "location": location, "version": "W/\"1\"", "status": "201" });
    let expected = json!({
        "schemas": ["urn:scruple:params:scim:api:messages:1.0:AsyncRequest"],
        "txn": SIMPLE, "acceptedAt": "1970-01-01T00:00:00Z", "state": "done", "finishedAt": "1970-01-01T00:00:09Z",
        "status": "201",
        "headers": { "etag": "W/\"1\"", "location": location, "warning": "199 a \"b\", 199 c \"d\"" },
        "response": { "userName": "ada" },
        "securityEvents": [event(SIMPLE, "/Users/7", operation)],
    });
    assert_eq!(told, expected);
    let given = answered.into_response();
    assert_eq!(
        (given.status(), given.headers()["content-type"].to_str().unwrap()),
        (StatusCode::CREATED, "application/scim+json")
    );
}

#[tokio::test]
async fn the_event_of_an_error_has_its_message_and_ours_are_told_like_any_other() {
    let cause: Box<dyn std::error::Error + Send + Sync> = "the disk is full".into();
    let answered = Answered::of(Err(ScimFailure::Internal(cause.into())), "r").await;
    let told = told(&Outcome::done(about("PUT", "/Users/7"), &answered));
    assert_eq!((&told["status"], &told["response"]["status"]), (&json!("500"), &json!("500")));
    assert!(!told.to_string().contains("disk"), "{told}");
    let operation = json!({ "method": "PUT", "status": "500", "response": told["response"] });
    assert_eq!(told["securityEvents"], json!([event(SIMPLE, "/Users/7", operation)]));
}

#[tokio::test]
async fn each_operation_of_a_bulk_request_has_an_event_by_its_place() {
    let location = format!("{BASE}/Users/7");
    let first = json!({ "method": "POST", "bulkId": "a", "location": location, "version": "W/\"1\"", "status": "201" });
    let last = json!({ "method": "POST", "status": "400", "response": { "status": "400" } });
    let mut response = respond::message(StatusCode::OK, json!({ "Operations": [first, last] }));
    response.extensions_mut().insert(Places([0, 2].into()));
    let answered = Answered::of(Ok(response), "r").await;
    let told = told(&Outcome::done(about("POST", "/Bulk"), &answered));
    let expected = [event(&format!("{SIMPLE}:0"), "/Users/7", first), event(&format!("{SIMPLE}:2"), "/Bulk", last)];
    assert_eq!(told["securityEvents"], json!(expected));

    // One that is refused as a whole has no operations.
    let answered = Answered::of(Err(ScimError::payload_too_large(7).into()), "r").await;
    let told = self::told(&Outcome::done(about("POST", "/Bulk"), &answered));
    assert_eq!(told["securityEvents"][0]["txn"], SIMPLE);
    assert_eq!(told["status"], "413");
}

#[tokio::test]
async fn of_a_long_answer_the_body_is_not_kept() {
    let response = respond::message(StatusCode::OK, json!({ "title": "x".repeat(BODY_BYTES_MAX) }));
    let answered = Answered::of(Ok(response), "r").await;
    let told = told(&Outcome::done(about("PUT", "/Users/7"), &answered));
    assert_eq!((&told["status"], told.get("response")), (&json!("200"), None));
}

#[test]
fn an_interrupted_request_is_told_what_was_decided() {
    let record = json!({
        "outcome": "allowed", "action": "create", "resource_type": "User", "resource_id": "7", "evaluations": []
    });
    let decision = StoredDecision { id: DecisionId(Uuid::from_u128(1)), record };
    let told = told(&Outcome::interrupted(&[decision]));
    let expected = json!([{
        "decisionId": "00000000-0000-0000-0000-000000000001",
        "outcome": "allowed", "action": "create", "resourceType": "User", "resourceId": "7",
    }]);
    assert_eq!((&told["state"], &told["decisions"]), (&json!("interrupted"), &expected));
    assert_eq!(told.get("status"), None, "nobody knows what the answer would have been");
}
