//! A component tried without a server: `scruple plugin run`, `test` and `bench`.

mod schemas;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scruple_tests::components::{NORMALIZE_ATTRIBUTES, SPIN_FOREVER, WRITE_ONCE};
use scruple_tests::{TestServer, patch_op};
use serde_json::{Value, json};
use tempfile::TempDir;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn scruple(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scruple-under-test")).args(args).output().unwrap()
}

#[track_caller]
fn said(args: &[&str]) -> String {
    let output = scruple(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn said_by(args: &[String]) -> String {
    said(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Exit code, standard output and error of a command that does not succeed.
#[track_caller]
fn fails(args: &[&str], code: i32, named: &str) -> String {
    let output = scruple(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
    assert!(error.contains(named), "`{named}` is not named in: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with JSON files.
fn folder(files: &[(&str, Value)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, json) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, json.to_string()).unwrap();
    }
    folder
}

fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

fn ada() -> Value {
    json!({ "schemas": [USER], "userName": "ada", "externalId": "E1" })
}

fn renumbered() -> Value {
    json!([patch_op("replace", "externalId", json!("E2"))])
}

const SETTINGS: &str = r#"{"attributes":["externalId"]}"#;

/// The component of a shipped plugin. Those in Rust are built with the tests, the others by whoever asks for one: one test at a time,
/// each of which is a process.
pub(crate) fn component_of(plugin: &Path) -> PathBuf {
    let name = plugin.file_name().unwrap().to_str().unwrap();
    let component = Path::new(WRITE_ONCE).with_file_name(format!("{name}.wasm"));
    if !plugin.join("Cargo.toml").is_file() {
        let (target, out) = (Path::new(WRITE_ONCE).parent().unwrap().parent().unwrap(), component.to_str().unwrap());
        let lock = fs::File::create(target.join("components/other-languages.lock")).unwrap();
        lock.lock().unwrap();
        let (tools, target) = (target.join("tools"), target.to_str().unwrap());
        let build = ["plugin", "build", plugin.to_str().unwrap(), "--out", out, "--target-dir", target];
        said(&[build.as_slice(), &["--tools", tools.to_str().unwrap()]].concat());
    }
    component
}

pub(crate) fn shipped() -> Vec<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn every_shipped_plugin_has_fixtures_and_passes_them() {
    let plugins = shipped();
    assert!(!plugins.is_empty(), "no plugins were found");
    for plugin in plugins {
        let name = plugin.file_name().unwrap().to_str().unwrap();
        let component = component_of(&plugin);
        let fixtures = plugin.join("fixtures");
        let report = said(&["plugin", "test", component.to_str().unwrap(), "--fixtures", fixtures.to_str().unwrap()]);
        assert!(report.contains(" passed, 0 failed"), "{name}: {report}");
    }
}

#[test]
fn every_shipped_plugin_of_another_language_has_unit_tests_and_passes_them() {
    for plugin in shipped().iter().filter(|plugin| !plugin.join("Cargo.toml").is_file()) {
        let is_javascript = plugin.join("package.json").is_file();
        let (program, args) = if is_javascript { ("npm", vec!["test"]) } else { ("python3", vec!["-m", "unittest"]) };
        if is_javascript && !plugin.join("node_modules").is_dir() {
            let installed =
                Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(plugin).status();
            assert!(installed.unwrap().success(), "{}", plugin.display());
        }
        let tested = Command::new(program).args(args).current_dir(plugin).output().unwrap();
        let said = String::from_utf8_lossy(&tested.stdout).into_owned() + &String::from_utf8_lossy(&tested.stderr);
        assert!(tested.status.success(), "{}: {said}", plugin.display());
        assert!(said.contains("# pass ") || said.contains("Ran "), "{}: no test was run: {said}", plugin.display());
    }
}

#[tokio::test]
async fn what_is_said_here_is_what_a_server_says() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let id = acme.post("/Users", ada()).await.expect_status(201).id();
    acme.enforce(WRITE_ONCE, serde_json::from_str(SETTINGS).unwrap()).await;
    let refused = acme.patch(&format!("/Users/{id}"), renumbered()).await.expect_status(400);
    let decision = acme.api_path(&format!("/decisions/{}", refused.decision_id().unwrap()));
    let there = acme.admin.get(&decision).await.expect_status(200).body;

    // Who asks is part of what it notes, and so of the fuel.
    let operation = json!({ "before": ada(), "patch": renumbered(), "actor": there["actor"] });
    let files = folder(&[("operation.json", operation)]);
    let operation = at(&files, "operation.json");
    let run = ["plugin", "run", WRITE_ONCE, "--settings", SETTINGS, "--operation", &operation];
    let here: Value = serde_json::from_str(&said(&[run.as_slice(), &["--json"]].concat())).unwrap();
    assert_eq!(here["outcome"], there["outcome"]);
    for part in ["digest", "verdict", "reasons", "reads", "fuel_used", "memory_bytes"] {
        assert_eq!(here["evaluations"][0][part], there["evaluations"][0][part], "{part}");
    }
    let text = said(&run);
    for line in
        ["deny", "because immutable-attribute: ", "  read    before externalId = [\"E1\"]", "  limits  10000000 fuel"]
    {
        assert!(text.contains(line), "`{line}` is not in:\n{text}");
    }
}

#[test]
fn an_operation_is_any_request_on_any_resource_of_a_population() {
    let group = "00000000-0000-4000-8000-000000000009";
    let user = "00000000-0000-4000-8000-000000000001";
    let files = folder(&[
        ("ada.json", ada()),
        (
            "population.json",
            json!({ "Resources": [
            { "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": group, "displayName": "all",
              "members": [{ "value": user }] },
            { "schemas": [USER], "id": user, "userName": "bob" },
        ] }),
        ),
        ("delete.json", json!({ "resourceType": "Group", "id": group, "delete": true })),
    ]);
    let run = |args: &[&str]| said(&[&["plugin", "run", SPIN_FOREVER], args].concat());
    let population = at(&files, "population.json");
    let ada = at(&files, "ada.json");
    let deleted = run(&["--population", &population, "--operation", &at(&files, "delete.json")]);
    assert!(deleted.contains("fault") && deleted.contains("out-of-fuel"), "{deleted}");
    let unchanged = run(&["--before", &ada, "--after", &ada]);
    assert!(unchanged.contains("would change nothing"), "{unchanged}");
    let created = said(&["plugin", "run", WRITE_ONCE, "--settings", SETTINGS, "--create", &ada]);
    assert!(created.contains("does not judge such operations"), "{created}");
}

#[test]
fn a_case_that_comes_out_otherwise_fails_with_what_differs_and_can_be_recorded_anew() {
    let files = folder(&[
        ("settings.json", serde_json::from_str(SETTINGS).unwrap()),
        ("renumbered/operation.json", json!({ "before": ada(), "patch": renumbered() })),
        ("renumbered/expected.json", json!({ "verdict": "allow", "fuel_max": 10 })),
        ("new/operation.json", json!({ "create": ada() })),
        ("new/expected.json", json!({ "verdict": "not-asked" })),
    ]);
    let (fixtures, junit) = (files.path().to_str().unwrap(), at(&files, "junit.xml"));
    let test = ["plugin", "test", WRITE_ONCE, "--fixtures", fixtures];
    let report = fails(&[test.as_slice(), &["--junit", &junit]].concat(), 1, "1 of 2 cases came out otherwise");
    for line in [
        "ok    new: not-asked",
        "FAIL  renumbered",
        "expected allow, got deny (immutable-attribute)",
        "`fuel_max` of 10",
    ] {
        assert!(report.contains(line), "`{line}` is not in:\n{report}");
    }
    let junit = fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains(r#"tests="2""#) && junit.contains(r#"failures="1""#) && junit.contains("got deny"),
        "{junit}"
    );

    let only = said(&[test.as_slice(), &["--only", "new"]].concat());
    assert!(only.contains("1 passed, 0 failed"), "{only}");
    let updated = said(&[test.as_slice(), &["--update"]].concat());
    assert!(updated.contains("renumbered: deny (immutable-attribute)"), "{updated}");
    let shown: Value = serde_json::from_str(&said(&[test.as_slice(), &["--json"]].concat())).unwrap();
    assert_eq!((&shown["passed"], &shown["failed"]), (&json!(2), &json!(0)));
    assert!(said(&[test.as_slice(), &["--update"]].concat()).contains("as it was expected"));
}

#[test]
fn what_a_rewriter_makes_is_compared_path_by_path() {
    let settings = json!({ "rules": [{ "path": "userName", "case": "lower" }] });
    let create = json!({ "create": { "schemas": [USER], "userName": "ADA" } });
    let files = folder(&[
        ("settings.json", settings),
        ("upper/operation.json", create),
        ("upper/expected.json", json!({ "verdict": "rewrite", "rewritten": { "userName": "Ada" } })),
    ]);
    let fixtures = files.path().to_str().unwrap();
    let report = fails(&["plugin", "test", NORMALIZE_ATTRIBUTES, "--fixtures", fixtures], 1, "1 of 1");
    assert!(report.contains(r#"expected to be rewritten {"userName":"Ada"}, got {"userName":"ada"}"#), "{report}");
}

#[test]
fn what_cannot_be_tried_is_refused_with_the_file_and_what_is_wrong_with_it() {
    let files = folder(&[
        ("ada.json", ada()),
        ("patch.json", renumbered()),
        ("list.json", json!([])),
        ("bad/settings.json", serde_json::from_str(SETTINGS).unwrap()),
        ("bad/a-case/operation.json", json!({ "creates": ada() })),
        ("unknown/settings.json", serde_json::from_str(SETTINGS).unwrap()),
        ("unknown/a-case/operation.json", json!({ "resourceType": "Printer", "create": ada() })),
        ("lonely/a-case/expected.json", json!({ "verdict": "allow" })),
        ("empty/readme.json", json!({})),
        ("people.json", json!({ "people": [] })),
    ]);
    fs::write(files.path().join("torn.json"), "{\"userName\":").unwrap();
    let (ada, patch, torn) = (at(&files, "ada.json"), at(&files, "patch.json"), at(&files, "torn.json"));
    let run =
        |args: &[&str], code: i32, named: &str| fails(&[&["plugin", "run", WRITE_ONCE], args].concat(), code, named);
    run(&["--create", &torn], 2, "torn.json");
    run(&["--create", &at(&files, "list.json")], 2, "no JSON object");
    run(&["--before", &ada, "--patch", &patch, "--settings", "{\"attributes\":[\" \"]}"], 2, "/attributes/0");
    run(&["--before", &ada, "--patch", &patch, "--settings", "{"], 2, "--settings is not valid JSON");
    run(
        &["--before", &ada, "--patch", &patch, "--settings", SETTINGS, "--grants", r#"{"reads":["shoeSize"]}"#],
        2,
        "shoeSize",
    );
    run(
        &["--create", &ada, "--settings", SETTINGS, "--population", &at(&files, "people.json")],
        2,
        "`people` is no member",
    );
    run(&["--before", &ada, "--settings", SETTINGS], 2, "--patch <FILE>");
    fails(&["plugin", "run", &ada, "--create", &ada], 3, "not WebAssembly");
    for (fixtures, named) in [
        ("bad", "unknown field `creates`"),
        ("unknown", "no resource type `Printer`"),
        ("lonely", "operation.json` is missing"),
        ("empty", "nothing to test"),
        ("nowhere", "nowhere"),
    ] {
        fails(&["plugin", "test", WRITE_ONCE, "--fixtures", &at(&files, fixtures)], 2, named);
    }
    fails(&["plugin", "test", WRITE_ONCE, "--fixtures", &at(&files, "lonely"), "--only", "zebra"], 2, "operation.json");
}

#[test]
fn a_bench_tells_what_an_evaluation_takes_and_uses() {
    let files = folder(&[("ada.json", ada()), ("patch.json", renumbered())]);
    let (before, patch) = (at(&files, "ada.json"), at(&files, "patch.json"));
    let bench =
        ["plugin", "bench", WRITE_ONCE, "--settings", SETTINGS, "--before", &before, "--patch", &patch, "--runs", "50"];
    let shown: Value = serde_json::from_str(&said(&[bench.as_slice(), &["--json"]].concat())).unwrap();
    assert_eq!(shown["runs"], 50);
    assert!(shown["fuel_used"].as_u64().unwrap() > 1_000, "{shown}");
    assert!(shown["p50_us"].as_u64() <= shown["p99_us"].as_u64(), "{shown}");
    let ada = at(&files, "ada.json");
    fails(&["plugin", "bench", WRITE_ONCE, "--settings", SETTINGS, "--create", &ada], 2, "nothing to measure");
}
