//! `scruple apply` and `scruple export`, in a folder as it lies in a repository.

use std::path::Path;

use scruple_tests::ServerProcess;
use scruple_tests::components::{SAFE_VALUES, TRAP, WRITE_ONCE};
use scruple_tests::server::OPERATOR_TOKEN;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Cli, program};

/// A server with the tenant `acme`, and a folder.
struct World {
    cli: Cli,
    folder: TempDir,
    _data: TempDir,
}

impl World {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(program(), data.path()).unwrap();
        let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
        cli.said(&["tenant", "create", "acme"]);
        Self { cli, folder: tempfile::tempdir().unwrap(), _data: data }
    }

    fn write(&self, name: &str, text: &str) -> String {
        write(self.folder.path(), name, text)
    }

    /// Lays a component beside the file.
    fn copy(&self, component: &str, name: &str) {
        std::fs::copy(component, self.folder.path().join(name)).unwrap();
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.cli.said(args)).unwrap()
    }

    fn generation(&self) -> Value {
        self.json(&["tenant", "list", "--json"])["tenants"][0]["generation"].clone()
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const RULES: &str = "\
version: 1
constraints:
  write-once:
    component: write-once.wasm
    settings: {attributes: [externalId]}
    grants: {reads: [externalId]}
  mail:
    plugin: safe-values
    component: rules/safe-values.wasm
    settings_file: rules/mail.yaml
    mode: shadow
tables:
  departments: {file: tables/departments.csv, key: code}
  countries: {file: tables/countries.json}
";

const MAIL: &str = "rules:\n  - path: emails.value\n    domains: [example.com]\n";

const ELSEWHERE: &str = r#"{"rules": [{"path": "emails.value", "domains": ["elsewhere.org"]}]}"#;

/// The folder of [`RULES`].
fn filled() -> (World, String) {
    let world = World::new();
    world.write("rules/mail.yaml", MAIL);
    world.write("tables/departments.csv", "name,code\n\"Engines, large\",D-7\n,D-8\n");
    world.write("tables/countries.json", r#"{"no": {"name": "Norway"}, "se": {"name": "Sweden", "currency": "SEK"}}"#);
    world.copy(WRITE_ONCE, "write-once.wasm");
    world.copy(SAFE_VALUES, "rules/safe-values.wasm");
    let file = world.write("constraints.yaml", RULES);
    (world, file)
}

#[test]
fn a_folder_is_planned_applied_and_drift_is_shown() {
    let (world, file) = filled();
    let cli = &world.cli;
    cli.fails(&["apply", "-f", &file, "--dry-run"], 1, "tenant acme is not as");
    // There is no terminal here.
    cli.fails(&["apply", "-f", &file], 2, "there is nobody to ask; say `--yes`");
    assert_eq!((cli.said(&["constraint", "list"]).trim(), world.generation()), ("nothing yet", json!(0)));
    let done = cli.said(&["apply", "-f", &file, "--yes"]);
    for line in [
        "+ constraint write-once: write-once version 1 (",
        "    settings {\"attributes\":[\"externalId\"]}",
        "    may read externalId\n",
        "+ constraint mail: safe-values version 1 (",
        "    may read every attribute; and use tables:*: all that the plugin asks for",
        "+ table departments: 2 rows, digest ",
        "tenant acme, generation 0: 4 to create, 0 to update, 0 to remove, 0 unchanged",
        "applied; tenant acme is at generation 1",
    ] {
        assert!(done.contains(line), "`{line}` is not in:\n{done}");
    }
    let again = cli.said(&["apply", "-f", &file]);
    assert_eq!(again.trim(), "tenant acme, generation 1: 0 to create, 0 to update, 0 to remove, 4 unchanged");
    cli.said(&["apply", "-f", &file, "--dry-run"]);

    // Somebody changes something by hand.
    cli.said(&["constraint", "set", "mail", "--plugin", "safe-values", "--settings", ELSEWHERE]);
    cli.said(&["table", "delete", "countries"]);
    let output = cli.run(&["apply", "-f", &file, "--dry-run"]);
    let drift = String::from_utf8(output.stdout).unwrap();
    for line in [
        "~ constraint mail: safe-values version 1",
        "    mode: \"enforce\" → \"shadow\"",
        "    settings/rules/0/domains: [\"elsewhere.org\"] → [\"example.com\"]",
        "+ table countries: 2 rows",
    ] {
        assert!(drift.contains(line), "`{line}` is not in:\n{drift}");
    }
    assert_eq!(output.status.code(), Some(1));
    let mended = world.json(&["apply", "-f", &file, "--yes", "--json"]);
    assert_eq!((&mended["changes"], &mended["generation"]), (&json!(2), &json!(4)));
    assert!(cli.said(&["constraint", "history", "mail"]).matches("operator").count() == 3);

    world.write("constraints.yaml", "version: 1\nconstraints: {}\n");
    let kept = cli.said(&["apply", "-f", &file, "--dry-run", "--keep-others"]);
    assert!(kept.contains("not in the file, and kept: mail, write-once, countries, departments"), "{kept}");
    let gone = cli.said(&["apply", "-f", &file, "--yes"]);
    assert!(gone.contains("- constraint mail: safe-values version 1") && gone.contains("2 to remove"), "{gone}");
    assert_eq!(world.json(&["table", "list", "--json"])["tables"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_exported_is_what_there_is() {
    let (world, file) = filled();
    let cli = &world.cli;
    cli.said(&["apply", "-f", &file, "--yes"]);
    let export = |args: &[&str]| cli.said(&[&["export"], args].concat());
    let printed = world.write("printed/constraints.yaml", &export(&[]));
    cli.said(&["apply", "-f", &printed, "--dry-run"]);
    let as_json = world.write("printed/constraints.json", &export(&["--json"]));
    cli.said(&["apply", "-f", &as_json, "--dry-run"]);

    let folder = world.folder.path().join("exported");
    let written = export(&["--out", folder.to_str().unwrap()]);
    assert!(written.contains("departments.csv") && written.contains("countries.json"), "{written}");
    let csv = std::fs::read_to_string(folder.join("tables/departments.csv")).unwrap();
    assert_eq!(csv, "name,code\n\"Engines, large\",D-7\n,D-8\n");
    let exported = folder.join("constraints.yaml");
    let exported = exported.to_str().unwrap();
    cli.said(&["apply", "-f", exported, "--dry-run"]);
    // And it brings back what was there, when that is gone.
    cli.said(&["constraint", "remove", "mail"]);
    cli.said(&["table", "put", "departments", &world.write("other.csv", "code\nX\n")]);
    cli.said(&["apply", "-f", exported, "--yes"]);
    cli.said(&["apply", "-f", &file, "--dry-run"]);
}

#[test]
fn what_the_server_refuses_is_told_with_its_place_and_nothing_is_done() {
    let (world, file) = filled();
    let cli = &world.cli;
    let check = |from: &str, to: &str, code: i32, named: &str| {
        assert!(RULES.contains(from));
        world.write("constraints.yaml", &RULES.replace(from, to));
        cli.fails(&["apply", "-f", &file, "--yes"], code, named);
        assert_eq!((cli.said(&["constraint", "list"]).trim(), world.generation()), ("nothing yet", json!(0)));
    };
    check("[externalId]}\n    grants", "[7]}\n    grants", 4, "/constraints/write-once/settings/attributes/0: ");
    check("mode: shadow", "mode: loud", 4, "/constraints/mail/mode: `loud` is not a mode");
    check("reads: [externalId]", "capabilities: [directory:User]", 4, "/constraints/write-once/grants: ");
    let nobody = "0".repeat(64);
    check("component: write-once.wasm", &format!("digest: sha256:{nobody}"), 4, "nobody has uploaded such a component");
    check("component: write-once.wasm", "version: 3", 4, "has no version 3");
    check(
        "{file: tables/countries.json}",
        &format!("{{digest: '{nobody}'}}"),
        4,
        "/tables/countries/digest: no contents",
    );
    check("key: code", "key: id", 4, "departments.csv`: line 1: there is no column `id`");
    world.write("broken.wasm", "no component");
    check("component: write-once.wasm", "component: broken.wasm", 3, "broken.wasm`: ");
    world.copy(TRAP, "trap.wasm");
    check(
        "  mail:\n",
        "  trap: {component: trap.wasm}\n  mail:\n    order: x\n",
        2,
        "`\"x\"` is not a whole number that fits here at line 9",
    );
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_its_line_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(WRITE_ONCE, folder.path().join("p.wasm")).unwrap();
    write(folder.path(), "s.json", "{\"attributes\": [}");
    // A server that is away would be another exit code.
    let cli = Cli { server: None, token: "some".to_owned() };
    let check = |text: &str, named: &str| {
        let file = write(folder.path(), "constraints.yaml", text);
        cli.fails(&["apply", "-f", &file, "--yes"], 2, named);
    };
    let constraint = |members: &str| format!("version: 1\nconstraints:\n  p:\n    {members}\n");
    check(&constraint("plugni: x"), "constraints.yaml`: unknown field `plugni`");
    check(&constraint("plugni: x"), "line 4");
    check("version: 1\nconstraint: {}\n", "unknown field `constraint`");
    check("version: 1\nconstraints:\n  p: {version: 1}\n  p: {version: 2}\n", "line 4");
    check("version: 1\nconstraints:\n  p: {version: 1}\n  p: {version: 2}\n", "duplicate mapping key `p`");
    check("version: 1\nconstraints:\n", "nothing is here: write `{}`");
    check("version: 1\ntables:\n", "nothing is here: write `{}`");
    check("version: 1\nwaivers:\n", "nothing is here: write `{}`");
    check("version: 2\n", "line 1: version 2 is not known; this program reads version 1");
    check("version: one\n", "line 1: version \"one\" is not known");
    check(&constraint("order: 99999999999"), "`99999999999` is not a whole number that fits here at line 4");
    check("constraints: {}\n", "missing field `version`");
    check("", "constraints.yaml`: ");
    check("version: 1\nconstraints: [\n", "line 2");
    check(
        &constraint("settings: {}"),
        "line 4: constraint `p` has exactly one of `component` (a file), `digest`, `version` and `tag`",
    );
    check(&constraint("{component: p.wasm, version: 1}"), "has exactly one of");
    check(&constraint("component: nowhere.wasm"), "nowhere.wasm`: No such file");
    check(&constraint("{component: p.wasm, settings: {}, settings_file: s.json}"), "it can have only one of them");
    check(&constraint("{component: p.wasm, settings_file: s.json}"), "s.json` is not valid JSON: ");
    check(&constraint("{component: p.wasm, settings_file: none.yaml}"), "cannot read `");
    check("version: 1\ntables:\n  t: {}\n", "line 3: table `t` has exactly one of `file` and `digest`");
    check("version: 1\ntables:\n  t: {digest: aa, key: k}\n", "which is for a `file`");
    check("version: 1\ntables:\n  t: {file: none.csv}\n", "none.csv`: No such file");
    check(&constraint("{version: 1, settings: {x: .nan}}"), "line 4");
    cli.fails(&["apply", "-f", "/nowhere/constraints.yaml"], 2, "cannot read `/nowhere/constraints.yaml`");
    let fine = write(folder.path(), "constraints.yaml", "version: 1\n");
    cli.fails(&["apply", "-f", &fine], 4, "no answer from");
    cli.fails(&["apply", "-f", &fine, "--yes", "--dry-run"], 2, "cannot be used with");
}

const WAIVERS: &str = "\
waivers:
  - constraint: write-once
    code: immutable-attribute
    type: User
    filter: userType  eq \"Contractor\"
    until: 2027-01-31T00:00:00Z
    ticket: IAM-4711
";

#[test]
fn waivers_lie_in_the_file_beside_their_constraints() {
    let (world, file) = filled();
    let cli = &world.cli;
    world.write("constraints.yaml", &format!("{RULES}{WAIVERS}"));
    let done = cli.said(&["apply", "-f", &file, "--yes"]);
    let made = "+ waiver of `immutable-attribute` of write-once for User where userType eq \"Contractor\" until \
                2027-01-31T00:00:00Z (IAM-4711)\n";
    assert!(done.contains(made) && done.contains("generation 0: 5 to create"), "{done}");
    cli.said(&["apply", "-f", &file, "--dry-run"]);
    let printed = world.write("printed.yaml", &cli.said(&["export"]));
    let exported = std::fs::read_to_string(&printed).unwrap();
    assert!(exported.contains("type: User") && exported.contains("IAM-4711"), "{exported}");
    cli.said(&["apply", "-f", &printed, "--dry-run"]);

    // Another one by hand is drift, and goes.
    let add = ["waiver", "add", "mail", "domain", "--filter", "active eq true", "--until", "2027-01-31T00:00:00Z"];
    cli.said(&[&add[..], &["--ticket", "x"]].concat());
    let output = cli.run(&["apply", "-f", &file, "--dry-run"]);
    let drift = String::from_utf8(output.stdout).unwrap();
    assert!(drift.contains("- waiver of `domain` of mail for User where active eq true"), "{drift}");
    let kept = cli.said(&["apply", "-f", &file, "--dry-run", "--keep-others"]);
    assert!(kept.contains("not in the file, and kept: waiver 0"), "{kept}");
    cli.said(&["apply", "-f", &file, "--yes"]);
    cli.said(&["apply", "-f", &printed, "--dry-run"]);
    // What is exported can be applied: a waiver of nothing is not in it.
    cli.said(&["constraint", "remove", "write-once"]);
    assert!(!cli.said(&["export"]).contains("IAM-4711"));
}

#[test]
fn a_waiver_in_the_file_that_cannot_be_is_told_with_its_line() {
    let (world, file) = filled();
    let cli = &world.cli;
    let check = |from: &str, to: &str, code: i32, named: &str| {
        assert!(WAIVERS.contains(from));
        world.write("constraints.yaml", &format!("{RULES}{}", WAIVERS.replace(from, to)));
        cli.fails(&["apply", "-f", &file, "--yes"], code, named);
        assert_eq!((cli.said(&["waiver", "list"]).trim(), world.generation()), ("nothing yet", json!(0)));
    };
    check("2027", "2001", 4, "  line 20: /waivers/0/until: `2001-01-31T00:00:00Z` has passed");
    check(
        "constraint: write-once",
        "constraint: nobody",
        4,
        "  line 16: /waivers/0/constraint: there is no constraint `nobody`",
    );
    check("type: User", "type: Robot", 4, "  line 18: /waivers/0/type: there is no resource type `Robot`");
    check("    type: User\n", "", 2, "line 16: the waiver has either a `resource`, or a `type` and a `filter`");
    check("ticket: IAM-4711", "tickets: IAM-4711", 2, "unknown field `tickets`");
    check("    ticket: IAM-4711\n", "", 2, "missing field `ticket`");
}

#[test]
fn an_author_may_look_and_not_do() {
    let (mut world, file) = filled();
    let token = world.cli.said(&["token", "create", "--label", "pull requests", "--scope", "author"]);
    world.cli.token = token.trim().to_owned();
    world.cli.fails(&["apply", "-f", &file, "--dry-run"], 1, "4 to change");
    world.cli.fails(&["apply", "-f", &file, "--yes"], 4, "403");
    assert_eq!(world.cli.said(&["constraint", "list"]).trim(), "nothing yet");
    // Nobody has seen a plan that was not printed.
    world.cli.fails(&["apply", "-f", &file, "--json"], 2, "there is nobody to ask");
}
