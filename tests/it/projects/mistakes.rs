//! What can be wrong with a project, each said with where it is and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Project, program};

/// Exit code and text of `plugin new` that does not succeed.
#[track_caller]
fn new_fails(args: &[&str], named: &str) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("taken")).unwrap();
    fs::write(home.path().join("taken/mine"), "").unwrap();
    let output = Command::new(program()).current_dir(home.path()).args(["plugin", "new"]).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(error.contains(named), "`{named}` is not named in: {error}");
    assert_eq!(home.path().read_dir().unwrap().count(), 1, "{args:?} wrote something");
}

#[test]
fn what_no_project_can_be_made_of_is_refused_and_nothing_is_written() {
    new_fails(&["Company_Mail", "--lang", "rust"], "`Company_Mail` cannot be the name of a plugin");
    new_fails(&["serde", "--lang", "rust"], "a package that it is compiled with has that name");
    new_fails(&["taken", "--lang", "rust"], "`taken` is there already and not empty");
    new_fails(&["company-mail", "--lang", "cobol"], "possible values: ");
    new_fails(&["company-mail", "--lang", "rust", "--needs", "files"], "possible values: directory, tables");
    new_fails(&["company-mail", "--lang", "rust", "--sdk", "nowhere"], "`nowhere` has no SDK");
    new_fails(&["company-mail"], "--lang");
}

#[test]
fn a_folder_without_a_plugin_is_told_from_one_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str], code: i32, named: &str| {
        let output = Command::new(program()).current_dir(home.path()).args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(named), "`{named}` is not named in: {error}");
    };
    run(&["plugin", "build"], 3, "`scruple plugin new` makes one");
    run(&["plugin", "dev"], 3, "`scruple plugin new` makes one");
    run(&["plugin", "build", "nowhere"], 2, "there is no folder `nowhere`");
    fs::write(home.path().join("Cargo.toml"), "[package\n").unwrap();
    run(&["plugin", "build"], 3, "no package in `.`");
}

#[test]
fn a_project_that_was_never_built_says_what_builds_it() {
    Project::new("rust", "").fails(&["plugin", "test"], 2, &["there is no component at", "scruple plugin build"]);
}

#[test]
fn a_package_in_rust_that_is_no_plugin_or_does_not_compile_is_a_fault_of_the_component() {
    let project = Project::new("rust", "");
    let target = super::root().join("target");
    // Another name than that of the project which is built beside it, in the same folder.
    project.replace("Cargo.toml", "company-mail", "no-plugin");
    let build = ["plugin", "build", "--target-dir", target.to_str().unwrap()];
    project.replace("src/lib.rs", "scruple_sdk::export!(Rule);", "");
    project.fails(&build, 3, &["`no-plugin` is not a plugin", "scruple_sdk::export!"]);
    project.replace("src/lib.rs", "struct Rule;", "struct Rules;");
    project.fails(&build, 3, &["cannot compile", "cannot find type `Rule`", "src/lib.rs"]);
    project.replace("Cargo.toml", "cdylib", "lib");
    project.replace("src/lib.rs", "struct Rules;", "struct Rule;");
    project.fails(&build, 3, &["crate-type = [\"cdylib\"]"]);
}

#[test]
fn a_package_in_javascript_that_is_no_plugin_is_a_fault_of_the_component() {
    let project = Project::new("js", "");
    let rule = fs::read_to_string(project.folder.join("src/constraint.js")).unwrap();
    let build = ["plugin", "build"];
    project.replace("src/constraint.js", "export default constraint(", "export const rule = (");
    project.fails(&build, 3, &["No matching export", "src/constraint.js"]);
    fs::write(project.folder.join("src/constraint.js"), "export default {};\n").unwrap();
    project.fails(&build, 3, &["the default export of the module", "`constraint({ … })`"]);
    fs::write(project.folder.join("src/constraint.js"), rule.replace("checkSettings(", "checkSetting(")).unwrap();
    project.fails(&build, 3, &["a constraint has no `checkSetting`"]);
    fs::write(project.folder.join("src/constraint.js"), format!("import 'node:fs';\n{rule}")).unwrap();
    project.fails(&build, 3, &["node:fs"]);
    project.replace("package.json", "\"needs\": []", "\"needs\": [\"clock\"]");
    project.fails(&build, 3, &["it needs `clock`, and there are `directory` and `tables`"]);
    project.replace("package.json", "\"needs\"", "\"rewriter\": \"./src/other.js\", \"needs\"");
    project.fails(&build, 3, &["`./src/other.js` as `scruple.rewriter`", "a plugin is one thing, which may be both"]);
    project.replace("package.json", "\"rewriter\"", "\"rewriters\"");
    project.replace("package.json", "\"constraint\"", "\"constraints\"");
    project.fails(&build, 3, &["its package.json has no `scruple.constraint`"]);
    fs::write(project.folder.join("package.json"), "{").unwrap();
    project.fails(&build, 3, &["cannot read `./package.json`"]);
}

#[test]
fn a_project_in_python_that_is_no_plugin_is_a_fault_of_the_component() {
    let project = Project::new("python", "");
    let build = ["plugin", "build"];
    project.replace("pyproject.toml", "constraint:Rule", "constraint:Rules");
    project.fails(&build, 3, &["cannot import name 'Rules'"]);
    project.replace("pyproject.toml", "constraint:Rules", "constraint");
    project.fails(&build, 3, &["its pyproject.toml has `constraint`, which is no `module:Class`"]);
    project.replace("pyproject.toml", "[tool.scruple]", "[tool.scruple");
    project.fails(&build, 3, &["cannot read `./pyproject.toml`", "line "]);
}

/// In C, since that is compiled in no time; whatever the language, it is the component that is looked at.
#[test]
fn a_component_that_no_server_takes_is_refused_and_not_put_in_its_place() {
    let build = ["plugin", "build"];
    let project = Project::new("c", "");
    for file in fs::read_dir(project.folder.join("wit")).unwrap() {
        let name = format!("wit/{}", file.unwrap().file_name().to_str().unwrap());
        project.replace(&name, "scruple:constraint@0.1.0", "scruple:constraint@0.2.0");
        project.replace_all(&name, "pure-constraint@0.1.0", "pure-constraint@0.2.0");
        project.replace_all(&name, "directory@0.1.0", "directory@0.2.0");
    }
    for file in ["bindings/constraint.c", "bindings/constraint.h"] {
        project.replace_all(file, "@0.1.0", "@0.2.0");
    }
    project.fails(
        &build,
        3,
        &["was built for `scruple:constraint@0.2.0`", "this host serves `scruple:constraint@0.1.0`"],
    );
    assert!(!project.component().exists());

    let project = Project::new("c", "");
    let import = "__attribute__((import_module(\"wasi_snapshot_preview1\"), import_name(\"random_get\")))\n\
                  int random_get(void *to, size_t bytes);\n";
    project.replace(
        "src/constraint.c",
        "typedef constraint_string_t string;",
        &format!("{import}typedef constraint_string_t string;"),
    );
    project.replace(
        "src/constraint.c",
        "    return true;\n}\n\n// What the host",
        "    return random_get(settings, 0) == 0;\n}\n\n// What the host",
    );
    project.fails(&build, 3, &["`wasi_snapshot_preview1::random_get`", "no files, network, clock or randomness"]);
    assert!(!project.component().exists());

    let project = Project::new("c", "");
    project.replace("src/constraint.c", "    described->actions.len = 2;\n", "");
    project.fails(&build, 3, &["actions"]);
    project.replace("src/rule.c", "static bool ends_with(", "static bool ends_wit(");
    project.fails(&build, 3, &["cannot compile", "ends_with", "src/rule.c"]);
    fs::remove_dir_all(project.folder.join("wit")).unwrap();
    fs::create_dir(project.folder.join("wit")).unwrap();
    project.replace("src/rule.c", "static bool ends_wit(", "static bool ends_with(");
    project.fails(&build, 3, &["cannot read the contract in `./wit`"]);
    project.replace("Makefile", "NAME =", "TITLE =");
    project.fails(&build, 3, &["its Makefile has no `NAME = …`"]);
}

#[test]
fn a_toolchain_that_is_missing_is_named_with_what_installs_it() {
    let needs = [
        ("rust", "Rust 1.95 or later"),
        ("js", "Node.js 18 or later"),
        ("python", "Python 3.11 or later"),
        ("c", "make"),
    ];
    for (language, needed) in needs {
        let project = Project::new(language, "");
        let build = ["plugin", "build"];
        let mut command = Command::new(program());
        // What runs the tests may be a cargo, which would be one.
        command.current_dir(&project.folder).args(build).env("PATH", "/nowhere").env_remove("CARGO");
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{language}: {error}");
        for named in [needed, "on the path", "Install"] {
            assert!(error.contains(named), "`{named}` is not named in: {error}");
        }
    }
}

/// Programs that say they are old, before all others on the path.
fn old_programs(home: &Path) -> String {
    for (name, says) in [("cargo", "cargo 1.70.0"), ("node", "v12.22.9"), ("python3", "Python 3.8.10")] {
        let path = home.join(name);
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", home.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_toolchain_that_is_too_old_is_named_with_its_version_and_what_installs_another() {
    let home = tempfile::tempdir().unwrap();
    let path = old_programs(home.path());
    for (language, needed, found) in [
        ("rust", "Rust 1.95 or later", "cargo 1.70.0"),
        ("js", "Node.js 18 or later", "v12.22.9"),
        ("python", "Python 3.11 or later", "Python 3.8.10"),
    ] {
        let project = Project::new(language, "");
        let mut command = Command::new(program());
        command.current_dir(&project.folder).args(["plugin", "build"]).env("PATH", &path).env_remove("CARGO");
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{language}: {error}");
        for named in [needed, found, "Install"] {
            assert!(error.contains(named), "`{named}` is not named in: {error}");
        }
    }
}

#[test]
fn a_project_that_wants_a_newer_compiler_says_so_and_what_brings_one() {
    let project = Project::new("rust", "");
    // Another name than that of the project which is built beside it, in the same folder.
    project.replace("Cargo.toml", "company-mail", "from-the-future");
    project.replace("Cargo.toml", "rust-version = \"1.95\"", "rust-version = \"1.999\"");
    let target = super::root().join("target");
    let build = ["plugin", "build", "--target-dir", target.to_str().unwrap()];
    project.fails(&build, 3, &["requires rustc 1.999", "`rustup update`"]);
}
