//! The decision log: written once, read newest first.

use super::driver::Value as Sql;
use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;
use uuid::Uuid;

use super::row::{integer, json, uuid};
use crate::decision::{DecisionId, Outcome, TenantId, Txn};
use crate::store::write_set::DecisionRow;
use crate::store::{DecisionPage, DecisionQuery, DecisionSpan, StoreError, StoredDecision};

/// Entries one call looks at. Passing over one that does not match reads no record and takes about 2 µs, so a call ends
/// within some 20 ms, whatever it looks for.
const LOOK_AT_MAX: usize = 10_000;

/// Entries one call returns at most: a record may have some 10 KB, so a page has at most a few MB.
const PAGE_MAX: usize = 500;

const OF_REQUEST: &str = "SELECT id, record FROM decision WHERE tenant_id = ?1 AND txn = ?2 ORDER BY id";

pub(super) fn insert(connection: &Connection, tenant: TenantId, row: &DecisionRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO decision(tenant_id, id, at, outcome, resource_id, constraints, record, txn) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            tenant.0,
            row.id,
            row.at.as_microsecond(),
            row.outcome.as_str(),
            row.resource,
            row.constraints,
            row.record,
            row.txn,
        ])?;
    Ok(())
}

pub(super) fn one(
    connection: &Connection,
    tenant: TenantId,
    id: DecisionId,
) -> Result<Option<StoredDecision>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, record FROM decision WHERE tenant_id = ?1 AND id = ?2")?;
    let decision = statement.query_row(params![tenant.0, id], stored).optional()?;
    Ok(decision)
}

/// Those of one accepted request, oldest first.
pub(super) fn of_request(
    connection: &Connection,
    tenant: TenantId,
    txn: Txn,
) -> Result<Vec<StoredDecision>, StoreError> {
    let mut statement = connection.prepare_cached(OF_REQUEST)?;
    let decisions = statement.query_map(params![tenant.0, txn], stored)?.collect::<Result<_, _>>()?;
    Ok(decisions)
}

/// The oldest of a span of time, oldest first.
pub(super) fn oldest(
    connection: &Connection,
    tenant: TenantId,
    span: DecisionSpan,
    most: usize,
) -> Result<Vec<StoredDecision>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, record FROM decision WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3 ORDER BY id LIMIT ?4",
    )?;
    let (first, bound) = ids_of(span);
    let decisions = statement.query_map(params![tenant.0, first, bound, integer(most)], stored)?;
    Ok(decisions.collect::<Result<_, _>>()?)
}

/// Drops the oldest of a span of time, and up to one of them, if one is named; how many those are. The span is said twice: where the
/// log has partitions, it is looked for in those of the span alone.
pub(super) fn drop_oldest(
    connection: &Connection,
    tenant: TenantId,
    (span, through): (DecisionSpan, Option<DecisionId>),
    most: usize,
) -> Result<usize, StoreError> {
    let (first, bound) = ids_of(span);
    let dropped = connection
        .prepare_cached(
            "DELETE FROM decision WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3 AND id IN \
             (SELECT id FROM decision WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3 AND id <= ?4 ORDER BY id LIMIT ?5)",
        )?
        .execute(params![tenant.0, first, bound, through.map_or(bound, |through| through.0), integer(most)])?;
    Ok(dropped)
}

/// The ids of a span of time: from the first on, below the second.
fn ids_of(span: DecisionSpan) -> (Uuid, Uuid) {
    (span.from.map_or(Uuid::nil(), first_id_of), first_id_of(span.before))
}

fn stored(row: &Row<'_>) -> driver::Result<StoredDecision> {
    Ok(StoredDecision { id: DecisionId(uuid(row, 0)?), record: json(row, 1)? })
}

/// Walks from `before` to older ones until the page is full, the log ends, or enough has been looked at.
pub(super) fn page(
    connection: &Connection,
    tenant: TenantId,
    query: &DecisionQuery,
) -> Result<DecisionPage, StoreError> {
    let limit = query.limit.clamp(1, PAGE_MAX);
    let (sql, values) = walk(tenant, query);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(&values)?;
    let mut decisions = Vec::new();
    let mut last = None;
    for _ in 0..LOOK_AT_MAX {
        let Some(row) = &rows.next()? else {
            return Ok(DecisionPage { decisions, next: None });
        };
        if decisions.len() == limit {
            return Ok(DecisionPage { decisions, next: last });
        }
        let id = DecisionId(uuid(row, 0)?);
        if is_wanted(row, query)? {
            decisions.extend(one(connection, tenant, id)?);
        }
        last = Some(id);
    }
    Ok(DecisionPage { decisions, next: last })
}

/// The narrowest index that the query has: one resource, else the refusals, else the log itself. Each is in the order
/// of time, so nothing is sorted, and none passes over entries unseen: [`is_wanted`] looks at the rest of the query, so
/// that the work can be counted. The record is not among the columns: SQLite would read its pages for every row.
fn walk(tenant: TenantId, query: &DecisionQuery) -> (String, Vec<Sql<'static>>) {
    // INDEXED BY: left to itself, SQLite takes the log's own key as soon as the time is limited too, and would pass over
    // every other resource's entries.
    let (source, narrowed) = match (query.resource, query.outcome) {
        (Some(resource), _) => ("decision INDEXED BY decision_resource", Some(("resource_id =", uuid_value(resource)))),
        // The outcome is said twice: SQLite uses a partial index only if it sees its very condition.
        (None, Some(refused)) if refused != Outcome::Allowed => (
            "decision INDEXED BY decision_refused",
            Some(("outcome <> 'allowed' AND outcome =", Sql::Text(refused.as_str().into()))),
        ),
        (None, _) => ("decision", None),
    };
    let mut sql = format!("SELECT id, at, outcome, constraints FROM {source} WHERE tenant_id = ?1");
    let mut values = vec![Sql::Integer(tenant.0)];
    let conditions = [
        narrowed,
        query.before.map(|before| ("id <", uuid_value(before.0))),
        query.since.map(|since| ("id >=", uuid_value(first_id_of(since)))),
    ];
    for (condition, value) in conditions.into_iter().flatten() {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    }
    // As many as are looked at: a server sends all that there are.
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {LOOK_AT_MAX}"));
    (sql, values)
}

fn is_wanted(row: &Row<'_>, query: &DecisionQuery) -> driver::Result<bool> {
    let at: i64 = row.get(1)?;
    let outcome = row.text(2)?;
    let constraints = row.text(3)?;
    Ok(query.since.is_none_or(|since| at >= since.as_microsecond())
        && query.outcome.is_none_or(|wanted| outcome == wanted.as_str())
        && query.constraint.as_ref().is_none_or(|name| constraints.lines().any(|asked| asked == name.0)))
}

fn uuid_value(id: Uuid) -> Sql<'static> {
    Sql::Uuid(id)
}

/// The smallest version 7 UUID of a time's millisecond (RFC 9562 §5.7: it begins with 48 bits of milliseconds). A
/// decision's id is made from the decision's own time, so none since then has a smaller one.
pub(super) fn first_id_of(time: Timestamp) -> Uuid {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(u128::from(milliseconds & 0xFFFF_FFFF_FFFF) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::ConstraintName;
    use crate::scim::resource::ResourceId;
    use crate::store::sql::tests::{explain, in_memory};

    #[test]
    fn the_log_is_walked_in_the_order_of_an_index() {
        let (connection, _) = in_memory();
        let check = |query: DecisionQuery, expected: &str| {
            let plan = explain(&connection, &walk(TenantId(1), &query).0);
            assert!(plan.contains(expected) && !plan.contains("TEMP"), "{query:?}: {plan}");
        };
        let any = DecisionQuery::default;
        let page =
            || DecisionQuery { before: Some(DecisionId(Uuid::nil())), since: Some(Timestamp::UNIX_EPOCH), ..any() };
        check(any(), "sqlite_autoindex_decision_1");
        check(page(), "sqlite_autoindex_decision_1");
        check(DecisionQuery { outcome: Some(Outcome::Allowed), ..page() }, "sqlite_autoindex_decision_1");
        check(DecisionQuery { outcome: Some(Outcome::Denied), ..page() }, "decision_refused");
        check(
            DecisionQuery { resource: Some(Uuid::nil()), outcome: Some(Outcome::Denied), ..page() },
            "decision_resource",
        );
    }

    #[test]
    fn the_decisions_of_a_request_are_found_by_an_index() {
        let (connection, _) = in_memory();
        let plan = explain(&connection, OF_REQUEST);
        assert!(plan.contains("decision_txn") && !plan.contains("TEMP"), "{plan}");
    }

    #[test]
    fn one_call_looks_at_a_bounded_number_of_entries() {
        let (connection, _) = in_memory();
        let entry = |number: usize| DecisionRow {
            id: DecisionId(Uuid::from_u128(number as u128)),
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Allowed,
            resource: ResourceId(Uuid::nil()),
            constraints: if number == 0 { "rare".to_owned() } else { "guard\nother".to_owned() },
            record: "{}".to_owned(),
            txn: None,
        };
        for number in 0..=LOOK_AT_MAX {
            insert(&connection, TenantId(1), &entry(number)).unwrap();
        }
        let constraint = Some(ConstraintName("rare".to_owned()));
        let query = DecisionQuery { constraint, limit: 5, ..DecisionQuery::default() };
        let first = page(&connection, TenantId(1), &query).unwrap();
        assert_eq!((first.decisions.len(), first.next), (0, Some(entry(1).id)));
        let second = page(&connection, TenantId(1), &DecisionQuery { before: first.next, ..query }).unwrap();
        assert_eq!((second.decisions.len(), second.next), (1, None));
    }
}
