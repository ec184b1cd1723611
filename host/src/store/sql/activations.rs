//! Constraints: every state each has had. The one in force is the last.

use super::driver::{self, Connection, Row, params};
use jiff::Timestamp;

use super::row::{json, timestamp, word};
use super::{signing, tenants};
use crate::decision::{ConstraintName, FailurePolicy, Mode, TenantId};
use crate::store::{ActivateError, Activation, ActivationState, StoreError};

const COLUMNS: &str = "name, revision, generation, made_by, made_at, plugin, version, digest, descriptor, settings, \
                       grants, mode, on_fault, ord";

fn from_row(row: &Row<'_>) -> driver::Result<Activation> {
    let plugin: Option<String> = row.get(5)?;
    Ok(Activation {
        name: ConstraintName(row.get(0)?),
        revision: row.get(1)?,
        generation: row.get(2)?,
        by: row.get(3)?,
        at: timestamp(row, 4)?,
        state: plugin.map(|plugin| state_from_row(row, plugin)).transpose()?,
    })
}

fn state_from_row(row: &Row<'_>, plugin: String) -> driver::Result<ActivationState> {
    Ok(ActivationState {
        plugin,
        version: row.get(6)?,
        digest: row.get(7)?,
        descriptor: json(row, 8)?,
        settings: json(row, 9)?,
        grants: json(row, 10)?,
        mode: word(row, 11, Mode::parse)?,
        on_fault: word(row, 12, FailurePolicy::parse)?,
        order: row.get(13)?,
    })
}

/// The constraints in force.
pub(super) fn in_force(connection: &Connection, tenant: TenantId) -> Result<Vec<Activation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM activation a WHERE tenant_id = ?1 AND plugin IS NOT NULL AND revision = \
         (SELECT max(revision) FROM activation b WHERE b.tenant_id = a.tenant_id AND b.name = a.name) \
         ORDER BY ord, name"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let activations = statement.query_map(params![tenant.0], from_row)?.collect::<Result<_, _>>()?;
    Ok(activations)
}

/// Every state a constraint has had, newest first.
pub(super) fn history(
    connection: &Connection,
    tenant: TenantId,
    name: &ConstraintName,
) -> Result<Vec<Activation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM activation WHERE tenant_id = ?1 AND name = ?2 ORDER BY revision DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let states = statement.query_map(params![tenant.0, name.0], from_row)?.collect::<Result<_, _>>()?;
    Ok(states)
}

/// Adds a state and raises the generation, which it returns. The policy that holds now decides whose signatures the component
/// needs, whatever was seen before.
pub(super) fn activate(
    connection: &Connection,
    tenant: TenantId,
    name: &ConstraintName,
    state: Option<&ActivationState>,
    by: &str,
    at: Timestamp,
) -> Result<i64, ActivateError> {
    if let Some(state) = state
        && let Some(unsigned) = signing::lacking(connection, tenant, &state.digest)?
    {
        return Err(unsigned.into());
    }
    let generation = tenants::raise_generation(connection, tenant)?;
    add(connection, tenant, (name, state), (by, at), generation)?;
    Ok(generation)
}

/// Adds a state that is in force from a generation on, which has begun in the open transaction.
pub(super) fn add(
    connection: &Connection,
    tenant: TenantId,
    (name, state): (&ConstraintName, Option<&ActivationState>),
    (by, at): (&str, Timestamp),
    generation: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO activation(tenant_id, {COLUMNS}) \
         SELECT ?1, ?2, 1 + coalesce(max(revision), 0), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14 \
         FROM activation WHERE tenant_id = ?1 AND name = ?2"
    );
    connection.prepare_cached(&sql)?.execute(params![
        tenant.0,
        name.0,
        generation,
        by,
        at.as_microsecond(),
        state.map(|state| &state.plugin),
        state.map(|state| state.version),
        state.map(|state| &state.digest),
        state.map(|state| state.descriptor.to_string()),
        state.map(|state| state.settings.to_string()),
        state.map(|state| state.grants.to_string()),
        state.map(|state| state.mode.as_str()),
        state.map(|state| state.on_fault.as_str()),
        state.map(|state| state.order),
    ])?;
    Ok(())
}
