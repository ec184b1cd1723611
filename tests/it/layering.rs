//! Who may import whom (`host/ARCHITECTURE.md`): read from the sources, so that the rule is a test and not a memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and what of ours it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("causes", &[]),
    ("one_line", &[]),
    ("scim", &[]),
    ("tables", &[]),
    ("signature", &[]),
    ("change", &["scim"]),
    ("decision", &["change", "scim"]),
    ("metrics", &["decision"]),
    ("constraints", &["metrics", "decision", "change", "one_line", "scim"]),
    ("store", &["decision", "change", "scim", "signature", "tables"]),
    ("clock", &[]),
    ("secrets", &["store"]),
    ("folder", &[]),
    ("moving", &["folder", "secrets", "store"]),
    (
        "pipeline",
        &["causes", "clock", "constraints", "metrics", "store", "decision", "change", "scim", "signature", "tables"],
    ),
    ("trial", &["causes", "change", "clock", "constraints", "decision", "pipeline", "scim", "store", "tables"]),
    ("config", &["constraints", "store", "scim", "tables"]),
    (
        "http",
        &[
            "app",
            "causes",
            "clock",
            "secrets",
            "pipeline",
            "constraints",
            "metrics",
            "store",
            "decision",
            "change",
            "scim",
            "signature",
            "tables",
        ],
    ),
    (
        "app",
        &[
            "causes",
            "clock",
            "config",
            "folder",
            "http",
            "pipeline",
            "constraints",
            "metrics",
            "store",
            "decision",
            "scim",
            "secrets",
        ],
    ),
    ("router", &["app", "http"]),
    (
        "cli",
        &[
            "app",
            "build_handler",
            "causes",
            "clock",
            "config",
            "constraints",
            "decision",
            "moving",
            "one_line",
            "scim",
            "secrets",
            "signature",
            "tables",
            "trial",
        ],
    ),
];

/// Crates that only one module may see.
const ONLY: &[(&str, &[&str])] = &[
    ("axum", &["http", "router", "cli"]),
    ("wasmtime", &["constraints"]),
    ("wasmparser", &["constraints"]),
    ("rusqlite", &["store"]),
    ("object_store", &["store"]),
    ("reqwest", &["cli"]),
    ("clap", &["cli"]),
    ("prometheus_client", &["metrics"]),
    ("ed25519_dalek", &["signature"]),
];

/// What a pure module must not mention: I/O, clocks, concurrency, randomness.
const PURE: &[&str] = &["scim", "signature", "tables", "change", "decision"];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::time",
    "std::thread",
    "tokio::",
    "async fn",
    "Timestamp::now",
    "Uuid::new",
    "now_v7",
    "tracing::",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src")
}

/// Every source file of a module, without the tests' part.
fn files(module: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source().join(module)];
    let root = source().join(format!("{module}.rs"));
    if root.is_file() {
        found.push(root);
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
                false => {}
            }
        }
    }
    // Below the sources: above them a folder may be called anything.
    let within = |path: &PathBuf| path.strip_prefix(source()).unwrap().to_owned();
    let is_test = |path: &PathBuf| within(path).ancestors().any(|part| part.file_stem().is_some_and(is_of_tests));
    found.retain(|path| !is_test(path));
    assert!(!found.is_empty(), "module `{module}` has no files");
    found.into_iter().map(|path| (path.clone(), code(&fs::read_to_string(path).unwrap()))).collect()
}

/// Modules that are compiled for tests only.
fn is_of_tests(stem: &std::ffi::OsStr) -> bool {
    let stem = stem.to_string_lossy();
    stem == "tests" || stem.ends_with("_tests") || stem == "conformance"
}

/// The code of a file: no comments, nothing after the inline tests begin.
fn code(text: &str) -> String {
    let tested = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    tested.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of ours that a file mentions: `crate::name`.
fn imports(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.split("crate::").skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_module_imports_only_what_it_may() {
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for (path, text) in files(module) {
            for import in imports(&text) {
                if import != *module && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{} imports crate::{import}, which `{module}` may not", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_is_in_the_table() {
    let listed: BTreeSet<String> = MAY_IMPORT.iter().map(|(module, _)| (*module).to_owned()).collect();
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let declared: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, listed);
}

#[test]
fn a_crate_behind_a_layer_is_seen_by_that_layer_only() {
    for (name, only) in ONLY {
        for (module, _) in MAY_IMPORT.iter().filter(|(module, _)| !only.contains(module)) {
            for (path, text) in files(module) {
                let seen = text.contains(&format!("{name}::"));
                assert!(!seen, "{} mentions `{name}`, which only {only:?} may", path.display());
            }
        }
    }
}

#[test]
fn pure_modules_do_nothing_but_compute() {
    for module in PURE {
        for (path, text) in files(module) {
            for impure in IMPURE {
                assert!(!text.contains(impure), "{} mentions `{impure}`; `{module}` is pure", path.display());
            }
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of a manifest's dependencies, as the code spells them.
fn dependencies(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let dependencies = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names = dependencies.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split([' ', '.']).next());
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

/// The fuzz targets compile `scim` into a crate of their own, which no other check builds.
#[test]
fn the_fuzz_targets_have_every_crate_that_the_protocol_uses() {
    let (host, fuzz) = (dependencies("../host/Cargo.toml"), dependencies("fuzz/Cargo.toml"));
    let used = |name: &&String| files("scim").iter().any(|(_, text)| text.contains(&format!("{name}::")));
    let missing: Vec<&String> = host.difference(&fuzz).filter(used).collect();
    assert!(missing.is_empty(), "tests/fuzz/Cargo.toml lacks {missing:?}");
    assert!(host.iter().filter(used).count() > 3);
}

/// The version of each dependency of the server's in a lock file.
fn locked(path: &str) -> BTreeMap<String, String> {
    let text = read(path);
    let value = |block: &str, key: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
            .map(str::to_owned)
    };
    let packages: Vec<_> = text.split("[[package]]").collect();
    let version = |name: &str| {
        let package = packages.iter().find(|block| value(block, "name").is_some_and(|own| own == name));
        package.and_then(|block| value(block, "version")).unwrap_or_default()
    };
    let host = packages.iter().find(|block| value(block, "name").is_some_and(|own| own == "scruple")).unwrap();
    let listed = host.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    // The version stands there only if there are several.
    let named =
        listed.map(|entry| entry.split_once(' ').map_or((entry, None), |(name, version)| (name, Some(version))));
    named.map(|(name, given)| (name.replace('-', "_"), given.map_or_else(|| version(name), str::to_owned))).collect()
}

/// The comparison with policy engines and the sandbox's fuzz targets are workspaces of their own, which no other check builds.
/// What they measure and look at is the server only if all are built from the same crates, and what is measured in the same way.
#[test]
fn other_workspaces_build_the_crates_that_the_server_is_built_from() {
    let ours = locked("../Cargo.lock");
    let host = dependencies("../host/Cargo.toml");
    for workspace in ["compare", "fuzz/sandbox"] {
        let theirs = locked(&format!("{workspace}/Cargo.lock"));
        let other: Vec<_> = host.iter().filter(|name| ours.get(*name) != theirs.get(*name)).collect();
        assert!(
            other.is_empty(),
            "tests/{workspace}/Cargo.lock has another {other:?}: run `cargo tree --manifest-path \
             tests/{workspace}/Cargo.toml`, or `cargo update --manifest-path tests/{workspace}/Cargo.toml NAME \
             --precise VERSION`"
        );
    }
    assert!(host.iter().all(|name| ours.get(name).is_some_and(|version| !version.is_empty())), "{ours:?}");
    let profile = |path: &str| {
        let text = read(path);
        let settings = text.lines().skip_while(|line| *line != "[profile.release]").skip(1);
        let settings = settings.take_while(|line| !line.starts_with('[')).filter(|line| line.contains(" = "));
        settings.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(profile("compare/Cargo.toml"), profile("../Cargo.toml"));
    assert!(!profile("../Cargo.toml").is_empty());
}
