//! What handlers take out of a request. A rejection is an error of the request's surface, never axum's own words.

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::bulk_message;
use crate::http::error::{Failure, ScimFailure};
use crate::http::middleware::RequestId;
use crate::http::prefer::Preference;
use crate::http::problem::Problem;
use crate::pipeline::write::{Caller, Precondition};
use crate::scim::error::ScimError;
use crate::scim::resource::ResourceId;
use crate::store::Tenant;

/// The body of an administration request; far more than any of them needs, settings of a constraint included.
const API_BODY_BYTES_MAX: usize = 1 << 20;

/// Bodies that are parsed on a thread of their own. 256 KiB take about 3 ms, the handing over some 20 µs.
const PARSED_APART_BYTES_MIN: usize = 256 << 10;

/// Reads a body up to a limit.
pub async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Failure> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > bytes_max) {
        return Err(Failure::TooLarge(bytes_max));
    }
    // The only other error is a connection that broke, whose answer nobody reads.
    to_bytes(request.into_body(), bytes_max).await.map_err(|_| Failure::TooLarge(bytes_max))
}

/// A SCIM message: a JSON object of a media type we read. Nesting beyond 128 levels is refused by the JSON parser.
pub struct ScimJson(pub Map<String, Value>);

impl FromRequest<Arc<App>> for ScimJson {
    type Rejection = ScimFailure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ScimFailure> {
        parse(request, app, |bytes| serde_json::from_slice(bytes)).await.map(Self)
    }
}

/// The message of a bulk request, with `null` for each operation beyond the limit.
pub struct BulkJson(pub Map<String, Value>);

impl FromRequest<Arc<App>> for BulkJson {
    type Rejection = ScimFailure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ScimFailure> {
        let operations_max = app.scim.limits.bulk_operations_max;
        parse(request, app, move |bytes| bulk_message::parse(bytes, operations_max)).await.map(Self)
    }
}

/// Reads a message, away from the workers if there is much of it: they have others to answer meanwhile.
async fn parse(
    request: Request,
    app: &App,
    read: impl FnOnce(&[u8]) -> serde_json::Result<Value> + Send + 'static,
) -> Result<Map<String, Value>, ScimFailure> {
    media_type(request.headers())?;
    let bytes = body(request, app.scim.body_bytes_max).await?;
    let parsed = if bytes.len() < PARSED_APART_BYTES_MIN {
        read(&bytes)
    } else {
        let parsing = tokio::task::spawn_blocking(move || read(&bytes));
        parsing.await.map_err(|panicked| ScimFailure::Internal(Arc::new(panicked)))?
    };
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ScimError::invalid_syntax("the request body is not a JSON object").into()),
        Err(error) => Err(ScimError::invalid_syntax(format!("the request body is not valid JSON: {error}")).into()),
    }
}

/// RFC 7644 §3.1: `application/scim+json`, and `application/json`; with parameters. No type at all is let pass, as
/// some clients send none.
fn media_type(headers: &HeaderMap) -> Result<(), ScimError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or("").to_owned();
    let essence = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/scim+json" | "application/json" => Ok(()),
        _ => Err(ScimError::unsupported_media_type(&text)),
    }
}

/// The path's `{endpoint}`, by which the tenant's resource type is found.
pub struct Endpoint(pub String);

impl FromRequestParts<Arc<App>> for Endpoint {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ScimFailure> {
        let Path(params) = path_params(parts, app).await;
        Ok(Self(param(&params, "endpoint").to_owned()))
    }
}

/// The resource that the path names.
pub struct ResourcePath {
    /// The path segment of its type.
    pub endpoint: String,
    /// Its id.
    pub id: ResourceId,
}

impl FromRequestParts<Arc<App>> for ResourcePath {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ScimFailure> {
        let Endpoint(endpoint) = <Endpoint as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let Path(params) = path_params(parts, app).await;
        let text = param(&params, "id");
        // What is no id of ours is the id of nothing.
        let id = text.parse().map_err(|_| ScimError::not_found(&format!("`/{endpoint}/{text}`")))?;
        Ok(Self { endpoint, id })
    }
}

/// The resource that `/Me` stands for: the user that the token speaks for.
pub struct Me(pub ResourcePath);

impl FromRequestParts<Arc<App>> for Me {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        // RFC 7644 §3.11: "A service provider that does NOT support this feature SHOULD respond with HTTP status code
        // 501 (Not Implemented)." For a client without a user there is nothing to support.
        let unsupported = || ScimError::not_implemented("`/Me` for a token that speaks for no user");
        let id = principal(parts)?.user.ok_or_else(unsupported)?;
        Ok(Self(ResourcePath { endpoint: USERS.to_owned(), id }))
    }
}

/// Where the users are whom tokens speak for (RFC 7644 §3.2).
const USERS: &str = "Users";

type Params = Vec<(String, String)>;

async fn path_params(parts: &mut Parts, app: &Arc<App>) -> Path<Params> {
    // Fails only where a parameter is not UTF-8, which then names nothing.
    <Path<Params> as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await.unwrap_or(Path(Vec::new()))
}

fn param<'a>(params: &'a Params, name: &str) -> &'a str {
    params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

/// The condition of a write: `If-Match`, else `If-None-Match` (RFC 9110 §13.2.2 has them in this order).
pub struct IfMatch(pub Precondition);

impl FromRequestParts<Arc<App>> for IfMatch {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        // A condition that cannot be read is one that does not hold: the client asked not to write blindly.
        let headers = &parts.headers;
        Ok(Self(if headers.contains_key(header::IF_MATCH) {
            Precondition::Match(entity_tags(headers, header::IF_MATCH))
        } else if headers.contains_key(header::IF_NONE_MATCH) {
            Precondition::NoneMatch(entity_tags(headers, header::IF_NONE_MATCH))
        } else {
            Precondition::None
        }))
    }
}

/// The entity tags of a header, which may be there more than once: one list of them all (RFC 9110 §5.3).
pub fn entity_tags(headers: &HeaderMap, name: header::HeaderName) -> String {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        let principal = principal(parts)?;
        let request_id = parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
        Ok(Self { tenant: principal.tenant.id, actor: principal.actor, request_id, txn: None })
    }
}

/// Who wants to change something, and how they are to be answered.
pub struct Client {
    /// Who.
    pub caller: Caller,
    /// What the locations in the answer begin with.
    pub base: BaseUrl,
    /// Whether they would rather be answered at once.
    pub preference: Preference,
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ScimFailure> {
        Ok(Self {
            caller: <Caller as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?,
            base: <BaseUrl as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?,
            preference: Preference::of(&parts.headers, &principal(parts)?.tenant),
        })
    }
}

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, ScimFailure> {
        Ok(principal(parts)?.tenant)
    }
}

impl FromRequestParts<Arc<App>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Problem> {
        Ok(principal(parts)?)
    }
}

fn principal(parts: &Parts) -> Result<Principal, Failure> {
    // Absent only if a tenant's handler stands in a route that is not a tenant's: refuse rather than guess.
    parts.extensions.get::<Principal>().cloned().ok_or(Failure::Unauthorized("send a bearer token"))
}

/// Scheme, host and the tenant's path: what `meta.location` and `$ref` begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub String);

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = ScimFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ScimFailure> {
        let principal = principal(parts)?;
        let origin = app.origins.of(parts)?;
        Ok(Self(format!("{origin}/scim/{}/v2", principal.tenant.name)))
    }
}

/// A JSON body of the administration API. An error names where in the body it is.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &Arc<App>) -> Result<Self, Problem> {
        api_json(&body(request, API_BODY_BYTES_MAX).await?).map(Self)
    }
}

/// Reads JSON of the administration API.
pub fn api_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        Problem::bad_request("invalid-body", format!("the request body is not valid{place}: {}", error.inner()))
    })?;
    deserializer
        .end()
        .map_err(|error| Problem::bad_request("invalid-body", format!("the request body is not valid: {error}")))?;
    Ok(value)
}

/// Query parameters of the administration API.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| Problem::bad_request("invalid-query", error.body_text()))
    }
}

/// Path parameters of the administration API after the tenant, which comes from the credential.
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        <Path<T> as FromRequestParts<Arc<App>>>::from_request_parts(parts, app)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|error| Problem::bad_request("invalid-path", error.body_text()))
    }
}
