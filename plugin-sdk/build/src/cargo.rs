//! Rust: cargo packages → core modules.
//!
//! All packages of a workspace are compiled in one cargo invocation, since they share nearly everything; but for those that
//! make an `rlib` too, since cargo does without link-time optimisation then (half as large again). The contract's
//! types travel in a custom section of the core module, where `wit_bindgen` put them.
//!
//! Start at [`modules`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::BuildError;
use crate::project::BuildOptions;
use crate::toolchain::{self, Toolchain};
use crate::tools::Required;
use crate::{TARGET, command};

const CARGO: Required = Required {
    program: "cargo",
    tool: concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later"),
    needed_for: "a plugin in Rust",
    packages: "rustup",
};

/// The stack of a component. A constraint's frames take a few kilobytes; the default of 1 MiB would be the larger part
/// of its memory and of what the host has to map. The linker puts the stack first, so an overflow traps at address 0.
const STACK_BYTES: u32 = 32 * 1024;

/// The profile that components are compiled with, unless their workspace has its own of this name.
const PROFILE: &str = "plugin";

/// What [`PROFILE`] is in a workspace that does not define it: small code, one unit, nobody to unwind to.
const PROFILE_SETTINGS: [&str; 7] = [
    "inherits='release'",
    "opt-level='s'",
    "lto=true",
    "codegen-units=1",
    "panic='abort'",
    "strip=true",
    "debug=false",
];

/// Compiles packages, and gives the name and the core module of each, in the order given.
pub(crate) fn modules(folders: &[&Path], options: &BuildOptions<'_>) -> Result<Vec<(String, PathBuf)>, BuildError> {
    let packages = find_packages(folders)?;
    let toolchain = match options.source {
        Some(source) => toolchain::ensure_from(source, &options.tools_dir, options.progress)?,
        None => toolchain::ensure(&options.tools_dir, options.progress)?,
    };
    let mut modules = BTreeMap::new();
    for workspace in packages.iter().map(|package| &package.workspace).collect::<BTreeSet<_>>() {
        let members: Vec<&Package> = packages.iter().filter(|package| package.workspace == *workspace).collect();
        let (also_rlib, only_cdylib): (Vec<&Package>, Vec<&Package>) = members.into_iter().partition(|p| p.is_rlib);
        if !only_cdylib.is_empty() {
            modules.extend(compile(&toolchain, workspace, &["build", "--lib"], &only_cdylib, options)?);
        }
        for package in also_rlib {
            // Only `cargo rustc` can choose the kind of library, and only for one package.
            let rustc = ["rustc", "--lib", "--crate-type=cdylib"];
            modules.extend(compile(&toolchain, workspace, &rustc, &[package], options)?);
        }
    }
    packages
        .into_iter()
        .map(|package| match modules.get(&package.manifest) {
            Some(module) => Ok((package.name, module.clone())),
            None => Err(BuildError::NotCdylib(package.name)),
        })
        .collect()
}

/// Name of the package in a folder, and where its workspace is compiled to.
pub(crate) fn describe(folder: &Path) -> Result<(String, PathBuf), BuildError> {
    let package = find_packages(&[folder])?.pop();
    let package = package.ok_or_else(|| BuildError::NotCdylib(folder.display().to_string()))?;
    Ok((package.name, package.target))
}

/// A package as cargo describes it.
#[derive(Clone)]
struct Package {
    name: String,
    manifest: PathBuf,
    workspace: PathBuf,
    target: PathBuf,
    is_rlib: bool,
}

fn find_packages(folders: &[&Path]) -> Result<Vec<Package>, BuildError> {
    // A cargo around this one is one that is there.
    if std::env::var_os("CARGO").is_none() {
        CARGO.at_least_text(env!("CARGO_PKG_RUST_VERSION"), "--version")?;
    }
    let mut known: BTreeMap<PathBuf, Package> = BTreeMap::new();
    let mut found = Vec::new();
    for folder in folders {
        let fail = |reason: String| BuildError::Package { folder: folder.to_path_buf(), reason };
        let manifest = folder.join("Cargo.toml").canonicalize().map_err(|cause| fail(cause.to_string()))?;
        if !known.contains_key(&manifest) {
            known.extend(members(&manifest).map_err(fail)?.into_iter().map(|p| (p.manifest.clone(), p)));
        }
        let package = known.get(&manifest).ok_or_else(|| fail("it is a workspace without a package".to_owned()))?;
        found.push(package.clone());
    }
    Ok(found)
}

/// Every package of the workspace that the manifest belongs to, so that one question answers for all of them.
fn members(manifest: &Path) -> Result<Vec<Package>, String> {
    let mut cargo = command::cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(manifest);
    let metadata = command::run(&mut cargo, &|_| {})?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|cause| cause.to_string())?;
    let workspace = PathBuf::from(text(&metadata, "/workspace_root"));
    let target = PathBuf::from(text(&metadata, "/target_directory"));
    Ok(list(&metadata, "/packages")
        .map(|package| Package {
            name: text(package, "/name").to_owned(),
            manifest: PathBuf::from(text(package, "/manifest_path")),
            workspace: workspace.clone(),
            target: target.clone(),
            is_rlib: list(package, "/targets").flat_map(|t| list(t, "/crate_types")).any(|kind| kind == "rlib"),
        })
        .collect())
}

/// Compiles packages of one workspace; gives each manifest's core module.
fn compile(
    toolchain: &Toolchain,
    workspace: &Path,
    task: &[&str],
    packages: &[&Package],
    options: &BuildOptions<'_>,
) -> Result<BTreeMap<PathBuf, PathBuf>, BuildError> {
    let manifest = workspace.join("Cargo.toml");
    let target_dir = std::path::absolute(options.target_dir.join("wasm"))
        .map_err(|cause| BuildError::Write { path: options.target_dir.clone(), cause })?;
    let mut cargo = command::cargo();
    toolchain.apply(&mut cargo, &[format!("-Clink-arg=-zstack-size={STACK_BYTES}")]);
    // rust-toolchain.toml is looked for from the current folder upwards.
    cargo.current_dir(workspace);
    cargo.args(task).args(["--target", TARGET, "--profile", PROFILE]);
    cargo.args(["--message-format=json-render-diagnostics", "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(target_dir);
    if !std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains(&format!("[profile.{PROFILE}]"))) {
        for setting in PROFILE_SETTINGS {
            cargo.arg("--config").arg(format!("profile.{PROFILE}.{setting}"));
        }
    }
    for package in packages {
        cargo.args(["-p", &package.name]);
    }
    let messages = command::run(&mut cargo, options.progress).map_err(compile_error)?;
    Ok(messages.lines().filter_map(core_module).collect())
}

/// What cargo complained of, and what to do about a package that wants a newer compiler.
fn compile_error(said: String) -> BuildError {
    let advice = if said.contains(" requires rustc ") { "\n`rustup update` brings a newer compiler" } else { "" };
    BuildError::Compile(said + advice)
}

/// The manifest and the core module of one line of cargo's messages, if it is about one.
fn core_module(line: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message.pointer("/filenames")?.as_array()?;
    let module = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    Some((PathBuf::from(text(&message, "/manifest_path")), PathBuf::from(module)))
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_module_is_found_in_the_messages_of_cargo() {
        let line =
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/a.rlib","/t/a.wasm"]}"#;
        assert_eq!(core_module(line), Some(("/p/Cargo.toml".into(), "/t/a.wasm".into())));
        assert_eq!(core_module(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
