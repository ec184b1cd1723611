//! A guest without a test does not pass.

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
