//! Pages: by offset, and by place. A page by place begins after an id (or after a sort key and an id) and not after a
//! number of resources, so it costs the same wherever it begins, and what is made or deleted meanwhile moves nothing.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::driver::params;

use super::access::Leaf;
use super::budget::Budget;
use super::postgres::FORESEEN_MAX;
use super::represent::Shower;
use super::row::{integer, resource_id};
use super::view::View;
use crate::scim::cursor::Position;
use crate::scim::filter::{Filter, eval};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{ResourceType, Storage};
use crate::scim::sort::{SortBy, SortKey};
use crate::store::query::{Access, Among, Effort, From, Page, Plan, Query, Shown, Wanted, plan};
use crate::store::{QueryError, StoreError};

/// Resources read at a time along a walk: 500 of some 2 KB are a megabyte.
const BATCH: usize = 500;

/// Entries counted to tell the total of a page by place. Each page tells it, so a walk of a thousand pages counts a
/// thousand times: 100,000 entries are some 5 ms, about what the page itself costs.
const TOTAL_COUNTED_MAX: usize = 100_000;

/// Resources of a page whose groups and members are asked for along with those of the first of them.
const FORESEEN_AT_ONCE: usize = FORESEEN_MAX / 2;

/// Rows that a glance reads beside those of the resources: 64 take some 0.2 ms, during which a worker serves nobody else.
pub(super) const GLANCE_ROWS: usize = 64;

/// Resources that are read at once for a page of them.
fn batch_of(limit: usize) -> usize {
    limit.saturating_add(1).min(BATCH)
}

/// Ids by the text of a unique attribute. `?4` is the text after which they begin.
fn unique_order(descending: bool, after: bool) -> String {
    let (operator, order) = if descending { ("<", " DESC") } else { (">", "") };
    let after = if after { format!(" AND norm {operator} ?4") } else { " AND CAST(?4 AS TEXT) IS NULL".to_owned() };
    format!(
        "SELECT id FROM resource_key WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3{after} \
         ORDER BY norm{order} LIMIT ?5 OFFSET ?6"
    )
}

/// A page before it is shown.
struct Found {
    total: Option<u64>,
    resources: Vec<(Resource, Wanted)>,
    next: Option<Position>,
}

impl Found {
    fn represented(self, shower: &mut Shower<'_>) -> Result<Shown, StoreError> {
        let to_come: Vec<_> = self.resources.iter().map(|(resource, wanted)| (resource.id, *wanted)).collect();
        let mut resources = Vec::with_capacity(to_come.len());
        for (place, (resource, wanted)) in self.resources.into_iter().enumerate() {
            if place % FORESEEN_AT_ONCE == 0 {
                shower.foresee(to_come.iter().skip(place).take(FORESEEN_AT_ONCE).copied())?;
            }
            resources.push(shower.represent(resource, wanted)?);
        }
        Ok(Shown { total: self.total, resources, next: self.next })
    }
}

/// What a walk through one type came to.
struct Walk {
    resources: Vec<Resource>,
    /// Where to go on, unless it came to the end.
    more_after: Option<ResourceId>,
}

/// Where a walk takes resources from, in the order of their ids.
enum Source {
    All,
    Leaf(Leaf),
    Ids(BTreeSet<ResourceId>),
}

impl View<'_> {
    /// Everything that an answer shows.
    pub(super) fn show(&self, query: Query) -> Result<Shown, QueryError> {
        let found = match query {
            Query::One { resource_type, id, wanted } => self.one(&resource_type, id, wanted)?,
            Query::Page { among, from, limit } => self.page(&among, &from, limit)?,
        };
        Ok(found.represented(&mut Shower::new(*self))?)
    }

    /// That is going to be shown; see [`foresee`](super::driver::Connection::foresee). What is foreseen is what costs least: where nothing is known
    /// beforehand, nothing is.
    pub(super) fn foresee(&self, query: &Query) -> Result<(), StoreError> {
        match query {
            Query::One { resource_type, id, wanted } => {
                self.foresee_resource(resource_type, *id)?;
                Shower::new(*self).foresee([(*id, *wanted)].into_iter())
            }
            Query::Page { among, from, limit } => match (among.as_slice(), from) {
                ([Among { sort: Some(_), .. }], _) => Ok(()),
                ([Among { resource_type, filter: Some(filter), .. }], From::Offset(offset)) => {
                    let page = Page { offset: *offset, limit: *limit };
                    match plan(filter) {
                        Plan { access: Some(Access::Id(Some(id))), exact: true } => {
                            self.foresee_resource(resource_type, id)
                        }
                        Plan { access: Some(access), exact: true } if access.is_by_id() && *limit > 0 => {
                            self.foresee_ids_of(&self.leaf(resource_type, &access)?, page)
                        }
                        _ => Ok(()),
                    }
                }
                ([Among { resource_type, filter: None, .. }], From::After(after)) if *limit > 0 => {
                    self.foresee_size(resource_type)?;
                    let after = after.as_ref().filter(|after| after.resource_type == resource_type.name);
                    self.foresee_resources_after(resource_type, after.map(|after| after.id), batch_of(*limit))
                }
                _ => Ok(()),
            },
        }
    }

    /// The same, if a few rows read by their keys are all that it takes; `None` if it takes more.
    pub(super) fn glance(&self, query: &Query) -> Result<Option<Shown>, QueryError> {
        let found = match query {
            Query::One { resource_type, id, wanted } => self.one(resource_type, *id, *wanted)?,
            Query::Page { among, from: from @ From::Offset(_), limit } if among.iter().all(Among::is_single) => {
                self.page(among, from, *limit)?
            }
            Query::Page { .. } => return Ok(None),
        };
        let mut shower = Shower::within_rows(*self, GLANCE_ROWS);
        let shown = found.represented(&mut shower)?;
        Ok((!shower.exceeded()).then_some(shown))
    }

    fn one(&self, resource_type: &Arc<ResourceType>, id: ResourceId, wanted: Wanted) -> Result<Found, QueryError> {
        let resource = self.resource(resource_type, id)?.map(|resource| (resource, wanted));
        Ok(Found { total: None, resources: resource.into_iter().collect(), next: None })
    }

    fn page(&self, among: &[Among], from: &From, limit: usize) -> Result<Found, QueryError> {
        let budget = &mut Budget::once(Effort::QUERY);
        match from {
            _ if among.iter().any(|one| one.sort.is_some()) => self.sorted(among, from, limit, budget),
            From::Offset(offset) => self.by_offset(among, *offset, limit, budget),
            // Nothing but the total is asked for.
            From::After(_) if limit == 0 => self.by_offset(among, 0, 0, budget),
            From::After(position) => self.by_place(among, position.as_ref(), limit),
        }
    }

    fn by_offset(
        &self,
        among: &[Among],
        offset: usize,
        limit: usize,
        budget: &mut Budget,
    ) -> Result<Found, QueryError> {
        let mut total = 0_u64;
        let mut resources = Vec::new();
        for one in among {
            let passed = usize::try_from(total).unwrap_or(usize::MAX);
            let page = Page { offset: offset.saturating_sub(passed), limit: limit.saturating_sub(resources.len()) };
            let matches = self.find(&one.resource_type, one.filter.as_ref(), page, budget, one.wanted)?;
            total = total.saturating_add(matches.total);
            resources.extend(matches.resources.into_iter().map(|resource| (resource, one.wanted)));
        }
        Ok(Found { total: Some(total), resources, next: None })
    }

    fn by_place(&self, among: &[Among], after: Option<&Position>, limit: usize) -> Result<Found, QueryError> {
        let mut found = Found { total: self.total(among)?, resources: Vec::new(), next: None };
        let mut began = after.is_none();
        for (number, one) in among.iter().enumerate() {
            let here = after.filter(|position| !began && position.resource_type == one.resource_type.name);
            began |= here.is_some();
            if !began {
                continue;
            }
            let left = limit.saturating_sub(found.resources.len());
            let walk = self.walk(&one.resource_type, one.filter.as_ref(), here.map(|position| position.id), left)?;
            let last = walk.more_after.or_else(|| walk.resources.last().map(|last| last.id));
            let more = walk.more_after.is_some();
            found.resources.extend(walk.resources.into_iter().map(|resource| (resource, one.wanted)));
            let full = found.resources.len() >= limit && number + 1 < among.len();
            if let (true, Some(id)) = (more || full, last) {
                found.next = Some(Position { resource_type: one.resource_type.name.clone(), key: None, id });
                return Ok(found);
            }
        }
        if after.is_none() {
            found.total = Some(found.resources.len() as u64);
        }
        Ok(found)
    }

    /// The matches of one type by id, after one of them. It looks at no more resources than one query may and is then
    /// continued by the next page: no filter is too much for it.
    fn walk(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Walk, QueryError> {
        let budget = &mut Budget::once(Effort::QUERY);
        let plan = filter.map(plan);
        let exact = plan.as_ref().is_none_or(|plan| plan.exact);
        let source = match plan.and_then(|plan| plan.access) {
            Some(access) => self.source(resource_type, &access, budget)?,
            None => Source::All,
        };
        // What is exact needs no look.
        let filter = filter.filter(|_| !exact || matches!(source, Source::All));
        let needs_rows = filter.is_some_and(|filter| filter.touches(Storage::Rows) || filter.touches(Storage::Derived));
        let mut walk = Walk { resources: Vec::new(), more_after: after };
        let mut looked_at = 0;
        loop {
            let size = if filter.is_some() { BATCH } else { batch_of(limit) };
            let (batch, last) = self.batch(resource_type, &source, walk.more_after, size)?;
            for resource in batch {
                let id = resource.id;
                looked_at += 1;
                let matches = match filter {
                    Some(filter) if needs_rows => eval::matches(filter, &self.complete(&resource, budget)?),
                    Some(filter) => eval::matches(filter, &resource),
                    None => true,
                };
                if matches && walk.resources.len() == limit {
                    walk.more_after = walk.resources.last().map(|last| last.id).or(walk.more_after);
                    return Ok(walk);
                }
                if matches {
                    walk.resources.push(resource);
                }
                walk.more_after = Some(id);
                if filter.is_some() && looked_at == budget.candidates_max() {
                    return Ok(walk);
                }
            }
            match last {
                Some(_) => walk.more_after = last,
                None => {
                    walk.more_after = None;
                    return Ok(walk);
                }
            }
        }
    }

    fn source(
        &self,
        resource_type: &Arc<ResourceType>,
        access: &Access,
        budget: &mut Budget,
    ) -> Result<Source, QueryError> {
        if access.is_by_id() {
            return Ok(Source::Leaf(self.leaf(resource_type, access)?));
        }
        match self.candidates(resource_type, access, budget.candidates_max(), budget) {
            Ok(Some(ids)) => Ok(Source::Ids(ids)),
            // Too many to have them all at hand: along one of the indexes, if one is in order, else through the type.
            Ok(None) | Err(QueryError::TooMany { .. }) => {
                Ok(self.in_order(resource_type, access)?.map_or(Source::All, Source::Leaf))
            }
            Err(error) => Err(error),
        }
    }

    /// The next resources of a source, and the last id that was looked at; `None` at the end, which is where there are fewer than might be.
    fn batch(
        &self,
        resource_type: &Arc<ResourceType>,
        source: &Source,
        after: Option<ResourceId>,
        size: usize,
    ) -> Result<(Vec<Resource>, Option<ResourceId>), StoreError> {
        let ids: Vec<ResourceId> = match source {
            Source::All => {
                let resources = self.resources_after(resource_type, after, size)?;
                let last = resources.last().filter(|_| resources.len() == size).map(|last| last.id);
                return Ok((resources, last));
            }
            Source::Leaf(leaf) => self.ids_of(&self.leaf_after(leaf, after), Page { offset: 0, limit: size })?,
            Source::Ids(ids) => {
                let after = after.map_or(Bound::Unbounded, Bound::Excluded);
                ids.range((after, Bound::Unbounded)).take(size).copied().collect()
            }
        };
        let last = ids.last().filter(|_| ids.len() == size).copied();
        Ok((self.load(resource_type, ids, Wanted::default())?, last))
    }

    /// How many match in all, if an index tells it at once.
    fn total(&self, among: &[Among]) -> Result<Option<u64>, QueryError> {
        let mut total = 0_u64;
        for one in among {
            let size = match one.filter.as_ref().map(plan) {
                None => self.size(&one.resource_type)?,
                Some(plan) => match plan.access {
                    Some(access) if plan.exact && access.is_by_id() => {
                        let effort = Effort { counted_max: TOTAL_COUNTED_MAX, ..Effort::QUERY };
                        let leaf = self.leaf(&one.resource_type, &access)?;
                        match self.size_of(&leaf, &mut Budget::once(effort)) {
                            Ok(size) => size,
                            Err(QueryError::TooMany { .. }) => return Ok(None),
                            Err(error) => return Err(error),
                        }
                    }
                    _ => return Ok(None),
                },
            };
            total = total.saturating_add(size);
        }
        Ok(Some(total))
    }

    /// A page in an order. Every match is looked at and its key is kept; only the resources of the page are kept whole.
    fn sorted(&self, among: &[Among], from: &From, limit: usize, budget: &mut Budget) -> Result<Found, QueryError> {
        if let ([one], Some(sort)) = (among, among.first().and_then(|one| one.sort.as_ref()))
            && one.filter.is_none()
            && let Some(found) = self.along_unique(one, sort, from, limit)?
        {
            return Ok(found);
        }
        let mut keys: Vec<(SortKey, &Among)> = Vec::new();
        for one in among {
            if let Some(sort) = &one.sort {
                self.each(one, budget, |resource| keys.push((sort.key(resource), one)))?;
            }
        }
        keys.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let begin = match from {
            From::Offset(offset) => *offset,
            From::After(position) => {
                let after = position.as_ref().and_then(|position| position.key.as_ref());
                after.map_or(0, |after| keys.partition_point(|(key, _)| key <= after))
            }
        };
        let mut found = Found { total: Some(keys.len() as u64), resources: Vec::new(), next: None };
        for (key, one) in keys.iter().skip(begin).take(limit) {
            let resource = self.resource(&one.resource_type, key.id())?;
            found.resources.extend(resource.map(|resource| (resource, one.wanted)));
        }
        let end = begin.saturating_add(limit);
        let more = limit > 0 && end < keys.len() && matches!(from, From::After(_));
        if let (true, Some((key, one))) = (more, keys.get(end.saturating_sub(1))) {
            let resource_type = one.resource_type.name.clone();
            found.next = Some(Position { resource_type, key: Some(key.clone()), id: key.id() });
        }
        Ok(found)
    }

    /// A page of all resources of a type along an index that has them in the order; `None` if there is none, or if a text
    /// is so long that only its beginning counts, which the index does not know.
    fn along_unique(&self, one: &Among, sort: &SortBy, from: &From, limit: usize) -> Result<Option<Found>, QueryError> {
        let Some((attribute, descending)) = sort.by_unique_text() else { return Ok(None) };
        let (after, offset) = match from {
            From::Offset(offset) => (None, *offset),
            From::After(None) => (None, 0),
            From::After(Some(position)) => match position.key.as_ref().and_then(SortKey::whole_text) {
                Some(text) => (Some(text), 0),
                None => return Ok(None),
            },
        };
        let sql = unique_order(descending, after.is_some());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rtype = self.names.number(&one.resource_type.name)?;
        let number = self.names.number(&attribute.to_string())?;
        let wanted = limit.saturating_add(1);
        let ids = statement
            .query_map(params![self.tenant.0, rtype, number, after, integer(wanted), integer(offset)], |row| {
                resource_id(row, 0)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let more = limit > 0 && ids.len() > limit;
        let resources = self.load(&one.resource_type, ids.into_iter().take(limit).collect(), one.wanted)?;
        let keys: Vec<SortKey> = resources.iter().map(|resource| sort.key(resource)).collect();
        if keys.iter().any(|key| key.whole_text().is_none()) {
            return Ok(None);
        }
        let next = keys.last().filter(|_| more && matches!(from, From::After(_))).map(|key| Position {
            resource_type: one.resource_type.name.clone(),
            key: Some(key.clone()),
            id: key.id(),
        });
        let total = Some(self.size(&one.resource_type)?);
        Ok(Some(Found {
            total,
            resources: resources.into_iter().map(|resource| (resource, one.wanted)).collect(),
            next,
        }))
    }

    /// Calls `visit` with every match.
    fn each(&self, among: &Among, budget: &mut Budget, mut visit: impl FnMut(&Resource)) -> Result<(), QueryError> {
        let Among { resource_type, filter, .. } = among;
        if let Some(filter) = filter {
            let candidates = self.all_candidates(resource_type, plan(filter).access.as_ref(), budget)?;
            return self.each_match(resource_type, filter, &candidates, budget, |resource| {
                visit(&resource);
                std::ops::ControlFlow::Continue(())
            });
        }
        // What would turn out to be too many is refused before it is read.
        budget.spend_candidates(usize::try_from(self.size(resource_type)?).unwrap_or(usize::MAX))?;
        let mut after = None;
        loop {
            let batch = self.resources_after(resource_type, after, BATCH)?;
            let Some(last) = batch.last() else { return Ok(()) };
            after = Some(last.id);
            batch.iter().for_each(&mut visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_the_order_of_an_index_searches_it_and_sorts_nothing() {
        let (connection, _) = crate::store::sql::tests::in_memory();
        for (descending, after) in [(false, false), (false, true), (true, false), (true, true)] {
            let plan = crate::store::sql::tests::explain(&connection, &unique_order(descending, after));
            assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
        }
    }
}
