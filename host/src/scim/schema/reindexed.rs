//! Whether what is stored has to be indexed anew when a tenant's schemas change.

use std::collections::BTreeSet;

use crate::scim::index;
use crate::scim::schema::{ResourceType, SchemaRegistry, Uniqueness};

/// A line for each attribute of the type that has index entries. Two types with the same lines have the same entries.
pub fn index_form(resource_type: &ResourceType) -> BTreeSet<String> {
    let attributes = index::indexed(resource_type);
    attributes
        .iter()
        .map(|attribute| {
            let leaf = attribute.leaf();
            let is_unique = leaf.uniqueness != Uniqueness::None;
            format!("{} {attribute} {:?} {} {is_unique}\n", resource_type.name, leaf.kind, leaf.folds_case())
        })
        .collect()
}

/// The resource types whose index entries are not the same under both: an attribute has become indexed or unique, or is
/// compared in another way. A type that only one of them has is not among them: there is nothing to index of it.
pub fn reindexed(old: &SchemaRegistry, new: &SchemaRegistry) -> Vec<String> {
    let both = new.resource_types().iter().filter_map(|new| Some((old.resource_type(&new.name)?, new)));
    both.filter(|(old, new)| index_form(old) != index_form(new)).map(|(_, new)| new.name.clone()).collect()
}
