//! Lends a moment of a tenant's resources to constraints as a [`DirectoryView`] and a [`TableView`]: read-only.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::warn;

use crate::constraints::{DirectoryError, DirectoryView, TableRow, TableView};
use crate::decision::LookUp;
use crate::pipeline::moment::Moment;
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::{Found, QueryError, Snapshot, StoreError};

/// A moment, as the sandbox sees it.
pub struct MomentDirectory {
    moment: Arc<Moment>,
}

impl From<Arc<dyn Snapshot>> for MomentDirectory {
    fn from(snapshot: Arc<dyn Snapshot>) -> Self {
        Self::new(Arc::new(snapshot.into()))
    }
}

impl MomentDirectory {
    /// Lends a moment.
    pub fn new(moment: Arc<Moment>) -> Self {
        Self { moment }
    }

    /// What the commit will ask again, asked as the commit will.
    async fn look_up(&self, look_up: LookUp) -> Result<Found, DirectoryError> {
        self.moment.look_up(&look_up).await.map_err(unanswered)
    }
}

/// The cause is logged here: what the sandbox is told ends in a constraint's hands.
fn unavailable(error: StoreError) -> DirectoryError {
    warn!(error = &error as &dyn std::error::Error, "a look-up failed");
    DirectoryError::Unavailable
}

fn unanswered(error: QueryError) -> DirectoryError {
    match error {
        QueryError::TooMany { candidates_max } => DirectoryError::TooMany { candidates_max },
        QueryError::Store(error) => unavailable(error),
    }
}

/// A store that answers another question than the one it was asked is broken.
fn mismatch(found: &Found) -> DirectoryError {
    unavailable(StoreError::Damaged(format!("a look-up came to something else: {:?}", found.answer())))
}

#[async_trait]
impl DirectoryView for MomentDirectory {
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError> {
        let look_up = LookUp::Get { resource_type: resource_type.name.clone(), id: id.to_string() };
        match self.look_up(look_up).await? {
            Found::Resources(found) => Ok(found.into_iter().next()),
            other => Err(mismatch(&other)),
        }
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let look_up = LookUp::Find { resource_type: resource_type.name.clone(), filter: filter.to_string(), limit };
        match self.look_up(look_up).await? {
            Found::Resources(found) => Ok(found),
            other => Err(mismatch(&other)),
        }
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError> {
        let look_up = LookUp::Count { resource_type: resource_type.name.clone(), filter: filter.to_string() };
        match self.look_up(look_up).await? {
            Found::Count(count) => Ok(count),
            other => Err(mismatch(&other)),
        }
    }

    async fn is_member(&self, group: ResourceId, member: ResourceId, transitive: bool) -> Result<bool, DirectoryError> {
        let (group_id, member_id) = (group.to_string(), member.to_string());
        match self.look_up(LookUp::IsMember { group_id, member_id, transitive }).await? {
            Found::Member(member) => Ok(member),
            other => Err(mismatch(&other)),
        }
    }

    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, DirectoryError> {
        self.moment.members(group, after, limit).await.map_err(unavailable)
    }

    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError> {
        self.moment.members_among(group, ids).await.map_err(unavailable)
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError> {
        match self.look_up(LookUp::GroupsOf { id }).await? {
            Found::Groups(groups) => Ok(groups),
            other => Err(mismatch(&other)),
        }
    }
}

#[async_trait]
impl TableView for MomentDirectory {
    async fn row(&self, table: &str, key: &str) -> Result<Option<TableRow>, DirectoryError> {
        let found = self.moment.table_row(table, key).await.map_err(unavailable)?;
        Ok(found.map(|found| TableRow { revision: found.revision, row: found.row }))
    }
}
