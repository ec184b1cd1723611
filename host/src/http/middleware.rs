//! What every request passes, in order: it gets an id; if it fails through our fault, it is told in the words of its
//! surface and logged once. Who may pass is decided route by route in [`auth`](crate::http::auth).

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{debug, error};
use uuid::Uuid;

use crate::app::App;
use crate::causes::with_causes;
use crate::http::error::{Cause, Failure, ScimFailure, Surface};
use crate::http::problem::Problem;
use crate::scim::error::ScimError;
use crate::store::StoreError;

/// The id of a request: in the log, in decisions, in the response's `X-Request-Id`.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers, in the administration: by this a command line sees that it speaks to a Scruple server, and to which.
pub const VERSION_HEADER: HeaderName = HeaderName::from_static("scruple-version");

/// Gives the request an id, and returns it with the response. Never the client's own: it ends up in logs and decisions,
/// where two requests must not have the same.
pub async fn request_id(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let method = request.method().clone();
    // The route and not the path: a path may carry what somebody is called.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    debug!(
        request.id = id,
        http.method = %method,
        http.route = route.as_deref().unwrap_or("unknown"),
        http.status = response.status().as_u16(),
        "answered a request"
    );
    response
}

/// Says which version of Scruple answers, to whoever speaks to the administration API.
pub async fn version(request: Request, next: Next) -> Response {
    let is_administration = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    if is_administration {
        response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    }
    response
}

/// Has clients close their connections when the server is about to stop, each with an answer: who asks on, does so elsewhere.
pub async fn closing(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let has_header = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    // HTTP/2 has a message of its own for it.
    if has_header && app.is_leaving() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Puts a failure that is ours into the words of the request's surface, and logs its causes under the request's id.
pub async fn explain_failures(request: Request, next: Next) -> Response {
    let surface = Surface::of(request.uri().path());
    let id = request.extensions().get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
    let response = next.run(request).await;
    let Some(Cause(cause)) = response.extensions().get::<Cause>() else {
        return response;
    };
    error!(request.id = id, error = with_causes(cause.as_ref()), "a request failed");
    if is_passing(cause.as_ref()) {
        let told = "the database cannot do it at the moment; the same request may be repeated";
        return match surface {
            Surface::Scim => ScimFailure::Busy(told.to_owned()).into_response(),
            Surface::Api => Problem::unavailable(told).into_response(),
        };
    }
    let told = ScimError::internal(&id);
    match surface {
        Surface::Scim => ScimFailure::Scim(told).into_response(),
        Surface::Api => {
            Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal", told.detail).into_response()
        }
    }
}

/// A handler panicked: the request fails, the server goes on.
pub fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    crate::http::error::internal(Arc::from(Box::<dyn Error + Send + Sync>::from(format!(
        "a handler panicked: {message}"
    ))))
}

/// No route has this path.
pub async fn unknown_path(uri: Uri) -> Response {
    Surface::of(uri.path()).respond(Failure::NotFound(format!("`{}`", uri.path())))
}

/// A route has this path, but not for this method.
pub async fn unknown_method(method: Method, uri: Uri) -> Response {
    Surface::of(uri.path()).respond(Failure::MethodNotAllowed(method.to_string()))
}

/// Whether it is the store that cannot, and only for now.
fn is_passing(cause: &(dyn Error + 'static)) -> bool {
    let is_store = cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_passing);
    is_store || cause.source().is_some_and(is_passing)
}
