//! The one error a SCIM client sees (RFC 7644 §3.12), with a constructor for each situation.
//!
//! `detail` is written for the administrator of the provisioning client. It never carries what only we should know:
//! causes travel beside it, to the log.

use std::fmt;

use serde_json::Value;

use crate::scim::violation::{Characteristic, Violation, bounded};

/// Keywords of RFC 7644 table 9, which refine status 400 and 409, and of RFC 9865 §2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter's syntax, or its attribute and comparison, is not supported.
    InvalidFilter,
    /// The filter yields more results than the server is willing to calculate.
    TooMany,
    /// One or more attribute values are already in use or reserved.
    Uniqueness,
    /// The modification is not compatible with the attribute's mutability or current state.
    Mutability,
    /// The request body is not the structure it should be.
    InvalidSyntax,
    /// A PATCH path is malformed.
    InvalidPath,
    /// A PATCH path selects nothing that could be changed.
    NoTarget,
    /// A required value is missing, or the value is not one the attribute can have.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request may not be made because of what it would put into a URI.
    Sensitive,
    /// The cursor is not one that was given for the query.
    InvalidCursor,
    /// The cursor was given too long ago.
    ExpiredCursor,
    /// The count is not a number.
    InvalidCount,
}

impl ScimType {
    /// Every keyword, in the order of RFC 7644 table 9, then of RFC 9865 table 3.
    pub const ALL: [ScimType; 13] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
        Self::InvalidCursor,
        Self::ExpiredCursor,
        Self::InvalidCount,
    ];

    /// The keyword as it stands in the error body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }

    /// The keyword a text names, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|keyword| keyword.as_str() == text)
    }

    /// The HTTP status RFC 7644 §3.12 gives to the keyword: 409 for `uniqueness`, 400 for all others.
    pub fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            _ => 400,
        }
    }
}

/// An error as RFC 7644 §3.12 describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimError {
    /// HTTP status.
    pub status: u16,
    /// Keyword of table 9, when one fits.
    pub scim_type: Option<ScimType>,
    /// What went wrong, for the client's administrator.
    pub detail: String,
    /// Which attribute's characteristic it is about, and with which values; for the log.
    pub violation: Option<Box<Violation>>,
}

impl ScimError {
    fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: scim_type.status(), scim_type: Some(scim_type), detail: detail.into(), violation: None }
    }

    fn plain(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), violation: None }
    }

    /// 400: the body is not JSON, or not the message it should be.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidSyntax, detail)
    }

    /// 400: a value that the attribute cannot have, or a required one that is missing.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidValue, detail)
    }

    /// 400: a PATCH path that is not one, or names no attribute of the resource type.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidPath, detail)
    }

    /// 400: a filter that is not one, or compares what cannot be compared.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidFilter, detail)
    }

    /// 400: the PATCH path selects no value.
    pub fn no_target(path: &str) -> Self {
        Self::bad_request(ScimType::NoTarget, format!("the path `{path}` selects no value of this resource"))
    }

    /// 400: the attribute cannot be changed in this way.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::Mutability, detail)
    }

    /// 400: answering would take more work than the limit allows.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::TooMany, detail)
    }

    /// 400: a cursor that was not given for this query.
    pub fn invalid_cursor(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidCursor, detail)
    }

    /// 400: a cursor that was given too long ago.
    pub fn expired_cursor(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::ExpiredCursor, detail)
    }

    /// 400: a count that is not a number.
    pub fn invalid_count(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidCount, detail)
    }

    /// 409: another resource of the type already has this value.
    pub fn uniqueness(attribute: &str) -> Self {
        Self::bad_request(
            ScimType::Uniqueness,
            format!("the value of `{attribute}` is already in use by another resource"),
        )
    }

    /// 409: another resource of the type already has this value, one of the attribute. It goes to the log, so it must
    /// not be a secret.
    pub fn uniqueness_of(attribute: &str, value: Option<&Value>) -> Self {
        let violation = Violation::new(attribute, Characteristic::Uniqueness);
        Self::uniqueness(attribute).about(Violation { after: value.cloned().map(bounded), ..violation })
    }

    /// The error with what it is about.
    #[must_use]
    pub fn about(self, violation: Violation) -> Self {
        Self { violation: Some(Box::new(violation)), ..self }
    }

    /// 401: no credential, or one that is not valid.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::plain(401, detail)
    }

    /// 403: the credential does not allow this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::plain(403, detail)
    }

    /// 404: there is no such resource, or none that this client may know of.
    pub fn not_found(what: &str) -> Self {
        Self::plain(404, format!("{what} was not found"))
    }

    /// 405: the endpoint exists but not for this method.
    pub fn method_not_allowed(method: &str) -> Self {
        Self::plain(405, format!("{method} is not supported by this endpoint"))
    }

    /// 412: the resource is not in the version named by `If-Match` any more.
    pub fn version_mismatch(current: &str) -> Self {
        Self::plain(412, format!("the resource has changed since: its version is now {current}"))
    }

    /// 412: the resource is in a version named by `If-None-Match`.
    pub fn version_unwanted(current: &str) -> Self {
        Self::plain(412, format!("the resource is there in version {current}, which `If-None-Match` excludes"))
    }

    /// 413: the body is larger than the limit.
    pub fn payload_too_large(bytes_max: usize) -> Self {
        Self::plain(413, format!("the request body is larger than the limit of {bytes_max} bytes"))
    }

    /// 415: the body's media type is not one we read.
    pub fn unsupported_media_type(found: &str) -> Self {
        Self::plain(415, format!("`{found}` is not supported; send `application/scim+json` or `application/json`"))
    }

    /// 429: more requests than the client's share.
    pub fn too_many_requests() -> Self {
        Self::plain(429, "this token has sent more requests than its share; wait as `Retry-After` says")
    }

    /// 501: RFC 7644 has it and we do not (yet).
    pub fn not_implemented(what: &str) -> Self {
        Self::plain(501, format!("{what} is not implemented"))
    }

    /// 503: not now; the same request may succeed later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::plain(503, detail)
    }

    /// 500 with a fixed sentence: the cause is in the log, under the request's id.
    pub fn internal(request_id: &str) -> Self {
        Self::plain(500, format!("the request could not be completed; its id in the log is {request_id}"))
    }

    /// Any status with a keyword of a constraint's choosing.
    pub fn refused(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Self { status, scim_type, detail: detail.into(), violation: None }
    }
}

impl fmt::Display for ScimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scim_type {
            Some(scim_type) => write!(f, "{} {}: {}", self.status, scim_type.as_str(), self.detail),
            None => write!(f, "{}: {}", self.status, self.detail),
        }
    }
}

impl std::error::Error for ScimError {}
