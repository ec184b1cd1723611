//! Compiles the shipped plugins and the tests' guests to components, and writes a constant with the path of each. A
//! guest without a test leaves an unused constant behind, which `it/constraints/corpus.rs` refuses.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use scruple_plugin_build::{BuildOptions, build_components};

fn main() -> Result<(), Box<dyn Error>> {
    let tests = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = tests.parent().ok_or("the tests stand in a workspace")?;
    for watched in ["plugins", "plugin-sdk/src", "plugin-sdk/Cargo.toml", "tests/guests", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }

    let guests = packages(&tests.join("guests"))?;
    let packages = [packages(&root.join("plugins"))?, guests.clone()].concat();
    #[expect(clippy::print_stderr, reason = "cargo shows it with -vv, and when the build fails")]
    let say = |line: &str| eprintln!("{line}");
    // A folder of its own below `target`: the outer cargo holds the lock of its own while this runs.
    let target = root.join("target");
    let options = BuildOptions { out_dir: target.join("components"), progress: &say, ..BuildOptions::new(target) };
    let mut constants = String::new();
    for component in build_components(&packages, &options)? {
        let constant = component.name.replace('-', "_").to_uppercase();
        let path = component.path.display().to_string();
        writeln!(constants, "/// The component `{}`.\npub const {constant}: &str = {path:?};", component.name)?;
    }
    let names: Vec<_> = guests.iter().filter_map(|guest| guest.file_name()?.to_str()).collect();
    writeln!(constants, "/// The name of every guest of the tests' own.\npub const GUESTS: &[&str] = &{names:?};")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("components.rs"), constants)?;
    Ok(())
}

fn packages(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
