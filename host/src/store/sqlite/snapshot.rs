//! [`SqliteSnapshot`]: a read transaction, lent for as long as somebody holds the snapshot.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;

use super::Shared;
use super::budget::Budget;
use super::look_up::LookUps;
use super::pool::{Lease, Pool};
use super::represent::Shower;
use super::view::View;
use crate::decision::{LookUp, TenantId};
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::query::{Effort, Found};
use crate::store::{
    Choose, Matches, Page, QueryError, Reference, Represented, ShowError, Shown, Snapshot, StoreError, TenantModel,
    Wanted,
};

/// A tenant's resources at the moment of the first question. The transaction begins in the same hop as that question,
/// and the tenant's model is read along with it, so a snapshot costs no hop of its own.
pub(super) struct SqliteSnapshot {
    tenant: TenantId,
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    lease: Arc<Mutex<Lease>>,
    model: Arc<OnceLock<Arc<TenantModel>>>,
    look_ups: Arc<Mutex<LookUps>>,
}

impl SqliteSnapshot {
    pub(super) fn new(tenant: TenantId, shared: Arc<Shared>, pool: Arc<Pool>, lease: Lease) -> Self {
        Self {
            tenant,
            shared,
            pool,
            lease: Arc::new(Mutex::new(lease)),
            model: Arc::new(OnceLock::new()),
            look_ups: Arc::new(Mutex::new(LookUps::asked())),
        }
    }

    async fn ask<T, E>(&self, question: impl FnOnce(View<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.ask_with(move |view, _| question(view)).await
    }

    async fn ask_with<T, E>(
        &self,
        question: impl FnOnce(View<'_>, &TenantModel) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (tenant, shared) = (self.tenant, Arc::clone(&self.shared));
        let (lease, model) = (Arc::clone(&self.lease), Arc::clone(&self.model));
        let question = move || {
            let mut lease = lease.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = lease.connection()?;
            let model = match model.get() {
                Some(model) => model,
                None => {
                    let read = shared.models.get_committed(connection, tenant)?;
                    model.get_or_init(|| read)
                }
            };
            question(View { connection, tenant, names: &shared.names, schemas: &model.schemas }, model)
        };
        self.pool.threads().blocking(question).await
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        if self.model.get().is_none() {
            self.ask(|_| Ok::<(), StoreError>(())).await?;
        }
        self.model.get().cloned().ok_or(StoreError::NoTenant)
    }

    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        let resource_type = Arc::clone(resource_type);
        self.ask(move |view| view.resource(&resource_type, id)).await
    }

    async fn resources_after(
        &self,
        resource_type: &Arc<ResourceType>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Resource>, StoreError> {
        let resource_type = Arc::clone(resource_type);
        self.ask(move |view| view.resources_after(&resource_type, after, limit)).await
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        page: Page,
    ) -> Result<Matches, QueryError> {
        let (resource_type, filter) = (Arc::clone(resource_type), filter.cloned());
        self.ask(move |view| view.find(&resource_type, filter.as_ref(), page, &mut Budget::once(Effort::QUERY))).await
    }

    async fn show(&self, choose: Choose) -> Result<Shown, ShowError> {
        self.ask_with(move |view, model| Ok(view.show(choose(model)?)?)).await
    }

    async fn represent(&self, resource: Resource, wanted: Wanted) -> Result<Represented, StoreError> {
        self.ask(move |view| Shower::new(view).represent(resource, wanted)).await
    }

    async fn member_references(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
        displays: bool,
    ) -> Result<Vec<Reference>, StoreError> {
        self.ask(move |view| view.member_references(group, after, limit, displays)).await
    }

    async fn count(&self, resource_type: &Arc<ResourceType>, filter: Option<&Filter>) -> Result<u64, QueryError> {
        self.find(resource_type, filter, Page { offset: 0, limit: 0 }).await.map(|matches| matches.total)
    }

    async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        self.ask(move |view| view.members(group, after, limit)).await
    }

    async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let ids = ids.to_vec();
        self.ask(move |view| view.members_among(group, &ids)).await
    }

    async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let ids = ids.to_vec();
        self.ask(move |view| view.identify(&ids)).await
    }

    async fn groups_of(&self, id: ResourceId) -> Result<Vec<ResourceId>, StoreError> {
        self.ask(move |view| view.groups_of(id)).await
    }

    async fn displays(&self, ids: &[ResourceId]) -> Result<Vec<(ResourceId, String)>, StoreError> {
        let ids = ids.to_vec();
        self.ask(move |view| view.displays(&ids)).await
    }

    async fn look_up(&self, look_up: &LookUp) -> Result<Found, QueryError> {
        let (look_up, look_ups) = (look_up.clone(), Arc::clone(&self.look_ups));
        self.ask(move |view| look_ups.lock().unwrap_or_else(PoisonError::into_inner).find(&view, &look_up)).await
    }
}
