//! The file that says what a tenant's constraints, tables and waivers are: `constraints.yaml`. JSON is YAML, too.
//!
//! [`Manifest::read`] reads everything that the file names, too: whoever has a [`Manifest`] has all there is to send.

#[cfg(test)]
mod tests;
mod waivers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Map, Value, json};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{SnippetMode, Spanned, UserMessageFormatter};

use crate::cli::Failure;
use crate::constraints::compile::digest;
use waivers::WaiverEntry;

pub(super) use waivers::Waiver;

/// The form of the file that this program reads and writes.
pub(super) const VERSION: u32 = 1;

/// The file by the letter. Each part of a tenant is a key; one that is left out is left alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<Value>,
    #[serde(default, deserialize_with = "there")]
    constraints: Option<BTreeMap<String, Spanned<ConstraintEntry>>>,
    #[serde(default, deserialize_with = "there")]
    tables: Option<BTreeMap<String, Spanned<TableEntry>>>,
    #[serde(default, deserialize_with = "there")]
    waivers: Option<Vec<Spanned<WaiverEntry>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConstraintEntry {
    plugin: Option<String>,
    component: Option<PathBuf>,
    digest: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    version: Option<u32>,
    tag: Option<String>,
    settings: Option<Value>,
    settings_file: Option<PathBuf>,
    grants: Option<Value>,
    mode: Option<String>,
    on_fault: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    order: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    file: Option<PathBuf>,
    key: Option<String>,
    digest: Option<String>,
}

/// A key with nothing after it may mean that there is to be nothing, or that somebody forgot something. The first would take
/// away everything there is.
fn there<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(deserializer)?;
    value.map(Some).ok_or_else(|| serde::de::Error::custom("nothing is here: write `{}` if there is to be none"))
}

/// A number, and an error that names no type of ours.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not a whole number that fits here")))
}

/// What a tenant is to have. A part that is `None` stays as it is.
pub(super) struct Manifest {
    pub(super) constraints: Option<Vec<Constraint>>,
    pub(super) tables: Option<Vec<Table>>,
    pub(super) waivers: Option<Vec<Waiver>>,
    /// In which line each constraint and each table begins, by the members of a pointer to it.
    lines: BTreeMap<(&'static str, String), u64>,
}

/// A constraint that is wanted.
pub(super) struct Constraint {
    pub(super) name: String,
    pub(super) plugin: String,
    pub(super) component: Component,
    /// The rest of what the administration API is told: settings, grants, mode, `on_fault`, order.
    pub(super) rest: Map<String, Value>,
}

/// Which component it runs.
pub(super) enum Component {
    /// One that is at hand.
    File { path: PathBuf, bytes: Vec<u8>, digest: String },
    /// One that the server has, by its SHA-256 digest.
    Digest(String),
    /// One that the server has, by its number.
    Version(u32),
    /// One that was pushed with this tag.
    Tag(String),
}

/// A table that is wanted.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) contents: Contents,
}

/// What it leads to.
pub(super) enum Contents {
    /// CSV or JSON that is at hand.
    File { path: PathBuf, bytes: Vec<u8>, key: Option<String> },
    /// Contents that the server has, by their digest.
    Digest(String),
}

impl Manifest {
    /// Reads the file, and every file that it names; their paths begin where it is.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let document: Document = yaml(file, &text(file)?)?;
        let version = &document.version;
        if version.value != VERSION {
            let message = format!("version {} is not known; this program reads version {VERSION}", version.value);
            return Err(wrong(file, version.referenced.line(), &message));
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        let constraints = document.constraints.iter().flatten();
        let constraints = constraints.map(|(name, entry)| (("constraints", name.clone()), entry.referenced.line()));
        let tables = document.tables.iter().flatten();
        let tables = tables.map(|(name, entry)| (("tables", name.clone()), entry.referenced.line()));
        let lines = constraints.chain(tables).collect();
        let constraints = document.constraints.map(|entries| {
            let read = |(name, entry): (String, Spanned<ConstraintEntry>)| {
                let wrong =
                    |message: &str| wrong(file, entry.referenced.line(), &format!("constraint `{name}` {message}"));
                entry.value.read(&name, folder, wrong)
            };
            entries.into_iter().map(read).collect::<Result<_, _>>()
        });
        let tables = document.tables.map(|entries| {
            let read = |(name, entry): (String, Spanned<TableEntry>)| {
                let wrong = |message: &str| wrong(file, entry.referenced.line(), &format!("table `{name}` {message}"));
                entry.value.read(&name, folder, wrong)
            };
            entries.into_iter().map(read).collect::<Result<_, _>>()
        });
        let waivers = document.waivers.map(|entries| {
            let read = |entry: Spanned<WaiverEntry>| {
                let line = entry.referenced.line();
                entry.value.read(line).map_err(|message| wrong(file, line, &format!("the waiver {message}")))
            };
            entries.into_iter().map(read).collect::<Result<_, _>>()
        });
        Ok(Self {
            constraints: constraints.transpose()?,
            tables: tables.transpose()?,
            waivers: waivers.transpose()?,
            lines,
        })
    }

    /// A place that the server has named by a pointer into what was sent: the line of the file, and the pointer. For a
    /// constraint and a table the line is that of its beginning: its settings may be in another file.
    pub(super) fn place(&self, pointer: &str) -> String {
        let mut members = pointer.split('/').skip(1).map(|member| member.replace("~1", "/").replace("~0", "~"));
        let (part, name, member) = (members.next(), members.next(), members.next());
        let line = match (part.as_deref(), name) {
            (Some("waivers"), Some(place)) => {
                let waiver = place.parse().ok().and_then(|place: usize| self.waivers.as_ref()?.get(place));
                waiver.map(|waiver| waiver.line(member.as_deref()))
            }
            (Some("constraints"), Some(name)) => self.lines.get(&("constraints", name)).copied(),
            (Some("tables"), Some(name)) => self.lines.get(&("tables", name)).copied(),
            _ => None,
        };
        // The file has a shorter name for it.
        let pointer = match (part.as_deref(), member.as_deref()) {
            (Some("waivers"), Some("resource_type")) => pointer.replace("/resource_type", "/type"),
            _ => pointer.to_owned(),
        };
        line.map_or(pointer.clone(), |line| format!("line {line}: {pointer}"))
    }
}

impl ConstraintEntry {
    fn read(self, name: &str, folder: &Path, wrong: impl Fn(&str) -> Failure) -> Result<Constraint, Failure> {
        let component = match (self.component, self.digest, self.version, self.tag) {
            (Some(path), None, None, None) => {
                let path = folder.join(path);
                let bytes = bytes(&path)?;
                Component::File { digest: digest(&bytes), bytes, path }
            }
            (None, Some(digest), None, None) => Component::Digest(bare(digest)),
            (None, None, Some(version), None) => Component::Version(version),
            (None, None, None, Some(tag)) => Component::Tag(tag),
            _ => return Err(wrong("has exactly one of `component` (a file), `digest`, `version` and `tag`")),
        };
        let settings = match (self.settings, self.settings_file) {
            (Some(_), Some(_)) => {
                return Err(wrong("has `settings` and `settings_file`: it can have only one of them"));
            }
            (settings, None) => settings,
            (None, Some(path)) => Some(settings(&folder.join(path))?),
        };
        let members = [
            ("settings", settings),
            ("grants", self.grants),
            ("mode", self.mode.map(Value::from)),
            ("on_fault", self.on_fault.map(Value::from)),
            ("order", self.order.map(Value::from)),
        ];
        let rest = members.into_iter().filter_map(|(member, value)| Some((member.to_owned(), value?))).collect();
        Ok(Constraint {
            plugin: self.plugin.unwrap_or_else(|| name.to_owned()),
            name: name.to_owned(),
            component,
            rest,
        })
    }
}

impl TableEntry {
    fn read(self, name: &str, folder: &Path, wrong: impl Fn(&str) -> Failure) -> Result<Table, Failure> {
        let contents = match (self.file, self.digest, self.key) {
            (Some(path), None, key) => {
                let path = folder.join(path);
                Contents::File { bytes: bytes(&path)?, path, key }
            }
            (None, Some(digest), None) => Contents::Digest(bare(digest)),
            (None, Some(_), Some(_)) => return Err(wrong("has a `key`, which is for a `file`")),
            _ => return Err(wrong("has exactly one of `file` and `digest`")),
        };
        Ok(Table { name: name.to_owned(), contents })
    }
}

impl Constraint {
    /// As the administration API takes it: files are there by then.
    pub(super) fn to_json(&self) -> Value {
        let mut body = self.rest.clone();
        body.insert("plugin".to_owned(), json!(self.plugin));
        match &self.component {
            Component::File { digest, .. } | Component::Digest(digest) => {
                body.insert("digest".to_owned(), json!(digest))
            }
            Component::Version(version) => body.insert("version".to_owned(), json!(version)),
            Component::Tag(tag) => body.insert("tag".to_owned(), json!(tag)),
        };
        Value::Object(body)
    }
}

/// Other tools write digests with the name of the function in front.
fn bare(digest: String) -> String {
    digest.strip_prefix("sha256:").map_or(digest.clone(), str::to_owned).to_ascii_lowercase()
}

fn settings(file: &Path) -> Result<Value, Failure> {
    let text = text(file)?;
    match file.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => serde_json::from_str(&text)
            .map_err(|error| Failure::Usage(format!("`{}` is not valid JSON: {error}", file.display()))),
        _ => yaml(file, &text),
    }
}

/// YAML 1.2: `no` is a text and so is `012`, since nobody who writes a country's or a department's code means anything else.
fn yaml<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, Failure> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let plain = serde_saphyr::render_options! { formatter: &UserMessageFormatter, snippets: SnippetMode::Off };
        Failure::Usage(format!("`{}`: {}", file.display(), error.render_with_options(plain)))
    })
}

fn wrong(file: &Path, line: u64, message: &str) -> Failure {
    Failure::Usage(format!("`{}` line {line}: {message}", file.display()))
}

fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", file.display())))
}

fn text(file: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(file)?).map_err(|_| Failure::Usage(format!("`{}` is not UTF-8", file.display())))
}
