//! Paths and filters that a constraint uses, parsed and checked against its grants once.
//!
//! A constraint asks for the same few paths in every evaluation. Parsing one and checking its grant costs more than
//! reading it, so both are kept, for each constraint in each generation: grants do not change under it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::scim::filter::Filter;
use crate::scim::path::Path;
use crate::scim::schema::{Attribute, ResourceType, Returned};

use super::bindings::scruple::constraint::types::ReadError;
use super::grants::Grants;

/// Texts kept of one constraint. 256: a rule has some ten; what a guest makes up beyond that is parsed each time.
const TEXTS_MAX: usize = 256;

/// A path, ready to be read.
#[derive(Debug)]
pub(super) struct PreparedPath {
    pub(super) path: Path,
    pub(super) canonical: Arc<str>,
    /// Parts of its values that are never shown (`returned: never`).
    pub(super) hidden: Vec<String>,
}

/// A filter, ready to be matched.
#[derive(Debug)]
pub(super) struct PreparedFilter {
    pub(super) filter: Filter,
    pub(super) canonical: Arc<str>,
}

/// Prepared paths and filters of one constraint, and the grants they were checked against.
#[derive(Debug)]
pub struct PathCache {
    grants: Grants,
    bytes_max: usize,
    paths: RwLock<Texts<PreparedPath>>,
    filters: RwLock<Texts<PreparedFilter>>,
}

/// By resource type, then text.
type Texts<T> = HashMap<String, HashMap<String, Arc<T>>>;

impl PathCache {
    /// An empty one. Texts longer than `bytes_max` are not looked at.
    pub fn new(grants: Grants, bytes_max: usize) -> Self {
        Self { grants, bytes_max, paths: RwLock::default(), filters: RwLock::default() }
    }

    /// What the constraint may read.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Whether a text is short enough to be asked for.
    pub(super) fn fits(&self, text: &str) -> bool {
        text.len() <= self.bytes_max
    }

    /// Parses a path of a resource type that may be read.
    pub(super) fn path(&self, resource_type: &ResourceType, text: &str) -> Result<Arc<PreparedPath>, ReadError> {
        cached(&self.paths, resource_type, text, || {
            self.check_length(text)?;
            let path = Path::parse(text, resource_type).map_err(|error| ReadError::Invalid(error.to_string()))?;
            let canonical: Arc<str> = path.to_string().into();
            if !self.grants.covers(&path) {
                return Err(ReadError::NotGranted(format!("`{canonical}` is not granted")));
            }
            Ok(PreparedPath { hidden: hidden_parts(&path), path, canonical })
        })
    }

    /// Parses a filter of a resource type that compares only what may be read.
    pub(super) fn filter(
        &self,
        resource_type: &Arc<ResourceType>,
        text: &str,
    ) -> Result<Arc<PreparedFilter>, ReadError> {
        cached(&self.filters, resource_type, text, || {
            self.check_length(text)?;
            let filter = Filter::parse(text, resource_type).map_err(|error| ReadError::Invalid(error.to_string()))?;
            let canonical: Arc<str> = filter.to_string().into();
            if !self.grants.covers_filter(&filter) {
                return Err(ReadError::NotGranted(format!("`{canonical}` compares what is not granted")));
            }
            Ok(PreparedFilter { filter, canonical })
        })
    }

    fn check_length(&self, text: &str) -> Result<(), ReadError> {
        let (bytes, bytes_max) = (text.len(), self.bytes_max);
        if !self.fits(text) {
            return Err(ReadError::Invalid(format!("a text of {bytes} bytes is longer than the limit of {bytes_max}")));
        }
        Ok(())
    }
}

fn hidden_parts(path: &Path) -> Vec<String> {
    let parts: &[Arc<Attribute>] = match (&path.attribute, &path.sub_attribute, &path.extension) {
        (Some(attribute), None, _) => &attribute.sub_attributes,
        (None, None, Some(extension)) => &extension.attributes,
        _ => &[],
    };
    parts.iter().filter(|part| part.returned == Returned::Never).map(|part| part.name.clone()).collect()
}

fn cached<T>(
    texts: &RwLock<Texts<T>>,
    resource_type: &ResourceType,
    text: &str,
    prepare: impl FnOnce() -> Result<T, ReadError>,
) -> Result<Arc<T>, ReadError> {
    // A poisoned lock has seen a panic between two operations of a map, which leave it whole.
    let known = texts.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(prepared) = known.get(&resource_type.name).and_then(|of_type| of_type.get(text)) {
        return Ok(Arc::clone(prepared));
    }
    drop(known);
    let prepared = Arc::new(prepare()?);
    let mut known = texts.write().unwrap_or_else(PoisonError::into_inner);
    if known.values().map(HashMap::len).sum::<usize>() < TEXTS_MAX {
        known.entry(resource_type.name.clone()).or_default().insert(text.to_owned(), Arc::clone(&prepared));
    }
    Ok(prepared)
}
