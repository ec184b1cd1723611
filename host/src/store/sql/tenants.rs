//! Tenants, and the end of one.

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;

use super::nodes;
use super::row::{optional_unsigned, timestamp, word};
use crate::decision::TenantId;
use crate::scim::profile::Profile;
use crate::store::{StoreError, Tenant, TenantChange};

/// Rows deleted in one transaction when a tenant goes. At about 10 µs a row with its indexes that holds the writer for
/// some 20 ms, so that other tenants' writes pass in between.
const PURGE_ROWS: i64 = 2_000;

/// Every table that has rows of a tenant, but for `tenant` itself.
const TABLES: [&str; 24] = [
    "token",
    "definitions",
    "secret",
    "resource_key",
    "resource_attr",
    "resource_count",
    "group_member",
    "member_set",
    "member_set_hidden",
    "resource",
    "decision",
    "async_request",
    "activation",
    "waiver",
    "plugin_version",
    "component_signature",
    "signing_key",
    "signing_policy",
    "table_revision",
    "table_staged",
    "table_contents_hidden",
    "table_row",
    "tenant_changed",
    "node_prepared",
];

const COLUMNS: &str = "tenant_id, name, generation, profile, respond_async, decisions_kept_days, created_at";

/// From [`COLUMNS`], of which the first is at `first`.
pub(super) fn from_columns(row: &Row<'_>, first: usize) -> driver::Result<Tenant> {
    Ok(Tenant {
        id: TenantId(row.get(first)?),
        name: row.get(first + 1)?,
        generation: row.get(first + 2)?,
        profile: word(row, first + 3, Profile::parse)?,
        respond_async: row.get(first + 4)?,
        decisions_kept_days: optional_unsigned(row, first + 5)?,
        created_at: timestamp(row, first + 6)?,
    })
}

fn from_row(row: &Row<'_>) -> driver::Result<Tenant> {
    from_columns(row, 0)
}

/// Those whose decisions are not kept for ever, by id.
pub(super) fn forgetful(connection: &Connection) -> Result<Vec<Tenant>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tenant WHERE decisions_kept_days IS NOT NULL AND name IS NOT NULL ORDER BY tenant_id"
    );
    Ok(connection.prepare_cached(&sql)?.query_map(params![], from_row)?.collect::<Result<_, _>>()?)
}

/// `None` if the name is taken.
pub(super) fn create(connection: &Connection, name: &str, at: Timestamp) -> Result<Option<Tenant>, StoreError> {
    let sql = format!(
        "INSERT INTO tenant(name, generation, created_at) VALUES (?1, 0, ?2) ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
    );
    let tenant = connection.prepare_cached(&sql)?.query_row(params![name, at.as_microsecond()], from_row).optional()?;
    Ok(tenant)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenant WHERE name IS NOT NULL ORDER BY name");
    let tenants = connection.prepare_cached(&sql)?.query_map(params![], from_row)?.collect::<Result<_, _>>()?;
    Ok(tenants)
}

pub(super) fn named(connection: &Connection, name: &str) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenant WHERE name = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row(params![name], from_row).optional()?)
}

/// The current generation; `None` if there is no such tenant, or it is being deleted.
pub(super) fn generation(connection: &Connection, tenant: TenantId) -> driver::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT generation FROM tenant WHERE tenant_id = ?1 AND name IS NOT NULL")?
        .query_row(params![tenant.0], |row| row.get(0))
        .optional()
}

/// An error unless the tenant is there.
pub(super) fn must_exist(connection: &Connection, tenant: TenantId) -> Result<(), StoreError> {
    generation(connection, tenant)?.map(|_| ()).ok_or(StoreError::NoTenant)
}

/// Sets what is to be set. A profile raises the generation: requests are read by it.
pub(super) fn change(connection: &Connection, tenant: TenantId, change: TenantChange) -> Result<Tenant, StoreError> {
    let sql = format!(
        "UPDATE tenant SET generation = generation + CASE WHEN CAST(?2 AS TEXT) IS NULL THEN 0 ELSE 1 END, profile = coalesce(?2, profile), \
         respond_async = coalesce(?3, respond_async), \
         decisions_kept_days = CASE WHEN ?4 = 0 THEN decisions_kept_days ELSE CAST(?5 AS BIGINT) END WHERE tenant_id = ?1 AND name IS NOT NULL RETURNING {COLUMNS}"
    );
    let profile = change.profile.map(Profile::as_str);
    let kept: Option<Option<i64>> = change.decisions_kept_days.map(|days| days.map(i64::from));
    let changed = connection
        .prepare_cached(&sql)?
        .query_row(params![tenant.0, profile, change.respond_async, kept.is_some(), kept.flatten()], from_row)
        .optional()?
        .ok_or(StoreError::NoTenant)?;
    if profile.is_some() {
        nodes::note_change(connection, tenant, changed.generation)?;
    }
    Ok(changed)
}

/// Raises the generation, which it returns: what was planned and judged before does not commit any more.
pub(super) fn raise_generation(connection: &Connection, tenant: TenantId) -> Result<i64, StoreError> {
    let generation = connection
        .prepare_cached(
            "UPDATE tenant SET generation = generation + 1 WHERE tenant_id = ?1 AND name IS NOT NULL RETURNING generation",
        )?
        .query_row(params![tenant.0], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NoTenant)?;
    nodes::note_change(connection, tenant, generation)?;
    Ok(generation)
}

/// For which clients the tenant is set up.
pub(super) fn profile(connection: &Connection, tenant: TenantId) -> Result<Profile, StoreError> {
    let mut statement = connection.prepare_cached("SELECT profile FROM tenant WHERE tenant_id = ?1")?;
    Ok(statement.query_row(params![tenant.0], |row| word(row, 0, Profile::parse))?)
}

/// Takes a tenant's name, so that nothing finds or writes it any more, and its tokens. The rest is for [`purge`].
pub(super) fn hide(connection: &Connection, name: &str) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<i64> = connection
        .prepare_cached("UPDATE tenant SET name = NULL WHERE name = ?1 RETURNING tenant_id")?
        .query_row(params![name], |row| row.get(0))
        .optional()?;
    if let Some(tenant) = tenant {
        connection.prepare_cached("DELETE FROM token WHERE tenant_id = ?1")?.execute(params![tenant])?;
    }
    Ok(tenant.map(TenantId))
}

/// Tenants whose deletion has begun and was cut off.
pub(super) fn hidden(connection: &Connection) -> Result<Vec<TenantId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT tenant_id FROM tenant WHERE name IS NULL")?;
    let tenants = statement.query_map(params![], |row| row.get(0).map(TenantId))?.collect::<Result<_, _>>()?;
    Ok(tenants)
}

/// Deletes some of what a hidden tenant has left; whether that was the last of it.
pub(super) fn purge(connection: &Connection, tenant: TenantId) -> Result<bool, StoreError> {
    for table in TABLES {
        if delete_some(connection, table, tenant)? > 0 {
            return Ok(false);
        }
    }
    connection.execute("DELETE FROM tenant WHERE tenant_id = ?1 AND name IS NULL", params![tenant.0])?;
    connection.execute(
        "DELETE FROM artifact WHERE NOT EXISTS (SELECT 1 FROM plugin_version v WHERE v.digest = artifact.digest)",
        params![],
    )?;
    Ok(true)
}

/// A number of rows is deleted by their key, and each table has another one.
fn delete_some(connection: &Connection, table: &str, tenant: TenantId) -> driver::Result<usize> {
    let key = match table {
        "token" => "token_hash",
        "resource_key" => "rtype, attr, norm",
        "resource_attr" => "rtype, attr, norm, id",
        "resource_count" => "rtype, stripe",
        "secret" => "id, attr",
        "group_member" => "group_id, set_no, member_id",
        "member_set" => "group_id",
        "member_set_hidden" => "group_id, set_no",
        "activation" => "name, revision",
        "waiver" => "id",
        "plugin_version" => "plugin, version",
        "component_signature" => "digest, public_key",
        "signing_key" => "name",
        "node_prepared" => "node_id",
        "signing_policy" | "tenant_changed" => "tenant_id",
        "table_revision" => "name, revision",
        "table_staged" | "table_contents_hidden" => "name, contents",
        "table_row" => "name, contents, key",
        "definitions" => "tenant_id",
        "resource" => "rtype, id",
        "async_request" => "txn",
        // The decision log.
        _ => "id",
    };
    let sql = format!(
        "DELETE FROM {table} WHERE tenant_id = ?1 \
         AND ({key}) IN (SELECT {key} FROM {table} WHERE tenant_id = ?1 LIMIT {PURGE_ROWS})"
    );
    connection.prepare_cached(&sql)?.execute(params![tenant.0])
}
