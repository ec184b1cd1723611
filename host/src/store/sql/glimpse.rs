//! What a change of a resource is planned by, asked along with what others ask.

use std::sync::Arc;

use super::Shared;
use super::driver::Row;
use super::names::Names;
use super::postgres::{AskedTogether, GlimpseOf, RESOURCE_AT};
use super::view::from_columns;
use crate::decision::TenantId;
use crate::scim::resource::{Member, ResourceId};
use crate::store::{Glimpse, StoreError};

/// Who may be named by one who asks along with others: each is looked for in two or three places, in some 20 µs, and all wait for all.
const NAMED_MAX: usize = 100;

/// `None`: it cannot be asked so, or the tenant's model is not the one that is known any more.
pub(super) async fn together(
    asked: &AskedTogether,
    shared: &Shared,
    tenant: TenantId,
    endpoint: &str,
    id: ResourceId,
    named: &[ResourceId],
) -> Result<Option<Glimpse>, StoreError> {
    let Some(model) = shared.models.latest(tenant).filter(|_| named.len() <= NAMED_MAX) else { return Ok(None) };
    let Some(resource_type) = model.schemas.by_endpoint(endpoint) else { return Ok(None) };
    let types = model.schemas.resource_types().iter();
    let rtypes = types.map(|resource_type| shared.names.number(&resource_type.name)).collect::<Result<_, _>>()?;
    let rtype = shared.names.number(&resource_type.name)?;
    let of = GlimpseOf { tenant, rtype, id, named: named.to_vec(), rtypes };
    let glimpsed = asked.glimpse(of).await?;
    if glimpsed.generation.ok_or(StoreError::NoTenant)? != model.generation {
        return Ok(None);
    }
    let resource = glimpsed.resource.map(|row| from_columns(&Row::Postgres(&row), RESOURCE_AT, resource_type));
    let direct = members(&shared.names, glimpsed.members)?;
    let identities = members(&shared.names, glimpsed.identities)?;
    Ok(Some(Glimpse {
        resource_type: resource_type.name.clone(),
        id,
        resource: resource.transpose()?,
        named: Glimpse::name(named, direct, identities),
        model: Arc::clone(&model),
    }))
}

fn members(names: &Names, found: Vec<(ResourceId, i64)>) -> Result<Vec<Member>, StoreError> {
    let member = |(id, number)| Ok(Member { id, resource_type: names.name(number)?.to_string() });
    found.into_iter().map(member).collect()
}
