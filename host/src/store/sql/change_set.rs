//! Several changes in one transaction and one step of the generation.

use super::driver::Connection;

use super::{activations, signing, staged, tables, tenants, waivers};
use crate::decision::TenantId;
use crate::store::change_set::{ChangeSet, ChangeSetError};
use crate::store::{StoreError, TableChangeError, TablesKept};

/// Makes all of the changes and returns the generation that begins with them. What fails is rolled back by whoever has
/// opened the transaction.
pub(super) fn apply(
    connection: &Connection,
    tenant: TenantId,
    changes: &ChangeSet,
    kept: TablesKept,
) -> Result<i64, ChangeSetError> {
    let present = tenants::generation(connection, tenant)?.ok_or(StoreError::NoTenant)?;
    if present != changes.generation {
        return Err(ChangeSetError::GenerationMoved);
    }
    if changes.is_empty() {
        return Ok(present);
    }
    let generation = tenants::raise_generation(connection, tenant)?;
    let made = (changes.by.as_str(), changes.at);
    for (name, state) in &changes.constraints {
        if let Some(state) = state
            && let Some(unsigned) = signing::lacking(connection, tenant, &state.digest)?
        {
            return Err(ChangeSetError::Unsigned { name: name.clone(), unsigned });
        }
        activations::add(connection, tenant, (name, state.as_ref()), made, generation)?;
    }
    for id in &changes.revoked {
        waivers::revoke_in(connection, tenant, *id, made)?.ok_or(ChangeSetError::UnknownWaiver(*id))?;
    }
    for waiver in &changes.waivers {
        waivers::add_in(connection, tenant, waiver)?;
    }
    // Those that go make room for those that come.
    let (come, go): (Vec<_>, Vec<_>) = changes.tables.iter().partition(|(_, digest)| digest.is_some());
    for (name, _) in go {
        tables::must_be_there(connection, tenant, name)?;
        tables::add_in(connection, tenant, (name, None), made, generation, kept)?;
    }
    for (name, digest) in come {
        let digest = digest.as_deref().unwrap_or_default();
        let state = staged::find(connection, tenant, name, digest)?
            .ok_or_else(|| TableChangeError::UnknownContents { name: name.clone(), digest: digest.to_owned() })?;
        staged::take(connection, tenant, name, state.contents)?;
        tables::add_in(connection, tenant, (name, Some(&state)), made, generation, kept)?;
    }
    Ok(generation)
}
