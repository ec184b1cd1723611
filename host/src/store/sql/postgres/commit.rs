//! Commits as one statement: one way to the server and back, in which everything is checked and everything is written, or
//! nothing. What it does not do (deletes, look-ups to be asked again, waivers) is done by [`commit`](super::super::commit) in a
//! transaction of several statements; and so is what it has refused, which tells what stood in the way.
//!
//! Most of what a statement takes from the server is the same for one write and for thirty, so those of a tenant that wait at the
//! same time are written together.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::columns::{Columns, Kind};
use super::session::Session;
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::sql::driver::Error;
use crate::store::sql::names::Names;
use crate::store::write_set::WriteSet;

/// The guard: each part that writes takes its rows by it, so that without it none does anything, and the end is a division by zero.
/// All parts see the database as it was before the statement; that no other transaction has changed it meanwhile is what
/// SERIALIZABLE is for.
macro_rules! statement {
    ($versions:literal, $resources:literal) => {
        concat!(
            "WITH guard AS (SELECT 1 FROM tenant WHERE tenant_id = $1 AND generation = $2 AND name IS NOT NULL AND ",
            $versions,
            " AND NOT EXISTS (SELECT 1 FROM unnest($16::uuid[], $17::bigint[]) AS m(id, rtype) WHERE \
               (SELECT r.version FROM resource r WHERE r.tenant_id = $1 AND r.rtype = m.rtype AND r.id = m.id) IS NULL)), ",
            $resources,
            ", keys_new AS (INSERT INTO resource_key(tenant_id, rtype, id, attr, norm) \
               SELECT $1, e.* FROM guard, unnest($8::bigint[], $9::uuid[], $10::bigint[], $11::text[]) AS e) \
             , attrs_new AS (INSERT INTO resource_attr(tenant_id, rtype, id, attr, norm) \
               SELECT $1, e.* FROM guard, unnest($12::bigint[], $13::uuid[], $14::bigint[], $15::text[]) AS e \
               ON CONFLICT DO NOTHING) \
             , members_new AS (INSERT INTO group_member(tenant_id, group_id, set_no, member_id, mtype) \
               SELECT $1, new.of, coalesce((SELECT live FROM member_set WHERE tenant_id = $1 AND group_id = new.of), 0), new.id, \
               new.rtype FROM guard, unnest($18::uuid[], $19::uuid[], $20::bigint[]) AS new(of, id, rtype)) \
             , secrets_new AS (INSERT INTO secret(tenant_id, id, attr, hash) \
               SELECT $1, s.* FROM guard, unnest($21::uuid[], $22::bigint[], $23::text[]) AS s \
               ON CONFLICT(tenant_id, id, attr) DO UPDATE SET hash = excluded.hash) \
             , logged AS (INSERT INTO decision(tenant_id, id, at, outcome, resource_id, constraints, record, txn) \
               SELECT $1, d.* FROM guard, unnest($24::uuid[], $25::bigint[], $26::text[], $27::uuid[], $28::text[], $29::text[], \
               $30::uuid[]) AS d) \
             SELECT 1 / count(*) FROM guard"
        )
    };
}

/// What is new has nothing to lose, so nothing is looked for that could be in the way of others.
const CREATE: &str = statement!(
    "true",
    "made AS (INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) \
       SELECT $1, r.* FROM guard, \
       unnest($3::bigint[], $4::uuid[], $5::bigint[], $31::bigint[], $6::bigint[], $7::text[]) AS r) \
     , counted AS (INSERT INTO resource_count(tenant_id, rtype, stripe, n) \
       SELECT $1, r.rtype, pg_backend_pid() % 1024, count(*) FROM guard, unnest($3::bigint[]) AS r(rtype) GROUP BY r.rtype \
       ON CONFLICT(tenant_id, rtype, stripe) DO UPDATE SET n = resource_count.n + excluded.n)"
);

const UPDATE: &str = statement!(
    "NOT EXISTS (SELECT 1 FROM unnest($3::bigint[], $4::uuid[], $31::bigint[]) AS was(rtype, id, version) WHERE \
       (SELECT r.version FROM resource r WHERE r.tenant_id = $1 AND r.rtype = was.rtype AND r.id = was.id) \
       IS DISTINCT FROM was.version)",
    "changed AS (UPDATE resource r SET version = new.version, modified_at = new.modified, body = new.body FROM guard, \
       unnest($3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[], $7::text[]) AS new(rtype, id, version, modified, body) \
       WHERE r.tenant_id = $1 AND r.rtype = new.rtype AND r.id = new.id) \
     , keys_gone AS (DELETE FROM resource_key k USING guard, \
       unnest($32::bigint[], $33::uuid[], $34::bigint[], $35::text[]) AS e(rtype, id, attr, norm) \
       WHERE k.tenant_id = $1 AND k.rtype = e.rtype AND k.attr = e.attr AND k.norm = e.norm AND k.id = e.id) \
     , attrs_gone AS (DELETE FROM resource_attr a USING guard, \
       unnest($36::bigint[], $37::uuid[], $38::bigint[], $39::text[]) AS e(rtype, id, attr, norm) \
       WHERE a.tenant_id = $1 AND a.rtype = e.rtype AND a.attr = e.attr AND a.norm = e.norm AND a.id = e.id) \
     , members_gone AS (DELETE FROM group_member m USING guard, unnest($40::uuid[], $41::uuid[]) AS gone(of, id) \
       WHERE m.tenant_id = $1 AND m.group_id = gone.of AND m.member_id = gone.id AND m.set_no = \
       coalesce((SELECT live FROM member_set WHERE tenant_id = $1 AND group_id = gone.of), 0))"
);

/// What one statement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// All of it is written.
    All,
    /// Nothing: something does not hold any more.
    Nothing,
    /// Nothing: another transaction was in the way, and it may be tried anew.
    Conflict,
}

/// Writes all of them or nothing. Changes of one resource are in the order in which they are judged to be.
pub(super) async fn run(
    session: &Session,
    tenant: TenantId,
    names: &Names,
    writes: &[Arc<WriteSet>],
) -> Result<Done, StoreError> {
    let Some(columns) = Columns::of(tenant, names, writes)? else { return Ok(Done::Nothing) };
    let sql = match columns.kind {
        Kind::Create => CREATE,
        Kind::Update => UPDATE,
    };
    match session.query_raw(sql, &columns.values()).await {
        Ok(_) => Ok(Done::All),
        // The guard has not let it through; or somebody else has the value, or the id.
        Err(Error::Postgres(error))
            if matches!(error.code(), Some(&SqlState::DIVISION_BY_ZERO | &SqlState::UNIQUE_VIOLATION)) =>
        {
            Ok(Done::Nothing)
        }
        Err(error) if error.is_conflict() => Ok(Done::Conflict),
        Err(error) => Err(error.into()),
    }
}
