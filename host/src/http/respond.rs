//! Resources into responses: media type, `ETag`, `Location`, warnings.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::decision::{ConstraintName, DecisionId, Reason};
use crate::http::error::SCIM_JSON;
use crate::http::extract::BaseUrl;
use crate::http::stream;
use crate::pipeline::read::{Listed, Representation};
use crate::scim::list::{ListHead, ListQuery};
use crate::scim::projection::{Shown, project};
use crate::scim::resource::Resource;
use crate::store::Reference;

/// The id of the decision that let a change through.
const DECISION_ID: HeaderName = HeaderName::from_static("scruple-decision-id");

/// Warnings told to the client at the most: headers have a budget (most proxies give all of them together 8 KiB), and
/// everything is in the decision log.
const WARNINGS_MAX: usize = 10;

/// A SCIM message.
pub fn message(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, SCIM_JSON);
    response
}

/// The URL of a resource.
pub fn location(base: &BaseUrl, resource: &Resource) -> String {
    place(base, resource.resource_type.endpoint.trim_start_matches('/'), resource.id)
}

/// The URL of what has this id below an endpoint.
pub fn place(base: &BaseUrl, endpoint: &str, id: impl std::fmt::Display) -> String {
    format!("{}/{endpoint}/{id}", base.0)
}

/// A resource as the client asked to see it.
pub fn wire<'a>(representation: &'a Representation, base: &'a BaseUrl) -> Shown<'a> {
    let references = |references: &[Reference]| references.iter().map(|one| wire_reference(one, base)).collect();
    project(
        &representation.resource,
        &representation.projection,
        &location(base, &representation.resource),
        representation.members.as_ref().map(|members| references(&members.first)),
        representation.groups.as_deref().map(references),
    )
}

/// A value of `members` or `groups`.
pub fn wire_reference(reference: &Reference, base: &BaseUrl) -> Value {
    let mut value = json!({
        "value": reference.id.to_string(),
        "$ref": format!("{}{}/{}", base.0, reference.resource_type.endpoint, reference.id),
        "type": reference.kind(),
    });
    if let (Some(object), Some(display)) = (value.as_object_mut(), &reference.display) {
        object.insert("display".to_owned(), display.clone().into());
    }
    value
}

/// A page of resources. If they have more members than should be held at once, it is sent as they are read.
pub fn list(listed: Listed, query: &ListQuery, base: &BaseUrl) -> Response {
    let Listed { total, resources, next_cursor } = listed;
    let head = ListHead::new(total, query, next_cursor, resources.len());
    if resources.iter().any(has_rest) {
        return streamed(StatusCode::OK, stream::list(&head, resources, base));
    }
    message(StatusCode::OK, head.with(resources.iter().map(|found| wire(found, base)).collect()))
}

/// A resource with its `ETag` and `Location` (RFC 7644 §3.3, §3.14). If it has more members than should be held at once,
/// it is sent as they are read.
pub fn resource(status: StatusCode, representation: Representation, base: &BaseUrl) -> Response {
    let mut response = match has_rest(&representation) {
        true => status.into_response(),
        false => message(status, wire(&representation, base)),
    };
    name(&mut response, &representation.resource, base);
    if has_rest(&representation) {
        response.headers_mut().insert(header::CONTENT_TYPE, SCIM_JSON);
        *response.body_mut() = stream::resource(representation, base);
    }
    response
}

fn has_rest(representation: &Representation) -> bool {
    representation.members.as_ref().is_some_and(|members| members.rest.is_some())
}

fn streamed(status: StatusCode, body: Body) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, SCIM_JSON);
    response
}

/// 204 with the `ETag` the resource now has.
pub fn no_content(resource: &Resource, base: &BaseUrl) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    name(&mut response, resource, base);
    response
}

/// 204: there is nothing to name any more.
pub fn gone() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 304: the client has it already.
pub fn not_modified(resource: &Resource, base: &BaseUrl) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    name(&mut response, resource, base);
    response
}

fn name(response: &mut Response, resource: &Resource, base: &BaseUrl) {
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&resource.meta.etag()) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(location) = HeaderValue::from_str(&location(base, resource)) {
        headers.insert(header::LOCATION, location);
    }
}

/// Tells under which id the decision is in the log.
pub fn with_decision_id(mut response: Response, decision: DecisionId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&decision.to_string()) {
        response.headers_mut().insert(DECISION_ID, value);
    }
    response
}

/// Tells what let the change through, and what its constraints want the client to know. RFC 9111 §5.5 has retired the
/// `Warning` header's cache codes, but 199 ("miscellaneous") is still what clients print.
pub fn decided(response: Response, decision: DecisionId, warnings: &[(ConstraintName, Reason)]) -> Response {
    let mut response = with_decision_id(response, decision);
    let headers = response.headers_mut();
    for (constraint, reason) in warnings.iter().take(WARNINGS_MAX) {
        let text = format!("199 scruple \"{constraint}: {}\"", printable(&reason.message));
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

/// The text as it may stand in a quoted header value: a constraint must not be able to end the quotation or the line.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '\\' => '\'',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}
