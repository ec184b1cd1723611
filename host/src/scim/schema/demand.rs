//! Whether a resource type that changes asks for something of what is stored: if not, nobody has to go through it.
//!
//! INVARIANT: where the answer is [`Demand::Nothing`], [`violations`](super::violations::violations) finds in any state
//! what it found by the old type, and no more.

use std::sync::Arc;

use crate::scim::schema::{Attribute, Mutability, ResourceType, Returned, Storage, Uniqueness};
use crate::scim::secret::is_secret;

/// What a new form of a resource type asks of the states that the old one allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// Nothing of a state that is as the old one says. One that was let be though it is not may have a value under a
    /// name that means something now.
    OfNewNames,
    /// Something that not every state has.
    Something,
}

impl Demand {
    /// What `after` asks for, and `before` did not.
    pub fn of(before: &ResourceType, after: &ResourceType) -> Self {
        let (old, new) = (before.base_attributes().collect::<Vec<_>>(), after.base_attributes().collect::<Vec<_>>());
        let base = attributes(&old, &new);
        let old = |id: &str| before.extensions.iter().find(|extension| extension.schema.id == id);
        let extended = after.extensions.iter().map(|new| match old(&new.schema.id) {
            None => new_name(new.required),
            Some(old) if new.required && !old.required => Self::Something,
            Some(old) => attributes(&each(&old.schema.attributes), &each(&new.schema.attributes)),
        });
        let is_gone = |id: &str| !after.extensions.iter().any(|new| new.schema.id == id);
        let gone = before.extensions.iter().any(|old| is_gone(&old.schema.id));
        extended.chain([base, if gone { Self::Something } else { Self::Nothing }]).max().unwrap_or(Self::Nothing)
    }
}

fn each(attributes: &[Arc<Attribute>]) -> Vec<&Arc<Attribute>> {
    attributes.iter().collect()
}

fn new_name(is_required: bool) -> Demand {
    if is_required { Demand::Something } else { Demand::OfNewNames }
}

fn attributes(before: &[&Arc<Attribute>], after: &[&Arc<Attribute>]) -> Demand {
    let of_name = |attributes: &[&Arc<Attribute>], name: &str| {
        attributes.iter().find(|attribute| attribute.name == name).map(|attribute| Arc::clone(attribute))
    };
    let gone = before.iter().any(|old| !is_secret(old) && of_name(after, &old.name).is_none());
    let each = after.iter().map(|new| match of_name(before, &new.name) {
        // Of a secret no state has a value.
        Some(old) if !is_secret(&old) => attribute(&old, new),
        Some(_) if is_secret(new) => Demand::Nothing,
        _ => new_name(new.required && new.mutability != Mutability::ReadOnly),
    });
    each.chain([if gone { Demand::Something } else { Demand::Nothing }]).max().unwrap_or(Demand::Nothing)
}

fn attribute(before: &Attribute, after: &Attribute) -> Demand {
    if before.storage == after.storage && before.storage != Storage::Inline {
        return Demand::Nothing;
    }
    let is_other = before.storage != after.storage
        || before.kind != after.kind
        || before.multi_valued != after.multi_valued
        || before.case_exact != after.case_exact
        || before.reference_types != after.reference_types;
    // What only the service provider writes is held to nothing.
    let is_opened = before.mutability == Mutability::ReadOnly && after.mutability != Mutability::ReadOnly;
    let is_needed = after.required && !before.required;
    let is_hidden = after.returned == Returned::Never || after.mutability == Mutability::WriteOnly;
    // An index has room for short values alone.
    let is_indexed = |attribute: &Attribute| attribute.indexed || attribute.uniqueness != Uniqueness::None;
    let is_shortened = is_indexed(after) && !is_indexed(before);
    let stays_possible =
        || before.canonical_only && before.canonical_values.iter().all(|value| after.is_canonical(value));
    let is_listed = after.canonical_only && !stays_possible();
    if is_other || is_opened || is_needed || is_hidden || is_shortened || is_listed {
        return Demand::Something;
    }
    attributes(&each(&before.sub_attributes), &each(&after.sub_attributes))
}

#[cfg(test)]
mod tests;
