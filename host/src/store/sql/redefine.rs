//! How a tenant's definitions take effect, in one transaction with the check that all that is stored is as they say,
//! without a writer that is busy for as long as it takes to look at all of it (10 µs for each resource).
//!
//! 1. [`plan`] says what there is to look at: where nothing new is asked of what is stored, nothing.
//! 2. A watch begins ([`watches`]): from here on it is known which resources change.
//! 3. Readers go through the resources, a page at a time. Entries for what is to be indexed are added page by page;
//!    nobody reads them yet.
//! 4. In the transaction only what has changed since is looked at again. Then the definitions are stored, and the
//!    generation is raised.
//! 5. Entries that are read no more are removed, a number at a time.
//!
//! If it ends early, by a refusal or a crash, entries are left that nobody reads: the next to need them removes them
//! first.

mod entries;
mod found;
mod plan;
mod turns;
mod watches;

use std::sync::Arc;

use super::driver::Connection;

use self::found::{Found, Looked};
use self::plan::{Entries, Plan};
pub(super) use self::turns::Turns;
use self::watches::Watch;
pub(super) use self::watches::Watches;
use super::pool::Pool;
use super::view::View;
use super::writer::LooseEnd;
use super::{Shared, definitions, names, tenants};
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::{DefineError, Defined, NewDefinitions, StoreError, TenantModel};

/// Resources looked at in one go: some 5 ms, of a reader, or of the writer if they have changed meanwhile.
const PAGE: usize = 500;

/// Goes at what has changed meanwhile before the transaction that takes the rest, however much that is: a tenant whose
/// writers change more than [`PAGE`] resources in the time that it takes to look at them.
const CATCH_UPS_MAX: usize = 100;

/// Definitions on their way into effect.
#[derive(Clone)]
pub(super) struct Redefinition {
    pub(super) tenant: TenantId,
    pub(super) shared: Arc<Shared>,
    pub(super) pool: Arc<Pool>,
    pub(super) writer: Arc<LooseEnd>,
    pub(super) change: Arc<NewDefinitions>,
}

impl Redefinition {
    /// Puts them into effect. Of one tenant, one after the other: two would remove each other's entries.
    pub(super) async fn run(self) -> Result<Defined, DefineError> {
        let turn = self.shared.turns.of(self.tenant);
        let _turn = turn.lock().await;
        self.learn_names().await?;
        if !self.writer.is_alone() {
            let this = self.clone();
            return self.writer.write(move |connection| this.at_once(connection)).await;
        }
        let (plan, watch) = self.begin().await?;
        let done = match self.look(&plan).await {
            Ok(found) => self.finish(&plan, &watch, found).await,
            Err(error) => Err(error.into()),
        };
        let left = if done.is_ok() { plan.read_no_more() } else { plan.read_by_nobody() };
        if let Err(error) = self.remove(left).await {
            tracing::warn!(tenant.id = self.tenant.0, %error, "index entries that nobody reads were not removed");
        }
        done
    }

    /// All of it in one transaction, for where others write, too, whom nobody can watch: it is begun anew if one of them has
    /// changed what it has seen.
    fn at_once(&self, connection: &Connection) -> Result<Defined, DefineError> {
        let old = self.shared.models.get(connection, self.tenant)?;
        if old.generation != self.change.generation {
            return Err(DefineError::GenerationMoved);
        }
        let plan =
            Plan::of(&old.schemas, &self.change.schemas, definitions::unfit(connection, self.tenant, &old.schemas)?);
        let view = self.view(connection);
        let remove = |entries: Vec<(String, Entries)>| {
            entries.iter().try_for_each(|(name, entries)| {
                while view.remove_some(name, entries)? > 0 {}
                Ok::<_, StoreError>(())
            })
        };
        remove(plan.read_by_nobody())?;
        let mut found = Found::default();
        for (number, of_type) in plan.types.iter().enumerate().filter(|(_, plan)| plan.looks()) {
            let mut last = None;
            loop {
                let resources = view.resources_after(&of_type.after, last, PAGE)?;
                let Some(newest) = resources.last() else { break };
                last = Some(newest.id);
                for resource in &resources {
                    let looked = of_type.look_at(resource);
                    found.note(number, of_type, &looked);
                    found.index(&view, number, of_type, looked)?;
                }
            }
        }
        let defined = self.settle(connection, &plan, &old, found)?;
        remove(plan.read_no_more())?;
        Ok(defined)
    }

    /// By itself and first: a name keeps its number whatever becomes of the definitions.
    async fn learn_names(&self) -> Result<(), StoreError> {
        let (change, shared) = (Arc::clone(&self.change), Arc::clone(&self.shared));
        self.writer.write(move |connection| names::add(connection, &change.schemas)).await?;
        self.pool.read(move |connection| shared.names.learn(connection)).await
    }

    async fn begin(&self) -> Result<(Arc<Plan>, Arc<Watch>), DefineError> {
        let this = self.clone();
        self.writer
            .write(move |connection| {
                let old = this.shared.models.get(connection, this.tenant)?;
                if old.generation != this.change.generation {
                    return Err(DefineError::GenerationMoved);
                }
                let unfit = definitions::unfit(connection, this.tenant, &old.schemas)?;
                let plan = Arc::new(Plan::of(&old.schemas, &this.change.schemas, unfit));
                let watch = this.shared.watches.begin(this.tenant, &plan);
                Ok((plan, watch))
            })
            .await
    }

    /// Goes through what is stored, page by page.
    async fn look(&self, plan: &Arc<Plan>) -> Result<Found, StoreError> {
        self.remove(plan.read_by_nobody()).await?;
        let mut found = Found::default();
        for (number, of_type) in plan.types.iter().enumerate().filter(|(_, plan)| plan.looks()) {
            let mut last = None;
            loop {
                let (page, newest) = self.page(plan, number, last).await?;
                page.iter().for_each(|looked| found.note(number, of_type, looked));
                if page.iter().any(|looked| !looked.entries.is_empty()) {
                    found = self.index(plan, number, found, page).await?;
                }
                let Some(newest) = newest else { break };
                last = Some(newest);
            }
        }
        Ok(found)
    }

    /// Looks at the next resources of a type, and tells the last of them.
    async fn page(
        &self,
        plan: &Arc<Plan>,
        number: usize,
        after: Option<ResourceId>,
    ) -> Result<(Vec<Looked>, Option<ResourceId>), StoreError> {
        let (this, plan) = (self.clone(), Arc::clone(plan));
        let question = move |connection: &Connection| {
            let Some(plan) = plan.types.get(number) else { return Ok((Vec::new(), None)) };
            let resources = this.view(connection).resources_after(&plan.after, after, PAGE)?;
            let looked = resources.iter().map(|resource| plan.look_at(resource)).collect();
            Ok((looked, resources.last().map(|newest| newest.id)))
        };
        self.pool.read(question).await
    }

    async fn index(
        &self,
        plan: &Arc<Plan>,
        number: usize,
        found: Found,
        page: Vec<Looked>,
    ) -> Result<Found, StoreError> {
        let (this, plan) = (self.clone(), Arc::clone(plan));
        let work = move |connection: &Connection| {
            tenants::must_exist(connection, this.tenant)?;
            let mut found = found.clone();
            let Some(plan) = plan.types.get(number) else { return Ok(found) };
            for looked in page.clone() {
                found.index(&this.view(connection), number, plan, looked)?;
            }
            Ok(found)
        };
        self.writer.write(work).await
    }

    /// Looks at what has changed meanwhile, and if nothing stands against it, puts the definitions into effect.
    async fn finish(&self, plan: &Arc<Plan>, watch: &Arc<Watch>, mut found: Found) -> Result<Defined, DefineError> {
        for _ in 0..CATCH_UPS_MAX {
            if watch.len() <= PAGE {
                break;
            }
            let (this, of, watch) = (self.clone(), Arc::clone(plan), Arc::clone(watch));
            let work = move |connection: &Connection| {
                let mut found = found.clone();
                tenants::must_exist(connection, this.tenant)?;
                found.look_again(&this.view(connection), &of, watch.take(PAGE))?;
                Ok::<_, StoreError>(found)
            };
            found = self.writer.write(work).await?;
        }
        let (this, of, watch) = (self.clone(), Arc::clone(plan), Arc::clone(watch));
        self.writer.write(move |connection| this.take_effect(connection, &of, &watch, found.clone())).await
    }

    fn take_effect(
        &self,
        connection: &Connection,
        plan: &Plan,
        watch: &Watch,
        mut found: Found,
    ) -> Result<Defined, DefineError> {
        let old = self.shared.models.get(connection, self.tenant)?;
        if old.generation != self.change.generation {
            return Err(DefineError::GenerationMoved);
        }
        found.look_again(&self.view(connection), plan, watch.take(usize::MAX))?;
        self.settle(connection, plan, &old, found)
    }

    /// Puts the definitions into effect, if nothing that was found stands against it.
    fn settle(
        &self,
        connection: &Connection,
        plan: &Plan,
        old: &TenantModel,
        mut found: Found,
    ) -> Result<Defined, DefineError> {
        found.settle(&self.view(connection), plan, &old.schemas)?;
        found.unless_refused(self.change.force)?;
        let unfit = found.unfit(plan);
        definitions::write(connection, self.tenant, &self.change.definitions, &unfit)?;
        let generation = tenants::raise_generation(connection, self.tenant)?;
        Ok(Defined { generation, total: found.total(), broken: found.told })
    }

    /// Removes every one of these entries, a number at a time.
    async fn remove(&self, all: Vec<(String, Entries)>) -> Result<(), StoreError> {
        for (resource_type, entries) in all {
            loop {
                let (this, name, entries) = (self.clone(), resource_type.clone(), entries.clone());
                let work = move |connection: &Connection| this.view(connection).remove_some(&name, &entries);
                if self.writer.write(work).await? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn view<'a>(&'a self, connection: &'a Connection) -> View<'a> {
        View { connection, tenant: self.tenant, names: &self.shared.names, schemas: &self.change.schemas }
    }
}
