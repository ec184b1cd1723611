//! The file of contexts: `contexts.toml` in the user's folder of settings. It has tokens, so nobody else may read it, and
//! nothing of it is ever in a message.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Failure;

/// What the file says.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Contexts {
    /// The one that counts if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) current: Option<String>,
    /// By name.
    #[serde(default)]
    pub(in crate::cli) contexts: BTreeMap<String, Context>,
}

/// A server, a tenant and a token, that go together.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Context {
    pub(in crate::cli) server: String,
    /// An operator's token is for no tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) tenant: Option<String>,
    /// Absent after a logout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) token: Option<String>,
}

/// The name of the file's folder and of the file.
const FOLDER: &str = "scruple";
const FILE: &str = "contexts.toml";

/// Where the file is; `None` where the user has no folder of settings.
fn path() -> Option<PathBuf> {
    // A path that is not absolute does not count (XDG Base Directory Specification).
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let settings = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(settings.join(FOLDER).join(FILE))
}

impl Contexts {
    /// Reads the file. Without one there are no contexts.
    pub(in crate::cli) fn read() -> Result<Self, Failure> {
        path().map_or_else(|| Ok(Self::default()), |path| read(&path))
    }

    /// Changes the file, as a whole: another command finds it as it was, or as it is then. Two that change it take turns.
    pub(in crate::cli) fn change<T>(change: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let path = path().ok_or_else(|| {
            Failure::Local("there is no place to keep contexts: neither XDG_CONFIG_HOME nor HOME is set".to_owned())
        })?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let failed = |error: io::Error| Failure::Local(format!("cannot write `{}`: {error}", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
        let turn = File::open(folder).map_err(failed)?;
        turn.lock().map_err(failed)?;
        let mut contexts = read(&path)?;
        let made = change(&mut contexts)?;
        let text = toml::to_string(&contexts)
            .map_err(|error| Failure::Local(format!("cannot write `{}`: {error}", path.display())))?;
        replace(folder, &path, &text).map_err(failed)?;
        Ok(made)
    }

    /// The context of that name.
    pub(in crate::cli) fn named(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| self.unknown(name))
    }

    pub(in crate::cli) fn unknown(&self, name: &str) -> Failure {
        let names: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
        let there = match names.as_slice() {
            [] => "there are none: `scruple login` makes one".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Failure::Usage(format!("there is no context `{name}`; {there}"))
    }
}

fn read(path: &Path) -> Result<Contexts, Failure> {
    let failed = |error: io::Error| Failure::Local(format!("cannot read `{}`: {error}", path.display()));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contexts::default()),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::Local(format!(
            "`{0}` has tokens, and others may read or change it: type `chmod 600 '{0}'`, and if others have been at this computer, make new tokens",
            path.display()
        )));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    // What the parser says of an error may have a piece of the file in it.
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        Failure::Local(format!(
            "`{}` line {line} makes no sense: the file has `current`, and under `[contexts.NAME]` `server`, `tenant` and `token`",
            path.display()
        ))
    })
}

/// Puts a new file in the place of the old one. Nobody else could read it at any time.
fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    // Made with the mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
