//! Create, read, replace, modify, delete: one set for every resource type (RFC 7644 §3.3 to §3.6).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::change::Action;
use crate::http::apart::{apart, is_large};
use crate::http::asynchronous;
use crate::http::asynchronous::job::Work;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Client, Endpoint, IfMatch, ResourcePath, ScimJson, entity_tags};
use crate::http::query::ProjectionQuery;
use crate::http::respond;
use crate::pipeline::answer::Answer;
use crate::pipeline::write::{Caller, Change, WriteRequest, Written};
use crate::scim::projection::AttributeNames;

/// `POST /{endpoint}` (RFC 7644 §3.3).
pub async fn create(
    State(app): State<Arc<App>>,
    client: Client,
    Endpoint(endpoint): Endpoint,
    query: ProjectionQuery,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let request = WriteRequest { endpoint, change: Change::Create { body }, names: query.names() };
    asynchronous::answer(&app, client, Work::Write(request)).await
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
    let found = app.pipeline.get(caller.tenant, &path.endpoint, path.id, &query.names()).await?;
    let known = entity_tags(&headers, header::IF_NONE_MATCH);
    // What is derived changes without the resource's version: with it in the answer, the tag does not tell.
    let derives = found.groups.is_some() || found.members.as_ref().is_some_and(|members| members.displays);
    if !derives && found.resource.meta.matches_etags(&known) {
        return Ok(respond::not_modified(&found.resource, &base));
    }
    Ok(respond::resource(StatusCode::OK, found, &base))
}

/// `PUT /{endpoint}/{id}` (RFC 7644 §3.5.1).
pub async fn replace(
    State(app): State<Arc<App>>,
    client: Client,
    path: ResourcePath,
    query: ProjectionQuery,
    IfMatch(precondition): IfMatch,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let change = Change::Replace { id: path.id, body, precondition };
    let request = WriteRequest { endpoint: path.endpoint, change, names: query.names() };
    asynchronous::answer(&app, client, Work::Write(request)).await
}

/// `PATCH /{endpoint}/{id}` (RFC 7644 §3.5.2).
pub async fn patch(
    State(app): State<Arc<App>>,
    client: Client,
    path: ResourcePath,
    query: ProjectionQuery,
    IfMatch(precondition): IfMatch,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    let change = Change::Patch { id: path.id, body, precondition };
    let request = WriteRequest { endpoint: path.endpoint, change, names: query.names() };
    asynchronous::answer(&app, client, Work::Write(request)).await
}

/// `DELETE /{endpoint}/{id}` (RFC 7644 §3.6).
pub async fn delete(
    State(app): State<Arc<App>>,
    client: Client,
    path: ResourcePath,
    IfMatch(precondition): IfMatch,
) -> Result<Response, ScimFailure> {
    let change = Change::Delete { id: path.id, precondition };
    let request = WriteRequest { endpoint: path.endpoint, change, names: AttributeNames::default() };
    asynchronous::answer(&app, client, Work::Write(request)).await
}

/// Carries out a write to its end, also when the client goes away meanwhile: what was judged is recorded, whoever is
/// there to hear of it.
pub async fn carry_out(
    app: &Arc<App>,
    caller: Caller,
    base: &BaseUrl,
    request: WriteRequest,
) -> Result<Response, ScimFailure> {
    let app = Arc::clone(app);
    let large = request.change.body().is_some_and(is_large);
    match apart(large, async move { app.pipeline.write(&caller, &request).await }).await {
        Ok(written) => Ok(answer(base, written?)),
        Err(panicked) => Err(ScimFailure::Internal(Arc::new(panicked))),
    }
}

fn answer(base: &BaseUrl, written: Written) -> Response {
    let response = match written.answer {
        Answer::Whole(representation) => {
            let created = written.action == Some(Action::Create);
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            respond::resource(status, *representation, base)
        }
        Answer::Brief(resource) => respond::no_content(&resource, base),
        Answer::Gone => respond::gone(),
    };
    match &written.decision {
        Some(admission) => respond::decided(response, admission.id, &admission.warnings),
        None => response,
    }
}
