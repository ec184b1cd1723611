//! Projects as `scruple plugin new` writes them, on their whole way: unit tests, build, cases, a server, a decision.

mod dev;
mod mistakes;
mod rewriters;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scruple_tests::server::OPERATOR_TOKEN;
use scruple_tests::{ServerProcess, TenantClient};
use serde_json::{Value, json};
use tempfile::TempDir;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const EVERY_NEED: &str = "directory,tables";

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A project in a folder of its own.
struct Project {
    _home: TempDir,
    folder: PathBuf,
    language: &'static str,
}

impl Project {
    fn new(language: &'static str, needs: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut args = vec!["plugin", "new", "company-mail", "--lang", language];
        if !needs.is_empty() {
            args.extend(["--needs", needs]);
        }
        let said = Command::new(program()).current_dir(home.path()).args(args).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let folder = home.path().join("company-mail");
        if language == "rust" {
            // The versions that are compiled already.
            fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        }
        Self { _home: home, folder, language }
    }

    /// A program in the project's folder.
    fn command(&self, program: impl AsRef<Path>, args: &[&str]) -> Output {
        let mut command = Command::new(program.as_ref());
        // What is fetched and compiled for projects is kept, so that only the first run pays for it.
        command.current_dir(&self.folder).env("SCRUPLE_TOOLS", root().join("target/tools"));
        command.env("CARGO_TARGET_DIR", root().join("target/projects"));
        command.args(args).output().unwrap()
    }

    #[track_caller]
    fn said(&self, program: impl AsRef<Path>, args: &[&str]) -> String {
        let output = self.command(&program, args);
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{} {args:?}: {out}\n{error}", program.as_ref().display());
        format!("{out}{error}")
    }

    /// Exit code and text of a command that does not succeed.
    #[track_caller]
    fn fails(&self, args: &[&str], code: i32, named: &[&str]) {
        let output = self.command(program(), args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        for named in named {
            assert!(error.contains(named), "`{named}` is not named in: {error}");
        }
    }

    fn component(&self) -> PathBuf {
        self.folder.join("target/plugins/company-mail.wasm")
    }

    /// What `plugin build` says as JSON.
    #[track_caller]
    fn built(&self) -> Value {
        let component = self.component();
        let mut args = vec!["plugin", "build", "--json", "--out", component.to_str().unwrap()];
        let shared = root().join("target");
        if self.language == "rust" {
            args.extend(["--target-dir", shared.to_str().unwrap()]);
        }
        serde_json::from_str(&self.said(program(), &args)).unwrap()
    }

    /// Its unit tests, as its README says.
    #[track_caller]
    fn unit_tests(&self) -> String {
        match self.language {
            "rust" => self.said("cargo", &["test"]),
            "js" => self.said("npm", &["install", "--no-audit", "--no-fund"]) + &self.said("npm", &["test"]),
            _ => self.said("make", &["test"]),
        }
    }

    fn replace_all(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).unwrap().replace(from, to);
        fs::write(path, text).unwrap();
    }

    /// The same, of a text that has to be there.
    #[track_caller]
    fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        assert!(text.contains(from), "`{from}` is not in `{file}`");
        self.replace_all(file, from, to);
    }
}

/// That a project with nothing changed is tested, built, judges its cases, and names no more than it needs.
#[track_caller]
fn check(language: &'static str, needs: &str, passed: &str, cases: usize) -> Project {
    let project = Project::new(language, needs);
    let tested = project.unit_tests();
    assert!(tested.contains(passed), "`{passed}` is not in: {tested}");
    let built = project.built();
    assert_eq!(built["name"], "company-mail");
    assert_eq!(built["digest"].as_str().map(str::len), Some(64), "{built}");
    let imports: Vec<&str> = built["imports"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for capability in ["directory", "tables"] {
        let is_imported = imports.iter().any(|import| import.contains(&format!("/{capability}@")));
        assert_eq!(is_imported, needs.contains(capability), "{capability}: {imports:?}");
    }
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(project.folder.join("schema/settings.schema.json")).unwrap()).unwrap();
    let declared = &built["descriptor"]["settings_schema"];
    for part in ["/required", "/additionalProperties", "/properties/domain/description", "/properties/domain/type"] {
        assert_eq!(schema.pointer(part), declared.pointer(part), "{part}");
    }
    let judged = project.said(program(), &["plugin", "test"]);
    assert!(judged.contains(&format!("{cases} passed, 0 failed")), "{judged}");
    project
}

/// That its component is pushed, put in force, refuses, and that the refusal is explained.
fn is_enforced(project: &Project) {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(program(), data.path()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let operator = server.operator();
    let acme = runtime.block_on(async {
        operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
        TenantClient::new(server.address, "acme", &operator).await
    });
    let scruple = |args: &[&str]| {
        let mut command = Command::new(program());
        command.current_dir(&project.folder).args(args).env("SCRUPLE_TENANT", "acme");
        command.env("SCRUPLE_TOKEN", OPERATOR_TOKEN).env("SCRUPLE_SERVER", format!("http://{}", server.address));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    fs::write(project.folder.join("departments.csv"), "code\nD-7\n").unwrap();
    scruple(&["table", "put", "departments", "departments.csv"]);
    scruple(&["plugin", "push", "target/plugins/company-mail.wasm"]);
    scruple(&["constraint", "set", "company-mail", "--settings", "@fixtures/settings.json"]);
    let user = |name: &str, address: &str| json!({ "schemas": [USER], "userName": name, "emails": [{ "value": address, "type": "work" }] });
    let decision = runtime.block_on(async {
        acme.post("/Users", user("ada", "ada@example.com")).await.expect_status(201);
        acme.post("/Users", user("eve", "ada@example.com")).await.expect_status(409);
        let refused = acme.post("/Users", user("eve", "eve@elsewhere.example")).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidValue", "{}", refused.body);
        refused.decision_id().unwrap()
    });
    let explained = scruple(&["decisions", "show", &decision]);
    for line in ["because foreign-domain: ", "after emails[type eq \"work\"].value", "company-mail"] {
        assert!(explained.contains(line), "`{line}` is not in:\n{explained}");
    }
}

// That they are pushed and enforced is in `guide/pages.rs`, with the whole way of a project in Python: the interpreter takes many
// seconds to compile, so one project with everything is enough.

#[test]
fn a_project_in_rust_is_tested_and_built() {
    check("rust", "", "3 passed; 0 failed", 2);
    let project = check("rust", EVERY_NEED, "5 passed; 0 failed", 4);
    let formatted = project.command("cargo", &["fmt", "--check"]);
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stdout));
}

#[test]
fn a_project_in_javascript_is_tested_and_built() {
    check("js", "", "# pass 4", 2);
    check("js", EVERY_NEED, "# pass 6", 4);
}

#[test]
fn the_sdk_of_each_language_passes_its_own_tests() {
    for (sdk, program, args) in [("js", "npm", vec!["test"]), ("python", "python3", vec!["-m", "unittest"])] {
        let folder = root().join("plugin-sdk").join(sdk);
        let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sdk}: {said}");
        assert!(said.contains("# pass ") || said.contains("Ran "), "{sdk}: no test was run: {said}");
    }
}

#[test]
fn a_project_in_c_is_tested_built_and_enforced() {
    check("c", "", "15 passed, 0 failed", 2);
    check("c", "directory", "15 passed, 0 failed", 3);
    is_enforced(&check("c", EVERY_NEED, "15 passed, 0 failed", 4));
}
