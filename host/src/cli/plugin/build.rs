//! `scruple plugin build`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use scruple_plugin_build::{BuildError, BuildOptions, BuiltComponent, build_component, describe};
use serde_json::{Value, json};

use super::{checked, spinner};
use crate::causes::with_causes;
use crate::cli::Failure;
use crate::cli::output::{Output, text};
use crate::trial::{Tried, fixture};

#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    #[command(flatten)]
    project: Project,
    /// Where the component goes; `target/plugins/NAME.wasm` of the project, if absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A project, and what it is built with.
#[derive(Debug, Args)]
pub(super) struct Project {
    /// The project's folder.
    #[arg(default_value = ".")]
    pub(super) path: PathBuf,
    /// Where toolchains that are fetched stay, for every project; `scruple` in the user's folder for caches, if absent.
    #[arg(long, env = "SCRUPLE_TOOLS", value_name = "DIR")]
    tools: Option<PathBuf>,
    /// Where what is between the sources and the component goes; the project's own `target`, if absent.
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
}

impl Build {
    pub(in crate::cli) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let made = self.project.build(self.out.as_deref()).await?;
        let (shown, text) = made.told();
        output.line(&shown, text)
    }
}

/// A component that was built and found to be one that a server takes.
pub(super) struct Made {
    pub(super) built: BuiltComponent,
    pub(super) tried: Tried,
}

impl Project {
    /// Builds it, checks what comes out, and puts it where it belongs: never what was not checked.
    pub(super) async fn build(&self, out: Option<&Path>) -> Result<Made, Failure> {
        let (_, own) = described(&self.path)?;
        let target = self.target_dir.clone().unwrap_or(own);
        let spinner = spinner("building");
        let progress = |line: &str| spinner.set_message(line.to_owned());
        let options = BuildOptions {
            out_dir: target.join("unchecked"),
            tools_dir: self.tools.clone().or_else(cache).unwrap_or_else(|| target.clone()),
            progress: &progress,
            ..BuildOptions::new(&target)
        };
        let built = build_component(&self.path, &options).map_err(failure);
        spinner.set_message("checking");
        let made = match built {
            Ok(built) => self.check(built, &target, out).await,
            Err(failure) => Err(failure),
        };
        spinner.finish_and_clear();
        made
    }

    async fn check(&self, mut built: BuiltComponent, target: &Path, out: Option<&Path>) -> Result<Made, Failure> {
        let component = super::read(&built.path)?;
        // A component that names what a tenant has declared is one for tenants that have.
        let declared = fixture::declared(&self.path.join("fixtures")).map_err(super::failure)?.unwrap_or_default();
        let tried = checked(component, &self.path, &declared).await?;
        let path = match out {
            Some(out) => out.to_owned(),
            None => target.join("plugins").join(format!("{}.wasm", built.name)),
        };
        let fail = |error: std::io::Error| Failure::Usage(format!("cannot write `{}`: {error}", path.display()));
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(fail)?;
        // `target` and FILE may be on two file systems, between which nothing can be renamed.
        fs::rename(&built.path, &path).or_else(|_| fs::copy(&built.path, &path).map(drop)).map_err(fail)?;
        built.path = path;
        Ok(Made { built, tried })
    }
}

impl Made {
    /// What it is, for programs and for people.
    pub(super) fn told(&self) -> (Value, String) {
        let Self { built, tried } = self;
        let (checked, descriptor) = (&tried.checked, tried.checked.descriptor.to_json());
        let shown = json!({
            "name": built.name, "language": built.language.to_string(), "path": built.path, "size": built.size_bytes,
            "world": checked.world, "imports": built.imports, "digest": checked.digest, "compile_ms": checked.compile_ms,
            "descriptor": descriptor,
        });
        let lines = [
            format!("{} {}: {}", text(&descriptor, "name"), text(&descriptor, "version"), text(&descriptor, "summary")),
            format!("component  {}", built.path.display()),
            format!(
                "size       {} bytes, of {} that may be uploaded",
                built.size_bytes,
                tried.limits().component_bytes_max
            ),
            format!("world      {}", checked.world),
            format!("imports    {}", text(&shown, "imports")),
            format!("sha256     {}", checked.digest),
            format!("compiled   in {} ms; a server takes about as long", checked.compile_ms),
        ];
        (shown, lines.join("\n"))
    }
}

/// Where `plugin build` has put the component of a project, if it has.
pub(super) fn built_last(project: &Path) -> Result<PathBuf, Failure> {
    let (name, target) = described(project)?;
    let path = target.join("plugins").join(format!("{name}.wasm"));
    if path.is_file() {
        return Ok(path);
    }
    let wanted = format!("there is no component at `{}`", path.display());
    Err(Failure::Usage(format!("{wanted}; `scruple plugin build {}` makes it", project.display())))
}

/// The project's name, and where its language keeps what is built.
pub(super) fn described(project: &Path) -> Result<(String, PathBuf), Failure> {
    if !project.is_dir() {
        return Err(Failure::Usage(format!("there is no folder `{}`", project.display())));
    }
    describe(project).map_err(failure)
}

fn failure(error: BuildError) -> Failure {
    let text = with_causes(&error);
    if error.is_of_the_computer() { Failure::Local(text) } else { Failure::Component(text) }
}

/// Where programs of this user keep what can be had again.
fn cache() -> Option<PathBuf> {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?.join("scruple"))
}
