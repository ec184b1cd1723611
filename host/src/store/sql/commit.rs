//! Carries out a [`WriteSet`] in the writer's transaction: what it rests on first, then what it writes. An error undoes
//! all of it: the writer rolls the request back.

use super::driver::{Connection, params};
use jiff::Timestamp;

use super::look_up::LookUps;
use super::member_sets::{self, FilledSet, MemberSet};
use super::view::View;
use super::{Shared, decisions, waivers};
use crate::decision::TenantId;
use crate::store::write_set::{MembersWrite, ResourceRow, ResourceWrite, WriteSet};
use crate::store::{CommitError, QueryError, StoreError};

/// Adds `?3` to one of the counters of a type, in SQL.
macro_rules! counting {
    ($stripe:literal) => {
        concat!(
            "INSERT INTO resource_count(tenant_id, rtype, stripe, n) VALUES (?1, ?2, ",
            $stripe,
            ", ?3) ON CONFLICT(tenant_id, rtype, stripe) DO UPDATE SET n = resource_count.n + excluded.n"
        )
    };
}

/// Commits, if everything still holds.
pub(super) fn commit(
    connection: &Connection,
    tenant: TenantId,
    shared: &Shared,
    write: &WriteSet,
) -> Result<(), CommitError> {
    commit_with(connection, tenant, shared, write, None)
}

/// Commits what has another set of members, which is filled.
pub(super) fn commit_filled(
    connection: &Connection,
    tenant: TenantId,
    shared: &Shared,
    write: &WriteSet,
    filled: FilledSet,
) -> Result<(), CommitError> {
    commit_with(connection, tenant, shared, write, Some(filled))
}

fn commit_with(
    connection: &Connection,
    tenant: TenantId,
    shared: &Shared,
    write: &WriteSet,
    filled: Option<FilledSet>,
) -> Result<(), CommitError> {
    let model = shared.models.get(connection, tenant)?;
    if model.generation != write.generation {
        return Err(CommitError::GenerationMoved);
    }
    let view = View { connection, tenant, names: &shared.names, schemas: &model.schemas };
    shared.watches.note(&view, &write.resource_type, write.id)?;
    view.commit(write, filled)
}

impl View<'_> {
    fn commit(&self, write: &WriteSet, filled: Option<FilledSet>) -> Result<(), CommitError> {
        self.check_look_ups(write)?;
        // First what is most likely to fail: then nothing is written yet, which spares others in the same transaction.
        match &write.resource {
            ResourceWrite::Insert(row) => {
                self.change_entries(write)?;
                self.insert(write, row)?;
            }
            ResourceWrite::Update { expected_version, row } => {
                self.update(write, *expected_version, row)?;
                self.change_entries(write)?;
            }
            ResourceWrite::Delete { expected_version } => {
                self.delete(write, *expected_version)?;
                self.change_entries(write)?;
            }
        }
        self.change_members(write, filled)?;
        self.change_secrets(write)?;
        for waiver in &write.waivers_used {
            waivers::count_use(self.connection, self.tenant, *waiver, (write.decision.id, write.decision.at))?;
        }
        decisions::insert(self.connection, self.tenant, &write.decision)?;
        Ok(())
    }

    /// Each look-up is answered again by the code that answered it before, on what is about to be changed.
    fn check_look_ups(&self, write: &WriteSet) -> Result<(), CommitError> {
        let mut look_ups = LookUps::asked_again();
        for (look_up, answer) in &write.look_ups {
            match look_ups.find(self, look_up) {
                Ok(now) if now.answer() == *answer => {}
                // It was within the limit when the constraint asked, so something has been added since.
                Ok(_) | Err(QueryError::TooMany { .. }) => return Err(CommitError::LookUpMoved),
                Err(QueryError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn insert(&self, write: &WriteSet, row: &ResourceRow) -> Result<(), CommitError> {
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                self.tenant.0,
                self.names.number(&write.resource_type)?,
                write.id,
                row.version,
                row.created.as_microsecond(),
                row.modified.as_microsecond(),
                row.body,
            ])?;
        moved_unless(inserted)?;
        self.count(&write.resource_type, 1)
    }

    /// Notes that there is one more of a type, or one less.
    fn count(&self, resource_type: &str, change: i64) -> Result<(), CommitError> {
        self.connection
            .prepare_cached(match self.connection {
                // One counter: nobody else writes.
                Connection::Sqlite(_) => counting!("0"),
                // One of each session, so that none waits for another's.
                Connection::Postgres(_) => counting!("pg_backend_pid() % 1024"),
            })?
            .execute(params![self.tenant.0, self.names.number(resource_type)?, change])?;
        Ok(())
    }

    fn update(&self, write: &WriteSet, expected_version: i64, row: &ResourceRow) -> Result<(), CommitError> {
        let updated = self
            .connection
            .prepare_cached(
                "UPDATE resource SET version = ?5, modified_at = ?6, body = ?7 \
                 WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3 AND version = ?4",
            )?
            .execute(params![
                self.tenant.0,
                self.names.number(&write.resource_type)?,
                write.id,
                expected_version,
                row.version,
                row.modified.as_microsecond(),
                row.body,
            ])?;
        moved_unless(updated)
    }

    fn delete(&self, write: &WriteSet, expected_version: i64) -> Result<(), CommitError> {
        let rtype = self.names.number(&write.resource_type)?;
        let deleted = self
            .connection
            .prepare_cached("DELETE FROM resource WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3 AND version = ?4")?
            .execute(params![self.tenant.0, rtype, write.id, expected_version])?;
        moved_unless(deleted)?;
        self.count(&write.resource_type, -1)?;
        self.leave_groups(write)?;
        self.connection
            .prepare_cached("DELETE FROM secret WHERE tenant_id = ?1 AND id = ?2")?
            .execute(params![self.tenant.0, write.id])?;
        let resource_type = self.schemas.resource_type(&write.resource_type);
        if resource_type.is_none_or(|resource_type| resource_type.row_attribute().is_some()) {
            member_sets::delete(self.connection, self.tenant, write.id)?;
        }
        Ok(())
    }

    /// A group that loses a member has changed, whoever caused it: its version says so.
    fn leave_groups(&self, write: &WriteSet) -> Result<(), CommitError> {
        for group in self.groups_of(write.id)? {
            for resource_type in self.schemas.resource_types().iter().filter(|kind| kind.row_attribute().is_some()) {
                self.connection
                    .prepare_cached(
                        "UPDATE resource SET version = version + 1, \
                         modified_at = CASE WHEN modified_at < ?4 THEN ?4 ELSE modified_at END \
                         WHERE tenant_id = ?1 AND rtype = ?2 AND id = ?3",
                    )?
                    .execute(params![
                        self.tenant.0,
                        self.names.number(&resource_type.name)?,
                        group,
                        Timestamp::as_microsecond(write.decision.at),
                    ])?;
            }
        }
        member_sets::leave_all(self.connection, self.tenant, write.id)?;
        Ok(())
    }

    fn change_entries(&self, write: &WriteSet) -> Result<(), CommitError> {
        for entry in &write.entries_removed {
            self.remove_entry(&write.resource_type, write.id, entry)?;
        }
        let added = |unique: bool| write.entries_added.iter().filter(move |entry| entry.unique == unique);
        for entry in added(true).chain(added(false)) {
            if !self.add_entry(&write.resource_type, write.id, entry)? {
                return Err(CommitError::Duplicate { attribute: entry.attribute.clone() });
            }
        }
        Ok(())
    }

    /// The group's version was checked, so a member to be added is none yet.
    fn change_members(&self, write: &WriteSet, filled: Option<FilledSet>) -> Result<(), CommitError> {
        match (&write.members, filled) {
            (MembersWrite::Rows { added, removed }, _) if added.is_empty() && removed.is_empty() => Ok(()),
            (MembersWrite::Rows { added, removed }, _) => {
                let set = MemberSet::live(self, write.id)?;
                removed.iter().try_for_each(|member| set.remove(member))?;
                added.iter().try_for_each(|member| set.insert(member))
            }
            (MembersWrite::Set { .. }, Some(filled)) => {
                let whole = member_sets::swap(self.connection, self.tenant, write.id, filled)?;
                if whole { Ok(()) } else { Err(CommitError::MemberMoved) }
            }
            (MembersWrite::Set { .. }, None) => {
                Err(StoreError::Damaged("a set of members was not filled".to_owned()).into())
            }
        }
    }

    fn change_secrets(&self, write: &WriteSet) -> Result<(), CommitError> {
        for secret in &write.secrets {
            let (id, attribute) = (write.id, self.names.number(&secret.path)?);
            match &secret.hash {
                Some(hash) => self
                    .connection
                    .prepare_cached(
                        "INSERT INTO secret(tenant_id, id, attr, hash) VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT(tenant_id, id, attr) DO UPDATE SET hash = excluded.hash",
                    )?
                    .execute(params![self.tenant.0, id, attribute, hash])?,
                None => self
                    .connection
                    .prepare_cached("DELETE FROM secret WHERE tenant_id = ?1 AND id = ?2 AND attr = ?3")?
                    .execute(params![self.tenant.0, id, attribute])?,
            };
        }
        Ok(())
    }
}

fn moved_unless(rows: usize) -> Result<(), CommitError> {
    if rows == 0 { Err(CommitError::VersionMoved) } else { Ok(()) }
}
