//! Reads: one resource, or those that match a filter, with members and groups where they are wanted. Each is one question
//! to a snapshot; only the members of a large group are asked for in turn.

use std::sync::Arc;

use thiserror::Error;

use crate::decision::TenantId;
use crate::pipeline::{Pipeline, reading, served};
use crate::scim::cursor::{Position, Purpose};
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::limits::ScimLimits;
use crate::scim::list::{ListQuery, Start};
use crate::scim::projection::{AttributeNames, Projection};
use crate::scim::reading::Reading;
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::search::SearchRequest;
use crate::scim::sort::SortBy;
use crate::store::query::{Among, From as Begin, Query, Relation, ShowError};
use crate::store::{QueryError, Reference, Represented, Shown, Snapshot, StoreError, TenantModel, Wanted};

/// Members read at once after the first: about 1 ms of the store, and 1 MB while they become JSON.
const MEMBERS_PAGE: usize = 2_000;

/// Members of a new group that are shown without asking for them: as many as the first question would bring.
const NEW_MEMBERS_MAX: usize = 1_000;

/// A resource with what is kept or computed outside it, as far as it is wanted.
#[derive(Debug)]
pub struct Representation {
    /// The resource.
    pub resource: Resource,
    /// What of it is to be shown.
    pub projection: Projection,
    /// Values of the attribute kept as rows; `None` if nobody asked for them.
    pub members: Option<Members>,
    /// Values of the derived attribute; `None` if nobody asked for them.
    pub groups: Option<Vec<Reference>>,
}

/// The members of a group.
#[derive(Debug)]
pub struct Members {
    /// By id, from the first on.
    pub first: Vec<Reference>,
    /// The others, if these are not all.
    pub rest: Option<Rest>,
    /// Whether they carry names, which change without the group.
    pub displays: bool,
}

/// Members that are still to be read, of the same moment as the first.
pub struct Rest {
    snapshot: Arc<dyn Snapshot>,
    group: ResourceId,
    after: Option<ResourceId>,
    displays: bool,
    is_over: bool,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("group", &self.group).field("after", &self.after).finish_non_exhaustive()
    }
}

impl Rest {
    /// The next of them; empty at the end.
    pub async fn next(&mut self) -> Result<Vec<Reference>, StoreError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let page = self.snapshot.member_references(self.group, self.after, MEMBERS_PAGE, self.displays).await?;
        self.is_over = page.len() < MEMBERS_PAGE;
        self.after = page.last().map(|last| last.id);
        Ok(page)
    }
}

/// Resources of a type, or of all of them, as a client asks for them.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// The path segment that the resource type is served under: `Users`; `None`: all types (RFC 7644 §3.4.2.1).
    pub endpoint: Option<String>,
    /// What the client asks for.
    pub search: SearchRequest,
    /// Which page.
    pub page: ListQuery,
}

/// A page of resources.
#[derive(Debug)]
pub struct Listed {
    /// How many match in all, if that is known.
    pub total: Option<u64>,
    /// Those of the page.
    pub resources: Vec<Representation>,
    /// Where the next page begins; `None` at the end, and of pages by index.
    pub next_cursor: Option<String>,
}

/// A read that could not be answered.
#[derive(Debug, Error)]
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
                "no index answers this query and there are more than {candidates_max} resources to look at; page by \
                 `cursor` without `sortBy`, or add an `eq` on an indexed attribute such as `userName`, `externalId` or \
                 `emails.value`"
            ))
            .into(),
            QueryError::Store(error) => error.into(),
        }
    }
}

impl From<ShowError> for ReadError {
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Refused(error) => error.into(),
            ShowError::Query(error) => error.into(),
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
        let choose = {
            let (endpoint, names) = (endpoint.to_owned(), names.clone());
            move |model: &TenantModel| {
                let resource_type = served(model, &endpoint)?;
                let wanted = wanted(&Projection::parse(&names, resource_type)?, resource_type);
                Ok(Query::One { resource_type: Arc::clone(resource_type), id, wanted })
            }
        };
        let Shown { resources, .. } = snapshot.show(Box::new(choose)).await?;
        let Some(found) = resources.into_iter().next() else {
            let model = snapshot.model().await?;
            let name = &served(&model, endpoint)?.name;
            return Err(ScimError::not_found(&format!("{name} `{id}`")).into());
        };
        let projection = Projection::parse(names, &found.resource.resource_type)?;
        Ok(representation(found, projection, &snapshot))
    }

    /// The resources that match.
    pub async fn list(&self, tenant: TenantId, request: &ListRequest) -> Result<Listed, ReadError> {
        let now = self.clock.now();
        let search = &request.search;
        let purpose = Purpose {
            tenant: tenant.0,
            endpoint: request.endpoint.as_deref(),
            filter: search.filter.as_deref(),
            sort_by: search.sort_by.as_deref(),
            sort_order: search.sort_order.as_deref(),
        };
        let from = match &request.page.start {
            Start::Index(index) => Begin::Offset(index.saturating_sub(1)),
            Start::Cursor(text) if text.is_empty() => Begin::After(None),
            Start::Cursor(text) => Begin::After(Some(self.cursors.read(purpose, text, now)?)),
        };
        let choose = {
            let (endpoint, search, limit) = (request.endpoint.clone(), search.clone(), request.page.count);
            let limits = Arc::clone(&self.limits);
            move |model: &TenantModel| page(model, &limits, endpoint.as_deref(), &search, from.clone(), limit)
        };
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        let shown = snapshot.show(Box::new(choose)).await?;
        let mut resources = Vec::with_capacity(shown.resources.len());
        for found in shown.resources {
            let projection = Projection::parse(&search.names, &found.resource.resource_type)?;
            resources.push(representation(found, projection, &snapshot));
        }
        let next_cursor = shown.next.map(|position| self.cursors.write(purpose, &position, now));
        Ok(Listed { total: shown.total, resources, next_cursor })
    }

    /// Adds members and groups to a resource that was just written.
    pub(super) async fn represent(
        &self,
        tenant: TenantId,
        resource: Resource,
        projection: &Projection,
    ) -> Result<Representation, StoreError> {
        let wanted = wanted(projection, &resource.resource_type);
        if wanted == Wanted::default() {
            return Ok(Representation { resource, projection: projection.clone(), members: None, groups: None });
        }
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        let found = snapshot.represent(resource, wanted).await?;
        Ok(representation(found, projection.clone(), &snapshot))
    }
}

/// A resource that was made just now, of which everything is known but what its members are called: nobody has put it
/// into a group yet. `None` if that is not enough, or if it has so many members that they are better read and sent in
/// turn.
pub(super) fn represent_new(
    resource: &Resource,
    members: &[Member],
    projection: &Projection,
    schemas: &SchemaRegistry,
) -> Option<Representation> {
    let wanted = wanted(projection, &resource.resource_type);
    if wanted.member_displays || wanted.members && members.len() > NEW_MEMBERS_MAX {
        return None;
    }
    let members = match wanted.members {
        true => {
            let mut first = Vec::with_capacity(members.len());
            for member in members {
                let resource_type = Arc::clone(schemas.resource_type(&member.resource_type)?);
                first.push(Reference { id: member.id, resource_type, relation: Relation::Member, display: None });
            }
            first.sort_unstable_by_key(|member| member.id);
            Some(Members { first, rest: None, displays: false })
        }
        false => None,
    };
    let groups = wanted.groups.then(Vec::new);
    Some(Representation { resource: resource.clone(), projection: projection.clone(), members, groups })
}

/// What has to be read to show what is asked for.
fn wanted(projection: &Projection, resource_type: &ResourceType) -> Wanted {
    let rows = resource_type.row_attribute();
    Wanted {
        members: rows.is_some_and(|rows| projection.wants(&rows.name, resource_type)),
        member_displays: rows.is_some_and(|rows| projection.wants_sub(&rows.name, "display", resource_type)),
        groups: resource_type.derived_attribute().is_some_and(|derived| projection.wants(&derived.name, resource_type)),
    }
}

/// What a list asks for, to a tenant's model.
fn page(
    model: &TenantModel,
    limits: &ScimLimits,
    endpoint: Option<&str>,
    search: &SearchRequest,
    from: Begin,
    limit: usize,
) -> Result<Query, ScimError> {
    let types = match endpoint {
        Some(endpoint) => std::slice::from_ref(served(model, endpoint)?),
        None => model.schemas.resource_types(),
    };
    let readings: Vec<Reading<'_>> = types.iter().map(|resource_type| reading(model, resource_type, limits)).collect();
    let filters = match (&search.filter, readings.as_slice()) {
        (None, readings) => vec![None; readings.len()],
        (Some(text), [reading]) => vec![Some(Filter::parse_with(text, *reading)?)],
        (Some(text), readings) => Filter::parse_among(text, readings)?.into_iter().map(Some).collect(),
    };
    let sorts = SortBy::parse_among(search.sort_by.as_deref(), search.sort_order.as_deref(), &readings)?;
    let mut among = Vec::with_capacity(types.len());
    for ((resource_type, filter), sort) in types.iter().zip(filters).zip(sorts) {
        let wanted = wanted(&Projection::parse(&search.names, resource_type)?, resource_type);
        among.push(Among { resource_type: Arc::clone(resource_type), filter, sort, wanted });
    }
    match &from {
        Begin::After(Some(position)) if !fits(position, &among) => {
            Err(ScimError::invalid_cursor("the resource types have changed since the cursor was given; begin again"))
        }
        _ => Ok(Query::Page { among, from, limit }),
    }
}

/// Whether the place is one in such a list.
fn fits(position: &Position, among: &[Among]) -> bool {
    let of_type = among.iter().find(|one| one.resource_type.name == position.resource_type);
    of_type.is_some_and(|one| one.sort.is_some() == position.key.is_some())
}

fn representation(found: Represented, projection: Projection, snapshot: &Arc<dyn Snapshot>) -> Representation {
    let Represented { resource, members, groups } = found;
    let displays = wanted(&projection, &resource.resource_type).member_displays;
    let members = members.map(|shown| {
        let rest = (!shown.is_whole).then(|| Rest {
            snapshot: Arc::clone(snapshot),
            group: resource.id,
            after: shown.first.last().map(|last| last.id),
            displays,
            is_over: false,
        });
        Members { first: shown.first, rest, displays }
    });
    Representation { resource, projection, members, groups }
}
