//! [`Plan`]: what there is to do before definitions take effect, and after.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::found::Looked;
use crate::scim::index::{self, IndexEntry};
use crate::scim::path::AttributeRef;
use crate::scim::resource::Resource;
use crate::scim::schema::demand::Demand;
use crate::scim::schema::reindexed::index_forms;
use crate::scim::schema::violations::violations;
use crate::scim::schema::{ResourceType, SchemaRegistry};

/// The index entries of an attribute of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    /// Canonical path of the attribute.
    pub(super) attribute: String,
    /// Whether they are those of what is unique, which have a table of their own.
    pub(super) unique: bool,
}

/// What there is to do for a type that changes.
#[derive(Debug)]
pub(super) struct TypePlan {
    pub(super) after: Arc<ResourceType>,
    /// Whether it asks for something that resources may not have.
    pub(super) check: bool,
    /// Entries that come beside those there are: to be made of what is stored.
    pub(super) added: Vec<Entries>,
    /// Entries that nobody reads now, and that are read once the definitions are in effect. With those in `added` also
    /// the ones of attributes that nothing that is stored has values of.
    pub(super) new: Vec<Entries>,
    /// Entries that take the places of others, since values are compared in another way: to be made in the transaction.
    pub(super) replaced: Vec<Entries>,
    /// Entries that are read no more.
    pub(super) gone: Vec<Entries>,
}

/// What there is to do.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) types: Vec<TypePlan>,
    /// Types that would not be served any more.
    pub(super) unserved: Vec<Arc<ResourceType>>,
    /// Types that have resources which are not as they say.
    pub(super) unfit: BTreeSet<String>,
}

impl Plan {
    /// What there is to do to get from one to the other, if of these types not all resources are as they say.
    pub(super) fn of(old: &SchemaRegistry, new: &SchemaRegistry, unfit: BTreeSet<String>) -> Self {
        let mut plan = Self { types: Vec::new(), unserved: Vec::new(), unfit };
        for before in old.resource_types() {
            match new.resource_type(&before.name) {
                Some(after) if after == before => {}
                Some(after) => plan.types.push(TypePlan::of(before, after, !plan.unfit.contains(&before.name))),
                None => plan.unserved.push(Arc::clone(before)),
            }
        }
        plan
    }

    /// The entries that are read no more once the definitions are in effect.
    pub(super) fn read_no_more(&self) -> Vec<(String, Entries)> {
        self.of_each(|plan| &plan.gone)
    }

    /// The entries that nobody reads until they are.
    pub(super) fn read_by_nobody(&self) -> Vec<(String, Entries)> {
        self.of_each(|plan| &plan.new)
    }

    fn of_each(&self, of: fn(&TypePlan) -> &[Entries]) -> Vec<(String, Entries)> {
        let named = |plan: &'_ TypePlan| -> Vec<(String, Entries)> {
            of(plan).iter().map(|entries| (plan.after.name.clone(), entries.clone())).collect()
        };
        self.types.iter().flat_map(named).collect()
    }
}

impl TypePlan {
    fn of(before: &ResourceType, after: &Arc<ResourceType>, is_fit: bool) -> Self {
        let check = match Demand::of(before, after) {
            Demand::Nothing => false,
            Demand::OfNewNames => !is_fit,
            Demand::Something => true,
        };
        let after = Arc::clone(after);
        let (old, new) = (index_forms(before), index_forms(&after));
        let mut plan =
            Self { after, check, added: Vec::new(), new: Vec::new(), replaced: Vec::new(), gone: Vec::new() };
        for (attribute, form) in &new {
            let entries = Entries { attribute: attribute.clone(), unique: form.unique };
            match old.get(attribute) {
                Some(old) if old == form => {}
                Some(old) if old.unique == form.unique => plan.replaced.push(entries),
                _ => {
                    let may_have_values = !is_fit || AttributeRef::parse(attribute, before).is_ok();
                    plan.added.extend(may_have_values.then(|| entries.clone()));
                    plan.new.push(entries);
                }
            }
        }
        let stays = |attribute: &str, unique: bool| new.get(attribute).is_some_and(|new| new.unique == unique);
        let gone = old.iter().filter(|(attribute, form)| !stays(attribute, form.unique));
        plan.gone =
            gone.map(|(attribute, form)| Entries { attribute: attribute.clone(), unique: form.unique }).collect();
        plan
    }

    /// Whether resources are to be looked at.
    pub(super) fn looks(&self) -> bool {
        self.check || !self.added.is_empty()
    }

    /// What is wrong with a resource, and what is to be added to the indexes for it.
    pub(super) fn look_at(&self, resource: &Resource) -> Looked {
        let violations = if self.check { violations(&self.after, &resource.attributes) } else { Vec::new() };
        Looked { id: resource.id, violations, entries: self.entries(resource) }
    }

    /// What is to be added to the indexes for a resource.
    pub(super) fn entries(&self, resource: &Resource) -> Vec<IndexEntry> {
        let mut entries = if self.added.is_empty() { Vec::new() } else { index::entries(resource) };
        entries.retain(|entry| self.added.iter().any(|added| added.attribute == entry.attribute));
        entries
    }
}
