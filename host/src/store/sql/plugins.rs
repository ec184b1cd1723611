//! Plugin versions and their components.

use super::driver::{self, Connection, OptionalExtension, Row, params};

use super::row::{json, timestamp, unsigned};
use super::{signing, tenants};
use crate::decision::TenantId;
use crate::store::{AddVersionError, NewVersion, PluginVersion, StoreError, StoredComponent};

const COLUMNS: &str = "plugin, version, digest, size, world, descriptor, tag, created_at";

fn from_row(row: &Row<'_>) -> driver::Result<PluginVersion> {
    Ok(PluginVersion {
        plugin: row.get(0)?,
        version: row.get(1)?,
        digest: row.get(2)?,
        size: unsigned(row, 3)?,
        world: row.get(4)?,
        descriptor: json(row, 5)?,
        tag: row.get(6)?,
        created_at: timestamp(row, 7)?,
    })
}

/// The component with that digest, of whichever tenant.
pub(super) fn component(connection: &Connection, digest: &str) -> Result<Option<StoredComponent>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT size, bytes FROM artifact WHERE digest = ?1")?;
    let found = statement.query_row(params![digest], |row| {
        let bytes: Vec<u8> = row.get(1)?;
        Ok(match bytes.is_empty() {
            true => StoredComponent::InBucket { size: unsigned(row, 0)? },
            false => StoredComponent::Here(bytes),
        })
    });
    Ok(found.optional()?)
}

/// The same digest again gives the version it has, and `false`; its signatures are kept all the same. The policy that holds
/// now decides whose it needs, whatever was seen before it was compiled.
pub(super) fn add(
    connection: &Connection,
    tenant: TenantId,
    new: &NewVersion,
) -> Result<(PluginVersion, bool), AddVersionError> {
    tenants::must_exist(connection, tenant)?;
    if !new.signatures.is_empty() {
        let known = signing::state(connection, tenant)?;
        for signature in &new.signatures {
            let key = known.key(signature.key).ok_or(AddVersionError::UnknownKey(signature.key))?;
            signing::keep(connection, tenant, &new.digest, &key.made.key, signature)?;
        }
    }
    if let Some(unsigned) = signing::lacking(connection, tenant, &new.digest)? {
        return Err(unsigned.into());
    }
    Ok(insert(connection, tenant, new)?)
}

fn insert(connection: &Connection, tenant: TenantId, new: &NewVersion) -> Result<(PluginVersion, bool), StoreError> {
    let size = i64::try_from(new.component.size()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            // The first that brings the bytes of what was in a bucket has them here again.
            "INSERT INTO artifact(digest, size, bytes) VALUES (?1, ?2, ?3) ON CONFLICT(digest) DO UPDATE \
             SET bytes = excluded.bytes WHERE length(artifact.bytes) = 0 AND length(excluded.bytes) > 0",
        )?
        .execute(params![new.digest, size, new.component.bytes()])?;
    if let Some(version) = with_digest(connection, tenant, &new.plugin, &new.digest)? {
        return Ok((version, false));
    }
    let sql = format!(
        "INSERT INTO plugin_version(tenant_id, {COLUMNS}) \
         SELECT ?1, ?2, 1 + coalesce(max(version), 0), ?3, ?4, ?5, ?6, ?7, ?8 \
         FROM plugin_version WHERE tenant_id = ?1 AND plugin = ?2 RETURNING {COLUMNS}"
    );
    let version = connection.prepare_cached(&sql)?.query_row(
        params![
            tenant.0,
            new.plugin,
            new.digest,
            size,
            new.world,
            new.descriptor.to_string(),
            new.tag,
            new.created_at.as_microsecond(),
        ],
        from_row,
    )?;
    Ok((version, true))
}

fn with_digest(
    connection: &Connection,
    tenant: TenantId,
    plugin: &str,
    digest: &str,
) -> Result<Option<PluginVersion>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plugin_version WHERE tenant_id = ?1 AND plugin = ?2 AND digest = ?3");
    Ok(connection.prepare_cached(&sql)?.query_row(params![tenant.0, plugin, digest], from_row).optional()?)
}

/// Every version, of every plugin or of one, by plugin and number.
pub(super) fn all(
    connection: &Connection,
    tenant: TenantId,
    plugin: Option<&str>,
) -> Result<Vec<PluginVersion>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM plugin_version WHERE tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR plugin = ?2) \
         ORDER BY plugin, version"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let versions = statement.query_map(params![tenant.0, plugin], from_row)?.collect::<Result<_, _>>()?;
    Ok(versions)
}
