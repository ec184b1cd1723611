//! The projects that `scruple plugin new` writes.
//!
//! A project is made of templates: of those in `plugin-sdk/templates/common` and of those of its language. It carries the
//! contract's WIT, and a copy of the SDK unless it is told where one is, so that it can be built wherever it is put. What
//! is in it depends on the capabilities that it needs and on nothing else: the same plan gives the same files.
//!
//! Start at [`Plan`].

mod template;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What a project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// With the SDK of Rust.
    Rust,
    /// With the SDK of JavaScript, on QuickJS.
    JavaScript,
    /// With the SDK of Python, on CPython.
    Python,
    /// Without an SDK.
    C,
}

impl Language {
    /// All of them, each by the name that it is asked for with.
    pub const ALL: [(&'static str, Self); 4] =
        [("rust", Self::Rust), ("js", Self::JavaScript), ("python", Self::Python), ("c", Self::C)];

    /// As it is asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// What shows that a folder has the SDK of this language.
    fn mark_of_sdk(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("Cargo.toml"),
            Self::JavaScript => Some("package.json"),
            Self::Python => Some("src/scruple_sdk/__init__.py"),
            Self::C => None,
        }
    }
}

/// A capability that a project makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Looks other resources up.
    Directory,
    /// Looks into tables of reference data.
    Tables,
}

impl Need {
    /// All of them, each by the name that it is asked for with.
    pub const ALL: [(&'static str, Self); 2] = [("directory", Self::Directory), ("tables", Self::Tables)];
}

/// A project cannot be made.
#[derive(Debug, Error)]
pub enum NewError {
    /// The name is none of a plugin.
    #[error(
        "`{0}` cannot be the name of a plugin: it has lower-case letters, digits and dashes, begins with a letter, and has at most 64 of them"
    )]
    Name(String),
    /// The name is that of something else.
    #[error("`{0}` cannot be the name of a plugin in Rust: a package that it is compiled with has that name")]
    Taken(String),
    /// There is something already.
    #[error("`{}` is there already and not empty; nothing was written", .0.display())]
    NotEmpty(PathBuf),
    /// No SDK where one was said to be.
    #[error("`{}` has no SDK for this language: there is no `{mark}` in it, nor in `{folder}` below it", .path.display())]
    NoSdk {
        /// The folder.
        path: PathBuf,
        /// What it would have.
        mark: &'static str,
        /// Where in the repository's `plugin-sdk` it is.
        folder: &'static str,
    },
    /// C has no SDK.
    #[error("a plugin in C needs no SDK, so there is none to be found at a path")]
    NoSdkOfC,
    /// A file cannot be written.
    #[error("cannot write `{}`: {cause}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// Bytes of a plugin's name, as the contract has it.
const NAME_BYTES_MAX: usize = 64;

/// Packages that a plugin in Rust is compiled with.
const CRATES: [&str; 8] = ["alloc", "core", "proc-macro", "schemars", "scruple-sdk", "serde", "serde-json", "std"];

/// A project that is to be made.
#[derive(Debug, Clone)]
pub struct Plan {
    name: String,
    language: Language,
    needs: Vec<Need>,
    sdk: Option<PathBuf>,
}

impl Plan {
    /// A project of this name.
    ///
    /// # Errors
    /// When a plugin cannot have this name.
    pub fn new(name: &str, language: Language) -> Result<Self, NewError> {
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && name.len() <= NAME_BYTES_MAX;
        if !fits {
            return Err(NewError::Name(name.to_owned()));
        }
        if language == Language::Rust && CRATES.contains(&name) {
            return Err(NewError::Taken(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), language, needs: Vec::new(), sdk: None })
    }

    /// Makes use of these capabilities.
    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Uses the SDK in this folder (that of the language, or the repository's `plugin-sdk`) instead of a copy.
    ///
    /// # Errors
    /// When there is none.
    pub fn sdk(mut self, path: &Path) -> Result<Self, NewError> {
        let mark = self.language.mark_of_sdk().ok_or(NewError::NoSdkOfC)?;
        let folder = self.language.name();
        let candidates = [path.join(folder), path.to_owned()];
        let found = candidates.into_iter().find(|candidate| candidate.join(mark).is_file());
        let found = found.and_then(|found| found.canonicalize().ok());
        self.sdk = Some(found.ok_or_else(|| NewError::NoSdk { path: path.to_owned(), mark, folder })?);
        Ok(self)
    }

    /// The project's files: path and text.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let language = self.language.name();
        let mut facts = vec![language];
        facts.extend(Need::ALL.iter().filter(|(_, need)| self.needs.contains(need)).map(|(name, _)| *name));
        facts.push(if self.sdk.is_some() { "sdk-elsewhere" } else { "sdk-here" });
        let sdk = self.sdk.as_ref().map_or_else(|| "sdk".to_owned(), |path| path.display().to_string());
        let needs: Vec<String> = Need::ALL
            .iter()
            .filter(|(_, need)| self.needs.contains(need))
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let words = [("name", self.name.as_str()), ("sdk", &sdk), ("needs", &needs.join(", "))];
        let copies_sdk = self.sdk.is_none();
        let mut files = Vec::new();
        for (path, text) in FILES {
            if let Some(path) = path.strip_prefix("templates/") {
                let Some((of, path)) = path.split_once('/') else { continue };
                if of != "common" && of != language {
                    continue;
                }
                let text = template::fill(text, &facts, &words);
                // A file of which the plan leaves nothing is none of the project.
                if !text.trim().is_empty() {
                    files.push((path.replace("dot-", "."), text));
                }
            } else if let Some(path) = path.strip_prefix("sdk/") {
                let own = path.strip_prefix(language).and_then(|path| path.strip_prefix('/'));
                files.extend(own.filter(|_| copies_sdk).map(|path| (format!("sdk/{path}"), (*text).to_owned())));
            } else {
                files.push(((*path).to_owned(), (*text).to_owned()));
            }
        }
        files
    }

    /// Writes the project to a folder, which must be empty or not there: all of it, or nothing.
    ///
    /// # Errors
    /// When the folder has something in it, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), NewError> {
        if fs::symlink_metadata(folder).is_ok() && !folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
        {
            return Err(NewError::NotEmpty(folder.to_owned()));
        }
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |cause| NewError::Write { path, cause }
        };
        // Beside it, so that it can be renamed.
        let aside = folder.with_file_name(format!(".{}.new-{}", self.name, std::process::id()));
        let written = self.files().into_iter().try_for_each(|(name, text)| {
            let path = aside.join(name);
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text)).map_err(fail(&path))
        });
        let written = written.and_then(|()| fs::rename(&aside, folder).map_err(fail(folder)));
        if written.is_err() {
            let _ = fs::remove_dir_all(&aside);
        }
        written
    }

    /// What to type in the project, each with what it does.
    #[must_use]
    pub fn next_steps(&self) -> Vec<(String, &'static str)> {
        let name = &self.name;
        let test: &[(&str, &str)] = match self.language {
            Language::Rust => &[("cargo test", "the unit tests, without WebAssembly")],
            Language::JavaScript => &[
                ("npm install", "puts the SDK where Node looks for it"),
                ("npm test", "the unit tests, without WebAssembly"),
            ],
            Language::Python => &[("python3 -m unittest", "the unit tests, without WebAssembly")],
            Language::C => &[("make test", "the unit tests, without WebAssembly")],
        };
        let mut steps: Vec<(String, &'static str)> =
            test.iter().map(|(step, why)| ((*step).to_owned(), *why)).collect();
        steps.push(("scruple plugin build".to_owned(), "a component in target/plugins"));
        steps.push(("scruple plugin test".to_owned(), "the cases in fixtures, as a server would judge them"));
        steps.push(("scruple plugin push".to_owned(), "to a server; `scruple serve --trial acme` is one to try it on"));
        steps.push((format!("scruple constraint set {name} --settings @fixtures/settings.json"), "puts it in force"));
        steps
    }
}

#[cfg(test)]
mod tests;
