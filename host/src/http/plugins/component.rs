//! The component of a version, given back as it came.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::extract::{ApiPath, entity_tags};
use crate::http::problem::Problem;
use crate::http::{signing, stream};
use crate::pipeline::upload::PushError;
use crate::store::StoreError;

/// Gives back the component of a version. Its signatures are in the header `Scruple-Signature`, as an upload takes them.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}/component", tag = "plugins",
    params(("tenant" = String, Path), ("plugin" = String, Path), ("version" = u32, Path),
        ("If-None-Match" = Option<String>, Header, description = "digests that the client has")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/wasm", description = "the ETag is the SHA-256 digest"),
        (status = 304, description = "the client has it"),
        (status = 404, description = "no such version"),
        (status = 503, description = "the tenant has as many components under way as it may have; Retry-After says when to try again"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, plugin, version)): ApiPath<(String, String, u32)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let store = app.store.tenant(principal.tenant.id);
    let found = store.versions(Some(&plugin)).await?.into_iter().find(|found| found.version == version);
    let found = found.ok_or_else(|| Problem::not_found(format!("version {version} of plugin `{plugin}`")))?;
    let mut sent = HeaderMap::new();
    let broken = || StoreError::Damaged(format!("`{}` is no digest", found.digest));
    let etag = HeaderValue::from_str(&format!("\"{}\"", found.digest)).map_err(|_| broken())?;
    sent.insert(header::ETAG, etag);
    if let Some(signatures) = signing::shown(&store.signatures(Some(&found.digest)).await?) {
        sent.insert(signing::HEADER, signatures);
    }
    if is_known(&headers, &found.digest) {
        return Ok((StatusCode::NOT_MODIFIED, sent).into_response());
    }
    let place = app.pipeline.sandbox.admit_upload(principal.tenant.id).map_err(PushError::Overloaded)?;
    let lost = || StoreError::Damaged(format!("component {} is not there", found.digest));
    let component = app.pipeline.components.get(&found.digest).await?.ok_or_else(lost)?;
    sent.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
    sent.insert(header::CONTENT_LENGTH, component.len().into());
    // It is in memory as a whole, and so keeps the place of an upload until the client has it or is gone: however many a tenant
    // asks for, as many are there as it may upload at once.
    let body = stream::body(move |mut out| async move {
        out.write_bytes(component.into()).await?;
        out.end().await?;
        drop(place);
        Ok(())
    });
    Ok((sent, body).into_response())
}

/// Whether `If-None-Match` names the digest (RFC 9110 §13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, digest: &str) -> bool {
    let tags = entity_tags(headers, header::IF_NONE_MATCH);
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    tags.split(',').any(|tag| tag.trim() == "*" || strong(tag) == digest)
}
