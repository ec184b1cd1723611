//! Puts the templates, the contract and the SDKs into the library: a program that makes a project has all of it with it.
//!
//! The manifest of the Rust SDK takes versions from its workspace; a copy of it has them written out.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is embedded: where it is, below the repository, and what its paths begin with.
const FOLDERS: [(&str, &str); 5] = [
    ("plugin-sdk/templates", "templates/"),
    ("wit", "wit/"),
    ("plugin-sdk/src", "sdk/rust/src/"),
    ("plugin-sdk/js/src", "sdk/js/src/"),
    ("plugin-sdk/python/src", "sdk/python/src/"),
];

const FILES: [(&str, &str); 5] = [
    ("rustfmt.toml", "sdk/rust/rustfmt.toml"),
    ("plugin-sdk/js/package.json", "sdk/js/package.json"),
    ("plugin-sdk/js/README.md", "sdk/js/README.md"),
    ("plugin-sdk/python/pyproject.toml", "sdk/python/pyproject.toml"),
    ("plugin-sdk/python/README.md", "sdk/python/README.md"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for (folder, prefix) in FOLDERS {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        if folder.is_dir() {
            walk(&folder, prefix, &mut files)?;
        }
    }
    for (file, name) in FILES {
        let file = root.join(file);
        if file.is_file() {
            println!("cargo::rerun-if-changed={}", file.display());
            files.push((name.to_owned(), file));
        }
    }
    files.push(("sdk/rust/Cargo.toml".to_owned(), manifest(&root)?));
    files.sort();
    let mut source = String::from("/// Every file, by path.\npub(crate) static FILES: &[(&str, &str)] = &[\n");
    for (name, path) in files {
        writeln!(source, "    ({name:?}, include_str!({:?})),", path.display().to_string())?;
    }
    source.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("files.rs"), source)?;
    Ok(())
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().ok_or("an entry has a name")?.to_string_lossy().into_owned();
        if path.is_dir() {
            // What running the SDK's own tests leaves behind.
            if name != "__pycache__" && !name.ends_with(".egg-info") {
                walk(&path, &format!("{prefix}{name}/"), files)?;
            }
        } else {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}

/// The SDK's manifest with nothing in it that refers to a workspace.
fn manifest(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let (sdk, workspace) = (root.join("plugin-sdk/Cargo.toml"), root.join("Cargo.toml"));
    println!("cargo::rerun-if-changed={}", sdk.display());
    println!("cargo::rerun-if-changed={}", workspace.display());
    let workspace = fs::read_to_string(workspace)?;
    let mut written = String::new();
    for line in fs::read_to_string(sdk)?.lines().take_while(|line| *line != "[lints]") {
        match line.strip_suffix(".workspace = true") {
            None => writeln!(written, "{line}")?,
            Some(key) => {
                let defined = workspace.lines().find(|line| line.starts_with(&format!("{key} = ")));
                writeln!(written, "{}", defined.ok_or_else(|| format!("the workspace has no `{key}`"))?)?;
            }
        }
    }
    let path = Path::new(&env::var("OUT_DIR")?).join("sdk-Cargo.toml");
    fs::write(&path, written.trim_end().to_owned() + "\n")?;
    Ok(path)
}
