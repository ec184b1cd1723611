//! Lists (RFC 7644 §3.4.2) and the query parameters that shape every answer.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Endpoint};
use crate::http::respond;
use crate::pipeline::read::ListRequest;
use crate::pipeline::write::Caller;
use crate::scim::error::ScimError;
use crate::scim::list::{ListQuery, PageLimits, list_response};
use crate::scim::projection::AttributeNames;

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

/// Parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListParameters {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
}

impl FromRequestParts<Arc<App>> for ListParameters {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        parameters(parts)
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
    parameters: ListParameters,
    projection: ProjectionQuery,
) -> Result<Response, ScimFailure> {
    let limits = PageLimits { count_default: app.scim.page_size, count_max: app.scim.page_size_max };
    let page = ListQuery::parse(parameters.start_index.as_deref(), parameters.count.as_deref(), limits)?;
    let request = ListRequest { filter: parameters.filter, page, names: projection.names() };
    let listed = app.pipeline.list(caller.tenant, &endpoint, &request).await?;
    let resources = listed.resources.iter().map(|found| respond::wire(found, &base)).collect();
    Ok(respond::message(StatusCode::OK, list_response(listed.total, page, resources)))
}
