//! [`Models`]: what each tenant's resources are, read once a generation.

use std::sync::Arc;

use super::driver::Connection;
use moka::sync::Cache;

use super::names::Names;
use super::{definitions, tenants};
use crate::decision::TenantId;
use crate::scim::schema::SchemaRegistry;
use crate::store::{StoreError, TenantModel};

/// Models kept in memory. That of a tenant without schemas of its own is some 100 bytes; one with many is as large as
/// the schemas, at most about 100 KB.
const MODELS_MAX: u64 = 10_000;

/// The tenants' models.
pub(super) struct Models {
    /// What a tenant has that has declared nothing.
    base: Arc<SchemaRegistry>,
    names: Arc<Names>,
    known: Cache<TenantId, Arc<TenantModel>>,
}

impl Models {
    pub(super) fn new(base: Arc<SchemaRegistry>, names: Arc<Names>) -> Self {
        Self { base, names, known: Cache::new(MODELS_MAX) }
    }

    /// The model of a generation, if it is known.
    pub(super) fn known(&self, tenant: TenantId, generation: i64) -> Option<Arc<TenantModel>> {
        self.known.get(&tenant).filter(|known| known.generation == generation)
    }

    /// The newest model that is known, which may not be the tenant's any more.
    pub(super) fn latest(&self, tenant: TenantId) -> Option<Arc<TenantModel>> {
        self.known.get(&tenant)
    }

    /// The model as the connection's transaction sees it.
    pub(super) fn get(&self, connection: &Connection, tenant: TenantId) -> Result<Arc<TenantModel>, StoreError> {
        let generation = tenants::generation(connection, tenant)?.ok_or(StoreError::NoTenant)?;
        if let Some(known) = self.known(tenant, generation) {
            return Ok(known);
        }
        let profile = tenants::profile(connection, tenant)?;
        let definitions = definitions::read(connection, tenant)?;
        let schemas = match &definitions {
            None => Arc::clone(&self.base),
            Some(definitions) => Arc::new(SchemaRegistry::build(definitions).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                StoreError::Damaged(format!("a tenant's definitions do not fit together: {}", problems.join("; ")))
            })?),
        };
        Ok(Arc::new(TenantModel {
            generation,
            profile,
            definitions: Arc::new(definitions.unwrap_or_default()),
            schemas,
        }))
    }

    /// The same for a reader, who sees only what is committed: a model that the writer reads may never come to be, and
    /// its generation then be another one's.
    pub(super) fn get_committed(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<Arc<TenantModel>, StoreError> {
        let model = self.get(connection, tenant)?;
        if self.known.get(&tenant).is_none_or(|known| known.generation < model.generation) {
            // Another node may have given numbers to the names that these definitions bring.
            if !Arc::ptr_eq(&model.schemas, &self.base) {
                self.names.learn(connection)?;
            }
            self.known.insert(tenant, Arc::clone(&model));
        }
        Ok(model)
    }
}
