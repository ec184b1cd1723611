//! What happens to a request, top to bottom. Calls leaves; leaves do not call each other.
//!
//! Start at [`write`](mod@write): it is the story that everything else serves.

pub mod write;
mod rewrite;
pub mod bulk;
pub mod answer;
pub mod read;
pub mod upload;
pub mod signing;
pub mod activation;
pub mod apply;
pub mod replay;
pub mod backtest;
pub mod capture;
pub mod explain;
pub mod components;
pub mod preparing;
pub mod schemas;
pub mod tables;
pub mod waivers;
pub mod retention;
pub mod directory;
pub mod moment;
pub mod passwords;
pub mod turnstile;
pub mod convoy;
mod crossing;

use std::sync::Arc;

use crate::clock::Clock;
use crate::constraints::{Registry, Sandbox};
use crate::metrics::Metrics;
use crate::pipeline::components::Components;
use crate::pipeline::convoy::Convoys;
use crate::pipeline::passwords::Passwords;
use crate::pipeline::turnstile::Turnstile;
use crate::scim::cursor::Cursors;
use crate::scim::error::ScimError;
use crate::scim::limits::ScimLimits;
use crate::scim::reading::Reading;
use crate::scim::schema::ResourceType;
use crate::store::{Store, TenantModel};
use crate::tables::TableLimits;

/// What the pipeline works with.
pub struct Pipeline {
    /// What is stored.
    pub store: Arc<dyn Store>,
    /// The components that tenants have uploaded.
    pub components: Components,
    /// Where constraints run.
    pub sandbox: Arc<Sandbox>,
    /// The constraints in force, by tenant.
    pub registry: Arc<Registry>,
    /// Time and ids.
    pub clock: Clock,
    /// Where secrets are hashed.
    pub passwords: Passwords,
    /// Where writers queue that got into each other's way.
    pub turnstile: Turnstile,
    /// Changes of one resource that are on their way to the store together; `None`: each is on its way alone.
    pub convoys: Option<Convoys>,
    /// Makes the cursors of lists and reads them.
    pub cursors: Cursors,
    /// How large what clients send may be.
    pub limits: Arc<ScimLimits>,
    /// How large tables may be, and how many of them are kept.
    pub tables: Arc<TableLimits>,
    /// Where it is counted what happens.
    pub metrics: Arc<Metrics>,
}

/// How what a tenant's clients send is read.
fn reading<'r>(model: &TenantModel, resource_type: &'r Arc<ResourceType>, limits: &'r ScimLimits) -> Reading<'r> {
    Reading { resource_type, leniency: model.profile.leniency(), limits }
}

/// The resource type that a tenant serves under a path segment: `Users`.
fn served<'m>(model: &'m TenantModel, endpoint: &str) -> Result<&'m Arc<ResourceType>, ScimError> {
    model.schemas.by_endpoint(endpoint).ok_or_else(|| ScimError::not_found(&format!("the endpoint `/{endpoint}`")))
}
