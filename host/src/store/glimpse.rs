//! [`Glimpse`]: what a change of a resource is planned by, looked at by one who waits for his turn and should not hold a snapshot
//! meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Snapshot, StoreError, TenantModel};
use crate::scim::resource::{Member, Resource, ResourceId};

/// A resource at one moment, and of others whether they were its members, and whether they were there.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// What the tenant's resources were.
    pub model: Arc<TenantModel>,
    /// Name of the resource's type.
    pub resource_type: String,
    /// Which resource.
    pub id: ResourceId,
    /// What it was, without its members and groups; `None` if there was none.
    pub resource: Option<Resource>,
    /// Everybody who was asked for.
    pub named: BTreeMap<ResourceId, Named>,
}

/// One who was asked for along with a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// As a direct member of the resource; `None` if it was none.
    pub member: Option<Member>,
    /// As a resource; `None` if there was none.
    pub identity: Option<Member>,
}

impl Glimpse {
    /// Takes it from a snapshot; `None` if nothing is served at the endpoint.
    pub async fn of_snapshot(
        snapshot: &dyn Snapshot,
        endpoint: &str,
        id: ResourceId,
        named: &[ResourceId],
    ) -> Result<Option<Self>, StoreError> {
        let model = snapshot.model().await?;
        let Some(resource_type) = model.schemas.by_endpoint(endpoint) else { return Ok(None) };
        let resource = snapshot.resource(resource_type, id).await?;
        let (members, identities) = match named {
            [] => Default::default(),
            named => (snapshot.members_among(id, named).await?, snapshot.identify(named).await?),
        };
        let resource_type = resource_type.name.clone();
        Ok(Some(Self { model, resource_type, id, resource, named: Self::name(named, members, identities) }))
    }

    /// What is known of those who were asked for.
    pub(super) fn name(
        asked: &[ResourceId],
        members: impl IntoIterator<Item = Member>,
        identities: impl IntoIterator<Item = Member>,
    ) -> BTreeMap<ResourceId, Named> {
        let mut named: BTreeMap<_, _> = asked.iter().map(|id| (*id, Named::default())).collect();
        for member in members {
            let id = member.id;
            named.entry(id).or_default().member = Some(member);
        }
        for identity in identities {
            let id = identity.id;
            named.entry(id).or_default().identity = Some(identity);
        }
        named
    }

    /// The resource of that type and id; `None` if it is not the one that was looked at.
    pub fn resource(&self, resource_type: &str, id: ResourceId) -> Option<Option<&Resource>> {
        (self.resource_type == resource_type && self.id == id).then_some(self.resource.as_ref())
    }

    /// Which of these were direct members of a group, by id; `None` if not all of them were asked for.
    pub fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Option<Vec<Member>> {
        let among = (self.id == group).then(|| self.among(ids, |named| named.member.as_ref()));
        among.flatten()
    }

    /// Which of these were resources, by id; `None` if not all of them were asked for.
    pub fn identify(&self, ids: &[ResourceId]) -> Option<Vec<Member>> {
        self.among(ids, |named| named.identity.as_ref())
    }

    fn among(&self, ids: &[ResourceId], answer: impl Fn(&Named) -> Option<&Member>) -> Option<Vec<Member>> {
        let mut found = BTreeMap::new();
        for id in ids {
            if let Some(member) = answer(self.named.get(id)?) {
                found.insert(*id, member.clone());
            }
        }
        Some(found.into_values().collect())
    }
}
