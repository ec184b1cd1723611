//! What this service provider is and speaks (RFC 7644 §4).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::Value;

use crate::app::App;
use crate::decision::TenantId;
use crate::http::error::{Failure, ScimFailure};
use crate::http::extract::BaseUrl;
use crate::http::respond;
use crate::pipeline::write::Caller;
use crate::scim::discovery::{self, BulkLimits, Features, Pagination, PaginationMethod};
use crate::scim::error::ScimError;
use crate::scim::list::{ListHead, ListQuery};
use crate::scim::schema::SchemaRegistry;
use crate::store::Tenant;

/// RFC 7644 §4: "If a "filter" is provided, the service provider SHOULD respond with HTTP status code 403".
fn refuse_filter(uri: &Uri) -> Result<(), ScimFailure> {
    let filtered = uri.query().unwrap_or("").split('&').any(|pair| pair == "filter" || pair.starts_with("filter="));
    if filtered { Err(Failure::Forbidden("discovery endpoints cannot be filtered".to_owned()).into()) } else { Ok(()) }
}

fn all(resources: Vec<Value>) -> Response {
    let total = u64::try_from(resources.len()).unwrap_or(u64::MAX);
    let everything = ListQuery::whole(resources.len());
    respond::message(StatusCode::OK, ListHead::new(Some(total), &everything, None, resources.len()).with(resources))
}

fn one(found: Option<Value>, what: &str) -> Result<Response, ScimFailure> {
    let found = found.ok_or_else(|| ScimError::not_found(what))?;
    Ok(respond::message(StatusCode::OK, found))
}

/// `GET /ServiceProviderConfig`.
pub async fn service_provider_config(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    tenant: Tenant,
    uri: Uri,
) -> Result<Response, ScimFailure> {
    refuse_filter(&uri)?;
    let features = Features {
        bulk: Some(BulkLimits {
            max_operations: app.scim.limits.bulk_operations_max,
            max_payload_size: app.scim.body_bytes_max,
        }),
        max_results: app.scim.page_size_max,
        sort: true,
        change_password: true,
        etag: true,
        pagination: Some(Pagination {
            cursor: true,
            index: true,
            default_method: Some(PaginationMethod::Index),
            default_page_size: Some(app.scim.page_size),
            max_page_size: Some(app.scim.page_size_max),
            cursor_timeout_s: Some(app.pipeline.cursors.valid_seconds()),
        }),
        respond_async: tenant.respond_async,
    };
    Ok(respond::message(StatusCode::OK, discovery::service_provider_config(&base.0, &features)))
}

/// The resource types and schemas that the tenant has now.
async fn schemas_of(app: &App, tenant: TenantId) -> Result<Arc<SchemaRegistry>, Failure> {
    Ok(Arc::clone(&app.store.tenant(tenant).model().await?.schemas))
}

/// `GET /ResourceTypes`.
pub async fn resource_types(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    caller: Caller,
    uri: Uri,
) -> Result<Response, ScimFailure> {
    refuse_filter(&uri)?;
    let schemas = schemas_of(&app, caller.tenant).await?;
    Ok(all(schemas.resource_types().iter().map(|found| discovery::resource_type(found, &base.0)).collect()))
}

/// `GET /ResourceTypes/{name}`.
pub async fn resource_type(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    caller: Caller,
    axum::extract::Path((_tenant, name)): axum::extract::Path<(String, String)>,
) -> Result<Response, ScimFailure> {
    let schemas = schemas_of(&app, caller.tenant).await?;
    let found = schemas.resource_type(&name).map(|found| discovery::resource_type(found, &base.0));
    one(found, &format!("the resource type `{name}`"))
}

/// `GET /Schemas`.
pub async fn schemas(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    caller: Caller,
    uri: Uri,
) -> Result<Response, ScimFailure> {
    refuse_filter(&uri)?;
    let schemas = schemas_of(&app, caller.tenant).await?;
    Ok(all(schemas.schemas().iter().map(|found| discovery::schema(found, &base.0)).collect()))
}

/// `GET /Schemas/{urn}`.
pub async fn schema(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    caller: Caller,
    axum::extract::Path((_tenant, urn)): axum::extract::Path<(String, String)>,
) -> Result<Response, ScimFailure> {
    let schemas = schemas_of(&app, caller.tenant).await?;
    let found = schemas.schema(&urn).map(|found| discovery::schema(found, &base.0));
    one(found, &format!("the schema `{urn}`"))
}
