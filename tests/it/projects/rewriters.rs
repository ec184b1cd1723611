//! Rewriters in JavaScript and Python on their whole way: built, tried, pushed, and what they make of a request. They fill in an
//! attribute that the tenant has declared, so that the build and the cases have to know of it.

use std::fs;
use std::process::Command;

use scruple_tests::{TenantClient, TestServer};
use serde_json::{Value, json};

use super::{Project, USER, program};

const BADGE: &str = "urn:example:params:scim:schemas:Badge";

const JAVASCRIPT: &str = r"
import { Draft, rewriter, settings } from 'scruple-sdk';

const BADGE = 'urn:example:params:scim:schemas:Badge:badge';

export default rewriter({
  name: 'company-mail',
  version: '0.1.0',
  summary: 'Addresses are in lower case, and everybody has a badge',
  resourceTypes: ['User'],
  actions: ['create', 'update'],
  reads: ['emails', BADGE],
  writes: ['emails', BADGE],
  settings: { badge: settings.text('The badge of who has none') },
  rewrite(operation, { badge }) {
    const draft = new Draft(operation.after);
    draft.mapTexts('emails.value', (text) => text.toLowerCase());
    if (draft.text(BADGE) === undefined) draft.set(BADGE, badge);
    return draft.edits();
  },
});
";

const PYTHON: &str = r#"
from collections.abc import Iterable
from dataclasses import dataclass

from lowering import lower
from scruple_sdk import Action, Draft, Edit, Operation, Rewriter, setting

BADGE = "urn:example:params:scim:schemas:Badge:badge"


@dataclass(frozen=True)
class Settings:
    badge: str = setting("The badge of who has none")


class Rule(Rewriter[Settings]):
    name = "company-mail"
    version = "0.1.0"
    summary = "Addresses are in lower case, and everybody has a badge"
    resource_types = ["User"]
    actions = [Action.CREATE, Action.UPDATE]
    reads = writes = ["emails", BADGE]

    def rewrite(self, operation: Operation, settings: Settings) -> Iterable[Edit]:
        draft = Draft(operation.after)
        draft.map_texts("emails.value", lower)
        if draft.text(BADGE) is None:
            draft.set(BADGE, settings.badge)
        return draft.edits()
"#;

/// A package of somebody else's, as pip fetches them.
const WHEEL: &str = r#"
import sys, zipfile

with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("lowering.py", "def lower(text):\n    return text.lower()\n")
    wheel.writestr("lowering-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lowering\nVersion: 1.0\n")
    wheel.writestr("lowering-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {sys.argv[2]}\n")
    wheel.writestr("lowering-1.0.dist-info/RECORD", "")
"#;

fn schema() -> Value {
    json!({ "id": BADGE, "name": "Badge", "attributes": [{ "name": "badge", "type": "string" }] })
}

fn users() -> Value {
    json!({ "name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [
        { "schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false },
        { "schema": BADGE, "required": false },
    ] })
}

fn ada() -> Value {
    json!({ "schemas": [USER], "userName": "ada", "emails": [{ "value": "Ada@Example.com", "type": "work" }] })
}

/// The project's cases: one, in a tenant that has badges.
fn write_cases(project: &Project) {
    let fixtures = project.folder.join("fixtures");
    fs::remove_dir_all(&fixtures).unwrap();
    fs::create_dir_all(fixtures.join("a-badge")).unwrap();
    let write = |path: &str, json: Value| fs::write(fixtures.join(path), json.to_string()).unwrap();
    write("schemas.json", json!({ "schemas": [schema()], "resource_types": [users()] }));
    write("settings.json", json!({ "badge": "B0" }));
    write("a-badge/operation.json", json!({ "create": ada() }));
    let address = r#"emails[value eq "Ada@Example.com"].value"#;
    let rewritten = json!({ address: "ada@example.com", format!("{BADGE}:badge"): "B0" });
    write("a-badge/expected.json", json!({ "verdict": "rewrite", "rewritten": rewritten }));
}

async fn declare(acme: &TenantClient) {
    acme.admin.put(&acme.api_path(&format!("/schemas/{BADGE}")), schema()).await.expect_status(200);
    acme.admin.put(&acme.api_path("/resource-types/User"), users()).await.expect_status(200);
}

/// Builds it, has it judge its cases, and has a server rewrite by it.
async fn check(project: &Project) {
    write_cases(project);
    let built = project.built();
    assert_eq!(built["world"], "scruple:constraint/rewriter@0.1.0", "{built}");
    assert_eq!(built["descriptor"]["writes"], json!(["emails", format!("{BADGE}:badge")]), "{built}");
    let tested = project.said(program(), &["plugin", "test"]);
    assert!(tested.contains("1 passed, 0 failed"), "{tested}");

    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    declare(&acme).await;
    acme.enforce(project.component().to_str().unwrap(), json!({ "badge": "B0" })).await;
    let made = acme.post("/Users", ada()).await.expect_status(201);
    assert_eq!(made.body["emails"][0]["value"], "ada@example.com", "{}", made.body);
    assert_eq!(made.body[BADGE]["badge"], "B0", "{}", made.body);
    let decision = acme.decision(&made.decision_id().unwrap()).await;
    assert_eq!(decision["evaluations"][0]["verdict"], "rewrite", "{decision:#}");
}

#[tokio::test]
async fn a_rewriter_in_javascript_is_built_and_rewrites() {
    let project = Project::new("js", "");
    fs::write(project.folder.join("src/constraint.js"), JAVASCRIPT).unwrap();
    project.replace("package.json", "\"constraint\": \"", "\"rewriter\": \"");
    check(&project).await;
    // A manifest that says another thing than the module is told so.
    project.replace("package.json", "\"rewriter\": \"", "\"constraint\": \"");
    project.fails(&["plugin", "build"], 3, &["`scruple.constraint` names a module without `evaluate`"]);
}

// One build and no more: the interpreter takes half a minute to compile.
#[tokio::test]
async fn a_rewriter_in_python_is_built_with_a_package_of_others_and_rewrites() {
    let project = Project::new("python", "");
    let depends_on = |tag: &str| {
        let wheel = project.folder.join(format!("lowering-1.0-{tag}.whl"));
        let made = Command::new("python3").args(["-c", WHEEL, wheel.to_str().unwrap(), tag]).status().unwrap();
        assert!(made.success(), "{tag}");
        format!("[project]\ndependencies = [\"lowering @ file://{}\"]\n", wheel.display())
    };
    // One with code for a machine is of no use in there.
    let native = depends_on("cp311-cp311-linux_x86_64");
    project.replace("pyproject.toml", "[project]\n", &native);
    project.fails(
        &["plugin", "build"],
        5,
        &["the dependencies of company-mail", "packages in Python alone", "lowering"],
    );
    project.replace("pyproject.toml", &native, &depends_on("py3-none-any"));
    fs::write(project.folder.join("src/constraint.py"), PYTHON).unwrap();
    project.replace("pyproject.toml", "constraint = \"constraint:Rule\"", "rewriter = \"constraint:Rule\"");
    check(&project).await;
}
