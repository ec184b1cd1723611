//! The command line against a server, as a tenant uses it.

mod apply;
mod contexts;
mod mistakes;
mod registries;
mod signing;
mod versions;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output};

use scruple_tests::components::{SAFE_VALUES, TRAP, WRITE_ONCE};
use scruple_tests::server::OPERATOR_TOKEN;
use scruple_tests::{ServerProcess, mail_at};
use serde_json::Value;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// The address of something that answers one request with a page, and with these header fields.
fn answering(status: &'static str, headers: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        head.by_ref().find(String::is_empty);
        let lengths = "content-length: 6\r\nconnection: close";
        write!(stream, "HTTP/1.1 {status}\r\n{headers}{lengths}\r\n\r\n<html>").unwrap();
    });
    format!("http://{address}")
}

struct Cli {
    server: Option<ServerProcess>,
    token: String,
}

impl Cli {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(args).env("SCRUPLE_TENANT", "acme").env("SCRUPLE_TOKEN", &self.token);
        // Whoever runs the tests may have contexts.
        command.env("XDG_CONFIG_HOME", "/nowhere").env_remove("SCRUPLE_CONTEXT");
        // Nor may a registry be sent what they are known by.
        command.env("DOCKER_CONFIG", "/nowhere").env_remove("SCRUPLE_REGISTRY_USER");
        // Port 9 (discard) answers nobody.
        let address =
            self.server.as_ref().map_or_else(|| "127.0.0.1:9".to_owned(), |server| server.address.to_string());
        command.env("SCRUPLE_SERVER", format!("http://{address}")).output().unwrap()
    }

    #[track_caller]
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "scruple {args:?} failed: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, args: &[&str], code: i32, named: &str) {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "scruple {args:?}: {error}");
        assert!(error.contains(named), "`{named}` is not named in: {error}");
    }
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

#[test]
fn a_tenant_is_set_up_used_and_read_with_the_command_line_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let mut cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    assert!(cli.said(&["tenant", "create", "acme"]).contains("/scim/acme/v2"));
    let listed: Value = serde_json::from_str(&cli.said(&["tenant", "list", "--json"])).unwrap();
    assert_eq!(listed["tenants"][0]["name"], "acme");
    assert!(cli.said(&["tenant", "profile", "acme", "okta"]).contains("okta"));
    cli.fails(&["tenant", "profile", "acme", "onelogin"], 4, "`rfc`, `entra`, `okta`");
    assert!(cli.said(&["tenant", "respond-async", "acme", "on"]).contains("before their requests are carried out"));
    let listed: Value = serde_json::from_str(&cli.said(&["tenant", "list", "--json"])).unwrap();
    assert_eq!(
        (&listed["tenants"][0]["profile"], &listed["tenants"][0]["respond_async"]),
        (&"okta".into(), &true.into())
    );
    assert!(cli.said(&["tenant", "respond-async", "acme", "off"]).contains("afterwards"));
    assert_eq!(
        cli.said(&["tenant", "keep-decisions", "acme", "90"]).trim(),
        "decisions of tenant acme are kept 90 days"
    );
    assert!(cli.said(&["tenant", "keep-decisions", "acme", "forever"]).contains("kept for ever"));
    cli.fails(&["tenant", "keep-decisions", "acme", "long"], 2, "a number of days, or `forever`");
    cli.fails(&["tenant", "keep-decisions", "acme", "0"], 4, "use 1 to 36500");
    cli.fails(&["tenant", "respond-async", "acme", "maybe"], 2, "maybe");

    let token = cli.said(&["token", "create", "--label", "me", "--scope", "admin"]);
    cli.token = token.trim().to_owned();
    assert!(cli.said(&["plugin", "push", SAFE_VALUES, "--tag", "v1"]).starts_with("plugin safe-values version 1: "));
    assert!(cli.said(&["plugin", "list"]).contains("v1"));
    let settings = mail_at("example.com").to_string();
    let set = cli.said(&["constraint", "set", "safe-values", "--mode", "shadow", "--settings", &settings]);
    assert!(set.contains("shadow") && set.contains("every attribute"), "{set}");
    cli.said(&["constraint", "set", "safe-values", "--settings", &settings]);
    assert!(cli.said(&["constraint", "list"]).contains("enforce"));
    let back = cli.said(&["constraint", "rollback", "safe-values"]);
    assert!(back.contains("shadow") && back.contains("revision 3"), "{back}");
    assert_eq!(cli.said(&["constraint", "history", "safe-values"]).matches("safe-values").count(), 6);
    cli.said(&["constraint", "remove", "safe-values"]);
    assert_eq!(cli.said(&["constraint", "list"]).trim(), "nothing yet");
    assert_eq!(cli.said(&["decisions", "tail"]).trim(), "nothing yet");
    let tokens: Value = serde_json::from_str(&cli.said(&["token", "list", "--json"])).unwrap();
    assert_eq!(tokens["tokens"][0]["label"], "me");
    let other = cli.said(&["token", "create", "--label", "other", "--scope", "scim", "--json"]);
    let other: Value = serde_json::from_str(&other).unwrap();
    cli.said(&["token", "revoke", other["id"].as_str().unwrap()]);
    assert!(!cli.said(&["token", "list"]).contains("other"));
    cli.fails(&["constraint", "set", "safe-values", "--version", "9", "--settings", &settings], 4, "no version 9");
    cli.fails(&["tenant", "list"], 4, "only the operator");
    cli.fails(&["decisions", "show", "none"], 4, "was not found");
    cli.fails(&["constraint", "set", "safe-values", "--settings", "{"], 2, "not valid JSON");
    cli.fails(&["constraint", "set", "safe-values", "--settings", "{\"rule\": 1}"], 4, "rule");
}

#[test]
fn tables_are_put_shown_and_rolled_back_with_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    cli.said(&["tenant", "create", "acme"]);
    let file = |name: &str, text: &str| {
        let path = data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let csv = file("departments.csv", "name,code\n\"Engines\u{1b}[2J\",D-7\n");
    let put = cli.said(&["table", "put", "departments", &csv, "--key", "code"]);
    assert!(put.starts_with("table departments has 1 rows") && put.contains("code is the key"), "{put}");
    assert_eq!(cli.said(&["table", "put", "departments", &csv, "--key", "code"]), put);
    assert!(cli.said(&["table", "content", "departments"]).starts_with("name,code\nEngines\\u{1b}[2J,D-7"));
    let json = file("departments.json", "{\"D-9\": {\"budget\": 7}}");
    assert!(cli.said(&["table", "put", "departments", &json]).contains("cannot be shown as CSV"));
    let content: Value = serde_json::from_str(&cli.said(&["table", "content", "departments", "--json"])).unwrap();
    assert_eq!(content, serde_json::json!({ "D-9": { "budget": 7 } }));
    cli.fails(&["table", "content", "departments"], 4, "ask for `application/json`");
    assert!(cli.said(&["table", "content", "departments", "--revision", "1"]).contains("D-7"));

    assert!(cli.said(&["table", "rollback", "departments"]).contains("revision 3"));
    let listed: Value = serde_json::from_str(&cli.said(&["table", "list", "--json"])).unwrap();
    assert_eq!((&listed["tables"][0]["name"], &listed["tables"][0]["revision"]), (&"departments".into(), &3.into()));
    assert!(cli.said(&["table", "show", "departments"]).contains("revision 3, generation 3, by operator"));
    cli.said(&["table", "delete", "departments"]);
    assert_eq!(cli.said(&["table", "list"]).trim(), "nothing yet");
    assert!(cli.said(&["table", "history", "departments"]).contains("removed"));
    cli.fails(&["table", "show", "departments"], 4, "was not found");
    cli.fails(&["table", "put", "departments", "nowhere.csv"], 2, "cannot read `nowhere.csv`");
    let broken = file("broken.csv", "code\na\na\n");
    cli.fails(&["table", "put", "departments", &broken], 4, "line 3: the key `a` is there already, in line 2");
}

#[test]
fn waivers_are_made_listed_and_taken_back_with_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    cli.said(&["tenant", "create", "acme"]);
    cli.said(&["plugin", "push", WRITE_ONCE]);
    cli.said(&["constraint", "set", "write-once", "--settings", "{\"attributes\": [\"externalId\"]}"]);
    let add =
        ["waiver", "add", "write-once", "immutable-attribute", "--ticket", "IAM-1", "--until", "2027-01-31T00:00:00Z"];
    let filter = "userType eq \"Contractor\"";
    let made = cli.said(&[&add[..], &["--filter", filter]].concat());
    assert!(
        made.contains("of write-once does not count for User where userType eq \"Contractor\" until 2027"),
        "{made}"
    );
    let listed = cli.said(&["waiver", "list", "--unused"]);
    assert!(listed.contains("in-force") && listed.contains("never") && listed.contains("IAM-1"), "{listed}");
    let json: Value = serde_json::from_str(&cli.said(&["waiver", "list", "--json"])).unwrap();
    let id = json["waivers"][0]["id"].as_str().unwrap();
    assert!(cli.said(&["waiver", "revoke", id]).contains("was used 0 times"));
    assert_eq!(cli.said(&["waiver", "list", "--unused"]).trim(), "nothing yet");
    assert!(cli.said(&["waiver", "list"]).contains("revoked"));
    cli.fails(&["waiver", "revoke", id], 4, "was not found");
    cli.fails(&add, 2, "--filter");
    cli.fails(
        &[&add[..7], &["2001-01-01T00:00:00Z", "--filter", filter]].concat(),
        4,
        "/until: `2001-01-01T00:00:00Z` has passed",
    );
}

#[test]
fn a_decision_is_explained_with_its_reads() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let decision = runtime.block_on(async {
        let operator = server.operator();
        operator.post("/api/v1/tenants", serde_json::json!({ "name": "acme" })).await.expect_status(201);
        let acme = scruple_tests::TenantClient::new(server.address, "acme", &operator).await;
        acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
        acme.post("/Users", serde_json::json!({ "schemas": [USER], "userName": 7 })).await.expect_status(400);
        acme.post("/Users", scruple_tests::user("ada")).await.expect_status(400).decision_id().unwrap()
    });
    let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    let attempt = cli.said(&["decisions", "tail", "--verdict", "invalid"]);
    assert!(attempt.contains("userName (type): from nothing to 7"), "{attempt}");
    let explained = cli.said(&["decisions", "show", &decision]);
    for line in [
        "outcome    denied",
        "safe-values (safe-values version 1, enforce): deny",
        "because domain: ",
        "after emails.value = [\"ada@example.com\"]",
    ] {
        assert!(explained.contains(line), "`{line}` is not in:\n{explained}");
    }
    assert!(cli.said(&["decisions", "tail", "--verdict", "denied"]).contains("safe-values: domain"));
}

#[test]
fn a_component_is_inspected_without_a_server() {
    let cli = Cli { server: None, token: String::new() };
    let shown = cli.said(&["plugin", "inspect", WRITE_ONCE]);
    for word in ["write-once", "scruple:constraint/", "0.1.0", "attributes"] {
        assert!(shown.contains(word), "`{word}` is not in:\n{shown}");
    }
    let shown: Value = serde_json::from_str(&cli.said(&["plugin", "inspect", WRITE_ONCE, "--json"])).unwrap();
    assert_eq!(shown["descriptor"]["name"], "write-once");
    cli.said(&["plugin", "inspect", TRAP]);
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "no component").unwrap();
    cli.fails(&["plugin", "inspect", broken.path().to_str().unwrap()], 3, "not WebAssembly");
    cli.fails(&["plugin", "inspect", "/nowhere.wasm"], 2, "/nowhere.wasm");
}

#[test]
fn a_server_that_is_away_and_a_command_that_is_none_have_their_exit_codes() {
    let cli = Cli { server: None, token: "some".to_owned() };
    cli.fails(&["tenant", "list"], 4, "no answer from");
    cli.fails(&["tenant", "lits"], 2, "lits");
    cli.fails(&["--server", "nowhere", "tenant", "list"], 2, "nowhere");
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[sandbox]\nfule_max = 1\n").unwrap();
    cli.fails(&["serve", "--config", config.path().to_str().unwrap()], 2, "fule_max");
    cli.fails(&["serve", "--data", "/proc/none", "--listen", "127.0.0.1:0"], 5, "/proc/none");
}

/// Starts the server without a token in its environment and reads what it announces until it listens.
fn announced(data: &Path) -> (Vec<String>, std::process::Child) {
    let mut child = Command::new(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .env_remove("SCRUPLE_ADMIN_TOKEN")
        .env("RUST_LOG", "warn")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().is_some_and(|line| line.contains("listens on")) {
            break;
        }
    }
    (lines, child)
}

#[test]
fn the_operators_token_is_announced_at_the_first_start_and_never_again() {
    let data = tempfile::tempdir().unwrap();
    let (lines, mut child) = announced(data.path());
    let token = lines[0].split(": ").nth(1).unwrap().to_owned();
    assert!(token.starts_with("scr_"), "{lines:?}");
    let address = lines[1].split("http://").nth(1).unwrap().split(',').next().unwrap();
    let listed = Command::new(program())
        .args(["tenant", "list", "--server", &format!("http://{address}")])
        .env("SCRUPLE_TOKEN", &token)
        .output()
        .unwrap();
    assert_eq!(listed.status.code(), Some(0));
    child.kill().unwrap();
    child.wait().unwrap();
    let (lines, mut child) = announced(data.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
}
