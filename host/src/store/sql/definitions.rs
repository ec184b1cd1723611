//! A tenant's own schemas, resource types and tightenings, kept as one document. How they take effect is in
//! [`redefine`](super::redefine).

use std::collections::BTreeSet;

use super::driver::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::row::json;
use crate::decision::TenantId;
use crate::scim::schema::{Definitions, ResourceTypeDocument, SchemaDocument, SchemaError, SchemaRegistry, Tightening};
use crate::store::StoreError;

/// What the tenant has declared; `None` for nothing.
pub(super) fn read(connection: &Connection, tenant: TenantId) -> Result<Option<Definitions>, StoreError> {
    document(connection, tenant)?.as_ref().map(from_json).transpose()
}

/// The resource types some of whose resources may not be as they say: definitions were forced on them. By the schemas
/// that are in effect.
pub(super) fn unfit(
    connection: &Connection,
    tenant: TenantId,
    schemas: &SchemaRegistry,
) -> Result<BTreeSet<String>, StoreError> {
    // Who has declared nothing has what every write was checked by.
    let Some(document) = document(connection, tenant)? else { return Ok(BTreeSet::new()) };
    let noted = document.get("unfit").and_then(Value::as_array);
    let noted = noted.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    // An earlier program has not noted it.
    Ok(noted.unwrap_or_else(|| schemas.resource_types().iter().map(|known| known.name.clone()).collect()))
}

/// Makes these what the tenant has declared.
pub(super) fn write(
    connection: &Connection,
    tenant: TenantId,
    definitions: &Definitions,
    unfit: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let mut document = to_json(definitions);
    if let Some(members) = document.as_object_mut() {
        members.insert("unfit".to_owned(), json!(unfit));
    }
    connection
        .prepare_cached(
            "INSERT INTO definitions(tenant_id, document) VALUES (?1, ?2) \
             ON CONFLICT(tenant_id) DO UPDATE SET document = excluded.document",
        )?
        .execute(params![tenant.0, document.to_string()])?;
    Ok(())
}

fn document(connection: &Connection, tenant: TenantId) -> Result<Option<Value>, StoreError> {
    let document = connection
        .prepare_cached("SELECT document FROM definitions WHERE tenant_id = ?1")?
        .query_row(params![tenant.0], |row| json(row, 0))
        .optional()?;
    Ok(document)
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
