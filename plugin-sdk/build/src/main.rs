//! `scruple-plugin-build`: arguments → one call of the library.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use scruple_plugin_build::{BuildOptions, Source, build_components, toolchain};

const HELP: &str = "\
Compiles Scruple plugins to WebAssembly components

Usage:
  scruple-plugin-build build DIR... [--out DIR] [--from SOURCE] [--target-dir DIR]
  scruple-plugin-build toolchain [--from SOURCE] [--target-dir DIR]

Commands:
  build      Compile the plugin package in each DIR and print its name, size and path
  toolchain  Only find, fetch or build the standard library for wasm32-unknown-unknown

Options:
  --out DIR         Where the components go [default: TARGET_DIR/plugins]
  --target-dir DIR  Where everything in between goes [default: target]
  --from SOURCE     Use one source only: `installed`, `rustup` (rustup target add) or
                    `distribution` (built from packaged sources, about two minutes, once)
                    [default: the first of these that works]
  -h, --help        Print this

Exit codes: 0 done, 1 failed, 2 wrong usage.
";

enum Task {
    Help,
    Build { folders: Vec<PathBuf>, out: Option<PathBuf> },
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
        Task::Build { folders, out } => {
            let mut options = BuildOptions { source: from, progress: &progress, ..BuildOptions::new(&target_dir) };
            options.out_dir = out.unwrap_or(options.out_dir);
            for built in build_components(&folders, &options)? {
                println!("{:<24} {:>8} bytes  {}", built.name, built.size_bytes, built.path.display());
            }
        }
    }
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Task, Option<Source>, PathBuf), String> {
    let (mut words, mut out, mut target_dir, mut from) = (Vec::new(), None, PathBuf::from("target"), None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        match argument.as_str() {
            "-h" | "--help" | "help" => return Ok((Task::Help, from, target_dir)),
            "--out" => out = Some(PathBuf::from(value()?)),
            "--target-dir" => target_dir = PathBuf::from(value()?),
            "--from" => from = Some(parse_source(&value()?)?),
            option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
            _ => words.push(argument),
        }
    }
    let mut words = words.into_iter();
    let task = match words.next().as_deref() {
        Some("build") => Task::Build { folders: words.by_ref().map(PathBuf::from).collect(), out },
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
