//! Numbers for the names of resource types and indexed attributes, and the indexes' state.
//!
//! A number is given once and never changes. All are given when the store is opened, so that they can be looked up
//! without a lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use crate::decision::TenantId;
use crate::scim::index;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{ResourceType, SchemaRegistry, Uniqueness};
use crate::store::StoreError;

use super::view::View;

/// Raised when `scim::index` brings values into another form than before: the indexes are then made anew.
const INDEX_FORM: u32 = 1;

/// Resources that are indexed anew between two looks at the list.
const REBUILD_BATCH: usize = 500;

/// Every name that has a number, both ways.
pub(super) struct Names {
    numbers: HashMap<String, i64>,
    names: HashMap<i64, String>,
}

impl Names {
    /// Reads the numbers and gives one to each name that has none.
    pub(super) fn load(connection: &Connection, registry: &SchemaRegistry) -> Result<Self, StoreError> {
        let mut add = connection.prepare("INSERT INTO name(text) VALUES (?1) ON CONFLICT DO NOTHING")?;
        for resource_type in registry.resource_types() {
            add.execute([&resource_type.name])?;
            for attribute in index::indexed(resource_type) {
                add.execute([attribute.to_string()])?;
            }
        }
        let mut statement = connection.prepare("SELECT text, number FROM name")?;
        let numbers: HashMap<String, i64> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let names = numbers.iter().map(|(name, number)| (*number, name.clone())).collect();
        Ok(Self { numbers, names })
    }

    /// The number of a name.
    pub(super) fn number(&self, name: &str) -> Result<i64, StoreError> {
        self.numbers.get(name).copied().ok_or_else(|| StoreError::Damaged(format!("`{name}` has no number")))
    }

    /// The name of a number.
    pub(super) fn name(&self, number: i64) -> Result<&str, StoreError> {
        let name = self.names.get(&number).map(String::as_str);
        name.ok_or_else(|| StoreError::Damaged(format!("{number} is the number of no name")))
    }
}

/// Makes the indexes anew if they are not those of the present schemas: an attribute has become indexed or unique, or
/// is compared in another way. Else a query would miss what was written before.
pub(super) fn rebuild_indexes(
    connection: &Connection,
    registry: &SchemaRegistry,
    names: &Names,
) -> Result<(), StoreError> {
    let wanted = fingerprint(registry);
    let found: Option<String> =
        connection.query_row("SELECT value FROM setting WHERE key = 'indexes'", [], |row| row.get(0)).optional()?;
    if found.as_deref() == Some(wanted.as_str()) {
        return Ok(());
    }
    connection.execute_batch("DELETE FROM resource_key; DELETE FROM resource_attr")?;
    let tenants: Vec<i64> = connection
        .prepare("SELECT tenant_id FROM tenant")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for tenant in tenants {
        let view = View { connection, tenant: TenantId(tenant), names, schemas: registry };
        for resource_type in registry.resource_types() {
            index_all(&view, resource_type)?;
        }
    }
    connection.execute("INSERT OR REPLACE INTO setting(key, value) VALUES ('indexes', ?1)", params![wanted])?;
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
    let mut lines = BTreeSet::new();
    for resource_type in registry.resource_types() {
        for attribute in index::indexed(resource_type) {
            let leaf = attribute.leaf();
            lines.insert(format!(
                "{} {attribute} {:?} {} {}\n",
                resource_type.name,
                leaf.kind,
                leaf.folds_case(),
                leaf.uniqueness != Uniqueness::None
            ));
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&INDEX_FORM.to_le_bytes());
    lines.iter().for_each(|line| {
        hasher.update(line.as_bytes());
    });
    hasher.finalize().to_hex().to_string()
}
