//! Asks the indexes: ids from an [`Access`], and how many there are.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::driver::Value as Sql;

use super::budget::Budget;
use super::member_sets::{is_live, live_set};
use super::row::{integer, resource_id, unsigned};
use super::view::View;
use crate::scim::resource::ResourceId;
use crate::scim::schema::ResourceType;
use crate::store::query::{Access, Page};
use crate::store::{QueryError, StoreError};

impl View<'_> {
    /// The ids an access gives, sorted, each once; `None` if they are more than `max`.
    pub(super) fn candidates(
        &self,
        resource_type: &Arc<ResourceType>,
        access: &Access,
        max: usize,
        budget: &mut Budget,
    ) -> Result<Option<BTreeSet<ResourceId>>, QueryError> {
        match access {
            Access::Id(id) => Ok(Some(id.iter().copied().collect())),
            Access::Union(accesses) => {
                let mut all = BTreeSet::new();
                for access in accesses {
                    let Some(ids) = self.candidates(resource_type, access, max, budget)? else { return Ok(None) };
                    all.extend(ids);
                    if all.len() > max {
                        return Ok(None);
                    }
                }
                Ok(Some(all))
            }
            Access::Fewest(accesses) => {
                // Each gives every match, so the first that is short enough will do, and one that is too long by itself
                // is no obstacle while another is not.
                let mut fewest: Option<BTreeSet<ResourceId>> = None;
                for access in accesses {
                    let bound = fewest.as_ref().map_or(max, BTreeSet::len);
                    fewest = self.candidates(resource_type, access, bound, budget)?.or(fewest);
                }
                Ok(fewest)
            }
            leaf => {
                let leaf = self.leaf(resource_type, leaf)?;
                let ids = self.ids_of(&leaf, Page { offset: 0, limit: max.saturating_add(1) })?;
                budget.spend_entries(ids.len())?;
                Ok((ids.len() <= max).then(|| ids.into_iter().collect()))
            }
        }
    }

    /// An index that has what an access gives, and perhaps more, in the order of ids; `None` if there is none.
    pub(super) fn in_order(&self, resource_type: &ResourceType, access: &Access) -> Result<Option<Leaf>, StoreError> {
        match access {
            Access::Value { .. } | Access::HasMember(_) | Access::InGroup(_) => {
                self.leaf(resource_type, access).map(Some)
            }
            Access::Fewest(accesses) => {
                let leaves = accesses.iter().map(|access| self.in_order(resource_type, access));
                leaves.filter_map(Result::transpose).next().transpose()
            }
            Access::Id(_) | Access::Prefix { .. } | Access::Range { .. } | Access::Modified(..) | Access::Union(_) => {
                Ok(None)
            }
        }
    }

    /// An access to one index as SQL.
    pub(super) fn leaf(&self, resource_type: &ResourceType, access: &Access) -> Result<Leaf, StoreError> {
        let tenant = Sql::Integer(self.tenant.0);
        let rtype = Sql::Integer(self.names.number(&resource_type.name)?);
        let table = |unique: bool| if unique { "resource_key" } else { "resource_attr" };
        Ok(match access {
            Access::Value { attribute, norm, unique } => Leaf {
                id: "id",
                by_id: true,
                source: format!("{} WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3 AND norm = ?4", table(*unique)),
                values: vec![
                    tenant,
                    rtype,
                    Sql::Integer(self.names.number(attribute)?),
                    Sql::Text(norm.clone().into()),
                ],
            },
            Access::Prefix { attribute, norm, unique } => Leaf {
                id: "id",
                by_id: false,
                source: format!(
                    "{} WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3 AND norm >= ?4 AND (CAST(?5 AS TEXT) IS NULL OR norm < ?5)",
                    table(*unique)
                ),
                values: vec![
                    tenant,
                    rtype,
                    Sql::Integer(self.names.number(attribute)?),
                    Sql::Text(norm.clone().into()),
                    successor(norm).map_or(Sql::Null, |norm| Sql::Text(norm.into())),
                ],
            },
            Access::Range { attribute, bounds: (from, to), unique } => {
                let mut source = format!("{} WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3", table(*unique));
                let mut values = vec![tenant, rtype, Sql::Integer(self.names.number(attribute)?)];
                let text = |norm: &String| Sql::Text(norm.clone().into());
                bound("norm", [from.as_ref().map(text), to.as_ref().map(text)], &mut source, &mut values);
                Leaf { id: "id", by_id: false, source, values }
            }
            Access::Modified(from, to) => {
                let mut source = "resource WHERE tenant_id = ?1 AND rtype = ?2".to_owned();
                let mut values = vec![tenant, rtype];
                let bounds = [from.map(Sql::Integer), to.map(Sql::Integer)];
                bound("modified_at", bounds, &mut source, &mut values);
                Leaf { id: "id", by_id: false, source, values }
            }
            Access::HasMember(Some(id)) => Leaf {
                id: "m.group_id",
                by_id: true,
                source: concat!("group_member m WHERE m.tenant_id = ?1 AND m.member_id = ?2 AND ", is_live!())
                    .to_owned(),
                values: vec![tenant, uuid(*id)],
            },
            Access::InGroup(Some(id)) => Leaf {
                id: "member_id",
                by_id: true,
                source: concat!(
                    "group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ",
                    live_set!(),
                    " AND mtype = ?3"
                )
                .to_owned(),
                values: vec![tenant, uuid(*id), rtype],
            },
            // No id, so no resource. The others are not leaves.
            Access::HasMember(None) | Access::InGroup(None) | Access::Id(_) | Access::Fewest(_) | Access::Union(_) => {
                Leaf { id: "id", by_id: true, source: "resource WHERE 1 = 0".to_owned(), values: Vec::new() }
            }
        })
    }

    /// The ids of an access, whatever its order, sorted, each once, if they are within what may be read.
    pub(super) fn all_ids(
        &self,
        resource_type: &Arc<ResourceType>,
        access: &Access,
        budget: &mut Budget,
    ) -> Result<Vec<ResourceId>, QueryError> {
        let mut ids = Vec::new();
        self.collect_ids(resource_type, access, budget, &mut ids)?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn collect_ids(
        &self,
        resource_type: &Arc<ResourceType>,
        access: &Access,
        budget: &mut Budget,
        ids: &mut Vec<ResourceId>,
    ) -> Result<(), QueryError> {
        match access {
            Access::Union(accesses) => {
                accesses.iter().try_for_each(|access| self.collect_ids(resource_type, access, budget, ids))
            }
            // Whether it is of this type is seen when it is read, and it must not be counted if it is not.
            Access::Id(Some(id)) => {
                budget.spend_candidates(1)?;
                ids.extend(self.resource(resource_type, *id)?.map(|found| found.id));
                Ok(())
            }
            leaf => {
                let leaf = self.leaf(resource_type, leaf)?;
                let found = self.ids_of(&leaf, Page { offset: 0, limit: budget.entries_max().saturating_add(1) })?;
                budget.spend_entries(found.len())?;
                ids.extend(found);
                Ok(())
            }
        }
    }

    /// Ids of a leaf, in their order if the index has them so; sorting those of a prefix would mean to read all of them.
    pub(super) fn ids_of(&self, leaf: &Leaf, page: Page) -> Result<Vec<ResourceId>, StoreError> {
        let mut ids = Vec::new();
        self.each_id(leaf, page, |id| {
            ids.push(id);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        Ok(ids)
    }

    /// Calls `visit` with each of them until it has enough.
    pub(super) fn each_id<E: From<StoreError>>(
        &self,
        leaf: &Leaf,
        page: Page,
        mut visit: impl FnMut(ResourceId) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let (sql, values) = ids_statement(leaf, page);
        let mut statement = self.connection.prepare_cached(&sql).map_err(StoreError::from)?;
        for id in statement.query_map(&values, |row| resource_id(row, 0)).map_err(StoreError::from)? {
            if visit(id.map_err(StoreError::from)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Ids of a leaf are going to be asked for; see [`foresee`](super::driver::Connection::foresee).
    pub(super) fn foresee_ids_of(&self, leaf: &Leaf, page: Page) -> Result<(), StoreError> {
        let (sql, values) = ids_statement(leaf, page);
        Ok(self.connection.foresee(&sql, &values)?)
    }

    /// The same leaf without what stands before an id. Only of those that are in the order of ids.
    pub(super) fn leaf_after(&self, leaf: &Leaf, after: Option<ResourceId>) -> Leaf {
        let Leaf { id, by_id, mut source, mut values } = leaf.clone();
        if let Some(after) = after {
            values.push(uuid(after));
            source.push_str(&format!(" AND {id} > {}", placeholder(values.len())));
        }
        Leaf { id, by_id, source, values }
    }

    /// How many entries a leaf has.
    pub(super) fn size_of(&self, leaf: &Leaf, budget: &mut Budget) -> Result<u64, QueryError> {
        let Leaf { source, values, .. } = leaf;
        let sql =
            format!("SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {}) AS few", placeholder(values.len() + 1));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = Sql::Integer(integer(budget.counted_max().saturating_add(1)));
        let values: Vec<Sql<'_>> = values.iter().cloned().chain([limit]).collect();
        let size = statement.query_row(&values, |row| unsigned(row, 0))?;
        budget.spend_counted(usize::try_from(size).unwrap_or(usize::MAX))?;
        Ok(size)
    }
}

/// One index, asked in one way.
#[derive(Clone)]
pub(super) struct Leaf {
    id: &'static str,
    by_id: bool,
    source: String,
    values: Vec<Sql<'static>>,
}

/// The ids of a leaf in SQL, and what is put into that.
fn ids_statement(leaf: &Leaf, page: Page) -> (String, Vec<Sql<'static>>) {
    let Leaf { id, by_id, source, values } = leaf;
    let order = if *by_id { " ORDER BY 1" } else { "" };
    let sql = format!(
        "SELECT {id} FROM {source}{order} LIMIT {} OFFSET {}",
        placeholder(values.len() + 1),
        placeholder(values.len() + 2)
    );
    let paging = [integer(page.limit), integer(page.offset)].map(Sql::Integer);
    (sql, values.iter().cloned().chain(paging).collect())
}

/// Adds the bounds of a column to a statement.
fn bound(column: &str, [from, to]: [Bound<Sql<'static>>; 2], source: &mut String, values: &mut Vec<Sql<'static>>) {
    let from = match from {
        Bound::Included(value) => Some((">=", value)),
        Bound::Excluded(value) => Some((">", value)),
        Bound::Unbounded => None,
    };
    let to = match to {
        Bound::Included(value) => Some(("<=", value)),
        Bound::Excluded(value) => Some(("<", value)),
        Bound::Unbounded => None,
    };
    for (operator, value) in from.into_iter().chain(to) {
        values.push(value);
        source.push_str(&format!(" AND {column} {operator} {}", placeholder(values.len())));
    }
}

fn uuid(id: ResourceId) -> Sql<'static> {
    Sql::Uuid(id.0)
}

fn placeholder(number: usize) -> String {
    format!("?{number}")
}

/// The first text after every text that begins with `prefix`, in byte order, which is that of code points in UTF-8;
/// `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The code points of surrogates are no characters, so `char::from_u32` refuses them and the next is tried.
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_of_a_prefix_follows_everything_that_begins_with_it() {
        let check = |prefix: &str, expected: Option<&str>| assert_eq!(successor(prefix).as_deref(), expected);
        check("a", Some("b"));
        check("az", Some("a{"));
        check("a\u{10FFFF}", Some("b"));
        check("\u{D7FF}", Some("\u{E000}"));
        check("\u{10FFFF}", None);
    }

    #[test]
    fn every_access_searches_an_index_and_none_sorts() {
        let (connection, names) = crate::store::sql::tests::in_memory();
        let registry = crate::scim::schema::SchemaRegistry::core();
        let view =
            View { connection: &connection, tenant: crate::decision::TenantId(1), names: &names, schemas: &registry };
        let id = Some(ResourceId(uuid::Uuid::nil()));
        let (attribute, norm) = ("userName".to_owned(), "a".to_owned());
        let range = |unique, from, to| Access::Range { attribute: "userName".to_owned(), bounds: (from, to), unique };
        for access in [
            Access::Value { attribute: attribute.clone(), norm: norm.clone(), unique: true },
            Access::Value { attribute: attribute.clone(), norm: norm.clone(), unique: false },
            Access::Prefix { attribute: attribute.clone(), norm: norm.clone(), unique: true },
            Access::Prefix { attribute, norm, unique: false },
            Access::HasMember(id),
            Access::InGroup(id),
            range(true, Bound::Excluded("a".to_owned()), Bound::Unbounded),
            range(true, Bound::Unbounded, Bound::Included("a".to_owned())),
            range(false, Bound::Included("a".to_owned()), Bound::Excluded("b".to_owned())),
            Access::Modified(Bound::Excluded(7), Bound::Unbounded),
            Access::Modified(Bound::Included(7), Bound::Included(9)),
        ] {
            let leaf = view.leaf(registry.resource_type("User").unwrap(), &access).unwrap();
            let leaf = if leaf.by_id { view.leaf_after(&leaf, id) } else { leaf };
            let order = if leaf.by_id { " ORDER BY 1" } else { "" };
            let sql = format!("SELECT {} FROM {}{order} LIMIT 1", leaf.id, leaf.source);
            let plan = crate::store::sql::tests::explain(&connection, &sql);
            assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP"), "{access:?}: {plan}");
        }
    }
}
