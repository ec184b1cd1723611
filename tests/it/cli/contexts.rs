//! `scruple login`, `context` and `logout`: what counts where, and that no token is shown.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use scruple_tests::ServerProcess;
use scruple_tests::server::OPERATOR_TOKEN;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{answering, program};

/// A user with a home, and a server with the tenants `acme` and `other`.
struct Home {
    home: TempDir,
    server: ServerProcess,
    _data: TempDir,
}

/// A command's environment and what it reads.
#[derive(Default)]
struct Given<'a> {
    environment: &'a [(&'a str, &'a str)],
    input: &'a str,
}

impl Home {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(program(), data.path()).unwrap();
        let home = Self { home: tempfile::tempdir().unwrap(), server, _data: data };
        for tenant in ["acme", "other"] {
            home.said(&["tenant", "create", tenant, "--server", &home.url(), "--token", OPERATOR_TOKEN]);
        }
        home
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/scruple/contexts.toml")
    }

    /// A token of a tenant.
    fn token(&self, tenant: &str, scope: &str) -> String {
        let args = ["token", "create", "--label", "me", "--scope", scope, "--tenant", tenant];
        let by = ["--server", &self.url(), "--token", OPERATOR_TOKEN];
        self.said(&[&args[..], &by[..]].concat()).trim().to_owned()
    }

    fn run(&self, args: &[&str], given: &Given<'_>) -> Output {
        let mut command = Command::new(program());
        for name in ["SERVER", "TENANT", "TOKEN", "CONTEXT"] {
            command.env_remove(format!("SCRUPLE_{name}"));
        }
        command.args(args).env_remove("XDG_CONFIG_HOME").env("HOME", self.home.path());
        command.envs(given.environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever does not read it closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(given.input.as_bytes());
        let output = child.wait_with_output().unwrap();
        for token in self.tokens() {
            let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            assert!(!out.contains(&token) && !err.contains(&token), "{args:?} shows a token that is kept: {out}{err}");
        }
        output
    }

    /// Those that the file has.
    fn tokens(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.split('"').filter(|word| word.starts_with("scr_")).map(str::to_owned).collect()
    }

    #[track_caller]
    fn said_given(&self, args: &[&str], given: &Given<'_>) -> String {
        let output = self.run(args, given);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "scruple {args:?} failed: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn said(&self, args: &[&str]) -> String {
        self.said_given(args, &Given::default())
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.said(&[args, &["--json"]].concat())).unwrap()
    }

    #[track_caller]
    fn fails_given(&self, args: &[&str], given: &Given<'_>, code: i32, named: &str) {
        let output = self.run(args, given);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "scruple {args:?}: {error}");
        assert!(error.contains(named), "`{named}` is not named in: {error}");
    }

    #[track_caller]
    fn fails(&self, args: &[&str], code: i32, named: &str) {
        self.fails_given(args, &Given::default(), code, named);
    }

    /// Logs in to a tenant with its token on standard input.
    #[track_caller]
    fn login(&self, tenant: &str, token: &str, more: &[&str]) -> String {
        let url = self.url();
        let args = [&["login", "--server", &url, "--tenant", tenant], more].concat();
        self.said_given(&args, &Given { input: &format!("{token}\n"), ..Given::default() })
    }
}

#[test]
fn who_has_logged_in_names_neither_server_nor_tenant_nor_token_again() {
    let home = Home::new();
    home.fails(
        &["constraint", "list"],
        2,
        "no tenant: give it as `--tenant NAME`, in the environment as SCRUPLE_TENANT, or in a context",
    );
    home.fails(
        &["tenant", "list"],
        2,
        "`--token TOKEN`, in the environment as SCRUPLE_TOKEN, or in a context, which `scruple login` makes",
    );
    assert_eq!(home.said(&["context", "list"]).trim(), "nothing yet");

    let said = home.login("acme", &home.token("acme", "admin"), &[]);
    assert!(said.contains("tenant acme; it is context acme, which is used from now on"), "{said}");
    assert_eq!(home.said(&["constraint", "list"]).trim(), "nothing yet");
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(home.file()), mode(home.file().parent().unwrap().to_owned())), (0o600, 0o700));

    // The operator has no tenant, and names one where it takes one.
    let url = home.url();
    home.said(&["login", "--server", &url, "--token", OPERATOR_TOKEN, "--context", "root"]);
    assert!(home.said(&["tenant", "list"]).contains("other"));
    home.fails(&["constraint", "list"], 2, "(the context `root` has none)");
    home.said(&["constraint", "list", "--tenant", "other"]);
    let listed = json!({ "current": "root", "contexts": [
        { "name": "acme", "server": url, "tenant": "acme", "logged_in": true },
        { "name": "root", "server": url, "tenant": null, "logged_in": true },
    ] });
    assert_eq!(home.json(&["context", "list"]), listed);

    assert!(home.said(&["context", "use", "acme"]).contains("context acme is used from now on"));
    home.fails(&["tenant", "list"], 4, "only the operator");
    assert!(home.said(&["--context", "root", "tenant", "list"]).contains("acme"));
    assert!(home.said(&["context", "remove", "acme"]).contains("none is current now"));
    home.fails(&["constraint", "list"], 2, "no tenant");
    home.fails(&["context", "use", "acme"], 2, "there is no context `acme`; there are root");
    home.fails(&["context", "remove", "acme"], 2, "there is no context `acme`");
    home.fails(&["constraint", "list", "--context", "acme"], 2, "there is no context `acme`");
}

#[test]
fn an_option_counts_before_the_environment_and_that_before_the_current_context() {
    let home = Home::new();
    let (acme, other) = (home.token("acme", "admin"), home.token("other", "admin"));
    home.login("other", &other, &[]);
    home.login("acme", &acme, &[]);
    let (url, labelled) = (home.url(), "made");
    let label = |args: &[&str], environment: &[(&str, &str)]| {
        let given = Given { environment, ..Given::default() };
        let create = ["token", "create", "--label", labelled, "--scope", "scim", "--json"];
        let made: Value = serde_json::from_str(&home.said_given(&[&create, args].concat(), &given)).unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        // In which tenant is it?
        let listed = |tenant: &str| home.said(&["token", "list", "--context", tenant]).contains(&id);
        (listed("acme"), listed("other"))
    };
    let (in_acme, in_other) = ((true, false), (false, true));
    assert_eq!(label(&[], &[]), in_acme, "the current context");
    assert_eq!(label(&[], &[("SCRUPLE_CONTEXT", "other")]), in_other, "the environment names another");
    let environment = [("SCRUPLE_TENANT", "other"), ("SCRUPLE_TOKEN", other.as_str())];
    assert_eq!(label(&[], &environment), in_other, "the environment before the context");
    assert_eq!(label(&["--tenant", "acme", "--token", &acme], &environment), in_acme, "options before the environment");
    assert_eq!(label(&["--context", "acme"], &environment), in_acme, "a context that is an option is an option");
    let nothing = [("SCRUPLE_TENANT", ""), ("SCRUPLE_TOKEN", ""), ("SCRUPLE_CONTEXT", "")];
    assert_eq!(label(&[], &nothing), in_acme, "what is set to nothing says nothing");

    let given = Given { environment: &environment, ..Given::default() };
    let shown = home.said_given(&["context", "show"], &given);
    let expected = format!(
        "context acme\nserver {url}, by the context\ntenant other, by SCRUPLE_TENANT\na token, by SCRUPLE_TOKEN\n\
         the server knows it as `me` of tenant other: scopes admin; never expires\n"
    );
    assert_eq!(shown, expected);
    assert_eq!(home.json(&["context", "show", "other"])["tenant"], "other");
    let token = &home.json(&["context", "show"])["token"];
    assert_eq!(token["source"], "the context");
    assert_eq!((&token["known"]["tenant"], &token["known"]["label"]), (&"acme".into(), &"me".into()));
}

#[test]
fn what_a_context_has_is_told_to_no_other_server() {
    let home = Home::new();
    home.login("acme", &home.token("acme", "admin"), &[]);
    // Somebody who takes down what comes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}", listener.local_addr().unwrap());
    let why = format!("(the context `acme` is for {}, not for {elsewhere})", home.url());
    home.fails(&["constraint", "list", "--tenant", "acme", "--server", &elsewhere], 2, &why);
    let environment = [("SCRUPLE_SERVER", elsewhere.as_str())];
    home.fails_given(&["tenant", "list"], &Given { environment: &environment, ..Given::default() }, 2, &why);
    assert!(listener.accept().is_err(), "something was sent");
    // The same address in another spelling is no other server.
    home.said(&["constraint", "list", "--server", &format!("{}/", home.url())]);
}

#[test]
fn two_that_log_in_at_once_are_both_logged_in() {
    let home = Home::new();
    let (url, token) = (home.url(), home.token("acme", "author"));
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let args = ["login", "--server", &url, "--tenant", "acme", "--token", &token, "--context", name];
            let home = &home;
            scope.spawn(move || home.said(&args));
        }
    });
    let listed = home.json(&["context", "list"]);
    let there: Vec<&str> =
        listed["contexts"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(there, names);
    let left: Vec<_> = std::fs::read_dir(home.file().parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_token_that_is_of_no_use_is_not_kept() {
    let home = Home::new();
    let url = home.url();
    let login = |tenant: &[&str], input: &str, code: i32, named: &str| {
        let given = Given { input, ..Given::default() };
        home.fails_given(&[&["login", "--server", &url], tenant].concat(), &given, code, named);
        assert!(!home.file().exists(), "something was kept");
    };
    let (admin, scim) = (home.token("acme", "admin"), home.token("acme", "scim"));
    login(&["--tenant", "acme"], "scr_wrong\n", 4, "does not know the token: it is wrong");
    login(&["--tenant", "acme"], "", 2, "no token: give it as `--token`");
    login(&["--tenant", "acme"], "two words\n", 2, "that is no token");
    login(&["--tenant", "other"], &admin, 4, "has no tenant `other`, or the token is another tenant's");
    login(&["--tenant", "acme"], &scim, 4, "neither the scope `author` nor `admin`");
    login(&[], &admin, 4, "name its tenant with `--tenant`");
    let given = Given { input: "some\n", ..Given::default() };
    home.fails_given(
        &["login", "--server", "http://127.0.0.1:9", "--tenant", "acme"],
        &given,
        4,
        "no answer from http://127.0.0.1:9",
    );
    home.fails_given(&["login", "--server", "nowhere"], &given, 2, "`nowhere` is not an address");
    // Servers, but none of ours.
    for answer in ["200 OK", "404 Not Found", "302 Found"] {
        let elsewhere = answering(answer, "");
        home.fails_given(
            &["login", "--server", &elsewhere, "--tenant", "acme"],
            &given,
            4,
            "not as a Scruple server does",
        );
    }
    assert!(!home.file().exists());
    let nowhere = Given { environment: &[("HOME", "")], input: &admin };
    home.fails_given(&["login", "--server", &url, "--tenant", "acme"], &nowhere, 5, "neither XDG_CONFIG_HOME nor HOME");
}

#[test]
fn a_context_is_logged_out_of_and_logged_in_to_again() {
    let home = Home::new();
    home.login("acme", &home.token("acme", "author"), &["--context", "prod"]);
    assert!(home.said(&["logout"]).contains("the token of context prod is forgotten here"));
    assert!(home.tokens().is_empty());
    home.fails(&["constraint", "list"], 2, "no token");
    assert!(home.said(&["context", "list"]).contains("none"));
    // Server and tenant are those of the context.
    let token = home.token("acme", "author");
    let again = home.said_given(&["login"], &Given { input: &token, ..Given::default() });
    assert!(again.contains("context prod"), "{again}");
    home.said(&["constraint", "list"]);
    // What is in the environment replaces the token that is kept, also of a context that is named.
    let newer = home.token("acme", "author");
    let given = Given { environment: &[("SCRUPLE_TOKEN", &newer)], ..Given::default() };
    home.said_given(&["login", "--context", "prod"], &given);
    assert_eq!(home.tokens(), [newer]);
    home.fails(&["logout", "--context", "test"], 2, "there is no context `test`");
    // A name that another one has is not taken by itself.
    let other = home.token("other", "author");
    home.login("other", &other, &["--context", "acme"]);
    let given = Given { input: &token, ..Given::default() };
    home.said(&["context", "remove", "prod"]);
    home.fails_given(&["login", "--tenant", "acme"], &given, 2, "the context `acme` is for");
}

#[test]
fn a_file_that_others_can_read_or_that_makes_no_sense_is_refused() {
    let home = Home::new();
    home.login("acme", &home.token("acme", "admin"), &[]);
    let file = home.file();
    let mode = |mode: u32| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let chmod = format!("type `chmod 600 '{}'`", file.display());
    for open in [0o640, 0o604, 0o620] {
        mode(open);
        home.fails(&["constraint", "list"], 5, &chmod);
        home.fails(&["context", "list"], 5, &chmod);
        home.fails(&["login", "--tenant", "acme", "--token", "scr_x"], 5, &chmod);
    }
    mode(0o600);
    home.said(&["constraint", "list"]);
    // What is in the file is in no message, wherever it stands.
    for (text, line) in [
        ("[contexts]\nacme = \"scr_secret\"\n", "line 2"),
        ("current = \"acme\"\ntoken = \"scr_secret\"\n", "line 2"),
        ("\n\n\"scr_secret\n", "line 3"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = home.run(&["constraint", "list"], &Given::default());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(line) && error.contains("makes no sense") && !error.contains("secret"), "{error}");
        assert_eq!(output.status.code(), Some(5));
    }
    // What needs no context does not look for one.
    let environment = [("SCRUPLE_TENANT", "acme"), ("SCRUPLE_TOKEN", OPERATOR_TOKEN)];
    let given = Given { environment: &environment, ..Given::default() };
    home.said_given(&["constraint", "list", "--server", &home.url()], &given);
    home.said(&["plugin", "inspect", scruple_tests::components::WRITE_ONCE]);
}
