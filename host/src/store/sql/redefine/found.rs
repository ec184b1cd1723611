//! [`Found`]: what stands against definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::PAGE;
use super::plan::{Plan, TypePlan};
use crate::scim::index::{self, IndexEntry};
use crate::scim::resource::ResourceId;
use crate::scim::schema::violations::SchemaViolation;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::store::model::BROKEN_MAX;
use crate::store::sql::view::View;
use crate::store::{Broken, DefineError, StoreError};

/// What was seen of one resource.
#[derive(Clone)]
pub(super) struct Looked {
    pub(super) id: ResourceId,
    pub(super) violations: Vec<SchemaViolation>,
    /// What is to be added to the indexes for it.
    pub(super) entries: Vec<IndexEntry>,
}

/// What is not as the definitions say. A resource that changes is forgotten and looked at again.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// By place of the type in the plan and resource: whether it may stay as it is.
    broken: BTreeMap<(usize, ResourceId), bool>,
    /// Unique values that another resource had when they were to be added; it may have changed since.
    taken: Vec<(usize, ResourceId, IndexEntry)>,
    /// Resources of types that would not be served any more.
    unserved: u64,
    /// The first of all these.
    pub(super) told: Vec<Broken>,
}

impl Found {
    /// Notes what is wrong with a resource.
    pub(super) fn note(&mut self, number: usize, plan: &TypePlan, looked: &Looked) {
        let Looked { id, violations, .. } = looked;
        if let Some(may_stay) = violations.iter().map(|violation| violation.may_stay).min() {
            self.broken.insert((number, *id), may_stay);
        }
        for violation in violations {
            self.tell(&plan.after, *id, &violation.path, &violation.message);
        }
    }

    /// Adds its entries.
    pub(super) fn index(
        &mut self,
        view: &View<'_>,
        number: usize,
        plan: &TypePlan,
        looked: Looked,
    ) -> Result<(), StoreError> {
        for entry in looked.entries {
            if !view.add_entry(&plan.after.name, looked.id, &entry)? {
                self.taken.push((number, looked.id, entry));
            }
        }
        Ok(())
    }

    /// Looks again at what has changed.
    pub(super) fn look_again(
        &mut self,
        view: &View<'_>,
        plan: &Plan,
        changed: BTreeMap<(String, ResourceId), Vec<IndexEntry>>,
    ) -> Result<(), StoreError> {
        let is_again = |id: &ResourceId, plan: &Plan, of: usize| {
            let name = plan.types.get(of).map(|plan| plan.after.name.clone());
            name.is_some_and(|name| changed.contains_key(&(name, *id)))
        };
        self.broken.retain(|(of, id), _| !is_again(id, plan, *of));
        self.taken.retain(|(of, id, _)| !is_again(id, plan, *of));
        self.told.retain(|broken| !changed.contains_key(&(broken.resource_type.clone(), broken.id)));
        for ((name, id), earlier) in changed {
            let mut types = plan.types.iter().enumerate();
            let Some((number, plan)) = types.find(|(_, plan)| plan.after.name == name) else { continue };
            for entry in &earlier {
                view.remove_entry(&name, id, entry)?;
            }
            let Some(resource) = view.resource(&plan.after, id)? else { continue };
            let looked = plan.look_at(&resource);
            // It may have been looked at in this state already.
            for entry in &looked.entries {
                view.remove_entry(&name, id, entry)?;
            }
            self.note(number, plan, &looked);
            self.index(view, number, plan, looked)?;
        }
        Ok(())
    }

    /// Decides what could not be decided while resources could change.
    pub(super) fn settle(&mut self, view: &View<'_>, plan: &Plan, old: &SchemaRegistry) -> Result<(), StoreError> {
        for (number, id, entry) in std::mem::take(&mut self.taken) {
            let Some(plan) = plan.types.get(number) else { continue };
            if !view.add_entry(&plan.after.name, id, &entry)? {
                self.is_taken(number, plan, id, &entry);
            }
        }
        for (number, plan) in plan.types.iter().enumerate() {
            self.replace(view, number, plan)?;
        }
        for resource_type in &plan.unserved {
            self.unserved(&View { schemas: old, ..*view }, resource_type)?;
        }
        Ok(())
    }

    /// Makes the entries anew that take the places of others. Only what a tenant has defined itself can come to be
    /// compared in another way, so this is rare enough for the writer to wait.
    fn replace(&mut self, view: &View<'_>, number: usize, plan: &TypePlan) -> Result<(), StoreError> {
        for entries in &plan.replaced {
            while view.remove_some(&plan.after.name, entries)? > 0 {}
        }
        let mut last = None;
        while !plan.replaced.is_empty() {
            let resources = view.resources_after(&plan.after, last, PAGE)?;
            let Some(newest) = resources.last() else { break };
            last = Some(newest.id);
            for resource in &resources {
                for entry in index::entries(resource) {
                    let is_replaced = plan.replaced.iter().any(|entries| entries.attribute == entry.attribute);
                    if is_replaced && !view.add_entry(&plan.after.name, resource.id, &entry)? {
                        self.is_taken(number, plan, resource.id, &entry);
                    }
                }
            }
        }
        Ok(())
    }

    fn is_taken(&mut self, number: usize, plan: &TypePlan, id: ResourceId, entry: &IndexEntry) {
        self.broken.insert((number, id), false);
        let message = "is to be unique, and another resource has the same value";
        self.tell(&plan.after, id, &entry.attribute, message);
    }

    /// Counts the resources of a type that is not served any more.
    fn unserved(&mut self, view: &View<'_>, resource_type: &Arc<ResourceType>) -> Result<(), StoreError> {
        if let Some(first) = view.resources_after(resource_type, None, 1)?.first() {
            let size = view.size(resource_type)?;
            self.unserved += size;
            let message = format!("is one of {size} resources of a type that would not be served any more");
            self.tell(resource_type, first.id, "", &message);
        }
        Ok(())
    }

    fn tell(&mut self, resource_type: &ResourceType, id: ResourceId, path: &str, message: &str) {
        if self.told.len() < BROKEN_MAX {
            let (path, message) = (path.to_owned(), message.to_owned());
            self.told.push(Broken { resource_type: resource_type.name.clone(), id, path, message });
        }
    }

    /// How many resources are not as the definitions say.
    pub(super) fn total(&self) -> u64 {
        self.broken.len() as u64 + self.unserved
    }

    /// An error if that keeps the definitions from taking effect.
    pub(super) fn unless_refused(&self, force: bool) -> Result<(), DefineError> {
        let can_be_forced = self.unserved == 0 && self.broken.values().all(|may_stay| *may_stay);
        if self.total() == 0 || force && can_be_forced {
            return Ok(());
        }
        Err(DefineError::Broken { total: self.total(), broken: self.told.clone(), can_be_forced })
    }

    /// The types that have resources which are not as they say, from now on.
    pub(super) fn unfit(&self, plan: &Plan) -> BTreeSet<String> {
        let mut unfit = plan.unfit.clone();
        for (number, plan) in plan.types.iter().enumerate().filter(|(_, plan)| plan.check) {
            if self.broken.keys().any(|(of, _)| *of == number) {
                unfit.insert(plan.after.name.clone());
            } else {
                unfit.remove(&plan.after.name);
            }
        }
        unfit.retain(|name| !plan.unserved.iter().any(|gone| gone.name == *name));
        unfit
    }
}
