//! The contract's WIT: what a project carries, or the one that this program was built with; and the world of a plugin, which
//! has no more imports than the plugin needs.

use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::tools;

/// The files of `wit/`.
const FILES: [(&str, &str); 10] = [
    ("about.wit", include_str!("../../../wit/about.wit")),
    ("check.wit", include_str!("../../../wit/check.wit")),
    ("directory.wit", include_str!("../../../wit/directory.wit")),
    ("log.wit", include_str!("../../../wit/log.wit")),
    ("report.wit", include_str!("../../../wit/report.wit")),
    ("rewrite.wit", include_str!("../../../wit/rewrite.wit")),
    ("scim.wit", include_str!("../../../wit/scim.wit")),
    ("tables.wit", include_str!("../../../wit/tables.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("world.wit", include_str!("../../../wit/world.wit")),
];

/// The capabilities that are imports of their own.
const CAPABILITIES: [&str; 2] = ["directory", "tables"];

/// The files of the contract that a project is built against: its own, if it has a folder `wit`.
fn of_project(folder: &Path) -> Result<Vec<(String, String)>, BuildError> {
    let own = folder.join("wit");
    if !own.is_dir() {
        return Ok(FILES.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    }
    let entries = own.read_dir().map_err(|cause| BuildError::Read { path: own.clone(), reason: cause.to_string() })?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension() == Some("wit".as_ref()));
    files
        .map(|path| Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), tools::read(&path)?)))
        .collect()
}

/// The version that WIT files are of, as in `0.1.0`.
fn version(files: &[(String, String)]) -> Option<&str> {
    let line = files
        .iter()
        .flat_map(|(_, text)| text.lines())
        .find_map(|line| line.strip_prefix("package scruple:constraint@"));
    Some(line?.trim().trim_end_matches(';'))
}

/// What a plugin is asked, by the interfaces that it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exports {
    /// It judges.
    Check,
    /// It rewrites.
    Rewrite,
    /// Both.
    CheckAndRewrite,
}

impl Exports {
    /// Of a plugin whose manifest names in its part `of` a constraint, a rewriter, or one thing that is both; and that thing. The
    /// error says what is wrong with the manifest.
    pub(crate) fn of(of: &str, named: [Option<String>; 2]) -> Result<(Self, String), String> {
        let [constraint, rewriter] = named;
        match (constraint, rewriter) {
            (Some(constraint), Some(rewriter)) if constraint == rewriter => Ok((Self::CheckAndRewrite, constraint)),
            (Some(constraint), Some(rewriter)) => Err(format!(
                "names `{constraint}` as `{of}.constraint` and `{rewriter}` as `{of}.rewriter`: a plugin is one thing, \
                 which may be both"
            )),
            (Some(constraint), None) => Ok((Self::Check, constraint)),
            (None, Some(rewriter)) => Ok((Self::Rewrite, rewriter)),
            (None, None) => Err(format!("has no `{of}.constraint` and no `{of}.rewriter`")),
        }
    }

    /// The interfaces, beside `about`.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Check => &["check"],
            Self::Rewrite => &["rewrite"],
            Self::CheckAndRewrite => &["check", "rewrite"],
        }
    }
}

/// The world `plugin`: no more imports than it needs.
fn world(version: &str, needs: &[String], exports: Exports) -> String {
    let items = match exports {
        Exports::Check => vec!["include pure-constraint"],
        Exports::Rewrite => vec!["import scim", "import report", "import log", "export about", "export rewrite"],
        Exports::CheckAndRewrite => vec!["include pure-constraint", "export rewrite"],
    };
    let items = items.into_iter().map(str::to_owned).chain(needs.iter().map(|need| format!("import {need}")));
    let of_contract = |item: String| match item.split_once(' ') {
        Some((what, name)) => format!("    {what} scruple:constraint/{name}@{version};\n"),
        None => item,
    };
    format!("package local:plugin;\n\nworld plugin {{\n{}}}\n", items.map(of_contract).collect::<String>())
}

/// Writes a WIT package with the world `plugin` to a folder: what the contract has for these exports, with these capabilities, by
/// name. Gives the contract's version.
pub(crate) fn write_world(
    project: &Path,
    needs: &[String],
    exports: Exports,
    into: &Path,
) -> Result<String, BuildError> {
    if let Some(unknown) = needs.iter().find(|need| !CAPABILITIES.contains(&need.as_str())) {
        let reason = format!(
            "it needs `{unknown}`, and there are {}",
            CAPABILITIES.map(|name| format!("`{name}`")).join(" and ")
        );
        return Err(BuildError::NoPlugin { folder: project.to_owned(), reason });
    }
    let files = of_project(project)?;
    let version = version(&files).ok_or_else(|| BuildError::Contract {
        folder: project.join("wit"),
        cause: anyhow::anyhow!("no file begins with `package scruple:constraint@` and a version"),
    })?;
    write_files(&files, &into.join("deps/constraint"), into)?;
    std::fs::write(into.join("plugin.wit"), world(version, needs, exports))
        .map_err(|cause| BuildError::Write { path: into.to_owned(), cause })?;
    Ok(version.to_owned())
}

/// Writes the contract that a project is built against to a folder.
pub(crate) fn write(project: &Path, into: &Path) -> Result<(), BuildError> {
    write_files(&of_project(project)?, into, into)
}

/// Writes files; what an earlier version of the contract had below `whole` does not stay.
fn write_files(files: &[(String, String)], into: &Path, whole: &Path) -> Result<(), BuildError> {
    let _ = std::fs::remove_dir_all(whole);
    let made = std::fs::create_dir_all(into)
        .and_then(|()| files.iter().try_for_each(|(name, text)| std::fs::write(into.join(name), text)));
    made.map_err(|cause| BuildError::Write { path: into.to_owned(), cause })
}

/// The folder in which what is between a project and its component goes, made if it is not there.
pub(crate) fn work_dir(target_dir: &Path, language: &str, name: &str) -> Result<PathBuf, BuildError> {
    let folder = target_dir.join(language).join(name);
    let fail = |cause| BuildError::Write { path: folder.clone(), cause };
    std::fs::create_dir_all(&folder).map_err(fail)?;
    std::path::absolute(&folder).map_err(fail)
}
