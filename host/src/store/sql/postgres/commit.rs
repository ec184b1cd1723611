//! A commit as one statement: one way to the server and back, in which everything is checked and everything is written, or
//! nothing. What it does not do (deletes, look-ups to be asked again, waivers) is done by [`commit`](super::super::commit) in a
//! transaction of several statements; and so is what it has refused, which tells what stood in the way.

use std::borrow::Cow;
use std::sync::Arc;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::session::Session;
use super::text::escaped;
use crate::decision::TenantId;
use crate::scim::index::IndexEntry;
use crate::store::StoreError;
use crate::store::sql::driver::Error;
use crate::store::sql::names::Names;
use crate::store::write_set::{MembersWrite, ResourceRow, ResourceWrite, WriteSet};

/// The guard: each part that writes takes its row from it, so that without it none does anything, and the end is a division by zero, which
/// undoes what statements before it in the transaction have done. They all see the database as it
/// was before the statement; that no other transaction has changed it meanwhile is what SERIALIZABLE is for.
macro_rules! statement {
    ($version:literal, $resource:literal) => {
        concat!(
            "WITH guard AS (SELECT 1 FROM tenant WHERE tenant_id = $1 AND generation = $2 AND name IS NOT NULL AND ",
            $version,
            " AND (SELECT count(*) FROM unnest($18::uuid[], $19::bigint[]) AS m(id, rtype) \
               JOIN resource r ON r.tenant_id = $1 AND r.rtype = m.rtype AND r.id = m.id) = cardinality($18::uuid[])), ",
            $resource,
            ", keys_new AS (INSERT INTO resource_key(tenant_id, rtype, attr, norm, id) \
               SELECT $1, $3, e.attr, e.norm, $4 FROM guard, unnest($12::bigint[], $13::text[]) AS e(attr, norm)) \
             , attrs_new AS (INSERT INTO resource_attr(tenant_id, rtype, attr, norm, id) \
               SELECT $1, $3, e.attr, e.norm, $4 FROM guard, unnest($16::bigint[], $17::text[]) AS e(attr, norm) \
               ON CONFLICT DO NOTHING) \
             , members_new AS (INSERT INTO group_member(tenant_id, group_id, set_no, member_id, mtype) \
               SELECT $1, $4, coalesce((SELECT live FROM member_set WHERE tenant_id = $1 AND group_id = $4), 0), new.id, new.rtype \
               FROM guard, unnest($18::uuid[], $19::bigint[]) AS new(id, rtype)) \
             , secrets_new AS (INSERT INTO secret(tenant_id, id, attr, hash) \
               SELECT $1, $4, s.attr, s.hash FROM guard, unnest($27::bigint[], $28::text[]) AS s(attr, hash) \
               ON CONFLICT(tenant_id, id, attr) DO UPDATE SET hash = excluded.hash) \
             , logged AS (INSERT INTO decision(tenant_id, id, at, outcome, resource_id, constraints, record, txn) \
               SELECT $1, $21, $22, $23, $4, $24, $25, $26 FROM guard) \
             SELECT 1 / count(*) FROM guard"
        )
    };
}

/// What is new has nothing to lose, so nothing is looked for that could be in the way of others.
const CREATE: &str = statement!(
    "$5::bigint IS NULL AND cardinality($10::bigint[]) + cardinality($11::text[]) + cardinality($14::bigint[]) \
       + cardinality($15::text[]) + cardinality($20::uuid[]) = 0",
    "made AS (INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) \
       SELECT $1, $3, $4, $6, $7, $8, $9 FROM guard) \
     , counted AS (INSERT INTO resource_count(tenant_id, rtype, stripe, n) \
       SELECT $1, $3, pg_backend_pid() % 1024, 1 FROM guard \
       ON CONFLICT(tenant_id, rtype, stripe) DO UPDATE SET n = resource_count.n + 1)"
);

/// (That `$7` is asked for tells its type: when a resource was made does not change.)
const UPDATE: &str = statement!(
    "EXISTS (SELECT 1 FROM resource WHERE tenant_id = $1 AND rtype = $3 AND id = $4 AND version = $5) AND $7::bigint IS NOT NULL",
    "changed AS (UPDATE resource SET version = $6, modified_at = $8, body = $9 FROM guard \
       WHERE tenant_id = $1 AND rtype = $3 AND id = $4 AND version = $5) \
     , keys_gone AS (DELETE FROM resource_key k USING guard, unnest($10::bigint[], $11::text[]) AS e(attr, norm) \
       WHERE k.tenant_id = $1 AND k.rtype = $3 AND k.attr = e.attr AND k.norm = e.norm AND k.id = $4) \
     , attrs_gone AS (DELETE FROM resource_attr a USING guard, unnest($14::bigint[], $15::text[]) AS e(attr, norm) \
       WHERE a.tenant_id = $1 AND a.rtype = $3 AND a.attr = e.attr AND a.norm = e.norm AND a.id = $4) \
     , members_gone AS (DELETE FROM group_member m USING guard, unnest($20::uuid[]) AS gone(id) \
       WHERE m.tenant_id = $1 AND m.group_id = $4 AND m.member_id = gone.id AND m.set_no = \
       coalesce((SELECT live FROM member_set WHERE tenant_id = $1 AND group_id = $4), 0))"
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

/// Whether one statement can do it.
pub(super) fn is_one_statement(write: &WriteSet) -> bool {
    write.look_ups.is_empty()
        && write.waivers_used.is_empty()
        && write.secrets.iter().all(|secret| secret.hash.is_some())
        && matches!(write.members, MembersWrite::Rows { .. })
        && !matches!(write.resource, ResourceWrite::Delete { .. })
}

/// Index entries as the statement takes them: numbers of attributes, and values.
struct Entries(Vec<i64>, Vec<String>);

impl Entries {
    fn of(entries: &[IndexEntry], unique: bool, names: &Names) -> Result<Self, StoreError> {
        let mut columns = Self(Vec::new(), Vec::new());
        for entry in entries.iter().filter(|entry| entry.unique == unique) {
            columns.0.push(names.number(&entry.attribute)?);
            columns.1.push(escaped(&entry.norm).into_owned());
        }
        Ok(columns)
    }
}

/// What the statement takes.
struct Parameters<'w> {
    tenant: i64,
    resource_type: i64,
    expected_version: Option<i64>,
    created: i64,
    modified: i64,
    row: &'w ResourceRow,
    write: &'w WriteSet,
    keys_gone: Entries,
    keys_new: Entries,
    attrs_gone: Entries,
    attrs_new: Entries,
    members_new: (Vec<Uuid>, Vec<i64>),
    members_gone: Vec<Uuid>,
    secrets_new: (Vec<i64>, Vec<&'w String>),
    decided: (i64, &'static str, Cow<'w, str>, Option<Uuid>),
}

impl<'w> Parameters<'w> {
    /// `None` if it is nothing for one statement.
    fn of(tenant: TenantId, names: &Names, write: &'w WriteSet) -> Result<Option<Self>, StoreError> {
        let (expected_version, row) = match &write.resource {
            ResourceWrite::Insert(row) => (None, row),
            ResourceWrite::Update { expected_version, row } => (Some(*expected_version), row),
            ResourceWrite::Delete { .. } => return Ok(None),
        };
        let MembersWrite::Rows { added, removed } = &write.members else { return Ok(None) };
        let types = added.iter().map(|member| names.number(&member.resource_type));
        let secrets = write.secrets.iter().filter_map(|secret| Some((&secret.path, secret.hash.as_ref()?)));
        let (paths, hashes): (Vec<_>, Vec<_>) = secrets.unzip();
        let paths = paths.into_iter().map(|path| names.number(path));
        let decision = &write.decision;
        Ok(Some(Self {
            tenant: tenant.0,
            resource_type: names.number(&write.resource_type)?,
            expected_version,
            created: row.created.as_microsecond(),
            modified: row.modified.as_microsecond(),
            row,
            write,
            keys_gone: Entries::of(&write.entries_removed, true, names)?,
            keys_new: Entries::of(&write.entries_added, true, names)?,
            attrs_gone: Entries::of(&write.entries_removed, false, names)?,
            attrs_new: Entries::of(&write.entries_added, false, names)?,
            members_new: (added.iter().map(|member| member.id.0).collect(), types.collect::<Result<_, StoreError>>()?),
            members_gone: removed.iter().map(|member| member.id.0).collect(),
            secrets_new: (paths.collect::<Result<_, StoreError>>()?, hashes),
            decided: (
                decision.at.as_microsecond(),
                decision.outcome.as_str(),
                escaped(&decision.constraints),
                decision.txn.map(|txn| txn.0),
            ),
        }))
    }

    fn sql(&self) -> &'static str {
        if self.expected_version.is_none() { CREATE } else { UPDATE }
    }

    /// `$1` to `$28`.
    fn values(&self) -> [&(dyn ToSql + Sync); 28] {
        let (row, decision) = (self.row, &self.write.decision);
        [
            &self.tenant,
            &self.write.generation,
            &self.resource_type,
            &self.write.id.0,
            &self.expected_version,
            &row.version,
            &self.created,
            &self.modified,
            &row.body,
            &self.keys_gone.0,
            &self.keys_gone.1,
            &self.keys_new.0,
            &self.keys_new.1,
            &self.attrs_gone.0,
            &self.attrs_gone.1,
            &self.attrs_new.0,
            &self.attrs_new.1,
            &self.members_new.0,
            &self.members_new.1,
            &self.members_gone,
            &decision.id.0,
            &self.decided.0,
            &self.decided.1,
            &self.decided.2,
            &decision.record,
            &self.decided.3,
            &self.secrets_new.0,
            &self.secrets_new.1,
        ]
    }
}

/// Writes all of them or nothing. Several are written one after the other in one transaction, so that each sees what those before it
/// have written; it is one way to the server and back for all of them.
pub(super) async fn run(
    session: &Session,
    tenant: TenantId,
    names: &Names,
    writes: &[Arc<WriteSet>],
) -> Result<Done, StoreError> {
    let parameters = writes.iter().map(|write| Parameters::of(tenant, names, write));
    let Some(parameters) = parameters.collect::<Result<Option<Vec<_>>, StoreError>>()? else {
        return Ok(Done::Nothing);
    };
    let done = match parameters.as_slice() {
        [only] => session.query_raw(only.sql(), &only.values()).await.map(drop),
        many => {
            let statements: Vec<_> = many.iter().map(|each| (each.sql(), each.values())).collect();
            session.transact_raw(&statements).await.map(drop)
        }
    };
    match done {
        Ok(()) => Ok(Done::All),
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
