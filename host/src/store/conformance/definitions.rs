//! Definitions: in force as a whole, from one generation on, for everything that is there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::{World, user_type};
use crate::scim::schema::{Definitions, SchemaRegistry, Tightening};
use crate::store::{DefineError, Defined, NewDefinitions, Store};

async fn tighten(world: &World, generation: i64, force: bool, tightening: Value) -> Result<Defined, DefineError> {
    let tightenings = vec![Tightening::from_json(&tightening).unwrap()];
    let definitions = Definitions { tightenings, ..Definitions::default() };
    let schemas = Arc::new(SchemaRegistry::build(&definitions).unwrap());
    world.tenant.define(NewDefinitions { definitions, schemas, generation, force }).await
}

pub(crate) async fn definitions_hold_for_what_is_there_or_are_not_taken(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    acme.user("ada").await;
    let titles = || json!({ "resourceType": "User", "path": "title", "required": true });
    let refused = tighten(&acme, 0, false, titles()).await;
    assert!(matches!(refused, Err(DefineError::Broken { total: 1, can_be_forced: true, .. })), "{refused:?}");
    assert_eq!(acme.generation().await, 0);

    let indexed = json!({ "resourceType": "User", "path": "active", "required": true });
    let defined = tighten(&acme, 0, false, indexed.clone()).await.unwrap();
    assert_eq!((defined.generation, defined.total, acme.generation().await), (1, 0, 1));
    let late = tighten(&acme, 0, false, indexed).await;
    assert!(matches!(late, Err(DefineError::GenerationMoved)), "{late:?}");
    let forced = tighten(&acme, 1, true, titles()).await.unwrap();
    assert_eq!((forced.generation, forced.total, acme.generation().await), (2, 1, 2));
    assert_eq!(acme.tenant.model().await.unwrap().definitions.tightenings.len(), 1);
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 1);
    assert_eq!(other.generation().await, 0);
}
