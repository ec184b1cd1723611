//! [`Writes`]: what a rewriter may edit. Asked for by the descriptor, granted by the tenant, enforced at each edit.
//!
//! As with reads, a grant is of attributes: `name` covers `name.givenName`, and `emails.value` covers
//! `emails[type eq "work"].value` if `emails.type` is granted too, since a value that no value matches is made of the
//! filter. Unlike with reads, to ask for nothing is to get nothing: `*` asks for everything. Above every grant, nobody
//! edits what is read-only, a secret, or the members of a group ([`unwritable`]).

use crate::change::rewrite::unwritable;
use crate::scim::path::Path;
use crate::scim::schema::SchemaRegistry;

use super::descriptor::Descriptor;
use super::grants::{GrantedPath, Names};

/// Asks for every attribute that can be edited, and grants it.
pub(super) const EVERYTHING: &str = "*";

/// What a rewriter may edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Writes {
    /// It is no rewriter.
    #[default]
    NotAsked,
    /// These attributes.
    Only(Vec<GrantedPath>),
    /// Every attribute.
    Everything,
}

/// Why a text cannot be asked for or granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotWritable {
    /// It is no attribute of any resource type that the plugin sees.
    Unknown,
    /// Nobody may edit it.
    Never(&'static str),
}

impl Writes {
    /// Everything that the descriptor asks for.
    pub(super) fn asked_for(descriptor: &Descriptor, schemas: &SchemaRegistry) -> Self {
        match descriptor.writes.as_slice() {
            [] => Self::NotAsked,
            texts if texts.iter().any(|text| text == EVERYTHING) => Self::Everything,
            // A descriptor was checked when it was made: what does not parse any more grants nothing.
            texts => Self::Only(texts.iter().filter_map(|text| parse_write(text, descriptor, schemas).ok()).collect()),
        }
    }

    /// Whether a path may be edited: what it leads to, and everything its value filter compares.
    pub(super) fn covers(&self, path: &Path) -> bool {
        self.covers_names(&Names::of_path(path))
            && path.attributes().iter().all(|attribute| self.covers_names(&Names::of(attribute)))
    }

    pub(super) fn covers_names(&self, names: &Names) -> bool {
        match self {
            Self::NotAsked => false,
            Self::Only(paths) => paths.iter().any(|path| path.names.covers(names)),
            Self::Everything => true,
        }
    }

    /// As it is stored and shown; `None` of what is no rewriter.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::NotAsked => None,
            Self::Only(paths) => Some(paths.iter().map(|path| path.text.as_str()).collect()),
            Self::Everything => Some(vec![EVERYTHING]),
        }
    }
}

/// A path for a grant of edits: an attribute of one of the types that the component sees, without a value filter, that
/// can be edited.
pub(super) fn parse_write(
    text: &str,
    descriptor: &Descriptor,
    schemas: &SchemaRegistry,
) -> Result<GrantedPath, NotWritable> {
    let paths = descriptor.seen_types(schemas).filter_map(|resource_type| Path::parse(text, resource_type).ok());
    let mut never = None;
    for path in paths.filter(|path| path.filter.is_none()) {
        match unwritable(&path) {
            None => return Ok(GrantedPath { text: path.to_string(), names: Names::of_path(&path) }),
            Some(why) => never = Some(why),
        }
    }
    Err(never.map_or(NotWritable::Unknown, NotWritable::Never))
}
