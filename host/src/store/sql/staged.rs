//! Contents of tables that were sent ahead: written, found by their digest, and in nobody's sight until a revision has them.

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;

use super::row::{integer, unsigned};
use super::tables;
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::table::TableState;

const COLUMNS: &str = "contents, digest, row_count, bytes, columns";

fn from_row(row: &Row<'_>) -> driver::Result<TableState> {
    let columns: Option<String> = row.get(4)?;
    Ok(TableState {
        contents: row.get(0)?,
        digest: row.get(1)?,
        rows: unsigned(row, 2)?,
        bytes: unsigned(row, 3)?,
        columns: columns.and_then(|columns| serde_json::from_str(&columns).ok()),
    })
}

/// Contents of a table by their digest, in force or not: those of a revision that is kept, or staged ones.
pub(super) fn find(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    digest: &str,
) -> Result<Option<TableState>, StoreError> {
    let of_revision = format!(
        "SELECT {COLUMNS} FROM table_revision WHERE tenant_id = ?1 AND name = ?2 AND digest = ?3 \
         ORDER BY revision DESC LIMIT 1"
    );
    let staged = format!(
        "SELECT {COLUMNS} FROM table_staged WHERE tenant_id = ?1 AND name = ?2 AND digest = ?3 \
         ORDER BY contents DESC LIMIT 1"
    );
    for sql in [of_revision, staged] {
        let mut statement = connection.prepare_cached(&sql)?;
        if let Some(found) = statement.query_row(params![tenant.0, name, digest], from_row).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Stages contents whose rows are written. Of too many the oldest are given up.
pub(super) fn add(
    connection: &Connection,
    tenant: TenantId,
    (name, state): (&str, &TableState),
    at: Timestamp,
    staged_max: usize,
) -> Result<(), StoreError> {
    let columns = state.columns.as_ref().and_then(|columns| serde_json::to_string(columns).ok());
    let sql = format!(
        "INSERT INTO table_staged(tenant_id, name, {COLUMNS}, staged_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        tenant.0,
        name,
        state.contents,
        state.digest,
        i64::try_from(state.rows).unwrap_or(i64::MAX),
        i64::try_from(state.bytes).unwrap_or(i64::MAX),
        columns,
        at.as_microsecond(),
    ])?;
    tables::stage(connection, tenant, name, state.contents)?;
    let mut statement = connection.prepare_cached(
        "SELECT name, contents FROM table_staged WHERE tenant_id = ?1 \
         ORDER BY staged_at DESC, contents DESC LIMIT 9223372036854775807 OFFSET ?2",
    )?;
    let old = statement.query_map(params![tenant.0, integer(staged_max)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (name, contents) in old.collect::<Result<Vec<(String, i64)>, _>>()? {
        remove(connection, tenant, &name, contents)?;
        tables::abandon(connection, tenant, &name, contents)?;
    }
    Ok(())
}

/// Contents that a revision is to have are staged no more.
pub(super) fn take(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> driver::Result<()> {
    if remove(connection, tenant, name, contents)? > 0 {
        tables::uncover(connection, tenant, name, contents)?;
    }
    Ok(())
}

fn remove(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> driver::Result<usize> {
    connection
        .prepare_cached("DELETE FROM table_staged WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3")?
        .execute(params![tenant.0, name, contents])
}
