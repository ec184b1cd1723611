//! What provisioning clients send and what they must get for it, as data: `tests/cases/*.json`, a file a client.
//!
//! Start at [`Case`] (the format), then [`play()`] (one case against one base URL), then [`matching`] (what counts as the
//! expected answer). The integration test `client_cases` plays all of them against a server of its own, `scruple-tests
//! conformance` against any server.

mod format;
pub mod matching;
mod play;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

pub use format::{Case, CaseFile, Given, Profile, Status, Step};
pub use play::{Target, play};

/// Where the cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Reads every file of a folder. A key that is not known, a case without steps and a name given twice are errors: a
/// case that says nothing would pass.
pub fn load(folder: &Path) -> anyhow::Result<Vec<CaseFile>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut files: Vec<CaseFile> = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        let file: CaseFile = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        for case in &file.cases {
            let known = files.iter().flat_map(|file| &file.cases).chain(&file.cases);
            if known.filter(|other| other.name == case.name).count() > 1 {
                bail!("{}: there are two cases `{}`", path.display(), case.name);
            }
            if case.steps.is_empty() || case.source.is_empty() {
                bail!("{}: the case `{}` lacks its steps or its source", path.display(), case.name);
            }
        }
        files.push(file);
    }
    Ok(files)
}
