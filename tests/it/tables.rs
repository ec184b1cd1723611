//! Tables over HTTP: sent as CSV and JSON, looked into by a shipped plugin, in the decision log.

use reqwest::Method;
use scruple::config::Config;
use scruple::tables::TableLimits;
use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{Response, TenantClient, TestServer, user};
use serde_json::{Value, json};

const DEPARTMENTS: &str = "code,name\nD-7,Engines\nD-8,\"Compilers, assemblers\"\n";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn put(acme: &TenantClient, name: &str, content_type: &str, body: &str) -> Response {
    let request = acme.admin.request(Method::PUT, &acme.api_path(&format!("/tables/{name}")));
    acme.admin.send(request.header("content-type", content_type).body(body.to_owned())).await
}

async fn put_csv(acme: &TenantClient, name: &str, csv: &str) -> Response {
    put(acme, name, "text/csv; charset=utf-8", csv).await
}

/// The body's text, and its media type.
async fn content(acme: &TenantClient, path: &str, accept: &str) -> (u16, String, String) {
    let request = acme.admin.request(Method::GET, &acme.api_path(path)).header("accept", accept);
    let response = request.send().await.unwrap();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), media_type, response.text().await.unwrap())
}

fn in_department(name: &str, department: &str) -> Value {
    let mut user = user(name);
    user["schemas"].as_array_mut().unwrap().push(json!(ENTERPRISE));
    user[ENTERPRISE] = json!({ "department": department });
    user
}

/// Departments are those of the table.
async fn enforce(acme: &TenantClient) {
    let path = format!("{ENTERPRISE}:department");
    let uploaded = acme.upload("safe-values", std::fs::read(SAFE_VALUES).unwrap()).await;
    assert!(matches!(uploaded.status, 200 | 201), "{:#}", uploaded.body);
    let body = json!({
        "plugin": "safe-values",
        "settings": { "rules": [{ "path": path, "table": "departments" }] },
        "grants": { "reads": [path], "capabilities": ["tables:departments"] },
    });
    acme.set("safe-values", body).await.expect_status(200);
}

#[tokio::test]
async fn a_table_is_sent_shown_and_listed() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let made = put_csv(&acme, "departments", DEPARTMENTS).await.expect_status(201).body;
    assert_eq!((&made["revision"], &made["rows"], &made["removed"]), (&json!(1), &json!(2), &json!(false)));
    assert_eq!(
        (&made["columns"], &made["key"], &made["by"]),
        (&json!(["code", "name"]), &json!("code"), &json!("acme admin"))
    );
    assert_eq!(made["digest"].as_str().unwrap().len(), 64);

    let path = "/tables/departments/content";
    let shown = r#"{"D-7":{"name":"Engines"},"D-8":{"name":"Compilers, assemblers"}}"#;
    assert_eq!(content(&acme, path, "*/*").await, (200, "application/json".to_owned(), shown.to_owned()));
    let (status, media_type, text) = content(&acme, path, "text/csv").await;
    assert_eq!((status, text.replace("\r\n", "\n").as_str()), (200, DEPARTMENTS));
    assert_eq!(media_type, "text/csv; charset=utf-8; header=present");

    // The same rows in another form are the same contents.
    let same = put(&acme, "departments", "application/json", shown).await.expect_status(200).body;
    assert_eq!(same, made);
    let generation = acme.admin.get(&acme.api_path("")).await.body["generation"].clone();
    assert_eq!(generation, made["generation"]);
    assert_eq!(acme.admin.get(&acme.api_path("/tables/departments")).await.expect_status(200).body, made);
    assert_eq!(acme.admin.get(&acme.api_path("/tables")).await.body, json!({ "tables": [made] }));
}

#[tokio::test]
async fn a_table_has_revisions_to_go_back_to() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    put(&acme, "codes", "application/json", r#"["a", "b"]"#).await.expect_status(201);
    put(&acme, "codes", "application/json", r#"{"a": [1, {"deep": null}]}"#).await.expect_status(201);
    let path = |rest: &str| acme.api_path(&format!("/tables/codes{rest}"));
    let (status, _, text) = content(&acme, "/tables/codes/content", "text/csv").await;
    assert_eq!(status, 406, "{text}");
    let first = content(&acme, "/tables/codes/content?revision=1", "application/json").await.2;
    assert_eq!(first, r#"{"a":{},"b":{}}"#);

    let back = acme.admin.post(&path("/rollback"), json!({})).await.expect_status(200).body;
    assert_eq!((&back["revision"], &back["rows"]), (&json!(3), &json!(2)));
    acme.admin.delete(&path("")).await.expect_status(204);
    acme.admin.get(&path("")).await.expect_status(404);
    acme.admin.get(&path("/content")).await.expect_status(404);
    acme.admin.delete(&path("")).await.expect_status(404);
    let history = acme.admin.get(&path("/history")).await.expect_status(200).body;
    let rows: Vec<_> = history["history"].as_array().unwrap().iter().map(|table| &table["rows"]).collect();
    assert_eq!(rows, [&Value::Null, &json!(2), &json!(1), &json!(2)]);
    let unknown = acme.admin.post(&path("/rollback"), json!({ "revision": 9 })).await.expect_status(422);
    assert_eq!(unknown.detail(), "table `codes` has no revision 9 to go back to");
    acme.admin.post(&path("/rollback"), json!({ "revision": 2 })).await.expect_status(200);
    assert_eq!(content(&acme, "/tables/codes/content", "*/*").await.2, r#"{"a":[1,{"deep":null}]}"#);
}

#[tokio::test]
async fn what_is_no_table_is_refused_with_its_line_and_beyond_a_limit_with_the_limit() {
    let tables = TableLimits { upload_bytes_max: 100, rows_max: 2, tables_max: 1, ..TableLimits::DEFAULT };
    let server = TestServer::start_with(Config { tables, ..Config::default() }).await;
    let acme = server.tenant("acme").await;
    let check = async |content_type: &str, body: &str, status: u16, detail: &str| {
        let refused = put(&acme, "codes", content_type, body).await.expect_status(status);
        assert!(refused.detail().contains(detail), "{}", refused.detail());
        acme.admin.get(&acme.api_path("/tables/codes")).await.expect_status(404);
    };
    check("text/csv", "code\na\nb\na\n", 422, "line 4: the key `a` is there already, in line 2").await;
    check("text/csv", "code\na\nb\nc\n", 422, "line 4: there are more than 2 rows").await;
    check("application/json", "{\"a\": 1, \"a\": 2}", 422, "the key `a` is there already at line 1").await;
    check("text/csv", &"x".repeat(101), 413, "larger than the limit of 100 bytes").await;
    check(
        "application/xml",
        "<a/>",
        415,
        "`text/csv` with a header or as `application/json`, not as `application/xml`",
    )
    .await;
    check("text/csv; header=absent", "a,b\n", 415, "header=absent").await;
    put_csv(&acme, "-odd-", "code\n").await.expect_status(400);
    let unknown_key = acme.admin.request(Method::PUT, &acme.api_path("/tables/codes?key=id"));
    let refused = acme.admin.send(unknown_key.header("content-type", "text/csv").body("code\na\n")).await;
    assert_eq!(refused.expect_status(422).detail(), "line 1: there is no column `id` for the key; there are `code`");

    put_csv(&acme, "codes", "code\na\n").await.expect_status(201);
    let refused = put_csv(&acme, "others", "code\na\n").await.expect_status(409);
    assert_eq!(refused.detail(), "the tenant has 1 tables already, as many as it may have");
}

#[tokio::test]
async fn a_constraint_judges_by_the_table_of_its_tenant_and_the_decision_says_by_which() {
    let server = TestServer::start().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    enforce(&acme).await;
    enforce(&other).await;
    // Granted and not there: it cannot be judged, so it is refused.
    let faulted = acme.post("/Users", in_department("ada", "D-7")).await.expect_status(403);
    let decision = acme.decision(&faulted.decision_id().unwrap()).await;
    let read = decision["evaluations"][0]["reads"].as_array().unwrap().last().unwrap();
    assert_eq!(read, &json!({ "refused": "tables.contains departments D-7", "error": "unavailable" }));
    assert_eq!(decision["outcome"], "faulted");

    put_csv(&acme, "departments", DEPARTMENTS).await.expect_status(201);
    put_csv(&other, "departments", "code\nD-9\n").await.expect_status(201);
    let ada = acme.post("/Users", in_department("ada", "D-7")).await.expect_status(201);
    let refused = acme.post("/Users", in_department("bob", "D-9")).await.expect_status(400);
    assert_eq!(refused.reason_codes(), ["unknown-value"]);
    other.post("/Users", in_department("bob", "D-9")).await.expect_status(201);

    let read = async |response: &Response| {
        let decision = acme.decision(&response.decision_id().unwrap()).await;
        decision["evaluations"][0]["reads"].as_array().unwrap().last().unwrap().clone()
    };
    let expected = json!({ "table": "departments", "revision": 1, "key": "D-7", "contains": true });
    assert_eq!(read(&ada).await, expected);
    let expected = json!({ "table": "departments", "revision": 1, "key": "D-9", "contains": false });
    assert_eq!(read(&refused).await, expected);

    put_csv(&acme, "departments", "code\nD-9\n").await.expect_status(201);
    let bob = acme.post("/Users", in_department("bob", "D-9")).await.expect_status(201);
    let expected = json!({ "table": "departments", "revision": 2, "key": "D-9", "contains": true });
    assert_eq!(read(&bob).await, expected);
    acme.admin.delete(&acme.api_path("/tables/departments")).await.expect_status(204);
    acme.post("/Users", in_department("eve", "D-9")).await.expect_status(403);
}

/// Whoever is committed under a generation was judged by the table of that generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_commits_that_was_judged_by_a_table_which_is_not_in_force_any_more() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    put_csv(&acme, "departments", "code\nD-0\n").await.expect_status(201);
    enforce(&acme).await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let acme = acme.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    let department = format!("D-{}", n % 2);
                    acme.post("/Users", in_department(&format!("user-{writer}-{n}"), &department)).await;
                }
            })
        })
        .collect();
    for revision in 0..20 {
        put_csv(&acme, "departments", &format!("code\nD-{}\n", revision % 2)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let history = acme.admin.get(&acme.api_path("/tables/departments/history")).await.body["history"].clone();
    let last = history[0]["revision"].as_u64().unwrap();
    assert!(last > 10, "{history:#}");
    let mut seen = std::collections::BTreeSet::new();
    for decision in acme.decisions().await {
        let read = decision["evaluations"][0]["reads"].as_array().unwrap().last().unwrap();
        let revision = read["revision"].as_u64().unwrap();
        seen.insert(revision);
        // Each revision began the generation after that of the one before it; the constraint has one of its own.
        let generation = if revision == 1 { 2 } else { revision + 1 };
        assert_eq!(decision["generation"].as_u64(), Some(generation), "{decision:#}");
        let is_there = (revision % 2 == 1) == (read["key"] == "D-0");
        assert_eq!(
            (&read["contains"], &decision["outcome"]),
            (&json!(is_there), &json!(if is_there { "allowed" } else { "denied" }))
        );
    }
    assert!(seen.len() > 2, "the table did not change while they wrote: {seen:?}");
}
