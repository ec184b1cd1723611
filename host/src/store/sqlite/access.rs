//! Asks the indexes: ids from an [`Access`], and how many there are.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::budget::Budget;
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
            Access::Id(_) | Access::Prefix { .. } | Access::Union(_) => Ok(None),
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
                values: vec![tenant, rtype, Sql::Integer(self.names.number(attribute)?), Sql::Text(norm.clone())],
            },
            Access::Prefix { attribute, norm, unique } => Leaf {
                id: "id",
                by_id: false,
                source: format!(
                    "{} WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3 AND norm >= ?4 AND (?5 IS NULL OR norm < ?5)",
                    table(*unique)
                ),
                values: vec![
                    tenant,
                    rtype,
                    Sql::Integer(self.names.number(attribute)?),
                    Sql::Text(norm.clone()),
                    successor(norm).map_or(Sql::Null, Sql::Text),
                ],
            },
            Access::HasMember(Some(id)) => Leaf {
                id: "group_id",
                by_id: true,
                source: "group_member WHERE tenant_id = ?1 AND member_id = ?2".to_owned(),
                values: vec![tenant, blob(*id)],
            },
            Access::InGroup(Some(id)) => Leaf {
                id: "member_id",
                by_id: true,
                source: "group_member WHERE tenant_id = ?1 AND group_id = ?2 AND mtype = ?3".to_owned(),
                values: vec![tenant, blob(*id), rtype],
            },
            // No id, so no resource. The others are not leaves.
            Access::HasMember(None) | Access::InGroup(None) | Access::Id(_) | Access::Fewest(_) | Access::Union(_) => {
                Leaf { id: "id", by_id: true, source: "resource WHERE 0".to_owned(), values: Vec::new() }
            }
        })
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
        let Leaf { id, by_id, source, values } = leaf;
        let order = if *by_id { " ORDER BY 1" } else { "" };
        let sql = format!(
            "SELECT {id} FROM {source}{order} LIMIT {} OFFSET {}",
            placeholder(values.len() + 1),
            placeholder(values.len() + 2)
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(StoreError::from)?;
        let paging = [integer(page.limit), integer(page.offset)].map(Sql::Integer);
        let values = params_from_iter(values.iter().cloned().chain(paging));
        for id in statement.query_map(values, |row| resource_id(row, 0)).map_err(StoreError::from)? {
            if visit(id.map_err(StoreError::from)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How many entries a leaf has.
    pub(super) fn size_of(&self, leaf: &Leaf, budget: &mut Budget) -> Result<u64, QueryError> {
        let Leaf { source, values, .. } = leaf;
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {})", placeholder(values.len() + 1));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = Sql::Integer(integer(budget.counted_max().saturating_add(1)));
        let size =
            statement.query_row(params_from_iter(values.iter().cloned().chain([limit])), |row| unsigned(row, 0))?;
        budget.spend_counted(usize::try_from(size).unwrap_or(usize::MAX))?;
        Ok(size)
    }
}

/// One index, asked in one way.
pub(super) struct Leaf {
    id: &'static str,
    by_id: bool,
    source: String,
    values: Vec<Sql>,
}

fn blob(id: ResourceId) -> Sql {
    Sql::Blob(id.0.into_bytes().to_vec())
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
        let (connection, names) = crate::store::sqlite::tests::in_memory();
        let registry = crate::scim::schema::SchemaRegistry::core();
        let view =
            View { connection: &connection, tenant: crate::decision::TenantId(1), names: &names, schemas: &registry };
        let id = Some(ResourceId(uuid::Uuid::nil()));
        let (attribute, norm) = ("userName".to_owned(), "a".to_owned());
        for access in [
            Access::Value { attribute: attribute.clone(), norm: norm.clone(), unique: true },
            Access::Value { attribute: attribute.clone(), norm: norm.clone(), unique: false },
            Access::Prefix { attribute: attribute.clone(), norm: norm.clone(), unique: true },
            Access::Prefix { attribute, norm, unique: false },
            Access::HasMember(id),
            Access::InGroup(id),
        ] {
            let leaf = view.leaf(registry.resource_type("User").unwrap(), &access).unwrap();
            let order = if leaf.by_id { " ORDER BY 1" } else { "" };
            let sql = format!("SELECT {} FROM {}{order} LIMIT 1", leaf.id, leaf.source);
            let plan = crate::store::sqlite::tests::explain(&connection, &sql);
            assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP"), "{access:?}: {plan}");
        }
    }
}
