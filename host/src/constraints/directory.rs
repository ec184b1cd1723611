//! [`DirectoryView`]: what the sandbox needs to know of the tenant's other resources.
//!
//! The sandbox declares it and the pipeline implements it over a snapshot of the store, so that neither knows the
//! other. Every answer is of the same moment: the one in which the change was planned.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use super::tables::TableView;
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;

/// A look-up that could not be answered. What it says is shown to the constraint, so it names no cause.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// No index answers the filter, and looking at each resource would take too long.
    #[error("the filter would have to look at more than {candidates_max} resources")]
    TooMany {
        /// The limit.
        candidates_max: usize,
    },
    /// The store failed; the cause is in the log.
    #[error("the directory could not answer")]
    Unavailable,
}

/// A tenant's resources at one moment, with its tables at the same moment.
#[async_trait]
pub trait DirectoryView: TableView {
    /// One resource, without its members and groups.
    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Arc<Resource>>, DirectoryError>;

    /// The first resources that match, by id, at most `limit`; without their members and groups.
    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<Resource>>, DirectoryError>;

    /// How many match.
    async fn count(&self, resource_type: &Arc<ResourceType>, filter: &Filter) -> Result<u64, DirectoryError>;

    /// Whether one is a member of the other, through nested groups if `transitive`.
    async fn is_member(&self, group: ResourceId, member: ResourceId, transitive: bool) -> Result<bool, DirectoryError>;

    /// The members of a group, by id, after one of them, at most `limit`.
    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, DirectoryError>;

    /// Which of these are direct members of the group.
    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, DirectoryError>;

    /// The groups a resource is a direct member of, by id.
    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, DirectoryError>;
}
