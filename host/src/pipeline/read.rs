//! Reads: one resource, or those that match a filter, with members and groups where they are wanted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decision::TenantId;
use crate::pipeline::{Pipeline, reading, served};
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::list::ListQuery;
use crate::scim::projection::{AttributeNames, Projection};
use crate::scim::resource::{Resource, ResourceId};
use crate::store::{Page, QueryError, Snapshot, StoreError};

/// Members read from the store at once.
const MEMBERS_PAGE: usize = 10_000;

/// A value of `members` or `groups`, with what is shown beside its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The id of the resource it refers to.
    pub id: ResourceId,
    /// Its resource type.
    pub resource_type: String,
    /// What it is called, if it is called anything.
    pub display: Option<String>,
}

/// A resource with what is kept or computed outside it, as far as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// The resource.
    pub resource: Resource,
    /// What of it is to be shown.
    pub projection: Projection,
    /// Values of the attribute kept as rows; `None` if nobody asked for them.
    pub members: Option<Vec<Reference>>,
    /// Values of the derived attribute; `None` if nobody asked for them.
    pub groups: Option<Vec<Reference>>,
}

/// Which resources a client asks for, as it asked: what the texts mean depends on the tenant's resource types.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// `filter`.
    pub filter: Option<String>,
    /// `startIndex` and `count`.
    pub page: ListQuery,
    /// `attributes` and `excludedAttributes`.
    pub names: AttributeNames,
}

/// A page of resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// How many match in all.
    pub total: u64,
    /// Those of the page.
    pub resources: Vec<Representation>,
}

/// A read that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The request is not one that can be answered.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::TooMany { candidates_max } => ScimError::too_many(format!(
                "no index answers this filter and there are more than {candidates_max} resources to look at; \
                 add an `eq` on an indexed attribute such as `userName`, `externalId` or `emails.value`"
            ))
            .into(),
            QueryError::Store(error) => error.into(),
        }
    }
}

impl Pipeline {
    /// One resource.
    pub async fn get(
        &self,
        tenant: TenantId,
        endpoint: &str,
        id: ResourceId,
        names: &AttributeNames,
    ) -> Result<Representation, ReadError> {
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        let model = snapshot.model().await?;
        let resource_type = served(&model, endpoint)?;
        let projection = Projection::parse(names, resource_type)?;
        let resource = snapshot
            .resource(resource_type, id)
            .await?
            .ok_or_else(|| ScimError::not_found(&format!("{} `{id}`", resource_type.name)))?;
        Ok(represent(&*snapshot, resource, &projection).await?)
    }

    /// The resources of a type that match.
    pub async fn list(&self, tenant: TenantId, endpoint: &str, request: &ListRequest) -> Result<Listed, ReadError> {
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        let model = snapshot.model().await?;
        let resource_type = served(&model, endpoint)?;
        let projection = Projection::parse(&request.names, resource_type)?;
        let reading = reading(&model, resource_type);
        let filter = request.filter.as_deref().map(|text| Filter::parse_with(text, reading));
        let filter = filter.transpose().map_err(ScimError::from)?;
        let page = Page { offset: request.page.offset(), limit: request.page.count };
        let matches = snapshot.find(resource_type, filter.as_ref(), page).await?;
        let mut resources = Vec::with_capacity(matches.resources.len());
        for resource in matches.resources {
            resources.push(represent(&*snapshot, resource, &projection).await?);
        }
        Ok(Listed { total: matches.total, resources })
    }

    /// Adds members and groups to a resource that was just written.
    pub(super) async fn represent(
        &self,
        tenant: TenantId,
        resource: Resource,
        projection: &Projection,
    ) -> Result<Representation, StoreError> {
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        represent(&*snapshot, resource, projection).await
    }
}

async fn represent(
    snapshot: &dyn Snapshot,
    resource: Resource,
    projection: &Projection,
) -> Result<Representation, StoreError> {
    let resource_type = Arc::clone(&resource.resource_type);
    let members =
        match resource_type.row_attribute().filter(|attribute| projection.wants(&attribute.name, &resource_type)) {
            Some(_) => Some(members(snapshot, resource.id).await?),
            None => None,
        };
    let groups =
        match resource_type.derived_attribute().filter(|attribute| projection.wants(&attribute.name, &resource_type)) {
            Some(_) => Some(groups(snapshot, resource.id).await?),
            None => None,
        };
    Ok(Representation { resource, projection: projection.clone(), members, groups })
}

async fn members(snapshot: &dyn Snapshot, group: ResourceId) -> Result<Vec<Reference>, StoreError> {
    let mut all: Vec<Reference> = Vec::new();
    loop {
        let page = snapshot.members(group, all.last().map(|last| last.id), MEMBERS_PAGE).await?;
        let last = page.len() < MEMBERS_PAGE;
        let ids: Vec<ResourceId> = page.iter().map(|member| member.id).collect();
        let mut displays: HashMap<ResourceId, String> = snapshot.displays(&ids).await?.into_iter().collect();
        all.extend(page.into_iter().map(|member| Reference {
            display: displays.remove(&member.id),
            id: member.id,
            resource_type: member.resource_type,
        }));
        if last {
            return Ok(all);
        }
    }
}

async fn groups(snapshot: &dyn Snapshot, member: ResourceId) -> Result<Vec<Reference>, StoreError> {
    let ids = snapshot.groups_of(member).await?;
    let mut displays: HashMap<ResourceId, String> = snapshot.displays(&ids).await?.into_iter().collect();
    Ok(ids
        .into_iter()
        .map(|id| Reference { id, resource_type: "Group".to_owned(), display: displays.remove(&id) })
        .collect())
}
