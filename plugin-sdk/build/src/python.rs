//! Python: a project → a component with CPython in it.
//!
//! `pyproject.toml` says which class is the constraint, or the rewriter, or both, which capabilities it imports, and where modules are looked for:
//!
//! ```toml
//! [project]
//! name = "company-mail"
//!
//! [tool.scruple]
//! constraint = "company_mail:CompanyMail"
//! needs = ["directory"]
//! path = ["src", "sdk/src"]
//! ```
//!
//! componentize-py puts the modules into a component with the interpreter, as it is after they have been imported. So it does with the
//! packages of `project.dependencies`, which pip fetches: those in Python alone, since nothing else runs in there.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command;
use crate::contract::{self, Exports, work_dir};
use crate::error::BuildError;
use crate::project::{BuildOptions, file_name};
use crate::tools::{self, Required, fetched};

const PYTHON: Required = Required {
    program: "python3",
    tool: "Python 3.11 or later",
    needed_for: "a plugin in Python",
    packages: "python3 python3-pip",
};
const PIP: Required =
    Required { program: "pip", tool: "pip", needed_for: "a plugin in Python", packages: "python3-pip" };

/// Exact: another interpreter is another component.
const COMPONENTIZE_PY: &str = "0.25.1";

/// Prints a TOML file as JSON: this crate has no parser for it, and Python is here anyway.
const TO_JSON: &str = "import json, sys, tomllib; print(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))))";

/// The name under which componentize-py finds what it makes a component of.
const APP: &str = "scruple_app";

/// The project's name.
pub(crate) fn name(folder: &Path) -> Result<String, BuildError> {
    Manifest::read(folder, &PYTHON.at_least((3, 11), "--version")?).map(|manifest| manifest.name)
}

/// Builds the project in a folder; gives its name and the component.
pub(crate) fn component(folder: &Path, options: &BuildOptions<'_>) -> Result<(String, Vec<u8>), BuildError> {
    let python = PYTHON.at_least((3, 11), "--version")?;
    let manifest = Manifest::read(folder, &python)?;
    let toolchain = toolchain(&python, options)?;
    let work = work_dir(&options.target_dir, "python", &manifest.name)?;
    contract::write_world(folder, &manifest.needs, manifest.exports, &work.join("wit"))?;
    tools::write(&work.join(format!("app/{APP}.py")), &manifest.app())?;
    let made = work.join("component.wasm");
    let mut run = tools::tool(&python);
    run.current_dir(folder)
        .env("PYTHONPATH", &toolchain)
        // Whatever else is installed on this machine is no part of the plugin.
        .env_remove("VIRTUAL_ENV")
        // A backtrace of the tool would push what is wrong with the plugin out of the error.
        .env("RUST_BACKTRACE", "0")
        .arg(toolchain.join("bin/componentize-py"))
        .args(["--quiet", "--wit-path"])
        .arg(work.join("wit"))
        .args(["--world", "plugin", "componentize", "--stub-wasi", APP, "--python-path"])
        .arg(work.join("app"));
    for path in &manifest.path {
        run.arg("--python-path").arg(path);
    }
    if let Some(packages) = packages(&python, &manifest, &work, options)? {
        run.arg("--python-path").arg(packages);
    }
    run.arg("--output").arg(&made);
    command::run(&mut run, options.progress).map_err(BuildError::Compile)?;
    let bytes = std::fs::read(&made).map_err(|cause| BuildError::Read { path: made, reason: cause.to_string() })?;
    Ok((manifest.name, bytes))
}

/// Has pip install something into a folder of ours: for that, neither a virtual environment nor a permission of the distribution's
/// is needed.
fn install(python: &Path, folder: &Path, args: &[&str]) -> Result<(), String> {
    let mut pip = tools::tool(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(folder).args(args);
    command::run(&mut pip, &|_| {}).map(drop)
}

/// The folder with what the project depends on. It stays until the project names something else.
fn packages(
    python: &Path,
    manifest: &Manifest,
    work: &Path,
    options: &BuildOptions<'_>,
) -> Result<Option<PathBuf>, BuildError> {
    if manifest.dependencies.is_empty() {
        return Ok(None);
    }
    let (folder, list, wanted) = (work.join("packages"), work.join("packages.txt"), manifest.dependencies.join("\n"));
    // The list is written last: what was fetched half has none.
    if std::fs::read_to_string(&list).is_ok_and(|fetched| fetched == wanted) && folder.is_dir() {
        return Ok(Some(folder));
    }
    (options.progress)(&format!("fetching the dependencies of {}", manifest.name));
    let _ = (std::fs::remove_file(&list), std::fs::remove_dir_all(&folder));
    // Wheels for every machine, so none with code for one; and nothing of theirs is run to make them.
    let pure = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"];
    let named = manifest.dependencies.iter().map(String::as_str);
    let args: Vec<&str> = pure.into_iter().chain(["--"]).chain(named).collect();
    install(python, &folder, &args).map_err(|reason| {
        let what = format!("the dependencies of {} (packages in Python alone)", manifest.name);
        BuildError::Fetch { what, reason }
    })?;
    tools::write(&list, &wanted)?;
    Ok(Some(folder))
}

fn toolchain(python: &Path, options: &BuildOptions<'_>) -> Result<PathBuf, BuildError> {
    fetched(&options.tools_dir, &format!("componentize-py-{COMPONENTIZE_PY}"), options.progress, |aside| {
        command::run(tools::tool(python).args(["-m", "pip", "--version"]), &|_| {})
            .map_err(|_| PIP.missing("this Python has no module `pip`".to_owned()).to_string())?;
        let package = format!("componentize-py=={COMPONENTIZE_PY}");
        install(python, aside, &["--no-deps", &package])
    })
}

struct Manifest {
    name: String,
    module: String,
    class: String,
    exports: Exports,
    needs: Vec<String>,
    path: Vec<String>,
    dependencies: Vec<String>,
}

impl Manifest {
    /// What componentize-py makes a component of: a class of this name for each interface.
    fn app(&self) -> String {
        let classes = self.exports.names().iter().map(|name| match *name {
            "check" => ", Check",
            _ => ", Rewrite",
        });
        format!(
            "from scruple_sdk.component import serve\n\nfrom {} import {} as rule\n\nAbout{} = serve(rule, {:?})\n",
            self.module,
            self.class,
            classes.collect::<String>(),
            self.exports.names(),
        )
    }

    fn read(folder: &Path, python: &Path) -> Result<Self, BuildError> {
        let path = folder.join("pyproject.toml");
        let fail = |reason: String| BuildError::Read { path: path.clone(), reason };
        let printed = command::run(tools::tool(python).args(["-c", TO_JSON]).arg(&path), &|_| {});
        let printed = printed.map_err(|said| fail(said.lines().last().unwrap_or_default().to_owned()))?;
        let manifest: Value = serde_json::from_str(&printed).map_err(|cause| fail(cause.to_string()))?;
        let lacks = |what: &str| BuildError::NoPlugin {
            folder: folder.to_owned(),
            reason: format!(
                "its pyproject.toml {what}; one of a plugin has a `project.name`, and under `[tool.scruple]` \
                 `constraint = \"module:Class\"`"
            ),
        };
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        let texts = |pointer: &str| -> Vec<String> {
            let values = manifest.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let named = |role: &str| text(&format!("/tool/scruple/{role}")).map(str::to_owned);
        let named = Exports::of("tool.scruple", [named("constraint"), named("rewriter")]);
        let (exports, named) = named.map_err(|what| lacks(&what))?;
        let (module, class) =
            named.split_once(':').ok_or_else(|| lacks(&format!("has `{named}`, which is no `module:Class`")))?;
        let mut path = texts("/tool/scruple/path");
        if path.is_empty() {
            path.push("src".to_owned());
        }
        Ok(Self {
            name: text("/project/name").and_then(file_name).ok_or_else(|| lacks("has no `project.name`"))?,
            module: module.to_owned(),
            class: class.to_owned(),
            exports,
            needs: texts("/tool/scruple/needs"),
            path,
            dependencies: texts("/project/dependencies"),
        })
    }
}
