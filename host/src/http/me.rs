//! `/Me` (RFC 7644 §3.11): another name of the user that the token speaks for. Everything else is that resource's.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Client, IfMatch, Me, ResourcePath, ScimJson};
use crate::http::prefer::Preference;
use crate::http::query::ProjectionQuery;
use crate::http::{resources, respond};
use crate::pipeline::write::Caller;
use crate::scim::error::ScimError;

/// `GET /Me`.
pub async fn read(
    app: State<Arc<App>>,
    caller: Caller,
    base: BaseUrl,
    Me(user): Me,
    query: ProjectionQuery,
    headers: HeaderMap,
) -> Response {
    let place = place(&base, &user);
    at(&place, resources::read(app, caller, base, user, query, headers).await)
}

/// `PUT /Me`.
pub async fn replace(
    app: State<Arc<App>>,
    client: Client,
    Me(user): Me,
    query: ProjectionQuery,
    precondition: IfMatch,
    body: ScimJson,
) -> Response {
    let place = place(&client.base, &user);
    at(&place, resources::replace(app, synchronously(client), user, query, precondition, body).await)
}

/// `PATCH /Me`.
pub async fn patch(
    app: State<Arc<App>>,
    client: Client,
    Me(user): Me,
    query: ProjectionQuery,
    precondition: IfMatch,
    body: ScimJson,
) -> Response {
    let place = place(&client.base, &user);
    at(&place, resources::patch(app, synchronously(client), user, query, precondition, body).await)
}

/// `DELETE /Me`.
pub async fn delete(app: State<Arc<App>>, client: Client, Me(user): Me, precondition: IfMatch) -> Response {
    let place = place(&client.base, &user);
    at(&place, resources::delete(app, synchronously(client), user, precondition).await)
}

/// `POST /Me`: would be somebody registering themselves, who has no token yet.
pub async fn create() -> ScimFailure {
    ScimError::not_implemented("POST of `/Me`").into()
}

/// What the client prefers in that is passed over: an answer from here has its `Location` from RFC 7644 §3.11, so that it
/// could not say where the outcome will be.
fn synchronously(client: Client) -> Client {
    Client { preference: Preference(None), ..client }
}

fn place(base: &BaseUrl, user: &ResourcePath) -> String {
    respond::place(base, &user.endpoint, user.id)
}

/// "In any response, the HTTP "Location" header MUST be the permanent location of the aliased resource associated with
/// the authenticated subject." So in that of an error, too.
fn at(place: &str, answered: Result<Response, ScimFailure>) -> Response {
    let mut response = answered.into_response();
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
