//! `scruple plugin dev`: builds and tests a project whenever something in it is saved.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::build::{Made, Project, described};
use super::failure;
use super::test::{judge, told};
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::trial::fixture;

/// For so long nothing may be saved before it is built: editors save in several steps, and several files at once.
const QUIET: Duration = Duration::from_millis(100);

/// Folders and files that are made of others.
const MADE: [&str; 6] = ["target", "node_modules", "__pycache__", "dist", "Cargo.lock", "package-lock.json"];

#[derive(Debug, Args)]
pub(in crate::cli) struct Dev {
    #[command(flatten)]
    project: Project,
}

impl Dev {
    pub(in crate::cli) async fn run(&self, output: &Output) -> Result<(), Failure> {
        // What is none, or is not there, does not become a project by being saved.
        described(&self.project.path)?;
        let local = |error: &dyn std::error::Error| Failure::Local(format!("cannot watch: {error}"));
        let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| local(&error))?;
        let (said, mut saved) = mpsc::unbounded_channel();
        // Events have whole paths, and what is above the project may have any name.
        let project = self.project.path.canonicalize().map_err(|error| local(&error))?;
        let own = project.clone();
        let watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            if event.is_ok_and(|event| is_change(&event, &own)) {
                // Nobody listens any more when the command ends.
                let _ = said.send(());
            }
        });
        let mut watched = Watched { watcher: watcher.map_err(|error| local(&error))?, folders: BTreeSet::new() };
        loop {
            // Before it is built: what is saved meanwhile is built next.
            watched.add(&project).map_err(|error| local(&error))?;
            self.round(output).await?;
            tokio::select! {
                _ = interrupted.recv() => return Ok(()),
                _ = saved.recv() => {}
            }
            while tokio::time::timeout(QUIET, saved.recv()).await.is_ok() {}
        }
    }

    /// Builds and tests once. What is wrong with the project is shown, and does not end it.
    async fn round(&self, output: &Output) -> Result<(), Failure> {
        let done = match self.project.build(None).await {
            Ok(made) => {
                self.test(&made).await.map(|(shown, text)| (json!({ "built": made.told().0, "tested": shown }), text))
            }
            Err(failure) => Err(failure),
        };
        output.clear();
        let (shown, text) = match done {
            Ok(done) => done,
            // A fixture that does not parse is usage.
            Err(failure @ (Failure::Component(_) | Failure::Usage(_))) => {
                (json!({ "error": failure.to_string() }), format!("error: {failure}"))
            }
            Err(failure) => return Err(failure),
        };
        if output.is_json() {
            return output.json_line(&shown);
        }
        output.line(
            &shown,
            format!("{text}\n\nwaiting for something in `{}` to be saved; Ctrl-C ends", self.project.path.display()),
        )
    }

    async fn test(&self, made: &Made) -> Result<(serde_json::Value, String), Failure> {
        let cases = fixture::read(&self.project.path.join("fixtures")).map_err(failure)?;
        let (shown, tested) = told(&judge(cases, &made.tried).await?);
        let built = format!(
            "{}: {} bytes, compiled in {} ms",
            made.built.path.display(),
            made.built.size_bytes,
            made.tried.checked.compile_ms
        );
        Ok((shown, format!("{built}\n{tested}")))
    }
}

/// What is watched: the project's folder itself, and each folder in it that people write in. Not all of it: `target` and
/// `node_modules` have thousands of folders.
struct Watched {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Watched {
    /// Watches what is there now.
    fn add(&mut self, project: &Path) -> Result<(), notify::Error> {
        if self.folders.is_empty() {
            self.watcher.watch(project, RecursiveMode::NonRecursive)?;
        }
        let entries = project.read_dir().map_err(notify::Error::io)?.flatten().map(|entry| entry.path());
        for folder in entries.filter(|path| path.is_dir() && path.file_name().is_some_and(|name| !is_made(name))) {
            if !self.folders.contains(&folder) {
                self.watcher.watch(&folder, RecursiveMode::Recursive)?;
                self.folders.insert(folder);
            }
        }
        Ok(())
    }
}

/// Whether something that people write was written.
fn is_change(event: &Event, project: &Path) -> bool {
    let is_write = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
    let is_own = |path: &PathBuf| !path.strip_prefix(project).unwrap_or(path).iter().any(is_made);
    is_write && event.paths.iter().any(is_own)
}

/// Whether a folder or file of this name is made of others, or is an editor's own.
fn is_made(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    MADE.contains(&name.as_ref())
        || (name.starts_with('.') && name.len() > 2)
        || name.ends_with('~')
        || name.ends_with(".swp")
}
