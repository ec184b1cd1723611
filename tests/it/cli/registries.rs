//! Components to OCI registries and back, and registries that misbehave.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use scruple::constraints::compile::digest;
use scruple_tests::components::WRITE_ONCE;
use scruple_tests::registry::{Manner, Registry};
use serde_json::{Value, json};

use super::program;
use super::signing::World;

/// The command line with what it knows of registries.
fn run(args: &[&str], known: &[(&str, &str)], input: &str) -> Output {
    let mut command = Command::new(program());
    command.args(args).envs(known.iter().copied()).env("XDG_CONFIG_HOME", "/nowhere");
    if known.iter().all(|(name, _)| *name != "DOCKER_CONFIG") {
        command.env("DOCKER_CONFIG", "/nowhere");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn fails(output: &Output, code: i32, said: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(said), "`{said}` is not in: {error}");
}

fn manifest(registry: &Registry, name: &str) -> Value {
    serde_json::from_slice(&registry.manifest(name).unwrap()).unwrap()
}

#[test]
fn an_artifact_is_laid_out_as_the_ecosystem_does_it() {
    let (world, registry) = (World::new(), Registry::start(Manner::Open));
    world.sign("release");
    let reference = registry.reference("acme/rules/write-once:1.0");
    let pushed = world.said(&["plugin", "push", &reference, &world.file("write-once.wasm")]);
    let component = std::fs::read(WRITE_ONCE).unwrap();
    let layer = digest(&component);

    let bytes = registry.manifest("acme/rules/write-once:1.0").unwrap();
    assert!(pushed.contains(&format!("1 signature; manifest sha256:{}", digest(&bytes))), "{pushed}");
    let manifest = manifest(&registry, "acme/rules/write-once:1.0");
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(
        manifest["layers"],
        json!([{ "mediaType": "application/wasm", "digest": format!("sha256:{layer}"), "size": component.len() }])
    );
    let config = &manifest["config"];
    assert_eq!(config["mediaType"], "application/vnd.wasm.config.v0+json");
    let config = registry.blob(config["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap()).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["layerDigests"], json!([format!("sha256:{layer}")]));
    assert!(config["component"]["target"].as_str().unwrap().starts_with("scruple:constraint/"), "{config:#}");
    assert!(config["component"]["exports"].as_array().unwrap().contains(&json!("check")));
    let signatures = std::fs::read_to_string(world.path("write-once.wasm.sig")).unwrap();
    let kept: Value =
        serde_json::from_str(manifest["annotations"]["scruple.plugin.signatures"].as_str().unwrap()).unwrap();
    assert_eq!(kept, serde_json::from_str::<Value>(&signatures).unwrap());

    // What is there is not sent again.
    let uploads = || registry.log().iter().filter(|line| line.starts_with("PUT") && line.contains("/blobs/")).count();
    assert_eq!(uploads(), 2);
    world.said(&["plugin", "push", &registry.reference("acme/rules/write-once:1.1"), &world.file("write-once.wasm")]);
    assert_eq!(uploads(), 3, "only a config, which has another date");
}

#[test]
fn a_component_goes_by_a_registry_from_its_author_to_a_server() {
    let (world, registry) = (World::new(), Registry::start(Manner::Open));
    let (component, out) = (world.file("write-once.wasm"), world.file("out.wasm"));
    let reference = registry.reference("acme/write-once:1");
    world.said(&["plugin", "push", &reference, &component, "--key", &world.file("release.pem")]);
    assert!(!world.path("write-once.wasm.sig").exists(), "a signature by `--key` is not written to a file");
    let by_digest = digest(&registry.manifest("acme/write-once:1").unwrap());
    let by_digest = registry.reference(&format!("acme/write-once@sha256:{by_digest}"));
    let key = world.file("release.pem.pub");
    world.said(&["plugin", "pull", &by_digest, "--out", &out, "--key", &key]);
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(WRITE_ONCE).unwrap());
    world.said(&["plugin", "verify", &out, "--key", &key]);
    let unsigned =
        ["plugin", "pull", &reference, "--out", &world.file("no.wasm"), "--key", &world.file("review.pem.pub")];
    world.cli.fails(&unsigned, 1, "there is no signature by it");
    assert!(!world.path("no.wasm").exists());

    world.add_key("release");
    world.said(&["signing-policy", "require", "release"]);
    world.said(&["plugin", "push", &registry.reference("acme/plain:1"), &component]);
    world.add_key("review");
    world.cli.fails(&["plugin", "push", "bought", &registry.reference("acme/plain:1")], 4, "by the key `release`");
    let pushed = world.said(&["plugin", "push", "bought", &reference, "--tag", "1"]);
    assert!(
        pushed.starts_with("plugin bought version 1: ") && pushed.trim().ends_with("signed by release"),
        "{pushed}"
    );
    let also = ["plugin", "push", "other", &reference, "--key", &world.file("review.pem")];
    assert!(world.said(&also).trim().ends_with("signed by release, review"), "a second one beside the artifact's own");
}

#[test]
fn who_somebody_is_is_told_to_a_registry_that_asks() {
    for manner in [Manner::WantsToken, Manner::WantsPassword] {
        let registry = Registry::start(manner);
        let folder = tempfile::tempdir().unwrap();
        let reference = registry.reference("acme/rules:1");
        let push = ["plugin", "push", &reference, WRITE_ONCE];
        fails(&run(&push, &[], ""), 4, "docker login");
        let env = |password| [("SCRUPLE_REGISTRY_USER", "ada"), ("SCRUPLE_REGISTRY_PASSWORD", password)];
        let wrong = run(&push, &env("hunter2"), "");
        fails(&wrong, 4, "does not take these credentials");
        assert!(!String::from_utf8_lossy(&wrong.stderr).contains("hunter2"), "the password is told");
        assert!(registry.manifest("acme/rules:1").is_none());
        fails(&run(&push, &[("SCRUPLE_REGISTRY_USER", "ada")], ""), 2, "SCRUPLE_REGISTRY_PASSWORD");
        let asked = [&push[..], &["--registry-user", "ada"]].concat();
        fails(&run(&asked, &[], ""), 2, "no password came on standard input");

        assert!(run(&push, &env("secret"), "").status.success());
        assert!(run(&asked, &[], "secret\n").status.success());
        let docker = json!({ "auths": { registry.host(): { "auth": "YWRhOnNlY3JldA==" } } });
        std::fs::write(folder.path().join("config.json"), docker.to_string()).unwrap();
        let known = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
        let out = folder.path().join("out.wasm");
        let pull = ["plugin", "pull", &reference, "--out", out.to_str().unwrap()];
        assert!(run(&pull, &known, "").status.success(), "{manner:?}");
        fails(&run(&pull, &[], ""), 4, "docker login");
    }
}

#[test]
fn of_a_registry_that_misbehaves_nothing_is_kept() {
    let good = Registry::start(Manner::Open);
    assert!(run(&["plugin", "push", &good.reference("acme/rules:1"), WRITE_ONCE], &[], "").status.success());
    let kept = good.manifest("acme/rules:1").unwrap();
    for (manner, said) in [
        (Manner::OtherBlob, "sends other bytes for the component"),
        (Manner::LongBlob, "bytes for the component"),
        (Manner::OtherManifest, "sends other bytes for the manifest"),
        (Manner::LongManifest, "sends more than 4194304 bytes for a manifest"),
        (Manner::GoesAway, "no answer from 127.0.0.1:"),
    ] {
        let registry = Registry::start(manner);
        let push = ["plugin", "push", &registry.reference("acme/rules:1"), WRITE_ONCE];
        if manner != Manner::GoesAway {
            assert!(run(&push, &[], "").status.success(), "{manner:?}");
        } else {
            registry.put_manifest("acme/rules:1", &kept);
            registry.put_blob(&std::fs::read(WRITE_ONCE).unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.wasm");
        let reference = match manner {
            Manner::OtherManifest => {
                let digest = digest(&registry.manifest("acme/rules:1").unwrap());
                registry.reference(&format!("acme/rules@sha256:{digest}"))
            }
            _ => registry.reference("acme/rules:1"),
        };
        fails(&run(&["plugin", "pull", &reference, "--out", out.to_str().unwrap()], &[], ""), 4, said);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{manner:?} leaves something behind");
    }
    let elsewhere = Registry::start(Manner::UploadElsewhere);
    let push = ["plugin", "push", &elsewhere.reference("acme/rules:1"), WRITE_ONCE];
    fails(&run(&push, &[], ""), 4, "has the upload go on at another address");
    let full = Registry::start(Manner::Full);
    let refused = run(&["plugin", "push", &full.reference("acme/rules:1"), WRITE_ONCE], &[], "");
    fails(&refused, 4, "refuses (429, ");
    assert!(!refused.stderr.contains(&0x1b), "what a registry says says something to the terminal");
    assert!(full.manifest("acme/rules:1").is_none());
    fails(&run(&["plugin", "pull", "oci://127.0.0.1:9/acme/rules:1"], &[], ""), 4, "no answer from 127.0.0.1:9");
}

#[test]
fn what_is_no_component_in_a_registry_is_said_to_be_none() {
    let registry = Registry::start(Manner::Open);
    let push = ["plugin", "push", &registry.reference("acme/good:1"), WRITE_ONCE];
    assert!(run(&push, &[], "").status.success());
    let good = manifest(&registry, "acme/good:1");
    let changed = |pointer: &str, value: Value| {
        let mut manifest = good.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    let layer = &good["layers"][0];
    let mut of_another = good.clone();
    let signatures = json!({ "version": 1, "digest": format!("sha256:{}", "0".repeat(64)), "signatures": [] });
    of_another["annotations"] = json!({ "scruple.plugin.signatures": signatures.to_string() });
    let mut broken = of_another.clone();
    broken["annotations"]["scruple.plugin.signatures"] = json!("{}");
    for (manifest, said) in [
        (json!({ "errors": [] }), "its manifest cannot be read"),
        (
            changed("/mediaType", json!("application/vnd.oci.image.index.v1+json")),
            "application/vnd.oci.image.index.v1+json",
        ),
        (changed("/layers", json!([])), "has 0 layers"),
        (changed("/layers", json!([layer, layer])), "has 2 layers"),
        (changed("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip")), "is no component"),
        (changed("/layers/0/digest", json!("sha512:00")), "an unknown kind of digest"),
        (changed("/layers/0/digest", json!(format!("sha256:{}", "../".repeat(20)))), "an unknown kind of digest"),
        (changed("/layers/0/size", json!(33_554_433)), "has 33554433 bytes, more than the limit of 33554432"),
        (changed("/layers/0/digest", json!(format!("sha256:{}", "0".repeat(64)))), "has nothing there (404"),
        (changed("/layers/0/size", json!(10)), "sends more than 10 bytes"),
        (of_another, "has signatures of another component"),
        (broken, "has signatures that cannot be read"),
    ] {
        registry.put_manifest("acme/bad:1", manifest.to_string().as_bytes());
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.wasm");
        let pull = ["plugin", "pull", &registry.reference("acme/bad:1"), "--out", out.to_str().unwrap()];
        fails(&run(&pull, &[], ""), 4, said);
        assert!(!out.exists(), "{said}");
    }
    let component = &registry.reference("acme/x:1");
    fails(&run(&["plugin", "push", component, file!()], &[], ""), 2, "cannot read");
    fails(&run(&["plugin", "push", component, "/proc/self/status"], &[], ""), 3, "this is not WebAssembly");
    fails(&run(&["plugin", "push", component], &[], ""), 2, "name the component to be put there");
    fails(&run(&["plugin", "push", component, WRITE_ONCE, "--tag", "x"], &[], ""), 2, "the end of the reference");
    fails(&run(&["plugin", "pull", "oci://127.0.0.1/acme"], &[], ""), 2, "has no tag and no digest");
}
