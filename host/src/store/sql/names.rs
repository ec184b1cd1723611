//! Numbers for the names of resource types and indexed attributes, and the indexes' state.
//!
//! A number is given once and never changes. Those of the core schemas are given when the store is opened, those of a
//! tenant's own before its definitions are stored.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::driver::{Connection, OptionalExtension, params};

use crate::decision::TenantId;
use crate::scim::index;
use crate::scim::resource::ResourceId;
use crate::scim::schema::reindexed::index_form;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::secret::is_secret;
use crate::store::StoreError;

use super::models::Models;
use super::view::View;

/// Raised when `scim::index` brings values into another form than before: the indexes are then made anew.
const INDEX_FORM: u32 = 2;

/// Resources that are indexed anew between two looks at the list.
const REBUILD_BATCH: usize = 500;

/// Every name that has a number, both ways.
#[derive(Default)]
pub(super) struct Names {
    both: RwLock<Both>,
}

#[derive(Default)]
struct Both {
    numbers: HashMap<Arc<str>, i64>,
    names: HashMap<i64, Arc<str>>,
}

impl Names {
    /// Takes in the numbers that are stored. Only what is committed may be: a number that is undone is given again.
    pub(super) fn learn(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached("SELECT text, number FROM name")?;
        let mut both = Both::default();
        let mut rows = statement.query(params![])?;
        while let Some(row) = &rows.next()? {
            let (name, number): (Arc<str>, i64) = (row.get(0)?, row.get(1)?);
            both.names.insert(number, Arc::clone(&name));
            both.numbers.insert(name, number);
        }
        *self.both.write().unwrap_or_else(PoisonError::into_inner) = both;
        Ok(())
    }

    /// The number of a name.
    pub(super) fn number(&self, name: &str) -> Result<i64, StoreError> {
        let both = self.both.read().unwrap_or_else(PoisonError::into_inner);
        both.numbers.get(name).copied().ok_or_else(|| StoreError::Damaged(format!("`{name}` has no number")))
    }

    /// The name of a number.
    pub(super) fn name(&self, number: i64) -> Result<Arc<str>, StoreError> {
        let both = self.both.read().unwrap_or_else(PoisonError::into_inner);
        let name = both.names.get(&number).cloned();
        name.ok_or_else(|| StoreError::Damaged(format!("{number} is the number of no name")))
    }
}

/// Gives a number to each name in the registry that has none.
pub(super) fn add(connection: &Connection, registry: &SchemaRegistry) -> Result<(), StoreError> {
    let mut add = connection.prepare_cached("INSERT INTO name(text) VALUES (?1) ON CONFLICT DO NOTHING")?;
    for resource_type in registry.resource_types() {
        add.execute(params![&resource_type.name])?;
        for attribute in index::indexed(resource_type) {
            add.execute(params![attribute.to_string()])?;
        }
        for secret in secrets(resource_type) {
            add.execute(params![secret])?;
        }
    }
    Ok(())
}

/// The paths of the type's secrets, of which hashes are kept.
fn secrets(resource_type: &ResourceType) -> Vec<String> {
    let extended = resource_type.extensions.iter().flat_map(|extension| {
        let schema = &extension.schema;
        schema.attributes.iter().map(move |attribute| (format!("{}:{}", schema.id, attribute.name), attribute))
    });
    let all = resource_type.base_attributes().map(|attribute| (attribute.name.clone(), attribute)).chain(extended);
    all.flat_map(|(path, attribute)| {
        let parts = attribute.sub_attributes.iter().filter(|sub| is_secret(sub));
        let parts: Vec<String> = parts.map(|sub| format!("{path}.{}", sub.name)).collect();
        is_secret(attribute).then_some(path).into_iter().chain(parts)
    })
    .collect()
}

/// Makes the indexes anew if they are not those of the present schemas: an attribute has become indexed or unique, or
/// is compared in another way. Else a query would miss what was written before.
pub(super) fn rebuild_indexes(
    connection: &Connection,
    base: &SchemaRegistry,
    models: &Models,
    names: &Names,
) -> Result<(), StoreError> {
    let wanted = fingerprint(base);
    let found: Option<String> = connection
        .query_row("SELECT value FROM setting WHERE key = 'indexes'", params![], |row| row.get(0))
        .optional()?;
    if found.as_deref() == Some(wanted.as_str()) {
        return Ok(());
    }
    connection.execute_batch("DELETE FROM resource_key; DELETE FROM resource_attr")?;
    let tenants: Vec<i64> = connection
        .prepare_cached("SELECT tenant_id FROM tenant WHERE name IS NOT NULL")?
        .query_map(params![], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for tenant in tenants {
        let tenant = TenantId(tenant);
        let schemas = &models.get(connection, tenant)?.schemas;
        let view = View { connection, tenant, names, schemas };
        for resource_type in schemas.resource_types() {
            index_all(&view, resource_type)?;
        }
    }
    connection.execute(
        "INSERT INTO setting(key, value) VALUES ('indexes', ?1) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        params![wanted],
    )?;
    Ok(())
}

fn index_all(view: &View<'_>, resource_type: &Arc<ResourceType>) -> Result<(), StoreError> {
    let mut after: Option<ResourceId> = None;
    loop {
        let resources = view.resources_after(resource_type, after, REBUILD_BATCH)?;
        let Some(last) = resources.last() else { return Ok(()) };
        after = Some(last.id);
        for resource in &resources {
            for entry in index::entries(resource) {
                if !view.add_entry(&resource_type.name, resource.id, &entry)? {
                    let attribute = entry.attribute;
                    return Err(StoreError::Damaged(format!("two resources have the same `{attribute}`")));
                }
            }
        }
    }
}

/// Changes whenever an index row could.
fn fingerprint(registry: &SchemaRegistry) -> String {
    let lines: BTreeSet<String> = registry.resource_types().iter().flat_map(|found| index_form(found)).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&INDEX_FORM.to_le_bytes());
    lines.iter().for_each(|line| {
        hasher.update(line.as_bytes());
    });
    hasher.finalize().to_hex().to_string()
}
