//! `scruple-plugin-build`: arguments → one call of the library.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use scruple_plugin_build::{BuildError, BuildOptions, Language, Source, build_component, build_components, toolchain};

const HELP: &str = "\
Turns Scruple plugins, in any language, into WebAssembly components

Usage:
  scruple-plugin-build build DIR... [--out DIR] [--from SOURCE] [--target-dir DIR] [--skip-missing]
  scruple-plugin-build toolchain [--from SOURCE] [--target-dir DIR]

Commands:
  build      Make a component of the plugin in each DIR and print its name, size and path
  toolchain  Only find, fetch or build the standard library for wasm32-unknown-unknown

Options:
  --out DIR         Where the components go [default: TARGET_DIR/plugins]
  --target-dir DIR  Where everything in between goes [default: target]
  --from SOURCE     Use one source only: `installed`, `rustup` (rustup target add) or
                    `distribution` (built from packaged sources, about two minutes, once)
                    [default: the first of these that works]
  --skip-missing    Leave out plugins in languages that this machine has no tools for, and say so
  -h, --help        Print this

Exit codes: 0 done, 1 failed, 2 wrong usage.
";

enum Task {
    Help,
    Build { folders: Vec<PathBuf>, out: Option<PathBuf>, skip_missing: bool },
    Toolchain,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok((task, from, target_dir)) => match run(task, from, target_dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("scruple-plugin-build: {}", chain(error.as_ref()));
                ExitCode::FAILURE
            }
        },
        Err(wrong) => {
            eprintln!("scruple-plugin-build: {wrong}; see `scruple-plugin-build --help`");
            ExitCode::from(2)
        }
    }
}

fn run(task: Task, from: Option<Source>, target_dir: PathBuf) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let progress = |line: &str| eprintln!("[{:>3} s] {line}", started.elapsed().as_secs());
    match task {
        Task::Help => print!("{HELP}"),
        Task::Toolchain => {
            let toolchain = match from {
                Some(source) => toolchain::ensure_from(source, &target_dir, &progress)?,
                None => toolchain::ensure(&target_dir, &progress)?,
            };
            println!(
                "{}",
                match toolchain.source() {
                    Source::Installed => "the target is installed",
                    Source::Rustup => "the target was added by rustup",
                    Source::Distribution => "the standard library was built from the distribution's sources",
                }
            );
        }
        Task::Build { folders, out, skip_missing } => {
            let mut options = BuildOptions { source: from, progress: &progress, ..BuildOptions::new(&target_dir) };
            options.out_dir = out.unwrap_or(options.out_dir);
            let is_rust = |folder: &PathBuf| Language::of(folder).is_ok_and(|language| language == Language::Rust);
            let (packages, others): (Vec<PathBuf>, Vec<PathBuf>) = folders.into_iter().partition(is_rust);
            let mut built = build_components(&packages, &options)?;
            for folder in others {
                match build_component(&folder, &options) {
                    Ok(component) => built.push(component),
                    Err(missing @ BuildError::MissingTool { .. }) if skip_missing => {
                        eprintln!("left out `{}`: {missing}", folder.display());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            for built in built {
                println!("{:<28} {:>8} bytes  {}", built.name, built.size_bytes, built.path.display());
            }
        }
    }
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Task, Option<Source>, PathBuf), String> {
    let (mut words, mut out, mut target_dir, mut from) = (Vec::new(), None, PathBuf::from("target"), None);
    let mut skip_missing = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        match argument.as_str() {
            "-h" | "--help" | "help" => return Ok((Task::Help, from, target_dir)),
            "--skip-missing" => skip_missing = true,
            "--out" => out = Some(PathBuf::from(value()?)),
            "--target-dir" => target_dir = PathBuf::from(value()?),
            "--from" => from = Some(parse_source(&value()?)?),
            option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
            _ => words.push(argument),
        }
    }
    let mut words = words.into_iter();
    let task = match words.next().as_deref() {
        Some("build") => Task::Build { folders: words.by_ref().map(PathBuf::from).collect(), out, skip_missing },
        Some("toolchain") if out.is_none() => Task::Toolchain,
        Some("toolchain") => return Err("`--out` belongs to `build`".to_owned()),
        Some(other) => return Err(format!("there is no command `{other}`")),
        None => return Err("no command".to_owned()),
    };
    match (&task, words.next()) {
        (Task::Build { folders, .. }, _) if folders.is_empty() => Err("`build` needs a folder".to_owned()),
        (_, Some(more)) => Err(format!("`{more}` is one word too many")),
        _ => Ok((task, from, target_dir)),
    }
}

fn parse_source(name: &str) -> Result<Source, String> {
    match name {
        "installed" => Ok(Source::Installed),
        "rustup" => Ok(Source::Rustup),
        "distribution" => Ok(Source::Distribution),
        _ => Err(format!("there is no source `{name}`")),
    }
}

/// The error and everything under it, one line each.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}\n  because {next}");
        cause = next.source();
    }
    text
}
