//! [`Source`]: what a moment's answers are taken from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::{Snapshot, StoreError, TenantModel, TenantStore};

/// A snapshot; or what was asked of one before, and for the rest another one, which is taken when it is needed.
pub(super) enum Source {
    Snapshot(Arc<dyn Snapshot>),
    /// It keeps the answers.
    Kept(Arc<dyn Snapshot>, Mutex<Recollection>),
    Recalled {
        recollection: Recollection,
        store: Arc<dyn TenantStore>,
        snapshot: OnceCell<Arc<dyn Snapshot>>,
    },
}

/// What a snapshot has answered, for whoever is to be judged later and should not hold a snapshot while he waits: what is read of a
/// resource, and of those who are to become members of it.
#[derive(Default)]
pub struct Recollection {
    model: Option<Arc<TenantModel>>,
    resources: HashMap<(String, ResourceId), Option<Resource>>,
    among: HashMap<(ResourceId, Vec<ResourceId>), Vec<Member>>,
    identified: HashMap<Vec<ResourceId>, Vec<Member>>,
}

impl Source {
    /// The snapshot, which is taken if need be.
    pub(super) async fn snapshot(&self) -> Result<&Arc<dyn Snapshot>, StoreError> {
        match self {
            Self::Snapshot(snapshot) | Self::Kept(snapshot, _) => Ok(snapshot),
            Self::Recalled { store, snapshot, recollection } => {
                let take = async {
                    let snapshot = store.snapshot().await?;
                    // So that it is known whether it fits what was read before.
                    if recollection.model.is_some() {
                        snapshot.model().await?;
                    }
                    Ok(snapshot)
                };
                snapshot.get_or_try_init(|| take).await
            }
        }
    }

    /// Whether resources are known not to be of the model that was told.
    pub(super) async fn is_outdated(&self) -> Result<bool, StoreError> {
        match self {
            Self::Snapshot(snapshot) | Self::Kept(snapshot, _) => Ok(snapshot.is_outdated()),
            Self::Recalled { recollection, snapshot, .. } => match (&recollection.model, snapshot.get()) {
                (Some(told), Some(snapshot)) => Ok(snapshot.model().await?.generation != told.generation),
                _ => Ok(false),
            },
        }
    }

    pub(super) async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        if let Self::Recalled { recollection: Recollection { model: Some(model), .. }, .. } = self {
            return Ok(Arc::clone(model));
        }
        let model = self.snapshot().await?.presumed_model().await?;
        self.keep(|kept| kept.model = Some(Arc::clone(&model)));
        Ok(model)
    }

    pub(super) async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        let question = (resource_type.name.clone(), id);
        if let Some(recalled) = self.recalled(|recollection| recollection.resources.get(&question)) {
            return Ok(recalled.clone());
        }
        let found = self.snapshot().await?.resource(resource_type, id).await?;
        self.keep(|kept| drop(kept.resources.insert(question, found.clone())));
        Ok(found)
    }

    pub(super) async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let question = (group, ids.to_vec());
        if let Some(recalled) = self.recalled(|recollection| recollection.among.get(&question)) {
            return Ok(recalled.clone());
        }
        let found = self.snapshot().await?.members_among(group, ids).await?;
        self.keep(|kept| drop(kept.among.insert(question, found.clone())));
        Ok(found)
    }

    pub(super) async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        if let Some(recalled) = self.recalled(|recollection| recollection.identified.get(ids)) {
            return Ok(recalled.clone());
        }
        let found = self.snapshot().await?.identify(ids).await?;
        self.keep(|kept| drop(kept.identified.insert(ids.to_vec(), found.clone())));
        Ok(found)
    }

    fn recalled<T>(&self, answer: impl FnOnce(&Recollection) -> Option<&T>) -> Option<&T> {
        match self {
            Self::Recalled { recollection, .. } => answer(recollection),
            Self::Snapshot(_) | Self::Kept(..) => None,
        }
    }

    fn keep(&self, answer: impl FnOnce(&mut Recollection)) {
        if let Self::Kept(_, kept) = self {
            answer(&mut kept.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What is kept of a source that keeps.
pub(super) fn recollection(source: Source) -> Recollection {
    match source {
        Source::Kept(_, kept) => kept.into_inner().unwrap_or_else(PoisonError::into_inner),
        Source::Recalled { recollection, .. } => recollection,
        Source::Snapshot(_) => Recollection::default(),
    }
}
