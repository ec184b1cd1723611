//! A guest without a test does not pass, nor does a limit without a guest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use scruple_tests::components::GUESTS;

/// The source of every integration test.
fn tests() -> String {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("it")];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("corpus.rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_guest_is_used_by_a_test() {
    let tests = tests();
    for name in GUESTS {
        // `FAILS` must not pass because `FAILS_ODDLY` is there.
        let constant = name.replace('-', "_").to_uppercase();
        let used = tests
            .split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            .any(|word| word == constant);
        assert!(used, "no test uses the guest `{name}`");
    }
}

#[test]
fn every_folder_of_guests_is_a_guest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let found: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let built: BTreeSet<String> = GUESTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, built);
}

/// The names of the settings of `[sandbox]`, as the configuration has them.
fn settings() -> Vec<String> {
    let printed = format!("{:?}", scruple::config::Config::default().sandbox);
    let fields = printed.trim_start_matches("SandboxConfig { ").trim_end_matches(" }").split(", ");
    fields.map(|field| field.split_once(':').unwrap().0.to_owned()).collect()
}

/// That each of those guests feels its limit, and the default not, is tested beside the sandbox, where limits that cannot be
/// set have theirs, too.
#[test]
fn every_setting_of_the_sandbox_has_a_guest_and_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cases = fs::read_to_string(root.join("host/src/constraints/tests/limits.rs")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split_once("[sandbox]").unwrap().1.split_once("```").unwrap().0;
    let settings = settings();
    assert!(settings.contains(&"fuel_max".to_owned()), "{settings:?}");
    for setting in &settings {
        assert!(cases.contains(&format!("\"{setting}\"")), "no guest for `sandbox.{setting}`");
        assert!(section.contains(&format!("\n{setting} = ")), "`sandbox.{setting}` is not in the README");
    }
    assert_eq!(section.matches(" = ").count(), settings.len(), "the README has settings that are none");
}
