//! Carries out a plan: candidates from an index ([`super::access`]), or all of them, each compared if the index does not
//! say it all.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::params;
use serde_json::{Map, Value};

use super::row::{integer, resource_id};
use super::view::{View, from_row};
use crate::scim::filter::{Filter, eval};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{ResourceType, Storage};
use crate::store::query::{Access, Effort, Matches, Page, plan};
use crate::store::{QueryError, StoreError};

/// Members that are read at a time when a filter has to look at them.
const MEMBERS_CHUNK: usize = 1_000;

impl View<'_> {
    /// A page of the matches, by id, and how many there are.
    pub(super) fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        page: Page,
        effort: Effort,
    ) -> Result<Matches, QueryError> {
        let Some(filter) = filter else {
            let resources = self.page_of_all(resource_type, page)?;
            return Ok(Matches { total: self.size(resource_type)?, resources });
        };
        let plan = plan(filter);
        match plan.access {
            Some(Access::Id(id)) if plan.exact => {
                let found = id.map(|id| self.resource(resource_type, id)).transpose()?.flatten();
                Ok(Matches { total: found.is_some().into(), resources: slice(found, page) })
            }
            Some(access) if plan.exact && !matches!(access, Access::Union(_)) => {
                let leaf = self.leaf(resource_type, &access)?;
                let total = self.size_of(&leaf, effort.counted_max)?;
                let ids = self.ids_of(&leaf, page)?;
                Ok(Matches { total, resources: self.load(resource_type, ids)? })
            }
            access => {
                let mut matches = Matches { total: 0, resources: Vec::new() };
                self.each_match(resource_type, filter, access.as_ref(), effort, |resource| {
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
        effort: Effort,
    ) -> Result<Vec<Resource>, QueryError> {
        let plan = plan(filter);
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        match plan.access {
            Some(access) if plan.exact && !matches!(access, Access::Union(_) | Access::Id(_)) => {
                let leaf = self.leaf(resource_type, &access)?;
                let ids = self.ids_of(&leaf, Page { offset: 0, limit })?;
                Ok(self.load(resource_type, ids)?)
            }
            access => {
                self.each_match(resource_type, filter, access.as_ref(), effort, |resource| {
                    found.push(resource);
                    if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                Ok(found)
            }
        }
    }

    fn page_of_all(&self, resource_type: &Arc<ResourceType>, page: Page) -> Result<Vec<Resource>, StoreError> {
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
        self.load(resource_type, ids)
    }

    fn load(&self, resource_type: &Arc<ResourceType>, ids: Vec<ResourceId>) -> Result<Vec<Resource>, StoreError> {
        ids.into_iter().filter_map(|id| self.resource(resource_type, id).transpose()).collect()
    }

    /// Calls `visit` with each match by id until it has enough.
    fn each_match(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        access: Option<&Access>,
        effort: Effort,
        mut visit: impl FnMut(Resource) -> ControlFlow<()>,
    ) -> Result<(), QueryError> {
        let mut budget = Budget { left: effort.candidates_max, max: effort.candidates_max };
        let needs_rows = filter.touches(Storage::Rows) || filter.touches(Storage::Derived);
        let mut look_at = |resource: Resource| -> Result<ControlFlow<()>, QueryError> {
            budget.spend(1)?;
            let matches = if needs_rows {
                eval::matches(filter, &self.complete(&resource, &mut budget)?)
            } else {
                eval::matches(filter, &resource)
            };
            Ok(if matches { visit(resource) } else { ControlFlow::Continue(()) })
        };
        match access {
            Some(access) => {
                for id in self.candidates(resource_type, access, effort.candidates_max)? {
                    if let Some(resource) = self.resource(resource_type, id)?
                        && look_at(resource)?.is_break()
                    {
                        break;
                    }
                }
            }
            None => {
                let mut statement = self.connection.prepare_cached(
                    "SELECT id, version, created_at, modified_at, body FROM resource \
                     WHERE tenant_id = ?1 AND rtype = ?2 ORDER BY id",
                )?;
                let mut rows = statement.query(params![self.tenant.0, self.names.number(&resource_type.name)?])?;
                while let Some(row) = rows.next()? {
                    if look_at(from_row(row, resource_type)?)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The resource with its members or groups, for a filter that asks for them. Each one read is work that counts.
    fn complete(&self, resource: &Resource, budget: &mut Budget) -> Result<Resource, QueryError> {
        let mut complete = resource.clone();
        if let Some(attribute) = resource.resource_type.row_attribute() {
            let mut values = Vec::new();
            let mut after = None;
            loop {
                let members = self.members(resource.id, after, MEMBERS_CHUNK)?;
                let Some(last) = members.last() else { break };
                budget.spend(members.len())?;
                after = Some(last.id);
                let ids: Vec<ResourceId> = members.iter().map(|member| member.id).collect();
                values.extend(self.with_displays(members.iter().map(|member| member.to_object()), &ids)?);
            }
            insert(&mut complete, &attribute.name, values);
        }
        if let Some(attribute) = resource.resource_type.derived_attribute() {
            let groups = self.groups_of(resource.id)?;
            budget.spend(groups.len())?;
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

/// What may still be looked at.
struct Budget {
    left: usize,
    max: usize,
}

impl Budget {
    fn spend(&mut self, amount: usize) -> Result<(), QueryError> {
        self.left = self.left.checked_sub(amount).ok_or(QueryError::TooMany { candidates_max: self.max })?;
        Ok(())
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
