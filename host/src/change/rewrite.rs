//! Edits of the state after: what a rewriter asks for, carried out by the code that carries out a PATCH.
//!
//! Start at [`Editing::rewrite`]. What comes of it is a change like any other, valid by the schema, with its differences
//! looked for anew. Of two rewriters that do not agree, [`Editing::undone`] tells.

use std::sync::{LazyLock, OnceLock};

use serde_json::Value;
use thiserror::Error;

use crate::change::diff::differences;
use crate::change::planned::{Difference, PlannedChange};
use crate::scim::error::ScimError;
use crate::scim::limits::ScimLimits;
use crate::scim::patch::work::weight;
use crate::scim::patch::{self, OperationKind, PatchOperation, Patched, Work};
use crate::scim::path::{AttributeRef, Path};
use crate::scim::profile::Leniency;
use crate::scim::reading::Reading;
use crate::scim::resource::{Attributes, Resource};
use crate::scim::schema::{Mutability, Storage};
use crate::scim::secret::is_secret;
use crate::scim::validate::{check_immutable, keep_immutable, validate};

/// Edits that cannot be made. Each message names the path, and is for the author of the rewriter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum RewriteError {
    /// There is nothing to be edited.
    #[error("a deleted resource cannot be edited")]
    NoStateAfter,
    /// Nobody may edit it.
    #[error("`{path}` cannot be edited: {why}")]
    Unwritable { path: String, why: &'static str },
    /// The path selects nothing, the value is not one of the attribute.
    #[error("the edit of `{path}` cannot be made: {detail}")]
    NotMade { path: String, detail: String },
    /// Each edit could be made, and it is all too much.
    #[error("the edits of a change are too much work: {detail}")]
    TooMuch { detail: String },
    /// Each edit could be made, and what they leave is no resource of its type.
    #[error("the edits break the schema: {detail}")]
    Invalid { detail: String },
}

/// Why nobody may edit what a path leads to, whatever was granted. `None`: it depends on the grant.
pub fn unwritable(path: &Path) -> Option<&'static str> {
    let mut attributes = path.attribute.iter().chain(&path.sub_attribute);
    let attribute = path.attribute.as_ref()?;
    if attribute.storage == Storage::Rows {
        Some("members are not rewritten")
    } else if attributes.clone().any(|attribute| is_secret(attribute)) {
        Some("it is a secret")
    } else if attributes.any(|attribute| attribute.mutability == Mutability::ReadOnly) {
        Some("it is read-only")
    } else {
        None
    }
}

/// How often [`Editing::rewrite`] goes through a resource, edits aside: it is copied twice, compared twice, validated, and
/// its differences are looked for.
const PASSES: usize = 6;

/// Makes the edits of all the rewriters of one change.
///
/// What they go through is added up, as of the operations of a PATCH, and limited like that: a tenant has up to fifty
/// rewriters, its resources may be as large as a body, and this is work of the host's, which no fuel counts.
#[derive(Debug)]
pub struct Editing<'l> {
    limits: &'l ScimLimits,
    work: Work,
}

impl<'l> Editing<'l> {
    /// Begins.
    pub fn new(limits: &'l ScimLimits) -> Self {
        Self { limits, work: Work::of_a_request() }
    }

    /// The change with the edits made, in their order; `None` if nothing differs by them.
    ///
    /// The edits are read strictly, whatever the tenant's clients may leave out. What is write-once and has a value keeps
    /// it, also one that the request itself has given: a client that repeats its request must not find that it cannot.
    pub fn rewrite(
        &mut self,
        planned: &PlannedChange,
        edits: &[PatchOperation],
    ) -> Result<Option<PlannedChange>, RewriteError> {
        let after = planned.after.as_ref().ok_or(RewriteError::NoStateAfter)?;
        if edits.is_empty() {
            return Ok(None);
        }
        self.pay(after, PASSES)?;
        let Patched { mut attributes, member_edits, secrets } = self.patched(after, edits)?;
        if !member_edits.is_empty() {
            return Err(RewriteError::Unwritable { path: "members".to_owned(), why: "members are not rewritten" });
        }
        if let Some(secret) = secrets.into_iter().next() {
            return Err(RewriteError::Unwritable { path: secret.path, why: "it is a secret" });
        }
        let invalid = |error: ScimError| RewriteError::Invalid { detail: error.detail };
        check_immutable(&planned.resource_type, &after.attributes, &attributes).map_err(invalid)?;
        keep_immutable(&planned.resource_type, &after.attributes, &mut attributes);
        validate(self.reading(after), &attributes).map_err(invalid)?;
        if attributes == after.attributes {
            return Ok(None);
        }
        let after = Some(Resource { attributes, ..after.clone() });
        Ok(Some(PlannedChange { after, differences: OnceLock::new(), ..planned.clone() }))
    }

    /// Where edits that were made earlier hold no more when others were made: a path of theirs that has another value now.
    /// `from` is the change before the others, `to` the one after them, and `changed` what differs between the two.
    ///
    /// Edits hold as long as to make them once more would change nothing. So it does not matter in which words two
    /// rewriters disagree (one sets `name`, the other removes `name.givenName`), nor in which they agree.
    pub fn undone(
        &mut self,
        earlier: &[PatchOperation],
        from: &PlannedChange,
        to: &PlannedChange,
        changed: &[Difference],
    ) -> Result<Option<String>, RewriteError> {
        let touched = |difference: &&Difference| {
            let mut paths = earlier.iter().filter_map(|edit| edit.path.as_ref());
            paths.any(|path| leads_to(path, &difference.attribute))
        };
        let Some(first) = changed.iter().find(touched) else { return Ok(None) };
        let again: Vec<PatchOperation> = earlier.iter().map(repeatable).collect();
        // Some edits cannot be repeated even if nothing has come in between, such as one that takes away what its own
        // filter selects. Then whatever else changes of the attribute is a disagreement.
        let holds = self.holds(&again, from)? && self.holds(&again, to)?;
        Ok((!holds).then(|| first.path.clone()))
    }

    fn holds(&mut self, edits: &[PatchOperation], planned: &PlannedChange) -> Result<bool, RewriteError> {
        let Some(after) = &planned.after else { return Ok(false) };
        // It is copied and compared.
        self.pay(after, 2)?;
        let repeated = patch::apply_each(self.reading(after), after, edits, &mut self.work);
        Ok(repeated.is_ok_and(|repeated| repeated.attributes == after.attributes))
    }

    fn patched(&mut self, after: &Resource, edits: &[PatchOperation]) -> Result<Patched, RewriteError> {
        for path in edits.iter().filter_map(|edit| edit.path.as_ref()) {
            if let Some(why) = unwritable(path) {
                return Err(RewriteError::Unwritable { path: path.to_string(), why });
            }
        }
        let path_of = |at: usize| edits.get(at).and_then(|edit| edit.path.as_ref());
        patch::apply_each(self.reading(after), after, edits, &mut self.work).map_err(|(at, error)| {
            RewriteError::NotMade { path: path_of(at).map_or_else(String::new, Path::to_string), detail: error.detail }
        })
    }

    fn pay(&mut self, resource: &Resource, passes: usize) -> Result<(), RewriteError> {
        let bytes = resource.attributes.values().map(weight).sum::<usize>().saturating_mul(passes);
        self.work.spend(bytes).map_err(|error| RewriteError::TooMuch { detail: error.detail })
    }

    fn reading<'r>(&self, resource: &'r Resource) -> Reading<'r>
    where
        'l: 'r,
    {
        Reading { resource_type: &resource.resource_type, leniency: Leniency::Strict, limits: self.limits }
    }
}

/// What differs between the states after of two plans of one change.
pub fn rewritten(from: &PlannedChange, to: &PlannedChange) -> Vec<Difference> {
    differences(&from.resource_type, attributes_of(from), attributes_of(to), &[])
}

fn attributes_of(planned: &PlannedChange) -> &Attributes {
    static NONE: LazyLock<Attributes> = LazyLock::new(Attributes::new);
    planned.after.as_ref().map_or(&*NONE, |after| &after.attributes)
}

/// Whether the path leads to the attribute, into it, or to an extension that has it.
fn leads_to(path: &Path, attribute: &AttributeRef) -> bool {
    path.extension == attribute.extension && path.attribute.as_ref().is_none_or(|named| *named == attribute.attribute)
}

/// The edit in a form that may find nothing to remove.
fn repeatable(edit: &PatchOperation) -> PatchOperation {
    match edit.kind {
        OperationKind::Remove => {
            PatchOperation { kind: OperationKind::Replace, path: edit.path.clone(), value: Some(Value::Null) }
        }
        OperationKind::Add | OperationKind::Replace => edit.clone(),
    }
}

#[cfg(test)]
mod tests;
