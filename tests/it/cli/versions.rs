//! Versions and their tags, and what is shown of plugins and constraints.

use scruple_tests::ServerProcess;
use scruple_tests::components::{NORMALIZE_ATTRIBUTES, SAFE_VALUES, TRAP, WRITE_ONCE};
use scruple_tests::server::OPERATOR_TOKEN;
use serde_json::{Value, json};

use super::{Cli, program};

fn cli() -> (Cli, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    cli.said(&["tenant", "create", "acme"]);
    (cli, data)
}

fn json_of(cli: &Cli, args: &[&str]) -> Value {
    serde_json::from_str(&cli.said(&[args, &["--json"]].concat())).unwrap()
}

const SETTINGS: &str = "{\"attributes\": [\"externalId\"]}";

#[test]
fn a_push_of_the_same_bytes_says_that_they_were_there_and_what_becomes_of_the_tag() {
    let (cli, _data) = cli();
    let push = |tag: &[&str]| cli.said(&[&["plugin", "push", WRITE_ONCE], tag].concat());
    let first = push(&[]);
    assert!(first.contains("version 1: ") && first.contains("compiled in"), "{first}");
    let again = push(&[]);
    assert!(again.trim().ends_with("; the same bytes were there already"), "{again}");
    assert!(push(&["--tag", "v1"]).trim().ends_with("were there already; it stays without a tag"));
    cli.said(&["plugin", "push", SAFE_VALUES, "--tag", "v1"]);
    let retagged = cli.said(&["plugin", "push", SAFE_VALUES, "--tag", "v2"]);
    assert!(retagged.trim().ends_with("were there already; its tag stays `v1`"), "{retagged}");
    let same = json_of(&cli, &["plugin", "push", SAFE_VALUES, "--tag", "v1"]);
    assert_eq!((&same["added"], &same["version"], &same["tag"]), (&json!(false), &json!(1), &json!("v1")));
    assert_eq!(json_of(&cli, &["plugin", "push", TRAP])["added"], true);
}

#[test]
fn a_version_is_put_to_work_by_its_tag_and_what_is_in_force_is_shown() {
    let (cli, data) = cli();
    // Two versions of one plugin; what is asked of it is the same.
    cli.said(&["plugin", "push", WRITE_ONCE, "--tag", "stable"]);
    cli.said(&["plugin", "push", NORMALIZE_ATTRIBUTES, "--name", "write-once", "--tag", "next"]);
    let set = |more: &[&'static str]| [&["constraint", "set", "write-once", "--settings", SETTINGS], more].concat();
    let stable = json_of(&cli, &set(&["--tag", "stable", "--wait", "--grants", "{\"reads\": [\"externalId\"]}"]));
    assert_eq!(stable["active"], json!({ "nodes": 1, "of": 1, "failed": 0 }));
    assert_eq!((&stable["version"], &stable["revision"]), (&json!(1), &json!(1)));
    cli.fails(&set(&["--tag", "v9"]), 4, "plugin `write-once` has no version with the tag `v9`");
    cli.fails(&set(&["--tag", "stable", "--version", "1"]), 2, "cannot be used with");
    cli.fails(&set(&["--version", "stable"]), 2, "invalid value 'stable'");

    let shown = cli.said(&["constraint", "show", "write-once"]);
    for line in [
        "constraint  write-once\n",
        "plugin      write-once version 1\n",
        "mode        enforce; a fault means deny; order 0\n",
        ", by operator; revision 1, generation 1\n",
        "may read    externalId\n",
        "active      on 1 of 1 node\n",
        "faults      none since the server was started\n",
        "settings    {\n  \"attributes\": [\n    \"externalId\"\n",
    ] {
        assert!(shown.contains(line), "`{line}` is not in:\n{shown}");
    }
    assert_eq!(json_of(&cli, &["constraint", "show", "write-once"]), stable);
    cli.fails(&["constraint", "show", "none"], 4, "constraint `none` was not found");

    let shown = cli.said(&["plugin", "show", "write-once"]);
    let [next, stable] =
        ["version 2, tag next: pushed ", "version 1, tag stable: pushed "].map(|line| shown.find(line));
    assert!(next.is_some() && next < stable && shown.contains("\nof version 2:\n"), "{shown}");
    let versions = json_of(&cli, &["plugin", "show", "write-once"]);
    assert_eq!(versions["versions"][0]["tag"], "stable");
    assert!(versions["versions"][0]["descriptor"]["settings_schema"]["properties"]["attributes"].is_object());
    cli.fails(&["plugin", "show", "none"], 4, "plugin `none` was not found");

    // In a file, too.
    let file = data.path().join("constraints.yaml");
    let write = |tag: &str| {
        let text = format!("version: 1\nconstraints:\n  write-once: {{tag: {tag}, settings: {SETTINGS}}}\n");
        std::fs::write(&file, text).unwrap();
    };
    let apply = ["apply", "-f", file.to_str().unwrap(), "--yes"];
    write("v9");
    cli.fails(&apply, 4, "line 3: /constraints/write-once/tag: plugin `write-once` has no version with the tag `v9`");
    write("stable");
    cli.said(&apply);
}

#[test]
fn the_later_of_two_versions_with_one_tag_is_meant_by_it() {
    let (cli, _data) = cli();
    cli.said(&["plugin", "push", NORMALIZE_ATTRIBUTES, "--name", "write-once", "--tag", "stable"]);
    cli.said(&["plugin", "push", WRITE_ONCE, "--tag", "stable"]);
    cli.said(&["plugin", "push", SAFE_VALUES, "--name", "write-once"]);
    let set = json_of(&cli, &["constraint", "set", "write-once", "--settings", SETTINGS, "--tag", "stable"]);
    assert_eq!(set["version"], 2);
}

#[test]
fn how_a_constraint_broke_is_shown_with_the_decision_that_has_the_cause() {
    let (cli, _data) = cli();
    cli.said(&["plugin", "push", TRAP]);
    cli.said(&["constraint", "set", "trap"]);
    let server = cli.server.as_ref().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let decision = runtime.block_on(async {
        let acme = scruple_tests::TenantClient::new(server.address, "acme", &server.operator()).await;
        acme.post("/Users", scruple_tests::user("ada")).await.expect_status(403).decision_id().unwrap()
    });
    let shown = cli.said(&["constraint", "show", "trap"]);
    assert!(shown.contains(&format!("faults      1, the last (trap) in {decision}, the last at 20")), "{shown}");
}
