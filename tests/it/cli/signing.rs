//! Keys, signatures and policies with the command line, and components had back.

use std::path::{Path, PathBuf};

use scruple_tests::ServerProcess;
use scruple_tests::components::{SAFE_VALUES, WRITE_ONCE};
use scruple_tests::server::OPERATOR_TOKEN;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Cli, program};

const SETTINGS: &str = "{\"attributes\": [\"externalId\"]}";

/// A server with a tenant, and a folder with a component and the keys `release` and `review`.
pub(super) struct World {
    pub(super) cli: Cli,
    folder: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(program(), &folder.path().join("data")).unwrap();
        let cli = Cli { server: Some(server), token: OPERATOR_TOKEN.to_owned() };
        cli.said(&["tenant", "create", "acme"]);
        let world = Self { cli, folder };
        std::fs::copy(WRITE_ONCE, world.path("write-once.wasm")).unwrap();
        for key in ["release", "review"] {
            world.said(&["plugin", "keygen", &world.file(&format!("{key}.pem"))]);
        }
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn said(&self, args: &[&str]) -> String {
        self.cli.said(args)
    }

    /// Signs the component in the folder.
    #[track_caller]
    pub(super) fn sign(&self, key: &str) -> String {
        self.said(&["plugin", "sign", &self.file("write-once.wasm"), "--key", &self.file(&format!("{key}.pem"))])
    }

    #[track_caller]
    pub(super) fn add_key(&self, key: &str) {
        self.said(&["signing-key", "add", key, &self.file(&format!("{key}.pem.pub"))]);
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.said(&[args, &["--json"]].concat())).unwrap()
    }
}

fn same(one: &Path, other: &str) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}

#[test]
fn a_component_is_signed_and_checked_without_a_server() {
    let world = World::new();
    let (component, public) = (world.file("write-once.wasm"), world.file("release.pem.pub"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(world.path("release.pem")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "whoever can read it can sign");
    let before = std::fs::read(world.path("release.pem")).unwrap();
    world.cli.fails(&["plugin", "keygen", &world.file("release.pem")], 2, "is there already");
    std::fs::remove_file(world.path("review.pem")).unwrap();
    world.cli.fails(&["plugin", "keygen", &world.file("review.pem")], 2, "review.pem.pub` is there already");
    assert!(!world.path("review.pem").exists(), "half a pair is left behind");
    assert_eq!(std::fs::read(world.path("release.pem")).unwrap(), before);

    world.cli.fails(&["plugin", "verify", &component, "--key", &public], 2, "write-once.wasm.sig");
    assert!(world.sign("release").contains("write-once.wasm.sig has 1 signature"));
    assert!(world.said(&["plugin", "verify", &component, "--key", &public]).contains("is signed by"));
    world.cli.fails(&["plugin", "verify", &component, "--key", &world.file("review.pem.pub")], 1, "no signature by it");
    world.cli.fails(&["plugin", "verify", &component, "--key", &world.file("release.pem")], 2, "this is a private key");
    world.cli.fails(&["plugin", "sign", &component, "--key", &public], 2, "not a private Ed25519 key");
    world.cli.fails(
        &["plugin", "sign", &public, "--key", &world.file("release.pem")],
        3,
        "not a WebAssembly component",
    );

    // Another component under the same name: what was said of the first says nothing of it.
    std::fs::copy(SAFE_VALUES, &component).unwrap();
    world.cli.fails(&["plugin", "verify", &component, "--key", &public], 1, "is not one of this component");
    world.cli.fails(&["plugin", "push", &component], 2, "has the signatures of another component");
    assert!(world.sign("release").contains("dropped from it what is of another component: 1 signature"));
    world.said(&["plugin", "verify", &component, "--key", &public]);
}

#[test]
fn a_tenant_that_requires_signatures_takes_and_puts_to_work_what_has_them() {
    let world = World::new();
    let component = world.file("write-once.wasm");
    world.sign("release");
    let pushed = world.said(&["plugin", "push", &component]);
    assert!(pushed.trim().ends_with("1 signature was not sent: the tenant does not know its key"), "{pushed}");
    let signature = world.file("write-once.wasm.sig");
    world.cli.fails(&["plugin", "push", &component, "--signature", &signature], 4, "knows no key");
    let review = world.file("review.pem");
    world.cli.fails(&["plugin", "push", &component, "--key", &review], 4, "knows no key");
    world.said(&["constraint", "set", "write-once", "--settings", SETTINGS]);
    world.add_key("review");
    let pushed = world.said(&["plugin", "push", &component, "--key", &review]);
    assert!(pushed.contains("; signed by review; 1 signature was not sent"), "{pushed}");
    world.said(&["signing-key", "remove", "review"]);
    world.add_key("release");
    world.add_key("review");

    let set = world.said(&["signing-policy", "require", "release", "review", "--all"]);
    assert!(set.starts_with("signatures by all of release, review are required\n"), "{set}");
    assert!(
        set.contains("in force without: constraint write-once: ") && set == world.said(&["signing-policy", "show"])
    );
    assert!(world.said(&["constraint", "list"]).contains("nobody (not as required)"));
    assert!(world.said(&["constraint", "show", "write-once"]).trim().ends_with("it stays in force"));
    let again = ["constraint", "set", "write-once", "--settings", SETTINGS, "--order", "1"];
    world.cli.fails(&again, 4, "by 2 of the keys `release`, `review`; it is signed by none of them");
    world.cli.fails(&["plugin", "push", &component], 4, "it is signed by `release` alone");

    let pushed = world.said(&["plugin", "push", &component, "--key", &world.file("review.pem")]);
    assert!(pushed.trim().ends_with("were there already; signed by release, review"), "{pushed}");
    world.said(&again);
    assert!(world.said(&["plugin", "show", "write-once"]).contains(", signed by release, review"));
    let shown = world.said(&["constraint", "show", "write-once"]);
    assert!(shown.contains("signed by   release, review\n") && !shown.contains("unsigned"), "{shown}");

    world.said(&["signing-key", "remove", "review"]);
    let shown = world.said(&["signing-policy", "show"]);
    assert!(shown.starts_with("signatures by 2 of release are required"), "{shown}");
    world.said(&["signing-policy", "off"]);
    assert!(world.said(&["signing-policy", "show"]).starts_with("no signatures are required"));
    world.cli.fails(&["signing-policy", "require"], 2, "required arguments");
    world.cli.fails(&["signing-policy", "require", "release", "--at-least", "2"], 4, "name at least as many");
    world.cli.fails(&["signing-policy", "require", "release", "--at-least", "0"], 2, "signing-policy off");
    world.cli.fails(&["signing-policy", "require", "nobody"], 4, "there is no signing key `nobody`");
}

#[test]
fn a_project_is_pushed_with_the_signatures_beside_what_was_built_of_it() {
    let world = World::new();
    let project = world.path("rules");
    let package = json!({ "name": "write-once", "scruple": { "constraint": "./src/constraint.js" } });
    std::fs::create_dir_all(project.join("target/plugins")).unwrap();
    std::fs::write(project.join("package.json"), package.to_string()).unwrap();
    let built = project.join("target/plugins/write-once.wasm");
    let (project, component) = (project.to_str().unwrap(), built.to_str().unwrap());
    world.cli.fails(&["plugin", "push", project], 2, "`scruple plugin build");
    std::fs::copy(WRITE_ONCE, component).unwrap();
    world.add_key("release");
    world.said(&["plugin", "sign", component, "--key", &world.file("release.pem")]);
    let pushed = world.said(&["plugin", "push", project]);
    assert!(
        pushed.starts_with("plugin write-once version 1: ") && pushed.ends_with("; signed by release\n"),
        "{pushed}"
    );
}

#[test]
fn a_component_is_had_back_and_nothing_else_is_overwritten_by_it() {
    let world = World::new();
    let (component, out) = (world.file("write-once.wasm"), world.file("back.wasm"));
    world.add_key("release");
    world.sign("release");
    world.said(&["plugin", "push", &component, "--tag", "v1"]);
    world.said(&["plugin", "push", SAFE_VALUES, "--name", "write-once"]);
    let pull = |what: &'static str| ["plugin", "pull", what, "--out", &out].map(str::to_owned);
    let pulled = |what| world.cli.run(&pull(what).each_ref().map(String::as_str));

    assert!(pulled("write-once:v1").status.success());
    assert!(same(&world.path("back.wasm"), WRITE_ONCE));
    assert!(same(&world.path("back.wasm.sig"), &world.file("write-once.wasm.sig")));
    assert!(pulled("write-once@1").status.success(), "the same again is no change");
    world.cli.fails(&pull("write-once").each_ref().map(String::as_str), 2, "is there already and is not the same");
    assert!(same(&world.path("back.wasm"), WRITE_ONCE));
    world.said(&["plugin", "pull", "write-once", "--out", &out, "--force"]);
    assert!(same(&world.path("back.wasm"), SAFE_VALUES), "the newest");
    for (what, said) in [
        ("write-once@9", "has no version 9"),
        ("write-once:v9", "no version with the tag `v9`"),
        ("none", "was not found"),
    ] {
        world.cli.fails(&["plugin", "pull", what, "--out", &world.file("none.wasm")], 4, said);
    }
    let key = world.file("review.pem.pub");
    let args = ["plugin", "pull", "write-once@1", "--out", &world.file("none.wasm"), "--key", &key];
    world.cli.fails(&args, 1, "there is no signature by it");
    assert!(!world.path("none.wasm").exists() && !world.path("none.wasm.sig").exists());
    let args = [
        "plugin",
        "pull",
        "write-once@1",
        "--out",
        &world.file("checked.wasm"),
        "--key",
        &world.file("release.pem.pub"),
    ];
    assert!(world.said(&args).contains("1 signature; signed by every key that was named"));
}

#[test]
fn an_export_with_components_leads_to_the_same_state_on_a_server_that_has_none_of_them() {
    let (world, elsewhere) = (World::new(), World::new());
    world.add_key("release");
    world.sign("release");
    world.said(&["plugin", "push", &world.file("write-once.wasm")]);
    for name in ["write-once", "second"] {
        world.said(&["constraint", "set", name, "--plugin", "write-once", "--settings", SETTINGS]);
    }
    let out = world.file("out");
    world.cli.fails(&["export", "--components"], 2, "name a folder with `--out`");
    let written = world.json(&["export", "--out", &out, "--components"]);
    assert_eq!(
        written["written"].as_array().unwrap().len(),
        3,
        "one component, its signatures and the file: {written}"
    );

    // There the same key is known, and signatures by it are required.
    let public = world.file("release.pem.pub");
    elsewhere.said(&["signing-key", "add", "vendor", &public]);
    elsewhere.said(&["signing-policy", "require", "vendor"]);
    let file = format!("{out}/constraints.yaml");
    elsewhere.said(&["apply", "--yes", "--file", &file]);
    elsewhere.said(&["apply", "--dry-run", "--file", &file]);
    let state = |world: &World, name: &str| {
        let mut shown = world.json(&["constraint", "show", name]);
        // How soon each is active is nothing that the file says.
        for member in ["active", "at", "generation", "revision", "signed_by"] {
            shown.as_object_mut().unwrap().remove(member);
        }
        shown
    };
    for name in ["write-once", "second"] {
        assert_eq!(state(&elsewhere, name), state(&world, name));
    }
    // A signature that comes later is sent with the file, too.
    elsewhere.said(&["signing-key", "add", "review", &world.file("review.pem.pub")]);
    let component = std::fs::read_dir(world.path("out/components")).unwrap();
    let component =
        component.map(|entry| entry.unwrap().path()).find(|path| path.extension().unwrap() == "wasm").unwrap();
    let signed = ["plugin", "sign", component.to_str().unwrap(), "--key", &world.file("review.pem")];
    world.said(&signed);
    elsewhere.said(&["apply", "--dry-run", "--file", &file]);
    assert!(elsewhere.said(&["plugin", "show", "write-once"]).contains("signed by review, vendor"));
}
