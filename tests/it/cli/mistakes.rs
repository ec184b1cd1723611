//! What a newcomer does wrong on the way to a first constraint: each is answered with what happened, where, and what to do.

use scruple_tests::ServerProcess;
use scruple_tests::components::{SAFE_VALUES, SPIN_FOREVER, WRITE_ONCE};
use scruple_tests::server::OPERATOR_TOKEN;

use super::{Cli, answering, program};

/// A server with the tenant `acme`, and its operator.
fn with_server() -> (Cli, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
    cli.said(&["tenant", "create", "acme"]);
    (cli, data)
}

#[track_caller]
fn fails(cli: &Cli, args: &[&str], code: i32, named: &[&str]) {
    for named in named {
        cli.fails(args, code, named);
    }
}

#[test]
fn a_token_that_is_wrong_is_told_with_who_gives_it_and_one_that_may_too_little_with_what_shows_it() {
    let (mut cli, _data) = with_server();
    let scim = cli.said(&["token", "create", "--label", "idp", "--scope", "scim"]);
    cli.token = "scr_wrong".to_owned();
    let list = ["constraint", "list"];
    fails(
        &cli,
        &list,
        4,
        &["(401)", "the token, which SCRUPLE_TOKEN gives, is mistyped, revoked or expired", "`scruple login`"],
    );
    cli.token = scim.trim().to_owned();
    fails(&cli, &list, 4, &["lacks the scope `author` or `admin` (403)", "`scruple context show`"]);
    assert!(cli.said(&["context", "show"]).contains("knows it as `idp` of tenant acme: scopes scim; never expires"));
    cli.token = OPERATOR_TOKEN.to_owned();
    fails(
        &cli,
        &["constraint", "list", "--tenant", "acmee"],
        4,
        &["tenant `acmee` was not found (404)", "`scruple context show`"],
    );
    assert!(cli.said(&["context", "show"]).contains("the server knows it as the operator's"));
}

#[test]
fn a_server_that_is_away_that_is_none_of_ours_or_of_another_version_is_told_as_that() {
    let mut cli = Cli { server: None, token: "some".to_owned() };
    fails(
        &cli,
        &["tenant", "list"],
        4,
        &["no answer from http://127.0.0.1:9: Connection refused", "`scruple context show`"],
    );
    let shown = cli.said(&["context", "show"]);
    assert!(shown.contains("server http://127.0.0.1:9, by SCRUPLE_SERVER\n") && shown.contains("no answer"), "{shown}");
    for status in ["200 OK", "404 Not Found", "502 Bad Gateway"] {
        let elsewhere = answering(status, "");
        cli.fails(&["--server", &elsewhere, "tenant", "list"], 4, &format!("{elsewhere} answers {}", &status[..3]));
        let elsewhere = answering(status, "");
        cli.fails(
            &["--server", &elsewhere, "tenant", "list"],
            4,
            "not as a Scruple server does; see that this is its address",
        );
    }
    let newer = answering("404 Not Found", "scruple-version: 9.1.0\r\n");
    cli.fails(
        &["--server", &newer, "tenant", "list"],
        4,
        "the server is Scruple 9.1.0 and this is the command line of 0.1.0",
    );
    cli.token = String::new();
    cli.fails(&["tenant", "list"], 2, "no token, the operator's or one of the tenant: give it as `--token TOKEN`");
}

#[test]
fn a_port_or_a_folder_that_another_server_has_is_told_with_what_to_give_instead() {
    let (cli, data) = with_server();
    let address = cli.server.as_ref().unwrap().address.to_string();
    let other = tempfile::tempdir().unwrap();
    let serve = |listen: &str, data: &std::path::Path, named: &str| {
        cli.fails(&["serve", "--listen", listen, "--data", data.to_str().unwrap()], 5, named);
    };
    serve(&address, other.path(), "`--listen` takes another address");
    serve("127.0.0.1:0", data.path(), "stop that one, or name another folder with `--data`");
}

#[test]
fn a_token_that_would_go_to_another_computer_in_the_open_is_warned_of() {
    let cli = Cli { server: None, token: "some".to_owned() };
    let said = |server: &str| {
        let output = cli.run(&["--server", server, "tenant", "list"]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // A name that nobody has (RFC 6761).
    let warned = said("http://scruple.invalid");
    assert!(warned.starts_with("warning: the token goes to scruple.invalid without encryption"), "{warned}");
    assert!(warned.contains("use https"), "{warned}");
    for quiet in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://scruple.invalid"] {
        assert!(said(quiet).starts_with("error: no answer"), "{quiet}");
    }
}

#[test]
fn a_component_that_no_server_takes_is_refused_with_what_to_do() {
    let (cli, data) = with_server();
    let push = |wat: &str, named: &[&str]| {
        let file = data.path().join("odd.wasm");
        std::fs::write(&file, wat::parse_str(wat).unwrap()).unwrap();
        fails(&cli, &["plugin", "push", file.to_str().unwrap()], 3, named);
    };
    push("(module)", &["a core WebAssembly module, not a component"]);
    push(
        "(component (import \"wasi:clocks/monotonic-clock@0.2.0\" (instance)))",
        &["imports `wasi:clocks/monotonic-clock@0.2.0`", "no clock, no files, no network", "wasm32-unknown-unknown"],
    );
    push(
        "(component (import \"scruple:constraint/scim@0.2.0\" (instance)))",
        &["was built for `scruple:constraint@0.2.0`", "serves `scruple:constraint@0.1.0`"],
    );
    push("(component)", &["does not export `scruple:constraint/about@0.1.0`"]);
    let empty = data.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    cli.fails(&["plugin", "push", empty.to_str().unwrap()], 3, "`scruple plugin new` makes one");
}

#[test]
fn settings_and_grants_that_make_no_sense_are_told_with_their_places() {
    let (cli, _data) = with_server();
    cli.said(&["plugin", "push", SAFE_VALUES]);
    cli.said(&["plugin", "push", WRITE_ONCE]);
    let set = |name: &str, settings: &str, grants: &str, named: &[&str]| {
        fails(&cli, &["constraint", "set", name, "--settings", settings, "--grants", grants], 4, named);
    };
    let all = r#"{"reads": ["userName"]}"#;
    set("safe-values", r#"{"rules": [{"path": "userName", "pattern": "("}]}"#, all, &["/rules/0/pattern: "]);
    set("safe-values", r#"{"rules": [{"pattern": "a"}]}"#, all, &["/rules/0: ", "path"]);
    set(
        "write-once",
        r#"{"attributes": ["externalId"]}"#,
        r#"{"reads": ["extId"]}"#,
        &["the granted read `extId` is not an attribute"],
    );
    set("none", "{}", all, &["no version", "none"]);
}

#[test]
fn a_fault_is_told_with_the_read_that_was_refused_or_the_limit_and_with_what_to_do() {
    let (cli, _data) = with_server();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = cli.server.as_ref().unwrap();
    let acme = runtime.block_on(scruple_tests::TenantClient::new(server.address, "acme", &server.operator()));
    cli.fails(&["decisions", "explain", "last"], 2, "tenant acme has no decision yet");
    let faulted = |component: &str, settings: &str, grants: Option<&str>| {
        let name = std::path::Path::new(component).file_stem().unwrap().to_str().unwrap();
        cli.said(&["plugin", "push", component]);
        let set = ["constraint", "set", name, "--settings", settings];
        cli.said(&[&set[..], &grants.map_or(vec![], |grants| vec!["--grants", grants])].concat());
        runtime.block_on(acme.post("/Users", scruple_tests::user("ada"))).expect_status(403);
        let told = cli.said(&["decisions", "explain", "last"]);
        cli.said(&["constraint", "remove", name]);
        told
    };
    let told =
        faulted(SAFE_VALUES, r#"{"rules": [{"path": "userName", "pattern": "a"}]}"#, Some(r#"{"reads": ["title"]}"#));
    for line in
        ["refused, not-granted\n", "  fault   failed: ", "  remedy  grant what was refused: `scruple constraint set`"]
    {
        assert!(told.contains(line), "`{line}` is not in:\n{told}");
    }
    let told = faulted(SPIN_FOREVER, "{}", None);
    let line = "  fault   out-of-fuel: the constraint used all of its fuel (10000000)\n  remedy  look what takes it";
    assert!(told.contains(line), "`{line}` is not in:\n{told}");
}

#[test]
fn a_trial_logs_in_again_after_a_restart_and_is_for_this_computer_alone() {
    let home = tempfile::tempdir().unwrap();
    let serve = |args: &[&str]| {
        let mut command = std::process::Command::new(program());
        for name in ["SERVER", "TENANT", "TOKEN", "CONTEXT", "ADMIN_TOKEN"] {
            command.env_remove(format!("SCRUPLE_{name}"));
        }
        command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").current_dir(home.path());
        command.args(args).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command
    };
    let refused = serve(&["serve", "--trial", "acme", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`--trial` is for this computer alone"));
    assert!(!home.path().join("scruple-data").exists());

    // The same address each time, as a context is for one server.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let file = home.path().join(".config/scruple/contexts.toml");
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut child = serve(&["serve", "--trial", "acme", "--listen", &free]).spawn().unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let said =
            lines.map_while(Result::ok).find(|line| line.starts_with("You are the administrator of tenant acme"));
        let known = serve(&["context", "show"]).output().unwrap();
        let known = String::from_utf8_lossy(&known.stdout).into_owned();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said.is_some() && known.contains("knows it as `trial` of tenant acme: scopes admin"), "{known}");
        kept.push(std::fs::read_to_string(&file).unwrap());
    }
    assert_eq!(kept[0], kept[1], "another token was made");

    // Whoever has lost the token, and does not know the operator's, is told what to do.
    std::fs::remove_file(&file).unwrap();
    let lost = serve(&["serve", "--trial", "acme", "--listen", &free]).output().unwrap();
    assert_eq!(lost.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&lost.stderr).contains("give it as SCRUPLE_ADMIN_TOKEN, or begin with an empty folder")
    );
}
