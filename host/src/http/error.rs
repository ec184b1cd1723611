//! The only place where an error becomes a response.
//!
//! The two surfaces speak of errors in two ways: SCIM in RFC 7644 §3.12's message, administration in RFC 9457's problem
//! details. What went wrong is one [`Failure`] for both.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::decision::{ConstraintName, DecisionId, Reason, Refusal, RefusalKind};
use crate::http::problem::Problem;
use crate::http::respond::with_decision_id;
use crate::pipeline::read::ReadError;
use crate::pipeline::write::WriteError;
use crate::scim::error::ScimError;
use crate::scim::urn;
use crate::store::StoreError;

/// Media type of SCIM messages (RFC 7644 §8.1).
pub const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// What a client should wait before it asks again, in seconds, when the server is busy and does not know better: long
/// enough for a queue of evaluations (each at most some ten milliseconds) to drain, short enough not to stall a
/// provisioning cycle.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What a client should wait before it repeats a held change, in seconds, when the constraint does not say.
const HELD_RETRY_AFTER_SECONDS: u32 = 60;

/// In whose words an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// RFC 7644.
    Scim,
    /// RFC 9457.
    Api,
}

impl Surface {
    /// The surface a path belongs to.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/scim/") { Self::Scim } else { Self::Api }
    }

    /// A failure in this surface's words.
    pub fn respond(self, failure: Failure) -> Response {
        match self {
            Self::Scim => ScimFailure::from(failure).into_response(),
            Self::Api => Problem::from(failure).into_response(),
        }
    }
}

/// What can go wrong on either surface.
#[derive(Debug)]
pub enum Failure {
    /// 401.
    Unauthorized(&'static str),
    /// 403.
    Forbidden(String),
    /// 404: what is not there.
    NotFound(String),
    /// 405: the method.
    MethodNotAllowed(String),
    /// 413: the limit.
    TooLarge(usize),
    /// 429: after how many seconds there is room again.
    TooMany(u32),
    /// 500: the cause, for the log alone.
    Internal(Arc<dyn Error + Send + Sync>),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Internal(Arc::new(error))
    }
}

/// Why a response is a 500: in its extensions, for [`explain_failures`](crate::http::middleware::explain_failures) to
/// log under the request's id.
#[derive(Clone)]
pub struct Cause(pub Arc<dyn Error + Send + Sync>);

/// A response of status 500 whose body is still to be written.
pub fn internal(cause: Arc<dyn Error + Send + Sync>) -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Cause(cause));
    response
}

/// An error of the SCIM endpoint.
#[derive(Debug)]
pub enum ScimFailure {
    /// One that RFC 7644 describes.
    Scim(ScimError),
    /// A change that constraints refused.
    Refused(Box<Refusal>),
    /// A change that the schema refuses, with the entry of the decision log.
    Invalid(ScimError, DecisionId),
    /// 429: after how many seconds there is room again.
    TooMany(u32),
    /// 503.
    Busy(String),
    /// 500.
    Internal(Arc<dyn Error + Send + Sync>),
}

impl From<ScimError> for ScimFailure {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<Failure> for ScimFailure {
    fn from(failure: Failure) -> Self {
        Self::Scim(match failure {
            Failure::Unauthorized(detail) => ScimError::unauthorized(detail),
            Failure::Forbidden(detail) => ScimError::forbidden(detail),
            Failure::NotFound(what) => ScimError::not_found(&what),
            Failure::MethodNotAllowed(method) => ScimError::method_not_allowed(&method),
            Failure::TooLarge(bytes_max) => ScimError::payload_too_large(bytes_max),
            Failure::TooMany(seconds) => return Self::TooMany(seconds),
            Failure::Internal(cause) => return Self::Internal(cause),
        })
    }
}

impl From<WriteError> for ScimFailure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Scim(error) => Self::Scim(error),
            WriteError::Refused(refusal) => Self::Refused(refusal),
            WriteError::Invalid { error, decision } => Self::Invalid(error, decision),
            WriteError::Secret(error) => Self::Internal(Arc::new(error)),
            WriteError::Contended | WriteError::Overloaded(_) => Self::Busy(error.to_string()),
            WriteError::Stopped(error) => Self::Internal(Arc::new(error)),
            WriteError::Store(error) => Self::Internal(Arc::new(error)),
        }
    }
}

impl From<ReadError> for ScimFailure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Scim(error) => Self::Scim(error),
            ReadError::Store(error) => Self::Internal(Arc::new(error)),
        }
    }
}

impl IntoResponse for ScimFailure {
    fn into_response(self) -> Response {
        match self.told() {
            Ok(told) => told.into_response(),
            Err(cause) => internal(cause),
        }
    }
}

impl ScimFailure {
    /// What the client is told of it. `Err`: why it is a 500, for the log alone.
    pub fn told(self) -> Result<Told, Arc<dyn Error + Send + Sync>> {
        Ok(match self {
            Self::Scim(error) => error.into(),
            Self::TooMany(seconds) => Told { retry_after: Some(seconds), ..ScimError::too_many_requests().into() },
            Self::Busy(detail) => {
                Told { retry_after: Some(RETRY_AFTER_SECONDS), ..ScimError::unavailable(detail).into() }
            }
            Self::Refused(refusal) => refused(&refusal),
            // In a header alone: the body is the RFC's own, as of any other error in the request.
            Self::Invalid(error, decision) => Told { recorded: Some(decision), ..error.into() },
            Self::Internal(cause) => return Err(cause),
        })
    }
}

/// What a client is told of a failure.
pub struct Told {
    /// The error.
    pub error: ScimError,
    decision: Option<Value>,
    recorded: Option<DecisionId>,
    retry_after: Option<u32>,
}

impl From<ScimError> for Told {
    fn from(error: ScimError) -> Self {
        Self { error, decision: None, recorded: None, retry_after: None }
    }
}

/// RFC 7644 has no keyword for "a constraint of the tenant refuses". Our convention: the status follows the first
/// reason's `scimType` (`uniqueness` → 409, any other → 400); without one it is 403. Never 409 for anything else:
/// Entra ID answers a 409 on create by matching the user and patching it. A hold is 503 with `Retry-After`, so that a
/// client repeats the request. A constraint that broke is 403, and what broke is not the client's to know.
fn refused(refusal: &Refusal) -> Told {
    let (error, retry_after) = match refusal.kind {
        RefusalKind::Denied => {
            let scim_type = refusal.reasons.iter().find_map(|(_, reason)| reason.scim_type);
            let status = scim_type.map_or(403, crate::scim::error::ScimType::status);
            (ScimError::refused(status, scim_type, sentence(&refusal.reasons)), None)
        }
        RefusalKind::Held { not_before_seconds } => (
            ScimError::refused(503, None, sentence(&refusal.reasons)),
            Some(not_before_seconds.unwrap_or(HELD_RETRY_AFTER_SECONDS)),
        ),
        RefusalKind::Faulted => {
            let names: Vec<String> = refusal.faulted.iter().map(|name| format!("`{name}`")).collect();
            let detail =
                format!("constraint {} could not be evaluated; decision {}", names.join(", "), refusal.record.id);
            (ScimError::refused(403, None, detail), None)
        }
    };
    Told { decision: Some(decision(refusal)), retry_after, ..error.into() }
}

/// `write-once: externalId may not change (externalId); safe-values: …`
fn sentence(reasons: &[(ConstraintName, Reason)]) -> String {
    let sentences: Vec<String> = reasons
        .iter()
        .map(|(constraint, reason)| match reason.paths.as_slice() {
            [] => format!("{constraint}: {}", reason.message),
            paths => format!("{constraint}: {} ({})", reason.message, paths.join(", ")),
        })
        .collect();
    sentences.join("; ")
}

fn decision(refusal: &Refusal) -> Value {
    let reasons: Vec<Value> = refusal
        .reasons
        .iter()
        .map(|(constraint, reason)| {
            let mut object = json!({
                "constraint": constraint.0,
                "code": reason.code,
                "message": reason.message,
                "paths": reason.paths,
            });
            if let (Some(object), Some(scim_type)) = (object.as_object_mut(), reason.scim_type) {
                object.insert("scimType".to_owned(), scim_type.as_str().into());
            }
            object
        })
        .collect();
    json!({ "decisionId": refusal.record.id.to_string(), "outcome": refusal.record.outcome.as_str(), "reasons": reasons })
}

impl Told {
    /// RFC 7644 §3.12's message.
    pub fn body(self) -> Value {
        let mut schemas = vec![urn::ERROR];
        let mut body = Map::new();
        if let Some(decision) = self.decision {
            schemas.push(urn::DECISION);
            body.insert(urn::DECISION.to_owned(), decision);
        }
        body.insert("schemas".to_owned(), json!(schemas));
        // RFC 7644 §3.12: the status code "expressed as a JSON string".
        body.insert("status".to_owned(), self.error.status.to_string().into());
        if let Some(scim_type) = self.error.scim_type {
            body.insert("scimType".to_owned(), scim_type.as_str().into());
        }
        body.insert("detail".to_owned(), self.error.detail.into());
        Value::Object(body)
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (recorded, retry_after) = (self.recorded, self.retry_after);
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, SCIM_JSON);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        match recorded {
            Some(decision) => with_decision_id(response, decision),
            None => response,
        }
    }
}
