//! Requests that were accepted, until they are finished, and what came of them.

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;

use uuid::Uuid;

use super::row::{integer, optional_timestamp, timestamp, uuid};
use super::tenants;
use crate::decision::{TenantId, Txn};
use crate::store::{AsyncRequest, Finish, NewAsyncRequest, Progress, StoreError};

const TOO_OLD: &str = "DELETE FROM async_request WHERE tenant_id = ?1 AND finished_at < ?2";

const TOO_MANY: &str = "DELETE FROM async_request WHERE tenant_id = ?1 AND txn IN (SELECT txn FROM async_request \
     WHERE tenant_id = ?1 AND finished_at IS NOT NULL ORDER BY finished_at DESC, txn DESC LIMIT 9223372036854775807 OFFSET ?2)";

pub(super) fn accept(
    connection: &Connection,
    tenant: TenantId,
    node: Uuid,
    new: &NewAsyncRequest,
) -> Result<(), StoreError> {
    tenants::must_exist(connection, tenant)?;
    connection
        .prepare_cached(
            "INSERT INTO async_request(tenant_id, txn, accepted_at, request, node) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![tenant.0, new.txn, new.accepted_at.as_microsecond(), new.request, node])?;
    Ok(())
}

pub(super) fn one(connection: &Connection, tenant: TenantId, txn: Txn) -> Result<Option<AsyncRequest>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT accepted_at, finished_at, coalesce(outcome, request) FROM async_request \
         WHERE tenant_id = ?1 AND txn = ?2",
    )?;
    Ok(statement.query_row(params![tenant.0, txn], from_row).optional()?)
}

fn from_row(row: &Row<'_>) -> driver::Result<AsyncRequest> {
    let text = row.get(2)?;
    let progress = match optional_timestamp(row, 1)? {
        Some(at) => Progress::Finished { at, outcome: text },
        None => Progress::Unfinished { request: text },
    };
    Ok(AsyncRequest { accepted_at: timestamp(row, 0)?, progress })
}

/// Of every tenant that is not being deleted: those that the node has accepted.
pub(super) fn unfinished(connection: &Connection, node: Uuid) -> Result<Vec<(TenantId, Txn)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.tenant_id, a.txn FROM async_request a JOIN tenant t ON t.tenant_id = a.tenant_id \
         WHERE a.finished_at IS NULL AND t.name IS NOT NULL AND (a.node = ?1 OR a.node IS NULL) ORDER BY a.txn",
    )?;
    let found = statement.query_map(params![node], |row| Ok((TenantId(row.get(0)?), Txn(uuid(row, 1)?))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The request's own text is not needed any more, and may be long.
pub(super) fn finish(connection: &Connection, tenant: TenantId, finish: &Finish) -> Result<(), StoreError> {
    tenants::must_exist(connection, tenant)?;
    connection
        .prepare_cached(
            "UPDATE async_request SET finished_at = ?3, outcome = ?4, request = NULL \
             WHERE tenant_id = ?1 AND txn = ?2 AND finished_at IS NULL",
        )?
        .execute(params![tenant.0, finish.txn, finish.at.as_microsecond(), finish.outcome])?;
    forget(connection, tenant, finish.kept_since, finish.kept_max)
}

/// Drops outcomes that are too old, and the oldest of those that are too many.
fn forget(connection: &Connection, tenant: TenantId, since: Timestamp, most: usize) -> Result<(), StoreError> {
    connection.prepare_cached(TOO_OLD)?.execute(params![tenant.0, since.as_microsecond()])?;
    connection.prepare_cached(TOO_MANY)?.execute(params![tenant.0, integer(most)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::tests::{explain, in_memory};

    #[test]
    fn old_outcomes_are_found_by_an_index_in_the_order_of_time() {
        let (connection, _) = in_memory();
        for sql in [TOO_OLD, TOO_MANY] {
            let plan = explain(&connection, sql);
            assert!(plan.contains("async_request_finished") && !plan.contains("TEMP"), "{sql}: {plan}");
        }
    }
}
