//! A tenant's own schemas, resource types and tightenings: kept as one document, and put into effect in one transaction
//! with the check that all that is stored is as they say.
//!
//! The writer is busy meanwhile, about 10 µs for each resource of a type that changes. So whoever declares something
//! looks at the resources in a snapshot first (`pipeline::schemas`): what is refused then keeps nobody waiting.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::row::json;
use super::view::View;
use super::{Shared, tenants};
use crate::decision::TenantId;
use crate::scim::index;
use crate::scim::reading::Reading;
use crate::scim::resource::ResourceId;
use crate::scim::schema::reindexed::index_form;
use crate::scim::schema::violations::violations;
use crate::scim::schema::{
    Definitions, ResourceType, ResourceTypeDocument, SchemaDocument, SchemaError, SchemaRegistry, Tightening,
};
use crate::store::model::BROKEN_MAX;
use crate::store::{Broken, DefineError, Defined, NewDefinitions, StoreError};

/// Resources read between two looks at the list.
const BATCH: usize = 500;

/// What the tenant has declared; `None` for nothing.
pub(super) fn read(connection: &Connection, tenant: TenantId) -> Result<Option<Definitions>, StoreError> {
    let document: Option<Value> = connection
        .prepare_cached("SELECT document FROM definitions WHERE tenant_id = ?1")?
        .query_row([tenant.0], |row| json(row, 0))
        .optional()?;
    document.as_ref().map(from_json).transpose()
}

/// Puts them into effect.
pub(super) fn define(
    connection: &Connection,
    tenant: TenantId,
    shared: &Shared,
    change: &NewDefinitions,
) -> Result<Defined, DefineError> {
    let old = shared.models.get(connection, tenant)?;
    if old.generation != change.generation {
        return Err(DefineError::GenerationMoved);
    }
    let view = View { connection, tenant, names: &shared.names, schemas: &change.schemas };
    let mut found = Found { force: change.force, ..Found::default() };
    for before in old.schemas.resource_types() {
        match change.schemas.resource_type(&before.name) {
            Some(after) if after == before => {}
            Some(after) => found.compare(&view, before, after)?,
            None => found.unserved(&view, &old.schemas, before)?,
        }
    }
    let Found { total, broken, .. } = found.unless_refused()?;
    connection
        .prepare_cached(
            "INSERT INTO definitions(tenant_id, document) VALUES (?1, ?2) \
             ON CONFLICT(tenant_id) DO UPDATE SET document = excluded.document",
        )
        .and_then(|mut statement| statement.execute(params![tenant.0, to_json(&change.definitions).to_string()]))
        .map_err(StoreError::from)?;
    Ok(Defined { generation: tenants::raise_generation(connection, tenant)?, total, broken })
}

/// What is not as the new definitions say.
#[derive(Default)]
struct Found {
    force: bool,
    total: u64,
    broken: Vec<Broken>,
    cannot_be_forced: bool,
}

impl Found {
    fn add(&mut self, broken: Broken) {
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(broken);
        }
    }

    /// Goes through the resources of a type that changes, and indexes them anew where the indexes change.
    fn compare(
        &mut self,
        view: &View<'_>,
        before: &Arc<ResourceType>,
        after: &Arc<ResourceType>,
    ) -> Result<(), StoreError> {
        let reindex = index_form(before) != index_form(after);
        if reindex {
            view.remove_entries(&after.name)?;
        }
        let mut last: Option<ResourceId> = None;
        loop {
            let resources = view.resources_after(after, last, BATCH)?;
            let Some(newest) = resources.last() else { return Ok(()) };
            last = Some(newest.id);
            for resource in &resources {
                let is_not =
                    |path, message| Broken { resource_type: after.name.clone(), id: resource.id, path, message };
                let mut is_broken = false;
                for violation in violations(Reading::strict(after), &resource.attributes) {
                    is_broken = true;
                    self.add(is_not(violation.path, violation.message));
                }
                for entry in if reindex { index::entries(resource) } else { Vec::new() } {
                    if !view.add_entry(&after.name, resource.id, &entry)? {
                        is_broken = true;
                        self.cannot_be_forced = true;
                        let message = "is to be unique, and another resource has the same value".to_owned();
                        self.add(is_not(entry.attribute, message));
                    }
                }
                self.total += u64::from(is_broken);
            }
        }
    }

    /// Counts the resources of a type that is not served any more.
    fn unserved(
        &mut self,
        view: &View<'_>,
        old: &SchemaRegistry,
        before: &Arc<ResourceType>,
    ) -> Result<(), StoreError> {
        let size = View { schemas: old, ..*view }.size(before)?;
        let first = view.resources_after(before, None, 1)?;
        for resource in first {
            self.cannot_be_forced = true;
            self.total += size;
            let message = format!("is one of {size} resources of a type that would not be served any more");
            let (resource_type, path) = (before.name.clone(), String::new());
            self.add(Broken { resource_type, id: resource.id, path, message });
        }
        Ok(())
    }

    fn unless_refused(self) -> Result<Self, DefineError> {
        if self.total == 0 || self.force && !self.cannot_be_forced {
            return Ok(self);
        }
        Err(DefineError::Broken { total: self.total, broken: self.broken, can_be_forced: !self.cannot_be_forced })
    }
}

impl View<'_> {
    /// Takes every entry of a type out of the indexes.
    fn remove_entries(&self, resource_type: &str) -> Result<(), StoreError> {
        let rtype = self.names.number(resource_type)?;
        for sql in [
            "DELETE FROM resource_key WHERE tenant_id = ?1 AND rtype = ?2",
            "DELETE FROM resource_attr WHERE tenant_id = ?1 AND rtype = ?2",
        ] {
            self.connection.prepare_cached(sql)?.execute(params![self.tenant.0, rtype])?;
        }
        Ok(())
    }
}

fn to_json(definitions: &Definitions) -> Value {
    json!({
        "schemas": definitions.schemas.iter().map(SchemaDocument::to_json).collect::<Vec<_>>(),
        "resourceTypes": definitions.resource_types.iter().map(ResourceTypeDocument::to_json).collect::<Vec<_>>(),
        "tightenings": definitions.tightenings.iter().map(Tightening::to_json).collect::<Vec<_>>(),
    })
}

fn from_json(document: &Value) -> Result<Definitions, StoreError> {
    Ok(Definitions {
        schemas: each(document, "schemas", SchemaDocument::from_json)?,
        resource_types: each(document, "resourceTypes", ResourceTypeDocument::from_json)?,
        tightenings: each(document, "tightenings", Tightening::from_json)?,
    })
}

fn each<T>(
    document: &Value,
    name: &str,
    read: impl Fn(&Value) -> Result<T, Vec<SchemaError>>,
) -> Result<Vec<T>, StoreError> {
    let documents = document.get(name).and_then(Value::as_array).into_iter().flatten();
    let damaged = |problems: Vec<SchemaError>| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        StoreError::Damaged(format!("a definition in `{name}`: {}", problems.join("; ")))
    };
    documents.map(|document| read(document).map_err(damaged)).collect()
}
