//! What has to be indexed anew when a tenant's schemas change.

use std::collections::{BTreeMap, BTreeSet};

use crate::scim::index;
use crate::scim::path::AttributeRef;
use crate::scim::schema::{ResourceType, Uniqueness};

/// What the entries of an attribute are like. Two attributes of one form have the same entries for the same values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexForm {
    /// Whether no two resources may have the same.
    pub unique: bool,
    /// How values are compared.
    compared: String,
}

/// The attributes of the type that have index entries, by canonical path.
pub fn index_forms(resource_type: &ResourceType) -> BTreeMap<String, IndexForm> {
    let attributes = index::indexed(resource_type);
    let form = |attribute: &AttributeRef| {
        let leaf = attribute.leaf();
        let compared = format!("{:?} {}", leaf.kind, leaf.folds_case());
        (attribute.to_string(), IndexForm { unique: leaf.uniqueness != Uniqueness::None, compared })
    };
    attributes.iter().map(form).collect()
}

/// A line for each attribute of the type that has index entries. Two types with the same lines have the same entries.
pub fn index_form(resource_type: &ResourceType) -> BTreeSet<String> {
    let name = &resource_type.name;
    let line = |(path, form): (String, IndexForm)| format!("{name} {path} {} {}\n", form.compared, form.unique);
    index_forms(resource_type).into_iter().map(line).collect()
}
