//! Programs of other languages: found on the path, or fetched once from the registry of their language and kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BuildError;
use crate::{Progress, command};

/// A program that the machine has to have.
pub(crate) struct Required {
    /// Its name on the path.
    pub(crate) program: &'static str,
    /// What it is called, with the oldest version that will do.
    pub(crate) tool: &'static str,
    /// Who needs it.
    pub(crate) needed_for: &'static str,
    /// The packages of Debian and its descendants that have it.
    pub(crate) packages: &'static str,
}

impl Required {
    /// Where it is on the path.
    pub(crate) fn find(&self) -> Result<PathBuf, BuildError> {
        on_path(self.program).ok_or_else(|| self.missing(format!("there is no `{}` on the path", self.program)))
    }

    /// Where it is, if it is of this version or later. `asked` is the argument that has it print its version.
    pub(crate) fn at_least(&self, least: (u32, u32), asked: &str) -> Result<PathBuf, BuildError> {
        let path = self.find()?;
        let printed = command::run(tool(&path).arg(asked), &|_| {}).map_err(|reason| self.missing(reason))?;
        match version_in(&printed) {
            Some(version) if version >= least => Ok(path),
            _ => Err(self.missing(format!("`{}` is {}", path.display(), printed.trim()))),
        }
    }

    /// The same with a version as it is written.
    pub(crate) fn at_least_text(&self, least: &str, asked: &str) -> Result<PathBuf, BuildError> {
        self.at_least(version_in(least).unwrap_or_default(), asked)
    }

    /// The error that it is not there.
    pub(crate) fn missing(&self, found: String) -> BuildError {
        let remedy = if on_path("apt-get").is_some() {
            format!("Install it with `apt-get install {}`", self.packages)
        } else {
            format!("Install what Debian has as `{}`", self.packages)
        };
        BuildError::MissingTool { needed_for: self.needed_for, tool: self.tool, found, remedy }
    }
}

/// A program in an environment that says nothing of a build around this one.
pub(crate) fn tool(program: &Path) -> Command {
    command::tool(&program.to_string_lossy())
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The first two numbers of a version in a text: `v20.20.2`, `Python 3.11.7`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text.get(from..)?.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The folder of a toolchain, which `fetch` fills if it is not there. Filled aside and renamed when it is whole, so an
/// interrupted run leaves nothing that looks finished; two builds at once do not both fetch it.
pub(crate) fn fetched(
    tools_dir: &Path,
    name: &str,
    progress: Progress<'_>,
    fetch: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, BuildError> {
    let fail = |reason: String| BuildError::Fetch { what: name.to_owned(), reason };
    let tools_dir = std::path::absolute(tools_dir).map_err(|cause| fail(cause.to_string()))?;
    let (folder, aside) = (tools_dir.join(name), tools_dir.join(format!("{name}.aside")));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&tools_dir).map_err(|cause| fail(cause.to_string()))?;
    let lock = File::create(tools_dir.join(format!("{name}.lock"))).map_err(|cause| fail(cause.to_string()))?;
    lock.lock().map_err(|cause| fail(cause.to_string()))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    progress(&format!("fetching {name}, once"));
    // Nobody else fetches while the lock is held, so what is there was left by a run that was killed.
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(&aside).map_err(|cause| fail(cause.to_string()))?;
    fetch(&aside).map_err(fail)?;
    fs::rename(&aside, &folder).map_err(|cause| fail(cause.to_string()))?;
    Ok(folder)
}

/// The text of a file of the project.
pub(crate) fn read(path: &Path) -> Result<String, BuildError> {
    let fail = |cause: std::io::Error| BuildError::Read { path: path.to_owned(), reason: cause.to_string() };
    fs::read_to_string(path).map_err(fail)
}

/// Writes a file below the folder of what is in between.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    made.map_err(|cause| BuildError::Write { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Required = Required {
        program: "no-such-program",
        tool: "a program that nobody has",
        needed_for: "this test",
        packages: "no-such-package",
    };

    #[test]
    fn a_program_that_is_not_there_is_named_with_the_packages_that_have_it() {
        let error = NEVER.find().unwrap_err();
        assert!(error.is_of_the_computer());
        let text = error.to_string();
        for part in ["this test needs a program that nobody has", "`no-such-program`", "no-such-package`"] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn a_program_that_is_too_old_is_refused_with_its_version() {
        let shell = Required { program: "bash", ..NEVER };
        assert!(shell.at_least((2, 0), "--version").is_ok());
        let text = shell.at_least((900, 0), "--version").unwrap_err().to_string();
        assert!(text.contains("is GNU bash"), "{text}");
    }

    #[test]
    fn versions_are_read_as_programs_print_them() {
        assert_eq!(version_in("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version_in("Python 3.11.7"), Some((3, 11)));
        assert_eq!(version_in("none"), None);
    }

    #[test]
    fn what_was_fetched_half_is_fetched_again_and_what_is_whole_is_kept() {
        let tools = std::env::temp_dir().join(format!("scruple-tools-{}", std::process::id()));
        let torn = fetched(&tools, "thing", &|_| {}, |aside| {
            fs::write(aside.join("half"), "").unwrap();
            Err("the network is away".to_owned())
        });
        assert!(torn.unwrap_err().to_string().contains("cannot fetch thing: the network is away"));
        let fill = |aside: &Path| fs::write(aside.join("whole"), "").map_err(|cause| cause.to_string());
        let folder = fetched(&tools, "thing", &|_| {}, fill).unwrap();
        assert!(folder.join("whole").is_file() && !folder.join("half").exists());
        assert_eq!(fetched(&tools, "thing", &|_| {}, |_| Err("asked again".to_owned())).unwrap(), folder);
        fs::remove_dir_all(tools).unwrap();
    }
}
