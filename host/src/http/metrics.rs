//! What was counted, for whoever watches the server.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::app::App;
use crate::http::problem::Problem;
use crate::metrics::RouteClass;
use crate::metrics::text::{MEDIA_TYPE, Surroundings, written};

/// `GET /metrics`: the operator's, for it names tenants and says whose constraints break. Prometheus sends a token with
/// `authorization: {credentials_file: …}`.
pub async fn show(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let tenants = app.store.tenants().await?.into_iter().map(|tenant| (tenant.id, tenant.name)).collect();
    let sandbox = &app.pipeline.sandbox;
    let surroundings = Surroundings { tenants, queues: sandbox.under_way(), loaded: sandbox.loaded().await };
    let text = written(&app.pipeline.metrics, surroundings).map_err(|error| Problem::Internal(Arc::new(error)))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))], text).into_response())
}

/// Counts every request and how long it took until its answer began.
pub async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let class = class(&request);
    let started = Instant::now();
    let response = next.run(request).await;
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    app.pipeline.metrics.answered(class, response.status().as_u16(), micros);
    response
}

/// By the route, so that a path that is none of ours counts for nobody.
fn class(request: &Request) -> RouteClass {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A search is sent with POST (RFC 7644 §3.4.3) and changes nothing.
    let reads = request.method() == Method::GET || route.ends_with("/.search");
    match (route.starts_with("/scim/"), route.starts_with("/api/"), reads) {
        (true, _, true) => RouteClass::ScimRead,
        (true, _, false) => RouteClass::ScimWrite,
        (_, true, true) => RouteClass::ApiRead,
        (_, true, false) => RouteClass::ApiWrite,
        (false, false, _) => RouteClass::Other,
    }
}
