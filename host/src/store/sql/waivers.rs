//! Waivers. A row stays: its end is written into it.

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;
use uuid::Uuid;

use super::row::{damaged, integer, optional_id, optional_timestamp, timestamp, unsigned, uuid};
use super::tenants;
use crate::decision::{ConstraintName, DecisionId, TenantId, WaiverId};
use crate::store::{NewWaiver, StoreError, StoredWaiver, WaiverTarget, WaiverWords};

const COLUMNS: &str = "id, constraint_name, code, resource_id, resource_type, filter, expires_at, ticket, made_by, made_at, \
                       revoked_by, revoked_at, uses, used_at, used_in";

fn from_row(row: &Row<'_>) -> driver::Result<StoredWaiver> {
    let target = match (optional_id(row, 3)?, row.get(4)?, row.get(5)?) {
        (Some(resource), ..) => WaiverTarget::Resource(resource),
        (None, Some(resource_type), Some(filter)) => WaiverTarget::Matching { resource_type, filter },
        _ => return Err(damaged(3, "a waiver for nobody")),
    };
    let words = WaiverWords {
        constraint: ConstraintName(row.get(1)?),
        code: row.get(2)?,
        target,
        until: timestamp(row, 6)?,
        ticket: row.get(7)?,
    };
    let made = NewWaiver { id: WaiverId(uuid(row, 0)?), words, by: row.get(8)?, at: timestamp(row, 9)? };
    let revoked_by: Option<String> = row.get(10)?;
    let used_in: Option<Uuid> = row.get(14)?;
    Ok(StoredWaiver {
        made,
        revoked: revoked_by.zip(optional_timestamp(row, 11)?),
        uses: unsigned(row, 12)?,
        last_use: optional_timestamp(row, 13)?.zip(used_in.map(DecisionId)),
    })
}

/// Adds one and raises the generation: what is judged without it does not commit any more.
pub(super) fn add(connection: &Connection, tenant: TenantId, waiver: &NewWaiver) -> Result<StoredWaiver, StoreError> {
    tenants::raise_generation(connection, tenant)?;
    add_in(connection, tenant, waiver)
}

/// Adds one in a generation that somebody else has raised.
pub(super) fn add_in(
    connection: &Connection,
    tenant: TenantId,
    waiver: &NewWaiver,
) -> Result<StoredWaiver, StoreError> {
    let NewWaiver { id, words, by, at } = waiver;
    let (resource, matching) = match &words.target {
        WaiverTarget::Resource(id) => (Some(*id), None),
        WaiverTarget::Matching { resource_type, filter } => (None, Some((resource_type, filter))),
    };
    let sql = format!(
        "INSERT INTO waiver(tenant_id, {COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, NULL, 0, NULL, NULL) RETURNING {COLUMNS}"
    );
    let added = connection.prepare_cached(&sql)?.query_row(
        params![
            tenant.0,
            id,
            words.constraint.0,
            words.code,
            resource,
            matching.map(|(resource_type, _)| resource_type),
            matching.map(|(_, filter)| filter),
            words.until.as_microsecond(),
            words.ticket,
            by,
            at.as_microsecond(),
        ],
        from_row,
    )?;
    Ok(added)
}

/// Those that were not taken back and end after a time, oldest first.
pub(super) fn in_force(
    connection: &Connection,
    tenant: TenantId,
    at: Timestamp,
) -> Result<Vec<StoredWaiver>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM waiver WHERE tenant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 ORDER BY id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let waivers = statement.query_map(params![tenant.0, at.as_microsecond()], from_row)?.collect::<Result<_, _>>()?;
    Ok(waivers)
}

/// Those that were to end at one of these times, whatever has become of them, oldest first. There is no index of ends: this
/// is asked when a file names waivers of the past, and looks at all that the tenant ever had.
pub(super) fn ending_at(
    connection: &Connection,
    tenant: TenantId,
    ends: &[Timestamp],
) -> Result<Vec<StoredWaiver>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM waiver WHERE tenant_id = ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![tenant.0])?;
    let mut found = Vec::new();
    while let Some(row) = &rows.next()? {
        if ends.contains(&timestamp(row, 6)?) {
            found.push(from_row(row)?);
        }
    }
    Ok(found)
}

/// The newest, whether they are in force or not.
pub(super) fn newest(connection: &Connection, tenant: TenantId, most: usize) -> Result<Vec<StoredWaiver>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM waiver WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let waivers = statement.query_map(params![tenant.0, integer(most)], from_row)?.collect::<Result<_, _>>()?;
    Ok(waivers)
}

/// Takes one back and raises the generation; `None` if there is none, or it was taken back before.
pub(super) fn revoke(
    connection: &Connection,
    tenant: TenantId,
    id: WaiverId,
    made: (&str, Timestamp),
) -> Result<Option<StoredWaiver>, StoreError> {
    let revoked = revoke_in(connection, tenant, id, made)?;
    if revoked.is_some() {
        tenants::raise_generation(connection, tenant)?;
    }
    Ok(revoked)
}

/// Takes one back in a generation that somebody else raises.
pub(super) fn revoke_in(
    connection: &Connection,
    tenant: TenantId,
    id: WaiverId,
    (by, at): (&str, Timestamp),
) -> Result<Option<StoredWaiver>, StoreError> {
    let sql = format!(
        "UPDATE waiver SET revoked_by = ?3, revoked_at = ?4 WHERE tenant_id = ?1 AND id = ?2 AND revoked_at IS NULL \
         RETURNING {COLUMNS}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let revoked = statement.query_row(params![tenant.0, id, by, at.as_microsecond()], from_row).optional()?;
    Ok(revoked)
}

/// Counts what was committed by a waiver.
pub(super) fn count_use(
    connection: &Connection,
    tenant: TenantId,
    id: WaiverId,
    (decision, at): (DecisionId, Timestamp),
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE waiver SET uses = uses + 1, used_at = ?3, used_in = ?4 WHERE tenant_id = ?1 AND id = ?2",
        )?
        .execute(params![tenant.0, id, at.as_microsecond(), decision])?;
    Ok(())
}
