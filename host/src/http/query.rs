//! Lists (RFC 7644 §3.4.2), searches (§3.4.3) and the query parameters that shape every answer.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Endpoint, ScimJson};
use crate::http::respond;
use crate::pipeline::read::ListRequest;
use crate::pipeline::write::Caller;
use crate::scim::error::ScimError;
use crate::scim::list::{self, ListQuery, PageLimits};
use crate::scim::projection::AttributeNames;
use crate::scim::search::SearchRequest;

/// `attributes` and `excludedAttributes` (RFC 7644 §3.9).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionQuery {
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl ProjectionQuery {
    /// The names in them.
    pub fn names(&self) -> AttributeNames {
        AttributeNames::of_parameters(self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }
}

impl FromRequestParts<Arc<App>> for ProjectionQuery {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        parameters(parts)
    }
}

/// Parameters of a list, beside those of every answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListParameters {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
}

/// A query in a URL.
pub struct UrlQuery(SearchRequest);

impl FromRequestParts<Arc<App>> for UrlQuery {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        let projection: ProjectionQuery = parameters(parts)?;
        let list: ListParameters = parameters(parts)?;
        Ok(Self(SearchRequest {
            names: projection.names(),
            filter: list.filter,
            sort_by: list.sort_by,
            sort_order: list.sort_order,
            start_index: list.start_index.as_deref().map(list::start_index).transpose()?,
            count: list.count.as_deref().map(list::count).transpose()?,
            cursor: list.cursor,
        }))
    }
}

fn parameters<T: serde::de::DeserializeOwned>(parts: &Parts) -> Result<T, ScimFailure> {
    Query::<T>::try_from_uri(&parts.uri)
        .map(|query| query.0)
        .map_err(|error| ScimError::invalid_value(format!("the query is not valid: {error}")).into())
}

/// `GET /{endpoint}` (RFC 7644 §3.4.2).
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    Endpoint(endpoint): Endpoint,
    UrlQuery(search): UrlQuery,
) -> Result<Response, ScimFailure> {
    answer(&app, &caller, &base, Some(endpoint), search).await
}

/// `GET /`: resources of every type (RFC 7644 §3.4.2.1).
pub async fn list_all(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    UrlQuery(search): UrlQuery,
) -> Result<Response, ScimFailure> {
    answer(&app, &caller, &base, None, search).await
}

/// `POST /{endpoint}/.search` (RFC 7644 §3.4.3).
pub async fn search(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    Endpoint(endpoint): Endpoint,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    answer(&app, &caller, &base, Some(endpoint), SearchRequest::parse(&body)?).await
}

/// `POST /.search`: resources of every type.
pub async fn search_all(
    State(app): State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    ScimJson(body): ScimJson,
) -> Result<Response, ScimFailure> {
    answer(&app, &caller, &base, None, SearchRequest::parse(&body)?).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    base: &BaseUrl,
    endpoint: Option<String>,
    search: SearchRequest,
) -> Result<Response, ScimFailure> {
    let limits = PageLimits { count_default: app.scim.page_size, count_max: app.scim.page_size_max };
    let page = ListQuery::new(search.start_index, search.count, search.cursor.clone(), limits);
    let request = ListRequest { endpoint, search, page };
    let listed = app.pipeline.list(caller.tenant, &request).await?;
    Ok(respond::list(listed, &request.page, base))
}
