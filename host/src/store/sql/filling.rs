//! Fills a set of members in small transactions, before the one that makes it live: see [`super::member_sets`].
//!
//! That may take seconds, and another write of the group's makes it all in vain. So those that come meanwhile wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::driver::Connection;
use tokio::sync::OwnedMutexGuard;

use super::member_sets::{self, FilledSet, MemberSet};
use super::pool::Pool;
use super::view::View;
use super::writer::LooseEnd;
use super::{Shared, commit};
use crate::change::Departure;
use crate::decision::TenantId;
use crate::scim::resource::{Member, ResourceId};
use crate::store::write_set::{MembersWrite, ResourceWrite, WriteSet};
use crate::store::{CommitError, StoreError};

/// Rows written in one transaction: some 20 ms of the writer.
const WRITTEN_AT_ONCE: usize = 2_000;

/// Members looked at in one brief question, to find those that stay.
const READ_AT_ONCE: usize = 10_000;

/// The groups of which a set is being filled.
#[derive(Default)]
pub(super) struct Fillings(Mutex<HashMap<(TenantId, ResourceId), Weak<Turn>>>);

type Turn = tokio::sync::Mutex<()>;

impl Fillings {
    /// Waits until no set of the group is being filled.
    pub(super) async fn wait(&self, tenant: TenantId, group: ResourceId) {
        let filling = self.groups().get(&(tenant, group)).and_then(Weak::upgrade);
        if let Some(filling) = filling {
            drop(filling.lock().await);
        }
    }

    /// Keeps the others waiting as long as the guard lives.
    async fn alone(&self, tenant: TenantId, group: ResourceId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut groups = self.groups();
            let known = groups.get(&(tenant, group)).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                groups.retain(|_, turn| turn.strong_count() > 0);
                let turn = Arc::new(Turn::new(()));
                groups.insert((tenant, group), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<(TenantId, ResourceId), Weak<Turn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What filling needs of the store. It does not keep the writer from stopping.
pub(super) struct Filling {
    pub(super) tenant: TenantId,
    pub(super) shared: Arc<Shared>,
    pub(super) pool: Arc<Pool>,
    pub(super) writer: LooseEnd,
}

impl Filling {
    /// Fills a set with the members that the group is to have, and commits. What is filled for nothing is swept.
    pub(super) async fn commit(self, write: WriteSet) -> Result<(), CommitError> {
        let (tenant, group) = (self.tenant, write.id);
        let _turn = self.shared.fillings.alone(tenant, group).await;
        let (resource_type, shared) = (write.resource_type.clone(), Arc::clone(&self.shared));
        let expected = match write.resource {
            ResourceWrite::Update { expected_version, .. } => Some(expected_version),
            ResourceWrite::Insert(_) | ResourceWrite::Delete { .. } => None,
        };
        let begin = move |connection: &Connection| {
            let model = shared.models.get(connection, tenant)?;
            let view = View { connection, tenant, names: &shared.names, schemas: &model.schemas };
            // The commit checks it again. What cannot be committed need not be filled.
            if view.version(&resource_type, group)? != expected {
                return Err(CommitError::VersionMoved);
            }
            Ok(member_sets::begin(connection, tenant, group, shared.node)?)
        };
        let number = self.writer.write(begin).await?;
        let committed = self.fill_and_commit(number, write).await;
        if committed.is_err() {
            self.writer
                .write(move |connection| Ok::<_, StoreError>(member_sets::abandon(connection, tenant, group, number)?))
                .await?;
        }
        committed
    }

    async fn fill_and_commit(&self, number: i64, write: WriteSet) -> Result<(), CommitError> {
        let mut filled = FilledSet { number, rows: 0 };
        if let MembersWrite::Set { departure: Some(departure), .. } = &write.members {
            self.keep(write.id, departure, &mut filled).await?;
        }
        self.add(write.id, write.members.added(), &mut filled).await?;
        let (tenant, shared) = (self.tenant, Arc::clone(&self.shared));
        self.writer.write(move |connection| commit::commit_filled(connection, tenant, &shared, &write, filled)).await
    }

    /// Adds those that stay. Whoever comes or goes meanwhile raises the group's version, so that the commit fails.
    async fn keep(
        &self,
        group: ResourceId,
        departure: &Arc<Departure>,
        filled: &mut FilledSet,
    ) -> Result<(), CommitError> {
        if let Some(kept) = &departure.kept_members {
            return self.add(group, kept, filled).await;
        }
        let mut after = None;
        loop {
            let (tenant, shared, departure) = (self.tenant, Arc::clone(&self.shared), Arc::clone(departure));
            let read = move |connection: &Connection| {
                let model = shared.models.get_committed(connection, tenant)?;
                let view = View { connection, tenant, names: &shared.names, schemas: &model.schemas };
                let page = view.members(group, after, READ_AT_ONCE)?;
                let last = page.last().filter(|_| page.len() == READ_AT_ONCE).map(|last| last.id);
                let kept = page.into_iter().filter(|member| departure.membership.keeps(member));
                Ok::<_, StoreError>((kept.collect::<Vec<_>>(), last))
            };
            let (kept, last) = self.pool.read(read).await?;
            self.add(group, &kept, filled).await?;
            match last {
                Some(_) => after = last,
                None => return Ok(()),
            }
        }
    }

    async fn add(&self, group: ResourceId, members: &[Member], filled: &mut FilledSet) -> Result<(), CommitError> {
        for some in members.chunks(WRITTEN_AT_ONCE) {
            let (tenant, shared, number) = (self.tenant, Arc::clone(&self.shared), filled.number);
            let some = some.to_vec();
            filled.rows = filled.rows.saturating_add(some.len() as u64);
            let insert = move |connection: &Connection| {
                let set = MemberSet { connection, tenant, names: &shared.names, group, number };
                some.iter().try_for_each(|member| set.insert(member))
            };
            self.writer.write(insert).await?;
        }
        Ok(())
    }
}
