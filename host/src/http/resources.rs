//! Create, read, replace, modify, delete: one set for every resource type (RFC 7644 §3.3 to §3.6).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Endpoint, IfMatch, ResourcePath, ScimJson, entity_tags};
use crate::http::query::ProjectionQuery;
use crate::http::respond;
use crate::pipeline::write::{Caller, Change, Done, Written};
use crate::scim::patch;
use crate::scim::projection::Projection;
use crate::scim::resource::Resource;
use crate::scim::schema::ResourceType;

/// `POST /{endpoint}` (RFC 7644 §3.3).
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    Endpoint(resource_type): Endpoint,
    query: ProjectionQuery,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let projection = query.parse(&resource_type)?;
    let written = write(&app, &caller, &resource_type, Change::Create { body }).await?;
    answer(&app, &caller, &base, &projection, written).await
}

/// `GET /{endpoint}/{id}` (RFC 7644 §3.4.1); 304 with `If-None-Match` (§3.14).
pub async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    path: ResourcePath,
    query: ProjectionQuery,
    headers: HeaderMap,
) -> Result<Response, ScimFailure> {
    let projection = query.parse(&path.resource_type)?;
    let found = app.pipeline.get(caller.tenant, &path.resource_type, path.id, &projection).await?;
    let known = entity_tags(&headers, header::IF_NONE_MATCH);
    // What is derived changes without the resource's version: with it in the answer, the tag does not tell.
    if found.groups.is_none() && found.resource.meta.matches_etags(&known) {
        return Ok(respond::not_modified(&found.resource, &base));
    }
    Ok(respond::resource(StatusCode::OK, &found, &projection, &base))
}

/// `PUT /{endpoint}/{id}` (RFC 7644 §3.5.1).
pub async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    path: ResourcePath,
    query: ProjectionQuery,
    IfMatch(precondition): IfMatch,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let projection = query.parse(&path.resource_type)?;
    let change = Change::Replace { id: path.id, body, precondition };
    let written = write(&app, &caller, &path.resource_type, change).await?;
    answer(&app, &caller, &base, &projection, written).await
}

/// `PATCH /{endpoint}/{id}` (RFC 7644 §3.5.2).
///
/// Of a resource whose values may be a million rows the body is returned only if the client names attributes:
/// otherwise adding one member would cost reading all. RFC 7644 §3.5.2 allows both answers, 200 with the resource and
/// 204.
pub async fn patch(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    path: ResourcePath,
    query: ProjectionQuery,
    IfMatch(precondition): IfMatch,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let projection = query.parse(&path.resource_type)?;
    let operations = patch::parse(&path.resource_type, &body)?;
    let change = Change::Patch { id: path.id, operations, precondition };
    let written = write(&app, &caller, &path.resource_type, change).await?;
    if path.resource_type.row_attribute().is_some() && projection.is_default() {
        return Ok(brief(&base, written));
    }
    answer(&app, &caller, &base, &projection, written).await
}

/// `DELETE /{endpoint}/{id}` (RFC 7644 §3.6).
pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    path: ResourcePath,
    IfMatch(precondition): IfMatch,
) -> Result<Response, ScimFailure> {
    let change = Change::Delete { id: path.id, precondition };
    let written = write(&app, &caller, &path.resource_type, change).await?;
    Ok(brief(&base, written))
}

/// Carries out a write to its end, also when the client goes away meanwhile: what was judged is recorded, whoever is
/// there to hear of it.
async fn write(
    app: &Arc<App>,
    caller: &Caller,
    resource_type: &Arc<ResourceType>,
    change: Change,
) -> Result<Written, ScimFailure> {
    let (app, caller, resource_type) = (Arc::clone(app), caller.clone(), Arc::clone(resource_type));
    let writing = tokio::spawn(async move { app.pipeline.write(&caller, &resource_type, &change).await });
    match writing.await {
        Ok(written) => Ok(written?),
        Err(panicked) => Err(ScimFailure::Internal(Arc::new(panicked))),
    }
}

/// The outcome with the resource.
async fn answer(
    app: &App,
    caller: &Caller,
    base: &BaseUrl,
    projection: &Projection,
    written: Written,
) -> Result<Response, ScimFailure> {
    let (status, resource, done) = match written {
        Written::Created(done) => (StatusCode::CREATED, done.resource.clone(), Some(done)),
        Written::Updated(done) => (StatusCode::OK, done.resource.clone(), Some(done)),
        Written::Unchanged(resource) => (StatusCode::OK, Some(*resource), None),
        Written::Deleted(done) => (StatusCode::NO_CONTENT, None, Some(done)),
    };
    let response = match resource {
        Some(resource) => {
            let representation = app.pipeline.represent(caller.tenant, resource, projection).await?;
            respond::resource(status, &representation, projection, base)
        }
        None => respond::no_content(None, base),
    };
    Ok(with_decision(response, done.as_ref()))
}

/// The outcome without the resource.
fn brief(base: &BaseUrl, written: Written) -> Response {
    let (resource, done): (Option<Resource>, Option<Done>) = match written {
        Written::Created(done) | Written::Updated(done) => (done.resource.clone(), Some(done)),
        Written::Unchanged(resource) => (Some(*resource), None),
        Written::Deleted(done) => (None, Some(done)),
    };
    with_decision(respond::no_content(resource.as_ref(), base), done.as_ref())
}

fn with_decision(response: Response, done: Option<&Done>) -> Response {
    match done {
        Some(done) => respond::decided(response, done.decision, &done.warnings),
        None => response,
    }
}
