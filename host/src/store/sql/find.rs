//! Carries out a plan: candidates from an index ([`super::access`]), or all of them, each compared if the index does not
//! say it all.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::driver::params;
use serde_json::{Map, Value};

use super::access::Leaf;
use super::budget::Budget;
use super::postgres::FORESEEN_MAX;
use super::represent::Shower;
use super::row::{integer, resource_id};
use super::view::{View, from_row};
use crate::scim::filter::{Filter, eval};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{ResourceType, Storage};
use crate::store::query::{Access, Matches, Page, Wanted, plan};
use crate::store::{QueryError, StoreError};

/// Members that are read at a time when a filter has to look at them.
const MEMBERS_CHUNK: usize = 1_000;

/// Where matches are looked for.
pub(super) enum Candidates {
    /// Among these.
    Ids(BTreeSet<ResourceId>),
    /// Along an index.
    Walk(Leaf),
    /// Among all of the type.
    All,
}

impl View<'_> {
    /// A page of the matches, by id, of which so much is going to be shown, and how many there are.
    pub(super) fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        page: Page,
        budget: &mut Budget,
        wanted: Wanted,
    ) -> Result<Matches, QueryError> {
        let Some(filter) = filter else {
            let resources = self.page_of_all(resource_type, page, wanted)?;
            return Ok(Matches { total: self.size(resource_type)?, resources });
        };
        let plan = plan(filter);
        match plan.access {
            Some(Access::Id(id)) if plan.exact => {
                let found = id.map(|id| self.resource(resource_type, id)).transpose()?.flatten();
                Ok(Matches { total: found.is_some().into(), resources: slice(found, page) })
            }
            Some(access) if plan.exact && access.is_by_id() => {
                let leaf = self.leaf(resource_type, &access)?;
                let ids = self.ids_of(&leaf, page)?;
                // What does not fill the first page is all there is.
                let total = if page.offset == 0 && ids.len() < page.limit {
                    budget.spend_counted(ids.len())?;
                    ids.len() as u64
                } else {
                    self.size_of(&leaf, budget)?
                };
                Ok(Matches { total, resources: self.load(resource_type, ids, wanted)? })
            }
            Some(access) if plan.exact => {
                let ids = self.all_ids(resource_type, &access, budget)?;
                let total = ids.len() as u64;
                let ids = ids.into_iter().skip(page.offset).take(page.limit).collect();
                Ok(Matches { total, resources: self.load(resource_type, ids, wanted)? })
            }
            access => {
                let mut matches = Matches { total: 0, resources: Vec::new() };
                let candidates = self.all_candidates(resource_type, access.as_ref(), budget)?;
                self.each_match(resource_type, filter, &candidates, budget, |resource| {
                    if matches.total >= page.offset as u64 && matches.resources.len() < page.limit {
                        matches.resources.push(resource);
                    }
                    matches.total += 1;
                    ControlFlow::Continue(())
                })?;
                Ok(matches)
            }
        }
    }

    /// The first matches by id, with no look at those after them.
    pub(super) fn first(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Resource>, QueryError> {
        let plan = plan(filter);
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        match plan.access {
            Some(access) if plan.exact && access.is_by_id() => {
                let leaf = self.leaf(resource_type, &access)?;
                let ids = self.ids_of(&leaf, Page { offset: 0, limit })?;
                budget.spend_candidates(ids.len())?;
                Ok(self.load(resource_type, ids, Wanted::default())?)
            }
            access => {
                let candidates = self.candidates_in_order(resource_type, access.as_ref(), budget)?;
                self.each_match(resource_type, filter, &candidates, budget, |resource| {
                    found.push(resource);
                    if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                Ok(found)
            }
        }
    }

    fn page_of_all(
        &self,
        resource_type: &Arc<ResourceType>,
        page: Page,
        wanted: Wanted,
    ) -> Result<Vec<Resource>, StoreError> {
        if page.limit == 0 {
            return Ok(Vec::new());
        }
        // The ids first, from the index alone: passing over a row costs more than passing over its key.
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM resource WHERE tenant_id = ?1 AND rtype = ?2 ORDER BY id LIMIT ?3 OFFSET ?4",
        )?;
        let rtype = self.names.number(&resource_type.name)?;
        let ids = statement
            .query_map(params![self.tenant.0, rtype, integer(page.limit), integer(page.offset)], |row| {
                resource_id(row, 0)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        self.load(resource_type, ids, wanted)
    }

    /// Those that there are of these, of which so much is going to be shown.
    pub(super) fn load(
        &self,
        resource_type: &Arc<ResourceType>,
        ids: Vec<ResourceId>,
        wanted: Wanted,
    ) -> Result<Vec<Resource>, StoreError> {
        let mut resources = Vec::with_capacity(ids.len());
        for ids in ids.chunks(FORESEEN_MAX) {
            ids.iter().try_for_each(|id| self.foresee_resource(resource_type, *id))?;
            Shower::new(*self).foresee(ids.iter().map(|id| (*id, wanted)))?;
            for id in ids {
                resources.extend(self.resource(resource_type, *id)?);
            }
        }
        Ok(resources)
    }

    /// Candidates of which each is going to be looked at: to find that they are too many costs little.
    pub(super) fn all_candidates(
        &self,
        resource_type: &Arc<ResourceType>,
        access: Option<&Access>,
        budget: &mut Budget,
    ) -> Result<Candidates, QueryError> {
        let Some(access) = access else { return Ok(Candidates::All) };
        match self.candidates(resource_type, access, budget.candidates_max(), budget)? {
            Some(ids) => Ok(Candidates::Ids(ids)),
            // An index may have more entries than there are resources: some have several values.
            None if self.size(resource_type)? <= budget.candidates_max() as u64 => Ok(Candidates::All),
            None => Err(budget.too_many()),
        }
    }

    /// Candidates of which the first few may do: there may be any number of them, if an index has them in order.
    fn candidates_in_order(
        &self,
        resource_type: &Arc<ResourceType>,
        access: Option<&Access>,
        budget: &mut Budget,
    ) -> Result<Candidates, QueryError> {
        let Some(access) = access else { return Ok(Candidates::All) };
        let leaf = self.in_order(resource_type, access)?;
        // Where several indexes could do, a short list is better than the walk along a long one.
        if !matches!(access, Access::Fewest(_))
            && let Some(leaf) = leaf
        {
            return Ok(Candidates::Walk(leaf));
        }
        match (self.candidates(resource_type, access, budget.candidates_max(), budget)?, leaf) {
            (Some(ids), _) => Ok(Candidates::Ids(ids)),
            (None, Some(leaf)) => Ok(Candidates::Walk(leaf)),
            // The first few may be among the first that there are.
            (None, None) => Ok(Candidates::All),
        }
    }

    /// Calls `visit` with each match by id until it has enough.
    pub(super) fn each_match(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        candidates: &Candidates,
        budget: &mut Budget,
        mut visit: impl FnMut(Resource) -> ControlFlow<()>,
    ) -> Result<(), QueryError> {
        let needs_rows = filter.touches(Storage::Rows) || filter.touches(Storage::Derived);
        let mut look_at = |resource: Resource, budget: &mut Budget| -> Result<ControlFlow<()>, QueryError> {
            budget.spend_candidates(1)?;
            let matches = if needs_rows {
                eval::matches(filter, &self.complete(&resource, budget)?)
            } else {
                eval::matches(filter, &resource)
            };
            Ok(if matches { visit(resource) } else { ControlFlow::Continue(()) })
        };
        match candidates {
            Candidates::Ids(ids) => {
                for id in ids {
                    if let Some(resource) = self.resource(resource_type, *id)?
                        && look_at(resource, budget)?.is_break()
                    {
                        break;
                    }
                }
            }
            Candidates::Walk(leaf) => {
                self.each_id(leaf, Page { offset: 0, limit: usize::MAX }, |id| {
                    budget.spend_entries(1)?;
                    let resource = self.resource(resource_type, id)?;
                    resource.map_or(Ok(ControlFlow::Continue(())), |resource| look_at(resource, budget))
                })?;
            }
            Candidates::All => {
                let mut statement = self.connection.prepare_cached(
                    "SELECT id, version, created_at, modified_at, body FROM resource \
                     WHERE tenant_id = ?1 AND rtype = ?2 ORDER BY id",
                )?;
                let mut rows = statement.query(params![self.tenant.0, self.names.number(&resource_type.name)?])?;
                while let Some(row) = &rows.next()? {
                    if look_at(from_row(row, resource_type)?, budget)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The resource with its members or groups, for a filter that asks for them. Each one read is work that counts.
    pub(super) fn complete(&self, resource: &Resource, budget: &mut Budget) -> Result<Resource, QueryError> {
        let mut complete = resource.clone();
        if let Some(attribute) = resource.resource_type.row_attribute() {
            let mut values = Vec::new();
            let mut after = None;
            loop {
                let members = self.members(resource.id, after, MEMBERS_CHUNK)?;
                let Some(last) = members.last() else { break };
                budget.spend_candidates(members.len())?;
                after = Some(last.id);
                let ids: Vec<ResourceId> = members.iter().map(|member| member.id).collect();
                values.extend(self.with_displays(members.iter().map(|member| member.to_object()), &ids)?);
            }
            insert(&mut complete, &attribute.name, values);
        }
        if let Some(attribute) = resource.resource_type.derived_attribute() {
            let groups = self.groups_of(resource.id)?;
            budget.spend_candidates(groups.len())?;
            let objects = groups.iter().map(|id| {
                // RFC 7643 §4.1.2: "direct" is a membership that the group itself states.
                [("type", "direct".to_owned()), ("value", id.to_string())]
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), Value::String(value)))
                    .collect()
            });
            let values = self.with_displays(objects, &groups)?;
            insert(&mut complete, &attribute.name, values);
        }
        Ok(complete)
    }

    fn with_displays(
        &self,
        objects: impl Iterator<Item = Map<String, Value>>,
        ids: &[ResourceId],
    ) -> Result<Vec<Value>, StoreError> {
        let displays: HashMap<ResourceId, String> = self.displays(ids)?.into_iter().collect();
        Ok(objects
            .zip(ids)
            .map(|(mut object, id)| {
                if let Some(display) = displays.get(id) {
                    object.insert("display".to_owned(), Value::String(display.clone()));
                }
                Value::Object(object)
            })
            .collect())
    }
}

fn insert(resource: &mut Resource, attribute: &str, values: Vec<Value>) {
    if !values.is_empty() {
        resource.attributes.insert(attribute.to_owned(), Value::Array(values));
    }
}

fn slice(found: Option<Resource>, page: Page) -> Vec<Resource> {
    found.into_iter().skip(page.offset).take(page.limit).collect()
}
