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

/// Writes a WIT package with the world `plugin` to a folder: the contract's constraint with these capabilities, by name. Gives
/// the contract's version.
pub(crate) fn write_world(project: &Path, needs: &[String], into: &Path) -> Result<String, BuildError> {
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
    let mut world = format!(
        "package local:plugin;\n\nworld plugin {{\n    include scruple:constraint/pure-constraint@{version};\n"
    );
    for need in needs {
        world.push_str(&format!("    import scruple:constraint/{need}@{version};\n"));
    }
    world.push_str("}\n");
    write_files(&files, &into.join("deps/constraint"), into)?;
    std::fs::write(into.join("plugin.wit"), world)
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
