//! Errors of the administration API: problem details (RFC 9457).

mod codes;

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::{Failure, internal};
use crate::store::StoreError;

pub use codes::CODES;

/// What a client should wait when its tenant has too much under way, in seconds: a compilation of an ordinary component
/// takes a tenth of that, one of the longest takes ten times as long.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A problem (RFC 9457 §3.1), with `type` left at `about:blank`: the title is the status's own, `code` tells programs
/// which problem it is, `detail` tells people.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The status's own words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable and machine-readable: `name-taken`. The guide has what each means, and what to do about it.
    pub code: &'static str,
    /// What went wrong, for people.
    pub detail: String,
    /// What is wrong with each part of the input, where there can be several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemPart>,
}

/// One part of the input that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemPart {
    /// JSON pointer (RFC 6901) into the input; empty for all of it.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// An error of the administration API.
#[derive(Debug)]
pub enum Problem {
    /// One the client can do something about.
    Told {
        /// HTTP status.
        status: StatusCode,
        /// Stable name.
        code: &'static str,
        /// For people.
        detail: String,
        /// Parts of the input.
        errors: Vec<ProblemPart>,
        /// After how many seconds it is worth trying again, where that helps.
        retry_after: Option<u32>,
    },
    /// 500: the cause, for the log alone.
    Internal(Arc<dyn Error + Send + Sync>),
}

impl Problem {
    /// A problem with the input as a whole.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Told { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 400.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("{what} was not found"))
    }

    /// 422 with what is wrong where.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>, errors: Vec<ProblemPart>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::Told { status, code, detail: detail.into(), errors, retry_after: None }
    }

    /// 503: there is too much of this already.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail, RETRY_AFTER_SECONDS)
    }

    /// 503: the server cannot do it for the moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, RETRY_AFTER_SECONDS)
    }

    /// Something that is in order and comes too early, with the seconds after which it does not.
    fn later(status: StatusCode, code: &'static str, detail: impl Into<String>, seconds: u32) -> Self {
        Self::Told { status, code, detail: detail.into(), errors: Vec::new(), retry_after: Some(seconds) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Internal(Arc::new(error))
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unauthorized(detail) => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail),
            Failure::Forbidden(detail) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            Failure::NotFound(what) => Self::not_found(what),
            Failure::MethodNotAllowed(method) => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                format!("{method} is not supported by this endpoint"),
            ),
            Failure::TooLarge(bytes_max) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("the request body is larger than the limit of {bytes_max} bytes"),
            ),
            Failure::TooMany(seconds) => Self::later(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                format!("this token has sent more requests than its share; wait {seconds} seconds"),
                seconds,
            ),
            Failure::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, detail, errors, retry_after) = match self {
            Self::Told { status, code, detail, errors, retry_after } => (status, code, detail, errors, retry_after),
            Self::Internal(cause) => return internal(cause),
        };
        debug_assert!(CODES.contains(&code), "`{code}` is not in the list of codes");
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let body = ProblemBody { title, status: status.as_u16(), code, detail, errors };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
