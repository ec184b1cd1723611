//! [`View`]: one tenant's resources as one transaction sees them. Snapshots read through it, and so does the writer
//! when it answers a decision's look-ups again: the same code, so the answers cannot differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;
use uuid::Uuid;

use super::budget::Budget;
use super::member_sets::{is_live, live_set};
use super::names::Names;
use super::postgres::FORESEEN_MAX;
use super::row::{integer, resource_id, timestamp, unsigned};
use crate::decision::TenantId;
use crate::scim::index::IndexEntry;
use crate::scim::meta::Meta;
use crate::scim::resource::{Attributes, Member, Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::store::{QueryError, StoreError};

/// Groups that a search through nested groups visits at most. It goes upwards, from the member, and an account that is
/// in more than 1,000 groups, counting those of its groups, would make each write wait for some 5 ms.
pub(super) const ANCESTORS_MAX: usize = 1_000;

/// How many groups contain `?3`, through nested groups, and whether `?2` is one of them, in SQL: `$limit` ends the search and
/// `$few` what is taken of it. UNION keeps each group once, so that groups that contain each other end the search and do not
/// keep it going.
macro_rules! ancestors {
    ($limit:literal, $few:literal) => {
        concat!(
            "WITH RECURSIVE ancestor(id) AS ( \
             SELECT m.group_id FROM group_member m WHERE m.tenant_id = ?1 AND m.member_id = ?3 AND ",
            is_live!(),
            " UNION \
             SELECT m.group_id FROM ancestor a JOIN group_member m ON m.tenant_id = ?1 AND m.member_id = a.id WHERE ",
            is_live!(),
            $limit,
            ") SELECT count(*), coalesce(max(CASE WHEN id = ?2 THEN 1 ELSE 0 END), 0) FROM (SELECT id FROM ancestor",
            $few,
            ") AS seen"
        )
    };
}

/// One tenant's rows, in a transaction.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tenant: TenantId,
    pub(super) names: &'a Names,
    pub(super) schemas: &'a SchemaRegistry,
}

const RESOURCE: &str =
    "SELECT id, version, created_at, modified_at, body FROM resource WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3";
const RESOURCES_AFTER: &str = "SELECT id, version, created_at, modified_at, body FROM resource \
     WHERE tenant_id = ?1 AND rtype = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
const VERSION: &str = "SELECT version FROM resource WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3";
const DISPLAY: &str = "SELECT body FROM resource WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3";
const SIZE: &str = "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM resource_count WHERE tenant_id = ?1 AND rtype = ?2";
const MEMBERS: &str = concat!(
    "SELECT member_id, mtype FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ",
    live_set!(),
    " AND member_id > ?3 ORDER BY member_id LIMIT ?4",
);
const MEMBER_AMONG: &str = concat!(
    "SELECT mtype FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ",
    live_set!(),
    " AND member_id = ?3",
);
const GROUPS_OF: &str = concat!(
    "SELECT m.group_id FROM group_member m WHERE m.tenant_id = ?1 AND m.member_id = ?2 AND ",
    is_live!(),
    " ORDER BY m.group_id LIMIT ?3",
);

impl View<'_> {
    /// One resource, without its members and groups.
    pub(super) fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        let mut statement = self.connection.prepare_cached(RESOURCE)?;
        let rtype = self.names.number(&resource_type.name)?;
        let row = statement
            .query_row(params![self.tenant.0, rtype, id], |row| Ok(from_row(row, resource_type)))
            .optional()?;
        row.transpose()
    }

    /// Its version alone.
    pub(super) fn version(&self, resource_type: &str, id: ResourceId) -> Result<Option<i64>, StoreError> {
        let mut statement = self.connection.prepare_cached(VERSION)?;
        let rtype = self.names.number(resource_type)?;
        Ok(statement.query_row(params![self.tenant.0, rtype, id], |row| row.get(0)).optional()?)
    }

    /// Resources of a type by id, after one of them.
    pub(super) fn resources_after(
        &self,
        resource_type: &Arc<ResourceType>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Resource>, StoreError> {
        let mut statement = self.connection.prepare_cached(RESOURCES_AFTER)?;
        let rtype = self.names.number(&resource_type.name)?;
        let mut rows = statement.query(params![self.tenant.0, rtype, bound(after), integer(limit)])?;
        let mut resources = Vec::new();
        while let Some(row) = &rows.next()? {
            resources.push(from_row(row, resource_type)?);
        }
        Ok(resources)
    }

    /// How many resources of a type there are.
    pub(super) fn size(&self, resource_type: &ResourceType) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(SIZE)?;
        let rtype = self.names.number(&resource_type.name)?;
        Ok(statement.query_row(params![self.tenant.0, rtype], |row| unsigned(row, 0))?)
    }

    /// The members of a group by id, after one of them.
    pub(super) fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let mut statement = self.connection.prepare_cached(MEMBERS)?;
        let mut rows = statement.query(params![self.tenant.0, group, bound(after), integer(limit)])?;
        let mut members = Vec::new();
        while let Some(row) = &rows.next()? {
            members.push(Member { id: resource_id(row, 0)?, resource_type: self.names.name(row.get(1)?)?.to_string() });
        }
        Ok(members)
    }

    /// Which of these are direct members of the group, by id.
    pub(super) fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let mut statement = self.connection.prepare_cached(MEMBER_AMONG)?;
        let mut found = BTreeMap::new();
        for ids in ids.chunks(FORESEEN_MAX) {
            for id in ids {
                self.connection.foresee(MEMBER_AMONG, params![self.tenant.0, group, id])?;
            }
            for &id in ids {
                let key = params![self.tenant.0, group, id];
                if let Some(mtype) = statement.query_row(key, |row| row.get(0)).optional()? {
                    found.insert(id, self.names.name(mtype)?.to_string());
                }
            }
        }
        Ok(found.into_iter().map(|(id, resource_type)| Member { id, resource_type }).collect())
    }

    /// Which of these are resources, and of which type; by id.
    pub(super) fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(FORESEEN_MAX) {
            // Most are of the first type.
            if let Some(first) = self.schemas.resource_types().first() {
                let rtype = self.names.number(&first.name)?;
                for id in ids {
                    self.connection.foresee(VERSION, params![self.tenant.0, rtype, id])?;
                }
            }
            for &id in ids {
                for resource_type in self.schemas.resource_types() {
                    if self.version(&resource_type.name, id)?.is_some() {
                        found.insert(id, resource_type.name.clone());
                        break;
                    }
                }
            }
        }
        Ok(found.into_iter().map(|(id, resource_type)| Member { id, resource_type }).collect())
    }

    /// The groups a resource is a direct member of, by id.
    pub(super) fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, StoreError> {
        self.first_groups_of(id, usize::MAX)
    }

    /// The first of them.
    pub(super) fn first_groups_of(&self, id: ResourceId, limit: usize) -> Result<Vec<ResourceId>, StoreError> {
        let mut statement = self.connection.prepare_cached(GROUPS_OF)?;
        let groups = statement
            .query_map(params![self.tenant.0, id, integer(limit)], |row| resource_id(row, 0))?
            .collect::<Result<_, _>>()?;
        Ok(groups)
    }

    /// What to show for each of these, as far as they exist.
    pub(super) fn displays(&self, ids: &[ResourceId]) -> Result<Vec<(ResourceId, String)>, StoreError> {
        let mut displays = Vec::with_capacity(ids.len());
        for ids in ids.chunks(FORESEEN_MAX) {
            // Most are of the first type.
            if let Some(first) = self.schemas.resource_types().first() {
                ids.iter().try_for_each(|id| self.foresee_display(first, *id))?;
            }
            for &id in ids {
                for resource_type in self.schemas.resource_types() {
                    if let Some(Display(display)) = self.display(resource_type, id)? {
                        displays.extend(display.map(|display| (id, display)));
                        break;
                    }
                }
            }
        }
        Ok(displays)
    }

    /// What to show for one of these; `None` if there is no such resource of the type.
    pub(super) fn display(&self, resource_type: &ResourceType, id: ResourceId) -> Result<Option<Display>, StoreError> {
        let mut statement = self.connection.prepare_cached(DISPLAY)?;
        let rtype = self.names.number(&resource_type.name)?;
        let mut rows = statement.query(params![self.tenant.0, rtype, id])?;
        let Some(row) = &rows.next()? else { return Ok(None) };
        let shown: Shown = parse(row, 0)?;
        Ok(Some(Display(shown.display_name.or(shown.user_name))))
    }

    /// Whether one is a member of the other, through nested groups if asked.
    pub(super) fn is_member(
        &self,
        group: ResourceId,
        member: ResourceId,
        transitive: bool,
        budget: &mut Budget,
    ) -> Result<bool, QueryError> {
        let key = params![self.tenant.0, group, member];
        let direct = self
            .connection
            .prepare_cached(concat!(
                "SELECT 1 FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ",
                live_set!(),
                " AND member_id = ?3",
            ))?
            .exists(key)?;
        if direct || !transitive {
            return Ok(direct);
        }
        // Upwards, since a member is in few groups and a group has many members.
        let mut statement = self.connection.prepare_cached(match self.connection {
            // Only there can a search be told to end.
            Connection::Sqlite(_) => ancestors!(" LIMIT ?4", ""),
            // It goes no further than its rows are asked for.
            Connection::Postgres(_) => ancestors!("", " LIMIT ?4"),
        })?;
        let (visited, found): (u64, bool) = statement
            .query_row(params![self.tenant.0, group, member, integer(ANCESTORS_MAX + 1)], |row| {
                Ok((unsigned(row, 0)?, row.get(1)?))
            })?;
        // A group is visited in half the time that a candidate takes.
        budget.spend_candidates(usize::try_from(visited.div_ceil(2)).unwrap_or(usize::MAX))?;
        if !found && visited > ANCESTORS_MAX as u64 {
            return Err(QueryError::TooMany { candidates_max: ANCESTORS_MAX });
        }
        Ok(found)
    }

    /// [`resource`](Self::resource) is going to be asked; see [`Connection::foresee`].
    pub(super) fn foresee_resource(&self, resource_type: &ResourceType, id: ResourceId) -> Result<(), StoreError> {
        let rtype = self.names.number(&resource_type.name)?;
        Ok(self.connection.foresee(RESOURCE, params![self.tenant.0, rtype, id])?)
    }

    /// The same of [`resources_after`](Self::resources_after).
    pub(super) fn foresee_resources_after(
        &self,
        resource_type: &ResourceType,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<(), StoreError> {
        let rtype = self.names.number(&resource_type.name)?;
        let (after, limit) = (bound(after), integer(limit));
        Ok(self.connection.foresee(RESOURCES_AFTER, params![self.tenant.0, rtype, after, limit])?)
    }

    /// The same of [`size`](Self::size).
    pub(super) fn foresee_size(&self, resource_type: &ResourceType) -> Result<(), StoreError> {
        let rtype = self.names.number(&resource_type.name)?;
        Ok(self.connection.foresee(SIZE, params![self.tenant.0, rtype])?)
    }

    /// The same of [`display`](Self::display).
    pub(super) fn foresee_display(&self, resource_type: &ResourceType, id: ResourceId) -> Result<(), StoreError> {
        let rtype = self.names.number(&resource_type.name)?;
        Ok(self.connection.foresee(DISPLAY, params![self.tenant.0, rtype, id])?)
    }

    /// The same of [`members`](Self::members) from the first on.
    pub(super) fn foresee_members(&self, group: ResourceId, limit: usize) -> Result<(), StoreError> {
        let (after, limit) = (bound(None), integer(limit));
        Ok(self.connection.foresee(MEMBERS, params![self.tenant.0, group, after, limit])?)
    }

    /// The same of [`first_groups_of`](Self::first_groups_of).
    pub(super) fn foresee_groups_of(&self, id: ResourceId, limit: usize) -> Result<(), StoreError> {
        Ok(self.connection.foresee(GROUPS_OF, params![self.tenant.0, id, integer(limit)])?)
    }

    /// Adds an index entry; `false` if another resource has this unique value.
    pub(super) fn add_entry(
        &self,
        resource_type: &str,
        id: ResourceId,
        entry: &IndexEntry,
    ) -> Result<bool, StoreError> {
        let sql = if entry.unique {
            "INSERT INTO resource_key(tenant_id, rtype, attr, norm, id) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"
        } else {
            "INSERT INTO resource_attr(tenant_id, rtype, attr, norm, id) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"
        };
        let added = self.change_entry(sql, resource_type, id, entry)?;
        Ok(added > 0 || !entry.unique)
    }

    /// Removes an index entry of that resource, if there is one.
    pub(super) fn remove_entry(
        &self,
        resource_type: &str,
        id: ResourceId,
        entry: &IndexEntry,
    ) -> Result<(), StoreError> {
        let sql = if entry.unique {
            "DELETE FROM resource_key WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3 AND norm = ?4 AND id = ?5"
        } else {
            "DELETE FROM resource_attr WHERE tenant_id = ?1 AND rtype = ?2 AND attr = ?3 AND norm = ?4 AND id = ?5"
        };
        self.change_entry(sql, resource_type, id, entry).map(drop)
    }

    /// Runs a statement whose parameters are an index entry; how many rows it has changed.
    fn change_entry(
        &self,
        sql: &str,
        resource_type: &str,
        id: ResourceId,
        entry: &IndexEntry,
    ) -> Result<usize, StoreError> {
        let changed = self.connection.prepare_cached(sql)?.execute(params![
            self.tenant.0,
            self.names.number(resource_type)?,
            self.names.number(&entry.attribute)?,
            entry.norm,
            id,
        ])?;
        Ok(changed)
    }
}

/// What a resource is called, if it is called anything.
pub(super) struct Display(pub(super) Option<String>);

/// The part of a body that is shown for a member.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    display_name: Option<String>,
    user_name: Option<String>,
}

/// None of our ids is all zeros.
fn bound(after: Option<ResourceId>) -> Uuid {
    after.map_or(Uuid::nil(), |id| id.0)
}

/// From the columns `id, version, created_at, modified_at, body`.
pub(super) fn from_row(row: &Row<'_>, resource_type: &Arc<ResourceType>) -> Result<Resource, StoreError> {
    from_columns(row, 0, resource_type)
}

/// The same, of which the first is at `first`.
pub(super) fn from_columns(
    row: &Row<'_>,
    first: usize,
    resource_type: &Arc<ResourceType>,
) -> Result<Resource, StoreError> {
    let attributes: Attributes = parse(row, first + 4)?;
    let (created, last_modified) = (timestamp(row, first + 2)?, timestamp(row, first + 3)?);
    Ok(Resource {
        resource_type: Arc::clone(resource_type),
        id: resource_id(row, first)?,
        attributes,
        meta: Meta { version: row.get(first + 1)?, created, last_modified },
    })
}

fn parse<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    let text = row.text(column)?;
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("a resource is not JSON: {error}")))
}
