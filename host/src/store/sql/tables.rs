//! Tables: every state each has had, the look of a constraint, and how contents that nobody sees any more go.
//!
//! Contents are written once, in transactions of their own ([`super::table_upload`]), and seen from the transaction on that adds
//! a revision with their number. Those of no revision any more are hidden, and swept by the writer between other work.

use std::collections::BTreeSet;

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;
use uuid::Uuid;

use super::row::{integer, timestamp, unsigned};
use super::tenants;
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::table::{FoundRow, TableChangeError, TableRevision, TableState, TablesKept};

const COLUMNS: &str = "name, revision, generation, made_by, made_at, contents, digest, row_count, bytes, columns";

/// Rows swept in one transaction: some 10 ms of the writer, for which whoever comes meanwhile waits.
const SWEPT_AT_ONCE: usize = 1_000;

fn from_row(row: &Row<'_>) -> driver::Result<TableRevision> {
    let contents: Option<i64> = row.get(5)?;
    Ok(TableRevision {
        name: row.get(0)?,
        revision: row.get(1)?,
        generation: row.get(2)?,
        by: row.get(3)?,
        at: timestamp(row, 4)?,
        state: contents.map(|contents| state_from_row(row, contents)).transpose()?,
    })
}

fn state_from_row(row: &Row<'_>, contents: i64) -> driver::Result<TableState> {
    let columns: Option<String> = row.get(9)?;
    Ok(TableState {
        contents,
        digest: row.get(6)?,
        rows: unsigned(row, 7)?,
        bytes: unsigned(row, 8)?,
        // How a table is shown as CSV is no matter of life and death.
        columns: columns.and_then(|columns| serde_json::from_str(&columns).ok()),
    })
}

/// The state of each table that is the last one, removals included, by name.
fn last_of_each(connection: &Connection, tenant: TenantId) -> Result<Vec<TableRevision>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM table_revision a WHERE tenant_id = ?1 AND revision = \
         (SELECT max(revision) FROM table_revision b WHERE b.tenant_id = a.tenant_id AND b.name = a.name) ORDER BY name"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let tables = statement.query_map(params![tenant.0], from_row)?.collect::<Result<_, _>>()?;
    Ok(tables)
}

/// The tables that there are.
pub(super) fn all(connection: &Connection, tenant: TenantId) -> Result<Vec<TableRevision>, StoreError> {
    let mut tables = last_of_each(connection, tenant)?;
    tables.retain(|table| table.state.is_some());
    Ok(tables)
}

/// Every state of a table that is kept, newest first.
pub(super) fn history(connection: &Connection, tenant: TenantId, name: &str) -> Result<Vec<TableRevision>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM table_revision WHERE tenant_id = ?1 AND name = ?2 ORDER BY revision DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let states = statement.query_map(params![tenant.0, name], from_row)?.collect::<Result<_, _>>()?;
    Ok(states)
}

/// The last state of a table.
pub(super) fn last(connection: &Connection, tenant: TenantId, name: &str) -> Result<Option<TableRevision>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM table_revision WHERE tenant_id = ?1 AND name = ?2 ORDER BY revision DESC LIMIT 1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row(params![tenant.0, name], from_row).optional()?)
}

/// What a table in force leads to; `None` if there is no such table.
pub(super) fn look(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    key: &str,
) -> Result<Option<FoundRow>, StoreError> {
    let found: Option<(u32, Option<i64>)> = connection
        .prepare_cached(
            "SELECT revision, contents FROM table_revision WHERE tenant_id = ?1 AND name = ?2 \
             ORDER BY revision DESC LIMIT 1",
        )?
        .query_row(params![tenant.0, name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((revision, Some(contents))) = found else { return Ok(None) };
    let row = connection
        .prepare_cached("SELECT body FROM table_row WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 AND key = ?4")?
        .query_row(params![tenant.0, name, contents, key], |row| row.get(0))
        .optional()?;
    Ok(Some(FoundRow { revision, row }))
}

/// Rows of a table in one of its states, by key, after one of them; `None` if that state is not kept any more.
pub(super) fn rows(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    revision: u32,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<Vec<(String, String)>>, StoreError> {
    let contents: Option<i64> = connection
        .prepare_cached("SELECT contents FROM table_revision WHERE tenant_id = ?1 AND name = ?2 AND revision = ?3")?
        .query_row(params![tenant.0, name, revision], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(contents) = contents else { return Ok(None) };
    // No key is empty.
    let mut statement = connection.prepare_cached(
        "SELECT key, body FROM table_row WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 AND key > ?4 \
         ORDER BY key LIMIT ?5",
    )?;
    let found = statement
        .query_map(params![tenant.0, name, contents, after.unwrap_or_default(), integer(limit)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(found))
}

/// Whether a table of this name may have a state; the table that makes room for it, if it is a new one and there is none.
pub(super) fn check_room(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    kept: TablesKept,
) -> Result<Option<String>, TableChangeError> {
    let tables = last_of_each(connection, tenant)?;
    if tables.len() < kept.tables_max || tables.iter().any(|table| table.name == name) {
        return Ok(None);
    }
    // Removed tables are kept as long as nobody needs their place; the one that was removed first goes first.
    let removed = tables.into_iter().filter(|table| table.state.is_none()).min_by_key(|table| table.generation);
    let forgotten = removed.ok_or(TableChangeError::TooMany { tables_max: kept.tables_max })?;
    Ok(Some(forgotten.name))
}

/// Adds a state, raises the generation, and drops what is not to be kept any more.
pub(super) fn add(
    connection: &Connection,
    tenant: TenantId,
    table: (&str, Option<&TableState>),
    made: (&str, Timestamp),
    kept: TablesKept,
) -> Result<TableRevision, TableChangeError> {
    let generation = tenants::raise_generation(connection, tenant)?;
    add_in(connection, tenant, table, made, generation, kept)
}

/// Adds a state that is in force from a generation on, which has begun in the open transaction, and drops what is not to be
/// kept any more.
pub(super) fn add_in(
    connection: &Connection,
    tenant: TenantId,
    (name, state): (&str, Option<&TableState>),
    (by, at): (&str, Timestamp),
    generation: i64,
    kept: TablesKept,
) -> Result<TableRevision, TableChangeError> {
    if let Some(forgotten) = check_room(connection, tenant, name, kept)? {
        drop_before(connection, tenant, &forgotten, i64::MAX)?;
    }
    let sql = format!(
        "INSERT INTO table_revision(tenant_id, {COLUMNS}) \
         SELECT ?1, ?2, 1 + coalesce(max(revision), 0), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 \
         FROM table_revision WHERE tenant_id = ?1 AND name = ?2 RETURNING {COLUMNS}"
    );
    let columns = state.and_then(|state| serde_json::to_string(state.columns.as_ref()?).ok());
    let added = connection.prepare_cached(&sql)?.query_row(
        params![
            tenant.0,
            name,
            generation,
            by,
            at.as_microsecond(),
            state.map(|state| state.contents),
            state.map(|state| &state.digest),
            state.map(|state| i64::try_from(state.rows).unwrap_or(i64::MAX)),
            state.map(|state| i64::try_from(state.bytes).unwrap_or(i64::MAX)),
            columns,
        ],
        from_row,
    )?;
    drop_before(connection, tenant, name, i64::from(added.revision).saturating_sub(integer(kept.revisions_max)))?;
    Ok(added)
}

/// Gives a table an earlier state, as a new one; `revision`, or the newest that differs from the present one.
pub(super) fn restore(
    connection: &Connection,
    tenant: TenantId,
    (name, revision): (&str, Option<u32>),
    made: (&str, Timestamp),
    kept: TablesKept,
) -> Result<TableRevision, TableChangeError> {
    let history = history(connection, tenant, name)?;
    let present = history.first().ok_or_else(|| TableChangeError::Unknown(name.to_owned()))?;
    let earlier = match revision {
        Some(revision) => history.iter().find(|earlier| earlier.revision == revision),
        None => history.iter().find(|earlier| earlier.state.is_some() && !earlier.is_like(present)),
    };
    // A removal is a revision too, but one goes back to a state and not to the lack of one.
    let state = earlier.and_then(|earlier| earlier.state.as_ref()).ok_or_else(|| {
        let revision = revision.unwrap_or(present.revision.saturating_sub(1));
        TableChangeError::UnknownRevision { name: name.to_owned(), revision }
    })?;
    add(connection, tenant, (name, Some(state)), made, kept)
}

/// Removes a table. Its earlier states stay, as long as they are kept.
pub(super) fn remove(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    made: (&str, Timestamp),
    kept: TablesKept,
) -> Result<TableRevision, TableChangeError> {
    must_be_there(connection, tenant, name)?;
    add(connection, tenant, (name, None), made, kept)
}

/// An error unless there is such a table.
pub(super) fn must_be_there(connection: &Connection, tenant: TenantId, name: &str) -> Result<(), TableChangeError> {
    match last(connection, tenant, name)? {
        Some(TableRevision { state: Some(_), .. }) => Ok(()),
        _ => Err(TableChangeError::Unknown(name.to_owned())),
    }
}

/// Drops the states of a table up to a revision, and hides contents that no other has.
fn drop_before(connection: &Connection, tenant: TenantId, name: &str, revision: i64) -> Result<(), StoreError> {
    let before = contents_of(connection, tenant, name)?;
    connection
        .prepare_cached("DELETE FROM table_revision WHERE tenant_id = ?1 AND name = ?2 AND revision <= ?3")?
        .execute(params![tenant.0, name, revision])?;
    for contents in before.difference(&contents_of(connection, tenant, name)?) {
        connection
            .prepare_cached(
                "INSERT INTO table_contents_hidden(tenant_id, name, contents, filling) VALUES (?1, ?2, ?3, 0)",
            )?
            .execute(params![tenant.0, name, contents])?;
    }
    Ok(())
}

fn contents_of(connection: &Connection, tenant: TenantId, name: &str) -> Result<BTreeSet<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT contents FROM table_revision WHERE tenant_id = ?1 AND name = ?2 AND contents IS NOT NULL",
    )?;
    let contents = statement.query_map(params![tenant.0, name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(contents)
}

/// Gives contents that are to be written a number. Nobody sees them.
pub(super) fn begin(connection: &Connection, tenant: TenantId, name: &str, node: Uuid) -> driver::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO table_contents_hidden(tenant_id, name, contents, filling, node) \
             SELECT ?1, ?2, 1 + coalesce(max(n), 0), 1, ?3 FROM ( \
             SELECT contents AS n FROM table_revision WHERE tenant_id = ?1 AND name = ?2 UNION ALL \
             SELECT contents FROM table_contents_hidden WHERE tenant_id = ?1 AND name = ?2) AS known \
             RETURNING contents",
        )?
        .query_row(params![tenant.0, name, node], |row| row.get(0))
}

/// Writes a row of contents that nobody sees yet.
pub(super) fn insert(
    connection: &Connection,
    tenant: TenantId,
    (name, contents): (&str, i64),
    (key, body): (&str, &str),
) -> driver::Result<()> {
    connection
        .prepare_cached("INSERT INTO table_row(tenant_id, name, contents, key, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![tenant.0, name, contents, key, body])
        .map(drop)
}

/// Contents that were written are hidden no more: from now on a revision has them.
pub(super) fn uncover(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> driver::Result<()> {
    connection
        .prepare_cached("DELETE FROM table_contents_hidden WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3")?
        .execute(params![tenant.0, name, contents])
        .map(drop)
}

/// The same for contents that were being written. Who was taken for dead meanwhile has lost some of them, maybe, and begins
/// anew.
pub(super) fn finish(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> Result<(), StoreError> {
    let finished = connection
        .prepare_cached(
            "DELETE FROM table_contents_hidden WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 AND filling = 1",
        )?
        .execute(params![tenant.0, name, contents])?;
    if finished == 1 { Ok(()) } else { Err(StoreError::Contended) }
}

/// Contents that are written stay hidden until a revision is to have them.
pub(super) fn stage(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> Result<(), StoreError> {
    let staged = connection
        .prepare_cached(
            "UPDATE table_contents_hidden SET filling = 2 WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 AND filling = 1",
        )?
        .execute(params![tenant.0, name, contents])?;
    if staged == 1 { Ok(()) } else { Err(StoreError::Contended) }
}

/// Gives up contents that were being written, or staged.
pub(super) fn abandon(connection: &Connection, tenant: TenantId, name: &str, contents: i64) -> driver::Result<()> {
    connection
        .prepare_cached(
            "UPDATE table_contents_hidden SET filling = 0 WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3",
        )?
        .execute(params![tenant.0, name, contents])
        .map(drop)
}

/// Gives up what was being written when the program ended.
pub(super) fn abandon_all(connection: &Connection) -> driver::Result<()> {
    connection.execute("UPDATE table_contents_hidden SET filling = 0 WHERE filling = 1", params![]).map(drop)
}

/// Deletes some of the rows that nobody sees, in the open transaction; whether there were any.
pub(super) fn sweep(connection: &Connection) -> driver::Result<bool> {
    let Some((tenant, name, contents)) = next_to_sweep(connection)? else { return Ok(false) };
    let deleted = connection
        .prepare_cached(
            "DELETE FROM table_row WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 AND key IN \
             (SELECT key FROM table_row WHERE tenant_id = ?1 AND name = ?2 AND contents = ?3 ORDER BY key LIMIT ?4)",
        )?
        .execute(params![tenant, name, contents, integer(SWEPT_AT_ONCE)])?;
    if deleted < SWEPT_AT_ONCE {
        uncover(connection, TenantId(tenant), &name, contents)?;
    }
    Ok(true)
}

/// Whether there is anything to sweep; to be asked outside of a transaction.
pub(super) fn is_swept(connection: &Connection) -> driver::Result<bool> {
    next_to_sweep(connection).map(|next| next.is_none())
}

fn next_to_sweep(connection: &Connection) -> driver::Result<Option<(i64, String, i64)>> {
    connection
        .prepare_cached("SELECT tenant_id, name, contents FROM table_contents_hidden WHERE filling = 0 LIMIT 1")?
        .query_row(params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

#[cfg(test)]
mod tests;
