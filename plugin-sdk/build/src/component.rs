//! Plugin package → core module → component.
//!
//! All packages of a workspace are compiled in one cargo invocation, since they share nearly everything; but for those that
//! make an `rlib` too, since cargo does without link-time optimisation then (half as large again). The contract's
//! types travel in a custom section of the core module, where `wit_bindgen` put them; `ComponentEncoder` turns both into
//! a component. What a component may import is checked here too, so that an author learns it before the upload does.
//!
//! Start at [`build_components`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::toolchain::{self, Toolchain, ToolchainError};
use crate::{Progress, TARGET, command};

/// Everything a component may import begins so.
const CONTRACT: &str = "scruple:constraint/";

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

/// How and where to build.
pub struct BuildOptions<'a> {
    /// The workspace's `target`: the toolchain, the core modules and the finished components go under it.
    pub target_dir: PathBuf,
    /// Where the components go.
    pub out_dir: PathBuf,
    /// Told what takes time.
    pub progress: Progress<'a>,
}

impl BuildOptions<'static> {
    /// Builds under `target_dir`, silently, and puts the components into its folder `plugins`.
    #[must_use]
    pub fn new(target_dir: impl Into<PathBuf>) -> Self {
        let target_dir = target_dir.into();
        Self { out_dir: target_dir.join("plugins"), target_dir, progress: &|_| {} }
    }
}

impl fmt::Debug for BuildOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions")
            .field("target_dir", &self.target_dir)
            .field("out_dir", &self.out_dir)
            .finish_non_exhaustive()
    }
}

/// A finished component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltComponent {
    /// The package's name.
    pub name: String,
    /// The component.
    pub path: PathBuf,
    /// How large it is.
    pub size_bytes: usize,
    /// What it imports, as in `scruple:constraint/scim@0.1.0`.
    pub imports: Vec<String>,
}

/// Why a package did not become a component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No compiler for the target.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The folder holds no package that cargo understands.
    #[error("no package in `{}`: {reason}", .folder.display())]
    Package {
        /// The folder.
        folder: PathBuf,
        /// What cargo said.
        reason: String,
    },
    /// The package does not compile.
    #[error("cannot compile: {0}")]
    Compile(String),
    /// The package has no library of the kind that becomes a core module.
    #[error("package `{0}` makes no WebAssembly module: it needs `crate-type = [\"cdylib\"]` under `[lib]`")]
    NotCdylib(String),
    /// The core module is not a plugin.
    #[error("package `{name}` is not a plugin; does it call `scruple_sdk::export!`?")]
    Encode {
        /// The package.
        name: String,
        /// What the encoder said.
        #[source]
        cause: anyhow::Error,
    },
    /// The component would not be accepted by a host.
    #[error("package `{name}` cannot run in the sandbox")]
    Import {
        /// The package.
        name: String,
        /// What it imports.
        #[source]
        cause: ImportError,
    },
    /// The component cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Why a component's imports are not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It wants something that no host gives.
    #[error(
        "it imports `{0}`, and a plugin may import nothing but `{CONTRACT}*`: no files, network, clock or randomness; \
         look for a dependency that needs them"
    )]
    Foreign(String),
    /// Not a valid component.
    #[error("not a valid component")]
    Invalid(#[source] wasmparser::BinaryReaderError),
}

/// Builds one plugin package; see [`build_components`].
///
/// # Errors
/// As [`build_components`].
pub fn build_component(package_dir: &Path, options: &BuildOptions<'_>) -> Result<BuiltComponent, BuildError> {
    let mut built = build_components(&[package_dir], options)?;
    built.pop().ok_or_else(|| BuildError::NotCdylib(package_dir.display().to_string()))
}

/// Builds plugin packages, in the order given. Finds or makes the toolchain first.
///
/// # Errors
/// At the first package that does not compile or is no component that a host would take.
pub fn build_components(
    package_dirs: &[impl AsRef<Path>],
    options: &BuildOptions<'_>,
) -> Result<Vec<BuiltComponent>, BuildError> {
    let toolchain = toolchain::ensure(&options.target_dir, options.progress)?;
    build_components_with(&toolchain, package_dirs, options)
}

/// The same with a toolchain that is there already.
///
/// # Errors
/// As [`build_components`].
pub fn build_components_with(
    toolchain: &Toolchain,
    package_dirs: &[impl AsRef<Path>],
    options: &BuildOptions<'_>,
) -> Result<Vec<BuiltComponent>, BuildError> {
    let packages = find_packages(package_dirs)?;
    let mut modules = BTreeMap::new();
    for workspace in packages.iter().map(|package| &package.workspace).collect::<std::collections::BTreeSet<_>>() {
        let members: Vec<&Package> = packages.iter().filter(|package| package.workspace == *workspace).collect();
        let (also_rlib, only_cdylib): (Vec<&Package>, Vec<&Package>) = members.into_iter().partition(|p| p.is_rlib);
        if !only_cdylib.is_empty() {
            modules.extend(compile(toolchain, workspace, &["build", "--lib"], &only_cdylib, options)?);
        }
        for package in also_rlib {
            // Only `cargo rustc` can choose the kind of library, and only for one package.
            let rustc = ["rustc", "--lib", "--crate-type=cdylib"];
            modules.extend(compile(toolchain, workspace, &rustc, &[package], options)?);
        }
    }
    packages
        .iter()
        .map(|package| {
            let module = modules.get(&package.manifest).ok_or_else(|| BuildError::NotCdylib(package.name.clone()))?;
            encode(package, module, &options.out_dir)
        })
        .collect()
}

/// A package as cargo describes it.
#[derive(Clone)]
struct Package {
    name: String,
    manifest: PathBuf,
    workspace: PathBuf,
    is_rlib: bool,
}

fn find_packages(folders: &[impl AsRef<Path>]) -> Result<Vec<Package>, BuildError> {
    let mut known: BTreeMap<PathBuf, Package> = BTreeMap::new();
    let mut found = Vec::new();
    for folder in folders.iter().map(AsRef::as_ref) {
        let fail = |reason: String| BuildError::Package { folder: folder.to_owned(), reason };
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
    Ok(list(&metadata, "/packages")
        .map(|package| Package {
            name: text(package, "/name").to_owned(),
            manifest: PathBuf::from(text(package, "/manifest_path")),
            workspace: workspace.clone(),
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
    let messages = command::run(&mut cargo, options.progress).map_err(BuildError::Compile)?;
    Ok(messages.lines().filter_map(core_module).collect())
}

/// The manifest and the core module of one line of cargo's messages, if it is about one.
fn core_module(line: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message.pointer("/filenames")?.as_array()?;
    let module = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    Some((PathBuf::from(text(&message, "/manifest_path")), PathBuf::from(module)))
}

fn encode(package: &Package, module: &Path, out_dir: &Path) -> Result<BuiltComponent, BuildError> {
    let fail = |cause| BuildError::Encode { name: package.name.clone(), cause };
    let module = std::fs::read(module).map_err(|cause| fail(cause.into()))?;
    if let Some(import) = foreign_module_import(&module) {
        return Err(BuildError::Import { name: package.name.clone(), cause: ImportError::Foreign(import) });
    }
    let component = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(fail)?;
    let imports =
        check_imports(&component).map_err(|cause| BuildError::Import { name: package.name.clone(), cause })?;
    let path = out_dir.join(format!("{}.wasm", package.name));
    write_if_changed(&path, &component).map_err(|cause| BuildError::Write { path: path.clone(), cause })?;
    Ok(BuiltComponent { name: package.name.clone(), path, size_bytes: component.len(), imports })
}

/// The first import of a core module that the encoder could not resolve, with its name spelled for the author.
/// `wasm-bindgen` and `env` are the usual ones.
fn foreign_module_import(module: &[u8]) -> Option<String> {
    let imports = Parser::new(0).parse_all(module).find_map(|payload| match payload {
        Ok(Payload::ImportSection(section)) => Some(section),
        _ => None,
    })?;
    imports
        .into_imports()
        .flatten()
        .find(|import| !import.module.starts_with(CONTRACT) && !import.module.starts_with("[export]"))
        .map(|import| format!("{}::{}", import.module, import.name))
}

/// Validates a component and gives its imports, all of the contract.
///
/// # Errors
/// When it is no valid component, and at the first import of anything but `scruple:constraint/*`.
pub fn check_imports(component: &[u8]) -> Result<Vec<String>, ImportError> {
    Validator::new_with_features(WasmFeatures::default()).validate_all(component).map_err(ImportError::Invalid)?;
    let mut imports = Vec::new();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(ImportError::Invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth = depth.saturating_add(1),
            // Every nested module and component closes with its own end.
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import.map_err(ImportError::Invalid)?.name.name.to_owned();
                    if !name.starts_with(CONTRACT) {
                        return Err(ImportError::Foreign(name));
                    }
                    imports.push(name);
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

/// Leaves a file alone that is the same already, so that build scripts that watch it do not run again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    // Written aside: nobody may read half a component.
    let aside = path.with_extension(format!("wasm-{}", std::process::id()));
    std::fs::write(&aside, bytes)?;
    std::fs::rename(&aside, path)
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

    /// `(component)` and `(component (import "wasi:io/poll@0.2.0" (instance)))`, hand-assembled.
    const PREAMBLE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn importing(name: &str) -> Vec<u8> {
        let mut bytes = PREAMBLE.to_vec();
        bytes.extend([7, 3, 1, 0x42, 0]); // one type: an instance with nothing in it
        let length = u8::try_from(name.len()).unwrap();
        bytes.extend([10, length + 5, 1, 0, length]);
        bytes.extend(name.as_bytes());
        bytes.extend([5, 0]); // an instance of type 0
        bytes
    }

    #[test]
    fn a_component_that_imports_only_the_contract_is_accepted() {
        assert_eq!(
            check_imports(&importing("scruple:constraint/scim@0.1.0")).unwrap(),
            ["scruple:constraint/scim@0.1.0"]
        );
        assert!(check_imports(&PREAMBLE).unwrap().is_empty());
    }

    #[test]
    fn a_foreign_import_is_named() {
        let error = check_imports(&importing("wasi:io/poll@0.2.0")).unwrap_err();
        assert!(error.to_string().contains("`wasi:io/poll@0.2.0`"), "{error}");
    }

    #[test]
    fn what_is_not_a_component_is_not_valid() {
        assert!(matches!(check_imports(b"{}").unwrap_err(), ImportError::Invalid(_)));
    }

    #[test]
    fn a_core_module_is_found_in_the_messages_of_cargo() {
        let line =
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/a.rlib","/t/a.wasm"]}"#;
        assert_eq!(core_module(line), Some(("/p/Cargo.toml".into(), "/t/a.wasm".into())));
        assert_eq!(core_module(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
