//! [`Source`]: what a moment's answers are taken from.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::{Glimpse, Snapshot, StoreError, TenantModel, TenantStore};

/// A snapshot; or what was looked at before, and for the rest a snapshot, which is taken when it is needed.
pub(super) enum Source {
    Snapshot(Arc<dyn Snapshot>),
    Recalled { glimpse: Box<Glimpse>, store: Arc<dyn TenantStore>, snapshot: OnceCell<Arc<dyn Snapshot>> },
}

impl Source {
    /// The snapshot, which is taken if need be.
    pub(super) async fn snapshot(&self) -> Result<&Arc<dyn Snapshot>, StoreError> {
        match self {
            Self::Snapshot(snapshot) => Ok(snapshot),
            Self::Recalled { store, snapshot, .. } => {
                let take = async {
                    let snapshot = store.snapshot().await?;
                    // So that it is known whether it fits what was looked at before.
                    snapshot.model().await?;
                    Ok(snapshot)
                };
                snapshot.get_or_try_init(|| take).await
            }
        }
    }

    /// Whether resources are known not to be of the model that was told.
    pub(super) async fn is_outdated(&self) -> Result<bool, StoreError> {
        match self {
            Self::Snapshot(snapshot) => Ok(snapshot.is_outdated()),
            Self::Recalled { glimpse, snapshot, .. } => match snapshot.get() {
                Some(snapshot) => Ok(snapshot.model().await?.generation != glimpse.model.generation),
                None => Ok(false),
            },
        }
    }

    pub(super) async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        match self {
            Self::Snapshot(snapshot) => snapshot.presumed_model().await,
            Self::Recalled { glimpse, .. } => Ok(Arc::clone(&glimpse.model)),
        }
    }

    pub(super) async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        match self.glimpse().and_then(|glimpse| glimpse.resource(&resource_type.name, id)) {
            Some(seen) => Ok(seen.cloned()),
            None => self.snapshot().await?.resource(resource_type, id).await,
        }
    }

    pub(super) async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        match self.glimpse().and_then(|glimpse| glimpse.members_among(group, ids)) {
            Some(seen) => Ok(seen),
            None => self.snapshot().await?.members_among(group, ids).await,
        }
    }

    pub(super) async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        match self.glimpse().and_then(|glimpse| glimpse.identify(ids)) {
            Some(seen) => Ok(seen),
            None => self.snapshot().await?.identify(ids).await,
        }
    }

    fn glimpse(&self) -> Option<&Glimpse> {
        match self {
            Self::Recalled { glimpse, .. } => Some(glimpse),
            Self::Snapshot(_) => None,
        }
    }
}
