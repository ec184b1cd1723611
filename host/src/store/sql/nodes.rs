//! Nodes, and which of them are prepared for what has changed.
//!
//! A change of a tenant leaves one row in `tenant_changed`, in its own transaction ([`note_change`]). A node looks for those
//! rows that it has not answered by one in `node_prepared`. So it matters neither how many tenants there are, nor in which
//! order changes come to be seen: one that is committed late is unanswered then. When every node that lives has answered,
//! both kinds of rows go ([`tidy`]).
//!
//! No write of a resource touches these tables.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::driver::{self, Connection, OptionalExtension, Row, params};
use super::row::{integer, timestamp};
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::node::{Active, LiveNode, NewNode};

/// The channel on which nodes of PostgreSQL are told that there is something to look for.
pub(super) const CHANNEL: &str = "scruple_changed";

/// How long after its last sign a node is taken for dead, in microseconds: five signs.
const DEAD_AFTER: i64 = 5_000_000;

/// How long after its last sign what a node was filling is given up, in microseconds. It may only have been slow; then it has
/// to begin anew.
const FORGOTTEN_AFTER: i64 = 60_000_000;

/// The time by the database's clock, in microseconds, in SQL.
fn now(connection: &Connection) -> &'static str {
    match connection {
        Connection::Sqlite(_) => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        Connection::Postgres(_) => "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)",
    }
}

/// The same as an answer.
pub(super) fn now_by(connection: &Connection) -> Result<Timestamp, StoreError> {
    let sql = format!("SELECT {}", now(connection));
    Ok(connection.query_row(&sql, params![], |row| timestamp(row, 0))?)
}

/// Whether the node `n` lives, in SQL. A file has one node, which holds the folder as long as it does; it gives no signs.
fn lives(connection: &Connection) -> String {
    match connection {
        Connection::Sqlite(_) => "1 = 1".to_owned(),
        Connection::Postgres(_) => format!("n.seen_at > {} - {DEAD_AFTER}", now(connection)),
    }
}

/// Enters a node that begins, without what it has left behind when it ended last.
pub(super) fn enlist(connection: &Connection, node: &NewNode) -> Result<(), StoreError> {
    strike(connection, node.id)?;
    if let Connection::Sqlite(_) = connection {
        // Nobody else was there, and nobody waits any more.
        for table in ["node", "node_prepared", "tenant_changed"] {
            connection.execute(&format!("DELETE FROM {table}"), params![])?;
        }
    }
    for table in ["member_set_hidden", "table_contents_hidden"] {
        let sql = format!("UPDATE {table} SET filling = 0 WHERE filling = 1 AND node = ?1");
        connection.execute(&sql, params![node.id])?;
    }
    beat(connection, node, SignedDuration::ZERO).map(drop)
}

/// Takes a node off the list.
pub(super) fn strike(connection: &Connection, node: Uuid) -> Result<(), StoreError> {
    connection.execute("DELETE FROM node WHERE id = ?1", params![node])?;
    connection.execute("DELETE FROM node_prepared WHERE node_id = ?1", params![node])?;
    Ok(())
}

/// Notes that a node is there, and when.
pub(super) fn beat(
    connection: &Connection,
    node: &NewNode,
    clock_ahead: SignedDuration,
) -> Result<Timestamp, StoreError> {
    let now = now(connection);
    let sql = format!(
        "INSERT INTO node(id, host, listen, version, started_at, seen_at, clock_ahead) \
         VALUES (?1, ?2, ?3, ?4, {now}, {now}, ?5) \
         ON CONFLICT(id) DO UPDATE SET seen_at = excluded.seen_at, clock_ahead = excluded.clock_ahead RETURNING seen_at"
    );
    let ahead = i64::try_from(clock_ahead.as_micros()).unwrap_or(i64::MAX);
    let values = params![node.id, node.host, node.listen, node.version, ahead];
    Ok(connection.prepare_cached(&sql)?.query_row(values, |row| timestamp(row, 0))?)
}

const COLUMNS: &str = "id, host, listen, version, started_at, clock_ahead";

fn from_row(row: &Row<'_>) -> driver::Result<LiveNode> {
    Ok(LiveNode {
        node: NewNode { id: row.get(0)?, host: row.get(1)?, listen: row.get(2)?, version: row.get(3)? },
        started_at: timestamp(row, 4)?,
        clock_ahead: SignedDuration::from_micros(row.get(5)?),
        seen_at: timestamp(row, 6)?,
    })
}

/// The nodes that live, the oldest first.
pub(super) fn live(connection: &Connection) -> Result<Vec<LiveNode>, StoreError> {
    let seen_at = match connection {
        // Whoever is asked is there.
        Connection::Sqlite(_) => now(connection),
        Connection::Postgres(_) => "seen_at",
    };
    let sql = format!("SELECT {COLUMNS}, {seen_at} FROM node n WHERE {} ORDER BY started_at, id", lives(connection));
    Ok(connection.prepare_cached(&sql)?.query_map(params![], from_row)?.collect::<Result<_, _>>()?)
}

/// The node of an id, whether it lives or not.
pub(super) fn known(connection: &Connection, id: Uuid) -> Result<Option<LiveNode>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, seen_at FROM node WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row(params![id], from_row).optional()?)
}

/// Notes, in the transaction that makes it so, that a tenant has come to a generation.
pub(super) fn note_change(connection: &Connection, tenant: TenantId, generation: i64) -> driver::Result<()> {
    connection.execute(
        "INSERT INTO tenant_changed(tenant_id, generation) VALUES (?1, ?2) \
         ON CONFLICT(tenant_id) DO UPDATE SET generation = excluded.generation",
        params![tenant, generation],
    )?;
    if let Connection::Postgres(_) = connection {
        // At the commit, whoever else notifies waits: that is for such changes, and not for resources.
        connection.execute_batch(&format!("NOTIFY {CHANNEL}"))?;
    }
    Ok(())
}

/// What the node has not answered.
pub(super) fn unprepared(connection: &Connection, node: Uuid, most: usize) -> Result<Vec<(TenantId, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.tenant_id, c.generation FROM tenant_changed c WHERE NOT EXISTS (SELECT 1 FROM node_prepared p \
         WHERE p.tenant_id = c.tenant_id AND p.node_id = ?1 AND p.generation >= c.generation) LIMIT ?2",
    )?;
    let found =
        statement.query_map(params![node, integer(most)], |row| Ok((TenantId(row.get(0)?), row.get::<i64>(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Notes the node's answer, if there is still somebody who wants it.
pub(super) fn prepared(
    connection: &Connection,
    node: Uuid,
    (tenant, generation): (TenantId, i64),
    failed: bool,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO node_prepared(tenant_id, node_id, generation, failed) SELECT ?1, ?2, ?3, ?4 \
         WHERE EXISTS (SELECT 1 FROM tenant_changed WHERE tenant_id = ?1) \
         ON CONFLICT(tenant_id, node_id) DO UPDATE SET generation = excluded.generation, failed = excluded.failed \
         WHERE node_prepared.generation <= excluded.generation",
        params![tenant, node, generation, failed],
    )?;
    tidy(connection, Some(tenant))
}

/// Drops what every node that lives has answered; of one tenant, or of all.
pub(super) fn tidy(connection: &Connection, tenant: Option<TenantId>) -> Result<(), StoreError> {
    let lives = lives(connection);
    let answered = format!(
        "DELETE FROM tenant_changed WHERE (CAST(?1 AS BIGINT) IS NULL OR tenant_id = ?1) AND NOT EXISTS (SELECT 1 FROM node n \
         WHERE {lives} AND NOT EXISTS (SELECT 1 FROM node_prepared p WHERE p.tenant_id = tenant_changed.tenant_id \
         AND p.node_id = n.id AND p.generation >= tenant_changed.generation AND p.failed = 0))"
    );
    connection.execute(&answered, params![tenant])?;
    let answers = "DELETE FROM node_prepared WHERE (CAST(?1 AS BIGINT) IS NULL OR tenant_id = ?1) \
                   AND NOT EXISTS (SELECT 1 FROM tenant_changed c WHERE c.tenant_id = node_prepared.tenant_id)";
    connection.execute(answers, params![tenant])?;
    Ok(())
}

/// Drops what nodes have left that have not been seen for long. What they were filling is swept like anything that nobody sees.
pub(super) fn forget_dead(connection: &Connection) -> Result<(), StoreError> {
    let now = now(connection);
    connection.execute(&format!("DELETE FROM node WHERE seen_at < {now} - {FORGOTTEN_AFTER}"), params![])?;
    connection.execute("DELETE FROM node_prepared WHERE node_id NOT IN (SELECT id FROM node)", params![])?;
    for table in ["member_set_hidden", "table_contents_hidden"] {
        let sql = format!(
            "UPDATE {table} SET filling = 0 WHERE filling = 1 AND node IS NOT NULL AND node NOT IN (SELECT id FROM node)"
        );
        connection.execute(&sql, params![])?;
    }
    tidy(connection, None)
}

/// On how many nodes the tenant's generation is active. What no row speaks of has been answered by all.
pub(super) fn active(connection: &Connection, tenant: TenantId) -> Result<Active, StoreError> {
    let sql = format!(
        "SELECT count(*), \
         coalesce(sum(CASE WHEN c.generation IS NULL OR p.generation >= c.generation AND p.failed = 0 THEN 1 ELSE 0 END), 0), \
         coalesce(sum(CASE WHEN p.generation >= c.generation AND p.failed = 1 THEN 1 ELSE 0 END), 0) \
         FROM node n LEFT JOIN tenant_changed c ON c.tenant_id = ?1 \
         LEFT JOIN node_prepared p ON p.tenant_id = ?1 AND p.node_id = n.id WHERE {}",
        lives(connection)
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![tenant], |row| Ok(Active { of: row.get(0)?, nodes: row.get(1)?, failed: row.get(2)? }))?;
    Ok(found)
}
