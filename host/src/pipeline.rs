//! What happens to a request, top to bottom. Calls leaves; leaves do not call each other.
//!
//! Start at [`write`](mod@write): it is the story that everything else serves.

pub mod write;
pub mod read;
pub mod activation;
pub mod directory;
pub mod turnstile;

use std::sync::Arc;

use crate::clock::Clock;
use crate::constraints::{Registry, Sandbox};
use crate::pipeline::turnstile::Turnstile;
use crate::scim::schema::SchemaRegistry;
use crate::store::Store;

/// What the pipeline works with.
pub struct Pipeline {
    /// The schemas and resource types.
    pub schemas: Arc<SchemaRegistry>,
    /// What is stored.
    pub store: Arc<dyn Store>,
    /// Where constraints run.
    pub sandbox: Arc<Sandbox>,
    /// The constraints in force, by tenant.
    pub registry: Arc<Registry>,
    /// Time and ids.
    pub clock: Clock,
    /// Where writers queue that got into each other's way.
    pub turnstile: Turnstile,
}
