//! The page of errors has every code there is, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use scruple::constraints::Limits;
use scruple::decision::FaultKind;
use scruple::http::problem::CODES;
use scruple_tests::ServerProcess;
use wit_parser::{Resolve, TypeDefKind};

use super::{page, root};

/// The codes in the first column of the tables of a section.
fn of_section(title: &str) -> BTreeSet<String> {
    let page = page("errors.md");
    let section = page.split("\n## ").find(|section| section.lines().next() == Some(title));
    let section = section.unwrap_or_else(|| panic!("there is no section `{title}`"));
    let mut codes = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let code = row.split('`').next().unwrap().to_owned();
        assert!(codes.insert(code.clone()), "`{code}` is there twice");
    }
    codes
}

#[track_caller]
fn check<T: Into<String>>(title: &str, codes: impl IntoIterator<Item = T>) {
    let there: BTreeSet<String> = codes.into_iter().map(Into::into).collect();
    let told = of_section(title);
    let lacking: Vec<_> = there.difference(&told).collect();
    assert!(lacking.is_empty(), "`{title}` of errors.md lacks {lacking:?}");
    let made_up: Vec<_> = told.difference(&there).collect();
    assert!(made_up.is_empty(), "`{title}` of errors.md has {made_up:?}, which there are not");
}

#[test]
fn every_error_has_its_remedy_in_the_guide() {
    let (component, problems): (Vec<_>, Vec<_>) = CODES.into_iter().partition(|code| code.starts_with("component-"));
    check("Problems of the administration API", problems);
    check("Components that are refused", component);
    check("Faults of an evaluation", FaultKind::ALL.iter().map(|kind| kind.as_str()));
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).unwrap();
    let read_error = resolve.types.iter().find(|(_, definition)| definition.name.as_deref() == Some("read-error"));
    let TypeDefKind::Variant(read_error) = &read_error.unwrap().1.kind else { panic!("`read-error` is no variant") };
    check("Reads that are refused", read_error.cases.iter().map(|case| case.name.as_str()));
}

#[test]
fn the_guide_has_the_exit_codes_that_the_help_has() {
    let help = Command::new(ServerProcess::program_under_test().unwrap()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes: ").unwrap();
    let codes = codes.split(';').map(|code| code.split_whitespace().next().unwrap());
    check("Exit codes", codes);
}

/// What a code stands behind in the sources.
const BEFORE_A_CODE: [&str; 7] = ["new(", "bad_request(", "unprocessable(", "later(", "invalid(", "code: ", "=> "];

/// Texts that stand where a code is given to a problem.
fn given(text: &str) -> BTreeSet<String> {
    // Where `rustfmt` breaks lines says nothing.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = BTreeSet::new();
    for before in BEFORE_A_CODE {
        for (at, _) in text.match_indices(before) {
            let mut arguments = text[at + before.len()..].trim_start();
            // A status may stand before it.
            if let Some((status, rest)) = arguments.split_once(',')
                && status.ends_with(|last: char| last.is_ascii_uppercase())
                && status.contains("StatusCode::")
            {
                arguments = rest.trim_start();
            }
            let Some(code) = arguments.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            let is_one = match before {
                "=> " => code.starts_with("component-"),
                "invalid(" => code.starts_with("invalid-"),
                _ => code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            };
            if is_one && !code.is_empty() {
                found.insert(code.to_owned());
            }
        }
    }
    found
}

fn in_sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_sources(&path, found);
        } else if path.file_name().unwrap() != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            // Tests at the end of a file give codes that are none.
            found.extend(given(text.split("#[cfg(test)]").next().unwrap()));
        }
    }
}

#[test]
fn the_list_of_codes_is_that_of_the_sources() {
    let mut found = BTreeSet::new();
    in_sources(&root().join("host/src/http"), &mut found);
    found.extend(given(&fs::read_to_string(root().join("host/src/constraints/sandbox/error.rs")).unwrap()));
    assert_eq!(found, CODES.map(str::to_owned).into());
}

/// The key and the number of each row of the page of limits.
fn limits_told() -> BTreeMap<String, u64> {
    let page = page("limits.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let told = rows.map(|row| {
        let (key, rest) = row.split_once("` | ").unwrap();
        (key.to_owned(), rest.split(' ').next().unwrap().replace(',', "").parse().unwrap())
    });
    told.collect()
}

#[test]
fn the_guide_has_the_limits_that_a_server_has() {
    let limits = Limits::default();
    let there = [
        ("fuel_max", limits.fuel_max),
        ("fuel_about_max", limits.fuel_about_max),
        ("deadline_ms", limits.deadline_ms),
        ("look_up_wait_ms", limits.look_up_wait_ms),
        ("memory_bytes_max", limits.memory_bytes_max as u64),
        ("table_elements_max", limits.table_elements_max as u64),
        ("stack_bytes_max", limits.stack_bytes_max as u64),
        ("host_calls_max", limits.host_calls_max.into()),
        ("output_bytes_max", limits.output_bytes_max as u64),
        ("read_bytes_max", limits.read_bytes_max as u64),
        ("look_ups_max", limits.look_ups_max as u64),
        ("table_look_ups_max", limits.table_look_ups_max as u64),
        ("members_read_max", limits.members_read_max as u64),
        ("edits_max", limits.edits_max as u64),
        ("log_bytes_max", limits.log_bytes_max as u64),
        ("warnings_bytes_max", limits.warnings_bytes_max as u64),
        ("component_bytes_max", limits.component_bytes_max as u64),
        ("compile_memory_bytes_max", limits.compile_memory_bytes_max),
        ("compile_cpu_seconds_max", limits.compile_cpu_seconds_max),
        ("compile_seconds_max", limits.compile_seconds_max),
        ("compiled_bytes_max", limits.compiled_bytes_max as u64),
    ];
    assert_eq!(limits_told(), there.map(|(key, value)| (key.to_owned(), value)).into());
}
