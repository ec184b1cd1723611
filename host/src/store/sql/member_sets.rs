//! Member sets: which rows of `group_member` are a group's members, how another set takes the place of the one that is
//! seen, and how rows that nobody sees go.
//!
//! A group has one live set. A change that leaves few of many members fills another set row by row, in transactions of
//! its own ([`super::filling`]), and one transaction makes it the live one. So it is done at one moment, and the writer
//! has time for others meanwhile. What is hidden is swept by the writer between other work, a few rows at a time, also
//! after a restart.

use super::driver::{self, Connection, OptionalExtension, params};

use uuid::Uuid;

use super::names::Names;
use super::row::integer;
use super::view::View;
use crate::decision::TenantId;
use crate::scim::resource::{Member, ResourceId};
use crate::store::CommitError;

/// The live set of the group `?2` of the tenant `?1`, in SQL.
macro_rules! live_set {
    () => {
        "coalesce((SELECT live FROM member_set WHERE tenant_id = ?1 AND group_id = ?2), 0)"
    };
}

/// Whether a row of `group_member m` is one of a live set, in SQL.
macro_rules! is_live {
    () => {
        "m.set_no = coalesce((SELECT s.live FROM member_set s \
         WHERE s.tenant_id = m.tenant_id AND s.group_id = m.group_id), 0)"
    };
}
pub(super) use {is_live, live_set};

/// Rows swept in one transaction: some 10 ms of the writer, for which whoever comes meanwhile waits.
const SWEPT_AT_ONCE: usize = 1_000;

/// Rows of a deleted group that go with it at once, in one transaction.
const DELETED_AT_ONCE: i64 = 1_000;

/// A set that was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilledSet {
    /// Its number.
    pub(super) number: i64,
    /// How many rows it was given.
    pub(super) rows: u64,
}

/// A set to be written to.
#[derive(Clone, Copy)]
pub(super) struct MemberSet<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tenant: TenantId,
    pub(super) names: &'a Names,
    pub(super) group: ResourceId,
    pub(super) number: i64,
}

impl<'a> MemberSet<'a> {
    /// The live set of a group.
    pub(super) fn live(view: &View<'a>, group: ResourceId) -> driver::Result<Self> {
        let View { connection, tenant, names, .. } = *view;
        let number = connection
            .prepare_cached(concat!("SELECT ", live_set!()))?
            .query_row(params![tenant.0, group], |row| row.get(0))?;
        Ok(Self { connection, tenant, names, group, number })
    }

    /// Adds a member that it has not: one row, however many there are. If no row is added, there is no such resource any
    /// more.
    pub(super) fn insert(&self, member: &Member) -> Result<(), CommitError> {
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO group_member(tenant_id, group_id, set_no, member_id, mtype) \
                 SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS \
                 (SELECT 1 FROM resource WHERE tenant_id = ?1 AND rtype = ?5 AND id = ?4) \
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                self.tenant.0,
                self.group,
                self.number,
                member.id,
                self.names.number(&member.resource_type)?,
            ])?;
        if added == 0 { Err(CommitError::MemberMoved) } else { Ok(()) }
    }

    /// Takes a member out of it.
    pub(super) fn remove(&self, member: &Member) -> driver::Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3 AND member_id = ?4",
            )?
            .execute(params![self.tenant.0, self.group, self.number, member.id])
            .map(drop)
    }
}

/// Gives a group a set to be filled, which nobody sees; its number.
pub(super) fn begin(connection: &Connection, tenant: TenantId, group: ResourceId, node: Uuid) -> driver::Result<i64> {
    connection
        .prepare_cached(concat!(
            "INSERT INTO member_set_hidden(tenant_id, group_id, set_no, filling, node) \
             SELECT ?1, ?2, 1 + max(n), 1, ?3 FROM (SELECT ",
            live_set!(),
            " AS n UNION ALL SELECT set_no FROM member_set_hidden WHERE tenant_id = ?1 AND group_id = ?2) AS known \
             RETURNING set_no",
        ))?
        .query_row(params![tenant.0, group, node], |row| row.get(0))
}

/// Gives up a set that was being filled.
pub(super) fn abandon(connection: &Connection, tenant: TenantId, group: ResourceId, number: i64) -> driver::Result<()> {
    connection
        .prepare_cached(
            "UPDATE member_set_hidden SET filling = 0 WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3",
        )?
        .execute(params![tenant.0, group, number])?;
    Ok(())
}

/// Gives up what was being filled when the program ended.
pub(super) fn abandon_all(connection: &Connection) -> driver::Result<()> {
    connection.execute("UPDATE member_set_hidden SET filling = 0 WHERE filling = 1", params![]).map(drop)
}

/// Makes a filled set the live one; the one before is to be swept. `false` if a row of it is missing: a member has been
/// deleted since it was filled.
pub(super) fn swap(
    connection: &Connection,
    tenant: TenantId,
    group: ResourceId,
    filled: FilledSet,
) -> driver::Result<bool> {
    let (key, number) = (group, filled.number);
    let rows: i64 = connection
        .prepare_cached("SELECT count(*) FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3")?
        .query_row(params![tenant.0, key, number], |row| row.get(0))?;
    if u64::try_from(rows) != Ok(filled.rows) {
        return Ok(false);
    }
    hide_live(connection, tenant, group)?;
    connection
        .prepare_cached("DELETE FROM member_set_hidden WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3")?
        .execute(params![tenant.0, key, number])?;
    set_live(connection, tenant, group, number)?;
    Ok(true)
}

/// Takes the members of a group that is gone: at once if they are few, else they are hidden and swept.
pub(super) fn delete(connection: &Connection, tenant: TenantId, group: ResourceId) -> driver::Result<()> {
    let key = group;
    let rows: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 LIMIT ?3) AS few",
        )?
        .query_row(params![tenant.0, key, DELETED_AT_ONCE + 1], |row| row.get(0))?;
    if rows > DELETED_AT_ONCE {
        hide_live(connection, tenant, group)?;
        return set_live(connection, tenant, group, -1);
    }
    for sql in [
        "DELETE FROM group_member WHERE tenant_id = ?1 AND group_id = ?2",
        "DELETE FROM member_set WHERE tenant_id = ?1 AND group_id = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![tenant.0, key])?;
    }
    Ok(())
}

/// Takes a member that is deleted out of every set, seen or not. Row by row: to delete by the member alone, SQLite goes
/// through every membership of the tenant, though it would find these by an index.
pub(super) fn leave_all(connection: &Connection, tenant: TenantId, member: ResourceId) -> driver::Result<()> {
    let sets = connection
        .prepare_cached("SELECT group_id, set_no FROM group_member WHERE tenant_id = ?1 AND member_id = ?2")?
        .query_map(params![tenant.0, member], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(Uuid, i64)>, _>>()?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3 AND member_id = ?4",
    )?;
    for (group, number) in sets {
        delete.execute(params![tenant.0, group, number, member])?;
    }
    Ok(())
}

fn hide_live(connection: &Connection, tenant: TenantId, group: ResourceId) -> driver::Result<()> {
    connection
        .prepare_cached(concat!(
            "INSERT INTO member_set_hidden(tenant_id, group_id, set_no, filling) SELECT ?1, ?2, ",
            live_set!(),
            ", 0",
        ))?
        .execute(params![tenant.0, group])
        .map(drop)
}

fn set_live(connection: &Connection, tenant: TenantId, group: ResourceId, number: i64) -> driver::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO member_set(tenant_id, group_id, live) VALUES (?1, ?2, ?3) \
             ON CONFLICT(tenant_id, group_id) DO UPDATE SET live = excluded.live",
        )?
        .execute(params![tenant.0, group, number])
        .map(drop)
}

/// A hidden set with rows to be swept.
struct Swept {
    tenant: i64,
    group: Uuid,
    number: i64,
}

/// Deletes some of the rows that nobody sees, in the open transaction; whether there were any.
pub(super) fn sweep(connection: &Connection) -> driver::Result<bool> {
    let Some(Swept { tenant, group, number }) = next_to_sweep(connection)? else { return Ok(false) };
    let deleted = connection
        .prepare_cached(
            "DELETE FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3 AND member_id IN \
             (SELECT member_id FROM group_member WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3 \
              ORDER BY member_id LIMIT ?4)",
        )?
        .execute(params![tenant, group, number, integer(SWEPT_AT_ONCE)])?;
    if deleted < SWEPT_AT_ONCE {
        connection
            .prepare_cached("DELETE FROM member_set_hidden WHERE tenant_id = ?1 AND group_id = ?2 AND set_no = ?3")?
            .execute(params![tenant, group, number])?;
        connection
            .prepare_cached(
                "DELETE FROM member_set WHERE tenant_id = ?1 AND group_id = ?2 AND live = -1 AND NOT EXISTS \
                 (SELECT 1 FROM member_set_hidden WHERE tenant_id = ?1 AND group_id = ?2)",
            )?
            .execute(params![tenant, group])?;
    }
    Ok(true)
}

/// Whether there is anything to sweep; to be asked outside of a transaction.
pub(super) fn is_swept(connection: &Connection) -> driver::Result<bool> {
    next_to_sweep(connection).map(|next| next.is_none())
}

fn next_to_sweep(connection: &Connection) -> driver::Result<Option<Swept>> {
    connection
        .prepare_cached("SELECT tenant_id, group_id, set_no FROM member_set_hidden WHERE filling = 0 LIMIT 1")?
        .query_row(params![], |row| Ok(Swept { tenant: row.get(0)?, group: row.get(1)?, number: row.get(2)? }))
        .optional()
}

#[cfg(test)]
mod tests;
