//! Runs other programs: in a clean environment, with their output kept for the error.
//!
//! A build inside a build inherits dozens of variables that mean something else to the inner cargo. Everything that an
//! outer cargo sets for *its* packages is removed; what the user configured for the machine (proxies, registries,
//! `CARGO_HOME`) stays.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::Progress;

/// How much of a failed program's output an error repeats: enough for a compiler error with its context.
const KEPT_LINES_MAX: usize = 40;

/// Variables with these beginnings configure cargo for the machine and stay; every other `CARGO_*` goes.
const KEPT_PREFIXES: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];

/// Set by an outer cargo for a build script, or by a user for builds that are not ours.
const REMOVED: [&str; 17] = [
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "TARGET",
];

/// A cargo that has never heard of the cargo around it.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    clean(cargo, std::env::vars_os().map(|(name, _)| name))
}

/// Any other program of the Rust toolchain, in the same clean environment.
pub(crate) fn tool(program: &str) -> Command {
    clean(OsString::from(program), std::env::vars_os().map(|(name, _)| name))
}

fn clean(program: OsString, names: impl Iterator<Item = OsString>) -> Command {
    let mut command = Command::new(program);
    for name in names.filter(|name| name.to_str().is_some_and(is_foreign)) {
        command.env_remove(name);
    }
    command
}

fn is_foreign(name: &str) -> bool {
    let cargo = name == "CARGO" || name.starts_with("CARGO_");
    (cargo && !KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))) || REMOVED.contains(&name)
}

/// Runs to the end and gives what was printed to stdout; otherwise one text that says what happened.
///
/// Lines of stderr that say what is being compiled are passed on while it runs.
pub(crate) fn run(command: &mut Command, progress: Progress<'_>) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| format!("`{program}` cannot be started: {cause}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both pipes are drained at once, or a program that fills one would wait for ever.
    let (printed, complaints) = std::thread::scope(|scope| {
        let printed = scope.spawn(|| {
            let mut bytes = Vec::new();
            stdout.map(|mut pipe| pipe.read_to_end(&mut bytes));
            bytes
        });
        let complaints: Vec<String> = stderr
            .map(|pipe| BufReader::new(pipe).split(b'\n').map_while(Result::ok))
            .into_iter()
            .flatten()
            .map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
            .inspect(|line| {
                if line.trim_start().starts_with("Compiling ") {
                    progress(line.trim_start());
                }
            })
            .collect();
        (printed.join().unwrap_or_default(), complaints)
    });
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let status = child.wait().map_err(|cause| format!("`{program}` was lost: {cause}"))?;
    if status.success() {
        return Ok(printed);
    }
    let kept = complaints
        .iter()
        .skip(complaints.len().saturating_sub(KEPT_LINES_MAX))
        .fold(String::new(), |all, line| if all.is_empty() { line.clone() } else { format!("{all}\n{line}") });
    Err(format!("`{program}` ended with {status}\n{kept}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_foreign(name), expected, "{name}");
    }

    #[test]
    fn what_an_outer_cargo_sets_is_removed_and_what_the_user_set_stays() {
        check("CARGO", true);
        check("CARGO_ENCODED_RUSTFLAGS", true);
        check("CARGO_TARGET_DIR", true);
        check("CARGO_PKG_NAME", true);
        check("CARGO_FEATURE_DEFAULT", true);
        check("CARGO_MAKEFLAGS", true);
        check("RUSTFLAGS", true);
        check("RUSTC", true);
        check("CARGO_HOME", false);
        check("CARGO_REGISTRIES_MIRROR_INDEX", false);
        check("CARGO_HTTP_CAINFO", false);
        check("RUSTUP_TOOLCHAIN", false);
        check("PATH", false);
    }

    #[test]
    fn a_failure_repeats_what_the_program_complained_of() {
        let error = run(Command::new("sh").args(["-c", "echo said; echo broken >&2; exit 3"]), &|_| {}).unwrap_err();
        assert!(error.contains("broken") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program"), &|_| {}).unwrap_err();
        assert!(error.contains("`no-such-program` cannot be started"), "{error}");
    }
}
