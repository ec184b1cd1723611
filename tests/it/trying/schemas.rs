//! What a tenant has declared of its own, in a trial and in what was captured.

use std::fs;

use scruple_tests::components::WRITE_ONCE;
use scruple_tests::{TenantClient, TestServer, patch_op};
use serde_json::{Value, json};

use super::{USER, ada, at, fails, folder, said, said_by};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BADGE: &str = "urn:example:params:scim:schemas:extension:badge:2.0:User";
const PRINTER: &str = "urn:example:params:scim:schemas:printer:2.0:Printer";

fn schema(id: &str, name: &str, attribute: &str) -> Value {
    json!({ "id": id, "name": name, "attributes": [{ "name": attribute, "type": "string" }] })
}

/// Declares an extension of users, a resource type and a tightening, for clients of Entra ID.
async fn declare(acme: &TenantClient) {
    let path = |rest: &str| acme.api_path(rest);
    for (id, name, attribute) in [(BADGE, "Badge", "badge"), (PRINTER, "Printer", "serialNumber")] {
        acme.admin.put(&path(&format!("/schemas/{id}")), schema(id, name, attribute)).await.expect_status(200);
    }
    let users = json!({ "name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [
        { "schema": ENTERPRISE, "required": false }, { "schema": BADGE, "required": false },
    ] });
    acme.admin.put(&path("/resource-types/User"), users).await.expect_status(200);
    let printers = json!({ "name": "Printer", "endpoint": "/Printers", "schema": PRINTER });
    acme.admin.put(&path("/resource-types/Printer"), printers).await.expect_status(200);
    let tightenings =
        json!({ "tightenings": [{ "resourceType": "User", "path": "title", "mutability": "immutable" }] });
    acme.admin.put(&path("/tightenings"), tightenings).await.expect_status(200);
    acme.admin.patch(&path(""), json!({ "profile": "entra" })).await.expect_status(200);
}

/// The file, as somebody makes it of what the tenant API shows.
async fn declared(acme: &TenantClient) -> Value {
    let mut file = json!({ "profile": "entra" });
    for list in ["/schemas", "/resource-types", "/tightenings"] {
        let shown = acme.admin.get(&acme.api_path(list)).await.expect_status(200).body;
        file.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
    }
    file
}

fn badged() -> Value {
    let mut user = ada();
    user["schemas"] = json!([USER, BADGE]);
    user[BADGE] = json!({ "badge": "B1" });
    user["title"] = json!("Countess");
    user
}

fn settings() -> Value {
    json!({ "attributes": [format!("{BADGE}:badge")] })
}

/// A refused change of a badge; as clients of Entra ID send it, with an attribute that there is not.
async fn refused(acme: &TenantClient) -> (String, Value) {
    let id = acme.post("/Users", badged()).await.expect_status(201).id();
    acme.enforce(WRITE_ONCE, settings()).await;
    let other = json!([
        patch_op("Replace", &format!("{BADGE}:badge"), json!("B2")),
        patch_op("Replace", "shoeSize", json!("42")),
    ]);
    let refused = acme.patch(&format!("/Users/{id}"), other.clone()).await.expect_status(400);
    (refused.decision_id().unwrap(), other)
}

#[tokio::test]
async fn what_is_said_here_is_what_a_server_says_by_the_tenants_own_schemas_and_profile() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    declare(&acme).await;
    let (id, patch) = refused(&acme).await;
    let there = acme.admin.get(&acme.api_path(&format!("/decisions/{id}"))).await.expect_status(200).body;

    let operation = json!({ "before": badged(), "patch": patch, "actor": there["actor"] });
    let retitled = json!({ "before": badged(), "patch": [patch_op("replace", "title", json!("Lady"))] });
    let printer = json!({ "schemas": [PRINTER], "serialNumber": "P1" });
    let files = folder(&[
        ("operation.json", operation),
        ("retitled.json", retitled),
        ("printer.json", json!({ "before": printer, "patch": [{ "op": "remove", "path": "serialNumber" }] })),
        ("schemas.json", declared(&acme).await),
        ("settings.json", settings()),
    ]);
    let (schemas, settings) = (at(&files, "schemas.json"), format!("@{}", at(&files, "settings.json")));
    let asked =
        |name: &str| vec!["--settings".to_owned(), settings.clone(), "--operation".to_owned(), at(&files, name)];
    let run = |name: &str, more: &[&str]| {
        let asked = asked(name);
        let asked = asked.iter().map(String::as_str);
        let command = ["plugin", "run", WRITE_ONCE, "--json"].into_iter().chain(asked).chain(more.iter().copied());
        command.map(str::to_owned).collect::<Vec<String>>()
    };
    let here = said_by(&run("operation.json", &["--schemas", &schemas]));
    let here: Value = serde_json::from_str(&here).unwrap();
    assert_eq!(here["outcome"], there["outcome"]);
    for part in ["digest", "verdict", "reasons", "reads", "fuel_used", "memory_bytes"] {
        assert_eq!(here["evaluations"][0][part], there["evaluations"][0][part], "{part}");
    }

    // What the server does not let come so far is not judged here, either.
    let fails = |args: Vec<String>, named: &str| {
        fails(&args.iter().map(String::as_str).collect::<Vec<_>>(), 2, named);
    };
    fails(run("retitled.json", &["--schemas", &schemas]), "the server would answer 400");
    let removed = said_by(&run("printer.json", &["--schemas", &schemas]));
    assert!(removed.contains("\"resource_type\": \"Printer\""), "{removed}");
    // And without the file there is none of it.
    fails(run("operation.json", &[]), BADGE);
    fails(run("printer.json", &[]), "says what it is");
}

#[tokio::test]
async fn what_was_captured_has_what_it_takes_of_the_tenants_own_schemas() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    declare(&acme).await;
    let (id, _) = refused(&acme).await;
    let fixture = acme.admin.get(&acme.api_path(&format!("/decisions/{id}/fixture"))).await.expect_status(200).body;
    // Of the tenant's two schemas, it takes the one.
    let schemas: Vec<&Value> = fixture["schemas"]["schemas"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(schemas, [BADGE], "{fixture:#}");

    let write = |name: &str, with_schemas: bool| {
        let mut files: Vec<(String, Value)> = Vec::new();
        for part in ["recorded", "settings", "grants", "expected", "schemas"] {
            if part != "schemas" || with_schemas {
                files.push((format!("{name}/{part}.json"), fixture[part].clone()));
            }
        }
        folder(&files.iter().map(|(name, json)| (name.as_str(), json.clone())).collect::<Vec<_>>())
    };
    let test = |fixtures: &str| ["plugin", "test", WRITE_ONCE, "--fixtures", fixtures].map(str::to_owned).to_vec();
    let with = write("a-badge", true);
    assert!(said_by(&test(with.path().to_str().unwrap())).contains("1 passed, 0 failed"));
    let without = write("a-badge", false);
    let test = test(without.path().to_str().unwrap());
    let report = fails(&test.iter().map(String::as_str).collect::<Vec<_>>(), 1, "otherwise than expected");
    assert!(report.contains("FAIL  a-badge"), "{report}");
}

#[test]
fn a_case_has_schemas_of_its_own_or_those_of_all_and_what_is_wrong_with_them_is_told_with_its_place() {
    let extended = json!({
        "schemas": [schema(BADGE, "Badge", "badge")],
        "resource_types": [{ "name": "User", "endpoint": "/Users", "schema": USER,
            "schemaExtensions": [{ "schema": ENTERPRISE, "required": false }, { "schema": BADGE, "required": false }] }],
    });
    let renumbered = json!({ "before": badged(), "patch": [patch_op("replace", "externalId", json!("E2"))] });
    let files = folder(&[
        ("settings.json", json!({ "attributes": ["externalId"] })),
        ("schemas.json", extended),
        ("extended/operation.json", renumbered),
        ("extended/expected.json", json!({ "verdict": "deny", "reasons": ["immutable-attribute"] })),
        ("plain/schemas.json", json!({})),
        ("plain/operation.json", json!({ "create": ada() })),
        ("plain/expected.json", json!({ "verdict": "not-asked" })),
    ]);
    let fixtures = files.path().to_str().unwrap().to_owned();
    let test = ["plugin", "test", WRITE_ONCE, "--fixtures", &fixtures];
    assert!(said(&test).contains("2 passed, 0 failed"));
    let rewrite = |json: Value| fs::write(files.path().join("schemas.json"), json.to_string()).unwrap();
    for (json, named) in [
        (json!({ "schemas": [schema(BADGE, "Badge", "two words")] }), "schemas.json`: /schemas/0/attributes/0/name: "),
        (
            json!({ "resource_types": [{ "name": "Printer", "endpoint": "/Printers", "schema": PRINTER }] }),
            "schemas.json`: /resource_types/0/schema: ",
        ),
        (json!({ "profile": "ldap" }), "schemas.json`: /profile: must be one of `rfc`"),
    ] {
        rewrite(json);
        fails(&test, 2, named);
    }
}
