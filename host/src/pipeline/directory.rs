//! Lends a tenant's snapshot to constraints as a [`DirectoryView`]: read-only, and of one moment.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::warn;

use crate::constraints::{DirectoryError, DirectoryView};
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::{Page, QueryError, Snapshot, StoreError};

/// A snapshot, as the sandbox sees it.
pub struct SnapshotDirectory {
    snapshot: Arc<dyn Snapshot>,
}

impl SnapshotDirectory {
    /// Lends a snapshot.
    pub fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self { snapshot }
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

#[async_trait]
impl DirectoryView for SnapshotDirectory {
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError> {
        Ok(self.snapshot.resource(resource_type, id).await.map_err(unavailable)?.map(Arc::new))
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError> {
        let page = Page { offset: 0, limit };
        let matches = self.snapshot.find(resource_type, Some(filter), page).await.map_err(unanswered)?;
        Ok(matches.resources.into_iter().map(Arc::new).collect())
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError> {
        self.snapshot.count(resource_type, Some(filter)).await.map_err(unanswered)
    }

    async fn is_member(&self, group: ResourceId, member: ResourceId, transitive: bool) -> Result<bool, DirectoryError> {
        self.snapshot.is_member(group, member, transitive).await.map_err(unanswered)
    }

    async fn members(&self, group: ResourceId, limit: usize) -> Result<Vec<Member>, DirectoryError> {
        self.snapshot.members(group, None, limit).await.map_err(unavailable)
    }

    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError> {
        self.snapshot.members_among(group, ids).await.map_err(unavailable)
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError> {
        self.snapshot.groups_of(id).await.map_err(unavailable)
    }
}
