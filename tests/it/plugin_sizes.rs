//! How long a shipped plugin may be: read from the sources, as `layering.rs` reads them.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a plugin's own code stays under, comments included: what a person reads in one go. What would make it
/// longer and is of use to others belongs into the SDK.
const LINES_MAX: usize = 150;

fn shipped() -> Vec<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders = fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

/// Every source below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn every_shipped_plugin_is_under_150_lines_and_has_tests() {
    let plugins = shipped();
    assert!(!plugins.is_empty(), "no plugins were found");
    for plugin in plugins {
        let sources = sources(&plugin.join("src"));
        let texts = sources.iter().map(|path| (path, fs::read_to_string(path).unwrap()));
        let (mut lines, mut tests) = (0, 0);
        for (path, text) in texts {
            tests += text.matches("#[test]").count();
            lines += if path.ends_with("tests.rs") { 0 } else { text.lines().count() };
        }
        assert!(lines < LINES_MAX, "{} has {lines} lines of its own, not under {LINES_MAX}", plugin.display());
        assert!(tests > 0, "{} has no tests", plugin.display());
    }
}
