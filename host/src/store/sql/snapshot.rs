//! [`SqlSnapshot`]: a read transaction, lent for as long as somebody holds the snapshot.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};

use async_trait::async_trait;

use super::Shared;
use super::budget::Budget;
use super::driver::Connection;
use super::look_up::LookUps;
use super::page::GLANCE_ROWS;
use super::pool::{Lease, Pool};
use super::represent::Shower;
use super::tables;
use super::view::View;
use crate::decision::{LookUp, TenantId};
use crate::scim::filter::Filter;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::query::{Effort, Found};
use crate::store::{
    Choose, FoundRow, Matches, Page, QueryError, Reference, Represented, ShowError, Shown, Snapshot, StoreError,
    TenantModel, Wanted,
};

/// A tenant's resources at the moment of the first question. The transaction begins in the same hop as that question,
/// and the tenant's model is read along with it, so a snapshot costs no hop of its own.
pub(super) struct SqlSnapshot {
    pool: Arc<Pool>,
    moment: Arc<Moment>,
    look_ups: Arc<Mutex<LookUps>>,
}

/// What answers are taken from.
struct Moment {
    tenant: TenantId,
    shared: Arc<Shared>,
    lease: Mutex<Lease>,
    model: OnceLock<Arc<TenantModel>>,
    /// What was said to be the model before the moment was fixed.
    presumed: OnceLock<Arc<TenantModel>>,
}

impl SqlSnapshot {
    pub(super) fn new(tenant: TenantId, shared: Arc<Shared>, pool: Arc<Pool>, lease: Lease) -> Self {
        let (model, presumed) = (OnceLock::new(), OnceLock::new());
        let moment = Moment { tenant, shared, lease: Mutex::new(lease), model, presumed };
        Self { pool, moment: Arc::new(moment), look_ups: Arc::new(Mutex::new(LookUps::asked())) }
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
        self.ask_foreseeing(|_, _| Ok(()), question).await
    }

    /// A question of which it is known, by the model if that is the one that is known, what it begins with.
    async fn ask_foreseeing<T, E>(
        &self,
        foresee: impl FnOnce(View<'_>, &TenantModel) -> Result<(), StoreError> + Send + 'static,
        question: impl FnOnce(View<'_>, &TenantModel) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let moment = Arc::clone(&self.moment);
        let question = move || {
            let lease = &mut moment.lease.lock().unwrap_or_else(PoisonError::into_inner);
            moment.foresee(lease, foresee)?;
            moment.answer(lease, question)
        };
        self.pool.threads().blocking(question).await
    }

    /// A question about so many rows.
    async fn look_at<T, E>(
        &self,
        rows: usize,
        question: impl FnOnce(View<'_>, &TenantModel) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if rows <= GLANCE_ROWS { self.glance(question).await } else { self.ask_with(question).await }
    }

    /// Answers where it is asked, on the worker that serves the request: for questions that look at a few rows by their
    /// keys. Such a look takes some 5 µs (that of a page which is not in memory as long as the disk takes, some 100 µs);
    /// to have another thread take it, and to be woken by that, costs five times as much processor.
    async fn glance<T, E>(
        &self,
        question: impl FnOnce(View<'_>, &TenantModel) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if !self.pool.answers_at_once() {
            return self.ask_with(question).await;
        }
        match self.moment.answer_at_once(question) {
            Ok(answer) => answer,
            Err(question) => self.ask_with(question).await,
        }
    }
}

impl Moment {
    /// Gives the question back while another one is being answered: no worker waits for that.
    fn answer_at_once<T, E, Q>(&self, question: Q) -> Result<Result<T, E>, Q>
    where
        E: From<StoreError>,
        Q: FnOnce(View<'_>, &TenantModel) -> Result<T, E>,
    {
        match self.lease.try_lock() {
            Ok(mut lease) => Ok(self.answer(&mut lease, question)),
            Err(TryLockError::Poisoned(poisoned)) => Ok(self.answer(&mut poisoned.into_inner(), question)),
            Err(TryLockError::WouldBlock) => Err(question),
        }
    }

    /// Nothing that is asked of the moment is known before its model is but by another one, which may be the same.
    fn foresee(
        &self,
        lease: &mut Lease,
        foresee: impl FnOnce(View<'_>, &TenantModel) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let latest = || self.presumed.get().cloned().or_else(|| self.shared.models.latest(self.tenant));
        match self.model.get().cloned().or_else(latest) {
            Some(model) => foresee(self.view(lease.connection()?, &model), &model),
            None => Ok(()),
        }
    }

    fn view<'v>(&'v self, connection: &'v Connection, model: &'v TenantModel) -> View<'v> {
        View { connection, tenant: self.tenant, names: &self.shared.names, schemas: &model.schemas }
    }

    fn answer<T, E: From<StoreError>>(
        &self,
        lease: &mut Lease,
        question: impl FnOnce(View<'_>, &TenantModel) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = lease.connection()?;
        let model = match self.model.get() {
            Some(model) => model,
            None => {
                let read = self.shared.models.get_committed(connection, self.tenant)?;
                self.model.get_or_init(|| read)
            }
        };
        question(self.view(connection, model), model)
    }
}

#[async_trait]
impl Snapshot for SqlSnapshot {
    async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        if self.moment.model.get().is_none() {
            self.glance(|_, _| Ok::<(), StoreError>(())).await?;
        }
        self.moment.model.get().cloned().ok_or(StoreError::NoTenant)
    }

    async fn presumed_model(&self) -> Result<Arc<TenantModel>, StoreError> {
        let moment = &self.moment;
        if let Some(asked) = self.pool.asked_together().filter(|_| moment.model.get().is_none()) {
            let generation = asked.generation(moment.tenant).await?.ok_or(StoreError::NoTenant)?;
            if let Some(known) = moment.shared.models.known(moment.tenant, generation) {
                return Ok(Arc::clone(moment.presumed.get_or_init(|| known)));
            }
        }
        self.model().await
    }

    fn is_outdated(&self) -> bool {
        let both = self.moment.presumed.get().zip(self.moment.model.get());
        both.is_some_and(|(presumed, model)| presumed.generation != model.generation)
    }

    async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        let resource_type = Arc::clone(resource_type);
        if self.pool.answers_at_once() {
            return self.glance(move |view, _| view.resource(&resource_type, id)).await;
        }
        let foreseen = Arc::clone(&resource_type);
        self.ask_foreseeing(
            move |view, _| view.foresee_resource(&foreseen, id),
            move |view, _| view.resource(&resource_type, id),
        )
        .await
    }

    async fn find(
        &self,
        resource_type: &Arc<ResourceType>,
        filter: Option<&Filter>,
        page: Page,
    ) -> Result<Matches, QueryError> {
        let (resource_type, filter) = (Arc::clone(resource_type), filter.cloned());
        self.ask(move |view| {
            view.find(&resource_type, filter.as_ref(), page, &mut Budget::once(Effort::QUERY), Wanted::default())
        })
        .await
    }

    async fn show(&self, choose: Choose) -> Result<Shown, ShowError> {
        if !self.pool.answers_at_once() {
            let choose = Arc::new(choose);
            let chosen = Arc::clone(&choose);
            // A query that makes no sense is refused by the model of the moment.
            let foresee =
                move |view: View<'_>, model: &TenantModel| choose(model).map_or(Ok(()), |query| view.foresee(&query));
            let show = move |view: View<'_>, model: &TenantModel| Ok(view.show(chosen(model)?)?);
            return self.ask_foreseeing(foresee, show).await;
        }
        let glance = move |view: View<'_>, model: &TenantModel| {
            let query = choose(model)?;
            Ok::<_, ShowError>(view.glance(&query)?.ok_or(query))
        };
        match self.glance(glance).await? {
            Ok(shown) => Ok(shown),
            Err(query) => self.ask(move |view| Ok(view.show(query)?)).await,
        }
    }

    async fn represent(&self, resource: Resource, wanted: Wanted) -> Result<Represented, StoreError> {
        if !self.pool.answers_at_once() {
            let id = resource.id;
            let foresee = move |view: View<'_>, _: &TenantModel| Shower::new(view).foresee([(id, wanted)].into_iter());
            return self.ask_foreseeing(foresee, move |view, _| Shower::new(view).represent(resource, wanted)).await;
        }
        let glance = move |view: View<'_>, _: &TenantModel| {
            let mut shower = Shower::within_rows(view, GLANCE_ROWS);
            let shown = shower.represent(resource, wanted)?;
            Ok::<_, StoreError>(if shower.exceeded() { Err(shown.resource) } else { Ok(shown) })
        };
        match self.glance(glance).await? {
            Ok(shown) => Ok(shown),
            Err(resource) => self.ask(move |view| Shower::new(view).represent(resource, wanted)).await,
        }
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
        self.look_at(ids.len(), move |view, _| view.members_among(group, &ids)).await
    }

    async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let ids = ids.to_vec();
        self.look_at(ids.len(), move |view, _| view.identify(&ids)).await
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

    async fn table_row(&self, table: &str, key: &str) -> Result<Option<FoundRow>, StoreError> {
        let (table, key) = (table.to_owned(), key.to_owned());
        self.glance(move |view, _| tables::look(view.connection, view.tenant, &table, &key)).await
    }
}
