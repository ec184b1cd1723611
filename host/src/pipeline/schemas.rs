//! A tenant's own schemas, resource types and tightenings: changed one by one, checked together, in effect at once.
//! Whether what is stored is as they say is for the store to find out.

use thiserror::Error;
use tracing::{info, warn};

use crate::decision::TenantId;
use crate::pipeline::Pipeline;
use crate::scim::schema::{Definitions, ResourceTypeDocument, SchemaDocument, SchemaError, SchemaRegistry, Tightening};
use crate::store::{Broken, DefineError, Defined, NewDefinitions, StoreError};

/// How often definitions are made anew because others of the tenant changed meanwhile. Administrators are few.
const TRIES_MAX: u32 = 5;

/// One change to a tenant's definitions.
#[derive(Clone, Debug)]
pub enum DefinitionEdit {
    /// Adds a schema, or puts it in the place of the one with its id.
    Schema(Box<SchemaDocument>),
    /// Takes the schema of that URN away.
    RemoveSchema(String),
    /// Adds a resource type, or puts it in the place of the one with its name.
    ResourceType(Box<ResourceTypeDocument>),
    /// Takes the resource type of that name away; of a core one, what was added to it.
    RemoveResourceType(String),
    /// Puts these in the place of all tightenings.
    Tightenings(Vec<Tightening>),
}

/// A change to a tenant's definitions that did not take effect.
#[derive(Debug, Error)]
pub enum DefinitionError {
    /// There is no such definition.
    #[error("{0} was not found")]
    Unknown(String),
    /// The definitions do not fit together.
    #[error("the definitions are not valid")]
    Invalid(Vec<SchemaError>),
    /// Resources are not as the definitions say.
    #[error("{total} resources are not as the definitions say")]
    Broken {
        /// How many there are.
        total: u64,
        /// The first of them.
        broken: Vec<Broken>,
        /// Whether they may stay as they are.
        can_be_forced: bool,
    },
    /// Others changed the definitions, again and again.
    #[error("the definitions changed {TRIES_MAX} times meanwhile")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DefinitionEdit {
    fn apply(&self, definitions: &mut Definitions) -> Result<(), DefinitionError> {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        match self {
            Self::Schema(document) => {
                let place = definitions.schemas.iter_mut().find(|known| same(known.id(), document.id()));
                match place {
                    Some(place) => *place = (**document).clone(),
                    None => definitions.schemas.push((**document).clone()),
                }
            }
            Self::RemoveSchema(urn) => {
                let before = definitions.schemas.len();
                definitions.schemas.retain(|known| !same(known.id(), urn));
                if definitions.schemas.len() == before {
                    return Err(DefinitionError::Unknown(format!("the schema `{urn}`")));
                }
            }
            Self::ResourceType(document) => {
                let place = definitions.resource_types.iter_mut().find(|known| same(known.name(), document.name()));
                match place {
                    Some(place) => *place = (**document).clone(),
                    None => definitions.resource_types.push((**document).clone()),
                }
            }
            Self::RemoveResourceType(name) => {
                let before = definitions.resource_types.len();
                definitions.resource_types.retain(|known| !same(known.name(), name));
                if definitions.resource_types.len() == before {
                    return Err(DefinitionError::Unknown(format!("the resource type `{name}`")));
                }
            }
            Self::Tightenings(tightenings) => definitions.tightenings.clone_from(tightenings),
        }
        Ok(())
    }
}

impl Pipeline {
    /// Changes a tenant's definitions. With `force` they take effect though resources are not as they say, and the answer
    /// and the log tell which.
    pub async fn define(
        &self,
        tenant: TenantId,
        edit: &DefinitionEdit,
        force: bool,
        by: &str,
    ) -> Result<Defined, DefinitionError> {
        for _ in 0..TRIES_MAX {
            let model = self.store.tenant(tenant).model().await?;
            let mut definitions = Definitions::clone(&model.definitions);
            edit.apply(&mut definitions)?;
            let schemas = SchemaRegistry::build(&definitions).map_err(DefinitionError::Invalid)?;
            let change = NewDefinitions { definitions, schemas: schemas.into(), generation: model.generation, force };
            match self.store.tenant(tenant).define(change).await {
                Ok(defined) => {
                    let (generation, broken) = (defined.generation, defined.total);
                    if broken > 0 {
                        warn!(
                            tenant.id = tenant.0,
                            generation, broken, by, "definitions were forced on resources that break them"
                        );
                    } else {
                        info!(tenant.id = tenant.0, generation, by, "a tenant's definitions have changed");
                    }
                    return Ok(defined);
                }
                Err(DefineError::GenerationMoved) => {}
                Err(DefineError::Broken { total, broken, can_be_forced }) => {
                    return Err(DefinitionError::Broken { total, broken, can_be_forced });
                }
                Err(DefineError::Store(error)) => return Err(error.into()),
            }
        }
        Err(DefinitionError::Contended)
    }
}
