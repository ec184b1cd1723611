//! JavaScript and TypeScript: a package of npm → a component with QuickJS in it.
//!
//! `package.json` says which module has the constraint, or the rewriter, or both, and which capabilities it imports:
//!
//! ```json
//! { "name": "company-mail", "scruple": { "constraint": "./src/constraint.js", "needs": ["directory"] } }
//! ```
//!
//! esbuild makes one file of the constraint, the SDK and whatever else it imports; componentize-qjs puts it into a component
//! with the engine, as it is after that file has been run.

use std::path::Path;

use serde_json::{Value, json};

use crate::contract::{self, Exports, work_dir};
use crate::error::BuildError;
use crate::project::BuildOptions;
use crate::tools::{self, Required, fetched};
use crate::{command, component};

const NODE: Required = Required {
    program: "node",
    tool: "Node.js 18 or later",
    needed_for: "a plugin in JavaScript",
    packages: "nodejs npm",
};
const NPM: Required = Required { program: "npm", tool: "npm", needed_for: "a plugin in JavaScript", packages: "npm" };

/// The packages that make the toolchain. Exact: another engine is another component.
const PACKAGES: [(&str, &str); 2] = [("componentize-qjs", "0.4.5"), ("esbuild", "0.28.2")];

/// What node runs: bundles, and makes the component.
const SCRIPT: &str = include_str!("javascript/build.mjs");

/// The package's name.
pub(crate) fn name(folder: &Path) -> Result<String, BuildError> {
    Manifest::read(folder).map(|manifest| manifest.name)
}

/// Builds the package in a folder; gives its name and the component.
pub(crate) fn component(folder: &Path, options: &BuildOptions<'_>) -> Result<(String, Vec<u8>), BuildError> {
    let manifest = Manifest::read(folder)?;
    let node = NODE.at_least((18, 0), "--version")?;
    let npm = NPM.find()?;
    let folder = folder
        .canonicalize()
        .map_err(|cause| BuildError::Read { path: folder.to_owned(), reason: cause.to_string() })?;
    let names = PACKAGES.map(|(name, version)| format!("{name}-{version}")).join("-");
    let toolchain = fetched(&options.tools_dir, &names, options.progress, |aside| {
        tools::write(&aside.join("package.json"), "{ \"private\": true }\n").map_err(|error| error.to_string())?;
        let packages = PACKAGES.map(|(name, version)| format!("{name}@{version}"));
        install(&npm, aside).args(["--save-exact"]).args(packages).status_of()
    })?;
    if manifest.has_dependencies && !folder.join("node_modules").is_dir() {
        (options.progress)(&format!("`npm install` for {}", manifest.name));
        install(&npm, &folder)
            .status_of()
            .map_err(|reason| BuildError::Fetch { what: format!("the dependencies of {}", manifest.name), reason })?;
    }
    let work = work_dir(&options.target_dir, "javascript", &manifest.name)?;
    let version = contract::write_world(&folder, &manifest.needs, manifest.exports, &work.join("wit"))?;
    let (script, made) = (work.join("build.mjs"), work.join("component.wasm"));
    tools::write(&script, SCRIPT)?;
    let task = json!({
        "toolchain": toolchain, "project": folder, "module": manifest.module, "exports": manifest.exports.names(),
        "needs": manifest.needs,
        "contract": format!("{}{{}}@{version}", component::CONTRACT), "wit": work.join("wit"), "out": made,
    });
    let mut run = tools::tool(&node);
    run.current_dir(&folder).arg(&script).arg(task.to_string());
    command::run(&mut run, options.progress).map_err(BuildError::Compile)?;
    let bytes = std::fs::read(&made).map_err(|cause| BuildError::Read { path: made, reason: cause.to_string() })?;
    Ok((manifest.name, bytes))
}

struct Manifest {
    name: String,
    module: String,
    exports: Exports,
    needs: Vec<String>,
    has_dependencies: bool,
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self, BuildError> {
        let path = folder.join("package.json");
        let text = tools::read(&path)?;
        let manifest: Value = serde_json::from_str(&text)
            .map_err(|cause| BuildError::Read { path: path.clone(), reason: cause.to_string() })?;
        let lacks = |what: &str| BuildError::NoPlugin {
            folder: folder.to_owned(),
            reason: format!(
                "its package.json {what}; one of a plugin has a `name` and \
                 `\"scruple\": {{ \"constraint\": \"./src/constraint.js\", \"needs\": [] }}`"
            ),
        };
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let named = Exports::of("scruple", [text("/scruple/constraint"), text("/scruple/rewriter")]);
        let (exports, module) = named.map_err(|what| lacks(&what))?;
        let needs = manifest.pointer("/scruple/needs").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            module,
            exports,
            name: text("/name")
                .and_then(|name| crate::project::file_name(&name))
                .ok_or_else(|| lacks("has no `name`"))?,
            needs: needs.filter_map(Value::as_str).map(str::to_owned).collect(),
            has_dependencies: ["/dependencies", "/devDependencies"]
                .into_iter()
                .any(|of| manifest.pointer(of).and_then(Value::as_object).is_some_and(|packages| !packages.is_empty())),
        })
    }
}

/// `npm install` in a folder: nothing that a package wants to run is run.
fn install(npm: &Path, folder: &Path) -> Install {
    let mut command = tools::tool(npm);
    command.current_dir(folder).args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    Install(command)
}

struct Install(std::process::Command);

impl Install {
    fn args(mut self, args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    fn status_of(mut self) -> Result<(), String> {
        command::run(&mut self.0, &|_| {}).map(drop)
    }
}
