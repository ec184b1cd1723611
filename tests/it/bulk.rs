//! `/Bulk` (RFC 7644 §3.7).

use std::io::Write;
use std::net::TcpStream;

use scruple::config::Config;
use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{Response, TenantClient, TestServer, group, mail_at, patch_op, user};
use serde_json::{Value, json};

fn message(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

async fn bulk(acme: &TenantClient, operations: Value) -> Vec<Value> {
    outcomes(&acme.post("/Bulk", message(operations)).await.expect_status(200))
}

fn outcomes(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    answer.body["Operations"].as_array().unwrap().clone()
}

fn statuses(outcomes: &[Value]) -> Vec<&str> {
    outcomes.iter().map(|outcome| outcome["status"].as_str().unwrap()).collect()
}

fn create(bulk_id: &str, path: &str, data: Value) -> Value {
    json!({ "method": "POST", "path": path, "bulkId": bulk_id, "data": data })
}

/// The path below the tenant's base of what an outcome is about.
fn place(outcome: &Value) -> String {
    outcome["location"].as_str().unwrap().split_once("/v2").unwrap().1.to_owned()
}

/// The ids of the members of the group that an outcome is about.
async fn members(acme: &TenantClient, outcome: &Value) -> Vec<String> {
    let found = acme.get(&place(outcome)).await.expect_status(200);
    let members = found.body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn id(outcome: &Value) -> String {
    place(outcome).rsplit('/').next().unwrap().to_owned()
}

/// §3.7.1: the two groups of the example.
#[tokio::test]
async fn section_3_7_1_groups_that_contain_each_other_are_both_made_whole() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let circular = |bulk_id: &str, name: &str, other: &str| {
        create(
            bulk_id,
            "/Groups",
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": name,
                "members": [{ "type": "Group", "value": format!("bulkId:{other}") }],
            }),
        )
    };
    let operations = json!([circular("qwerty", "Group A", "ytrewq"), circular("ytrewq", "Group B", "qwerty")]);
    let done = bulk(&acme, operations).await;
    assert_eq!(statuses(&done), ["201", "201"]);
    assert_eq!([&done[0]["bulkId"], &done[1]["bulkId"]], ["qwerty", "ytrewq"]);
    assert_eq!(members(&acme, &done[0]).await, [id(&done[1])]);
    assert_eq!(members(&acme, &done[1]).await, [id(&done[0])]);
    for outcome in &done {
        let etag = acme.get(&place(outcome)).await.header("etag").unwrap().to_owned();
        assert_eq!(outcome["version"], etag, "the version is that of the resource as it is now");
    }
}

/// §3.7.2: the user and the group of the example, and the manager.
#[tokio::test]
async fn section_3_7_2_a_reference_is_the_id_of_what_was_created_in_any_order() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    let done = bulk(
        &acme,
        json!([
            create("ytrewq", "/Groups", json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": "Tour Guides",
                "members": [{ "type": "User", "value": "bulkId:qwerty" }],
            })),
            create("bob", "/Users", json!({
                "schemas": [core, enterprise], "userName": "Bob",
                enterprise: { "employeeNumber": "11250", "manager": { "value": "bulkId:qwerty" } },
            })),
            create("qwerty", "/Users", json!({ "schemas": [core], "userName": "Alice" })),
            { "method": "PATCH", "path": "/Users/bulkId:qwerty", "data": {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [patch_op("add", "title", json!("Guide"))],
            } },
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "201", "201", "200"]);
    let alice = id(&done[2]);
    assert_eq!(members(&acme, &done[0]).await, std::slice::from_ref(&alice));
    let bob = acme.get(&place(&done[1])).await;
    assert_eq!(bob.body[enterprise]["manager"]["value"], alice);
    assert_eq!(acme.get(&place(&done[2])).await.body["title"], "Guide");
}

/// §3.7.3: create, replace, change and delete in one request, and what is answered.
#[tokio::test]
async fn section_3_7_3_each_operation_is_answered_as_the_request_by_itself_would_be() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut made = Vec::new();
    for name in ["bob", "eve", "mallory"] {
        made.push(acme.post("/Users", user(name)).await.expect_status(201));
    }
    let path = |n: usize| format!("/Users/{}", made[n].id());
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [patch_op("replace", "nickName", json!("Dave"))],
    });
    let done = bulk(
        &acme,
        json!([
            create("qwerty", "/Users", user("alice")),
            { "method": "PUT", "path": path(0), "version": "W/\"1\"", "data": user("robert") },
            { "method": "PATCH", "path": path(1), "version": "W/\"7\"", "data": patch },
            { "method": "PATCH", "path": path(1), "data": patch },
            { "method": "DELETE", "path": path(2), "version": "W/\"1\"" },
            { "method": "DELETE", "path": path(2) },
            create("again", "/Users", user("alice")),
            { "method": "PUT", "path": "/Users/nobody", "data": user("x") },
            { "method": "GET", "path": path(0) },
            create("where", "/Nowhere", json!({})),
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "200", "412", "200", "204", "404", "409", "404", "400", "404"]);
    assert_eq!(done[0]["version"], "W/\"1\"");
    assert_eq!([&done[0]["method"], &done[0]["bulkId"]], ["POST", "qwerty"]);
    assert_eq!([&done[1]["version"], &done[3]["version"]], ["W/\"2\"", "W/\"2\""]);
    for (n, outcome) in [(0, &done[1]), (1, &done[2]), (1, &done[3]), (2, &done[4]), (2, &done[5])] {
        assert_eq!(outcome["location"], made[n].body["meta"]["location"]);
    }
    // "… for all operations except for failed POST operations, which have no location".
    assert!(done[6].get("location").is_none(), "{:#}", done[6]);
    assert_eq!(done[6]["bulkId"], "again");
    assert_eq!(done[6]["response"]["scimType"], "uniqueness");
    for outcome in done.iter().filter(|outcome| outcome["status"].as_str().unwrap() >= "400") {
        assert_eq!(outcome["response"]["status"], outcome["status"]);
        assert_eq!(outcome["response"]["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
    }
    assert_eq!(acme.get(&path(0)).await.body["userName"], "robert");
    assert_eq!(acme.get(&path(1)).await.body["nickName"], "Dave");
    acme.get(&path(2)).await.expect_status(404);
}

#[tokio::test]
async fn section_3_7_3_after_so_many_errors_nothing_more_is_done() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut request = message(json!([
        create("a", "/Users", user("alice")),
        create("b", "/Users", user("alice")),
        create("c", "/Users", user("carol")),
    ]));
    request["failOnErrors"] = json!(1);
    let done = outcomes(&acme.post("/Bulk", request.clone()).await.expect_status(200));
    assert_eq!(statuses(&done), ["201", "409"]);
    assert_eq!(acme.get("/Users").await.body["totalResults"], 1);
    request["failOnErrors"] = json!(3);
    let done = outcomes(&acme.post("/Bulk", request).await.expect_status(200));
    assert_eq!(statuses(&done), ["409", "409", "201"]);
    let mut request = message(json!([create("d", "/Users", user("dave")), 7, create("e", "/Users", user("eve"))]));
    request["failOnErrors"] = json!(1);
    let done = outcomes(&acme.post("/Bulk", request).await.expect_status(200));
    assert_eq!(statuses(&done), ["201", "400"], "an operation that is none is an error, too");
}

/// §3.7.4.
#[tokio::test]
async fn section_3_7_4_too_many_operations_and_too_large_a_message_name_the_limit() {
    let mut config = Config::default();
    config.scim.body_bytes_max = 2 << 20;
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let operations: Vec<Value> =
        (0..10_000).map(|n| create(&n.to_string(), "/Users", json!({ "userName": format!("user-{n}") }))).collect();
    let refused = acme.post("/Bulk", message(Value::Array(operations))).await.expect_status(413);
    assert!(refused.detail().contains("maxOperations (1000)"), "{}", refused.detail());
    assert_eq!(refused.body["status"], "413");
    let large = message(json!([create("a", "/Users", json!({ "userName": "x".repeat(2 << 20) }))]));
    let refused = acme.post("/Bulk", large).await.expect_status(413);
    assert!(refused.detail().contains("2097152"), "{}", refused.detail());
    assert_eq!(acme.get("/Users").await.body["totalResults"], 0);
}

#[tokio::test]
async fn a_constraint_judges_each_operation_and_stops_only_what_it_refuses() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let mut outsider = user("mallory");
    outsider["emails"] = json!([{ "value": "mallory@elsewhere.org" }]);
    let done = bulk(
        &acme,
        json!([
            create("a", "/Users", user("alice")),
            create("m", "/Users", outsider),
            create("g", "/Groups", group("Guides", &["bulkId:a", "bulkId:m"])),
            create("h", "/Groups", group("Hosts", &["bulkId:a"])),
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "400", "409", "201"], "{done:#?}");
    let refusal = &done[1]["response"]["urn:scruple:params:scim:api:messages:1.0:Decision"];
    assert_eq!(refusal["reasons"][0]["constraint"], "safe-values");
    let decision = acme.decision(refusal["decisionId"].as_str().unwrap()).await;
    assert_eq!(decision["outcome"], "denied");
    assert_eq!(acme.decisions().await.len(), 3, "one for each that was judged");
}

/// The smallest circle is one that no group may close: the group is made, and then cannot be completed.
#[tokio::test]
async fn an_operation_whose_reference_cannot_be_added_has_failed_and_says_where_its_resource_is() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let done = bulk(&acme, json!([create("g", "/Groups", group("Club", &["bulkId:g"]))])).await;
    assert_eq!(statuses(&done), ["400"]);
    assert!(done[0]["response"]["detail"].as_str().unwrap().contains("member of itself"), "{:#}", done[0]);
    assert_eq!(members(&acme, &done[0]).await, [""; 0]);
}

#[tokio::test]
async fn a_message_that_is_none_is_refused_as_a_whole() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for body in
        [json!({}), json!({ "Operations": [] }), message(json!("x")), json!({ "schemas": ["urn:x"], "Operations": [] })]
    {
        let refused = acme.post("/Bulk", body).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidSyntax");
    }
    assert!(bulk(&acme, json!([])).await.is_empty());
    acme.get("/Bulk").await.expect_status(405);
}

#[tokio::test]
async fn what_was_begun_is_finished_also_when_the_client_goes_away() {
    const USERS: usize = 300;
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let operations: Vec<Value> =
        (0..USERS).map(|n| create(&n.to_string(), "/Users", user(&format!("user-{n}")))).collect();
    let body = message(Value::Array(operations)).to_string();
    let token = acme.scim.token().to_owned();
    let mut connection = TcpStream::connect(server.address).unwrap();
    write!(
        connection,
        "POST /scim/acme/v2/Bulk HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len(),
    )
    .unwrap();
    let total = async || acme.query("/Users", &[("count", "0")]).await.body["totalResults"].as_u64().unwrap();
    while total().await == 0 {}
    drop(connection);
    let mut before = total().await;
    // Each look takes longer than a write, so as long as somebody writes there is more to be seen now and then.
    let mut looks_without_news = 0;
    while before < USERS as u64 && looks_without_news < 20_000 {
        let now = total().await;
        looks_without_news = if now > before { 0 } else { looks_without_news + 1 };
        before = now;
    }
    assert_eq!(before, USERS as u64);
}
