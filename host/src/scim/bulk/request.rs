//! The message (RFC 7644 §3.7).
//!
//! What is wrong with the message as a whole is an error of the request. What is wrong with one operation is an error of
//! that one: "The service provider MUST continue performing as many changes as possible and disregard partial failures."

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::limits::ScimLimits;
use crate::scim::normalize::get_ignoring_case;
use crate::scim::path::parse::excerpt;
use crate::scim::profile::Leniency;
use crate::scim::urn;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As it stands in the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method a word names, in any spelling of case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word))
    }
}

/// One operation.
#[derive(Clone, PartialEq)]
pub struct BulkOperation {
    /// What it does.
    pub method: Method,
    /// What others refer to its resource by.
    pub bulk_id: Option<String>,
    /// The version that the resource has to have, as an entity tag.
    pub version: Option<String>,
    /// First part of the path: `Users`.
    pub endpoint: String,
    /// Second part of the path; `None` for a POST. May be a reference (`bulkId:qwerty`).
    pub id: Option<String>,
    /// The body that the request would have by itself; empty for a DELETE.
    pub data: Map<String, Value>,
}

impl std::fmt::Debug for BulkOperation {
    /// Without the data, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulkOperation")
            .field("method", &self.method)
            .field("bulk_id", &self.bulk_id)
            .field("endpoint", &self.endpoint)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The message.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    /// After so many errors no more operations are carried out.
    pub fail_on_errors: Option<usize>,
    /// The operations in the order of the message; in the place of one that is not right, why.
    pub operations: Vec<Result<BulkOperation, Box<Misformed>>>,
}

/// An operation that cannot be carried out, with what of it can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Misformed {
    /// As it was sent.
    pub method: Option<String>,
    /// As it was sent.
    pub bulk_id: Option<String>,
    /// What is wrong.
    pub error: ScimError,
}

/// Reads the message.
pub fn parse(body: &Map<String, Value>, leniency: Leniency, limits: &ScimLimits) -> Result<BulkRequest, ScimError> {
    let schemas = get_ignoring_case(body, "schemas").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names_bulk = |schema: &str| schema.eq_ignore_ascii_case(urn::BULK_REQUEST);
    if !leniency.is_lenient() && !schemas.iter().filter_map(Value::as_str).any(names_bulk) {
        return Err(ScimError::invalid_syntax(format!("`schemas` must name `{}`", urn::BULK_REQUEST)));
    }
    let fail_on_errors = match get_ignoring_case(body, "failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .and_then(|errors| usize::try_from(errors).ok())
                .ok_or_else(|| ScimError::invalid_syntax("`failOnErrors` must be a number of errors"))?,
        ),
    };
    let Some(Value::Array(operations)) = get_ignoring_case(body, "Operations") else {
        return Err(ScimError::invalid_syntax("`Operations` must be a list of operations"));
    };
    // RFC 7644 §3.7.4: "If either limit is exceeded, the service provider MUST return HTTP response code 413 (Payload
    // Too Large). The returned response MUST specify the limit exceeded".
    let (count, max) = (operations.len(), limits.bulk_operations_max);
    if count > max {
        let detail = format!("there are {count} operations, which exceeds maxOperations ({max})");
        return Err(ScimError::refused(413, None, detail));
    }
    let mut seen = HashSet::new();
    let operations = operations.iter().map(|operation| {
        operation_of(operation, &mut seen).map_err(|error| {
            let text = |name: &str| get_ignoring_case(operation.as_object()?, name)?.as_str().map(str::to_owned);
            Box::new(Misformed { method: text("method"), bulk_id: text("bulkId"), error })
        })
    });
    Ok(BulkRequest { fail_on_errors, operations: operations.collect() })
}

fn operation_of(operation: &Value, seen: &mut HashSet<String>) -> Result<BulkOperation, ScimError> {
    let Value::Object(operation) = operation else {
        return Err(ScimError::invalid_syntax("an operation must be an object"));
    };
    let method = required(operation, "method")?;
    let method = Method::parse(method).ok_or_else(|| {
        let found = excerpt(method);
        ScimError::invalid_syntax(format!("`method` must be POST, PUT, PATCH or DELETE, not `{found}`"))
    })?;
    let bulk_id = optional(operation, "bulkId")?.map(str::to_owned);
    // §3.7: "REQUIRED when "method" is "POST"".
    if method == Method::Post && bulk_id.is_none() {
        return Err(ScimError::invalid_syntax("a POST needs a `bulkId`"));
    }
    if let Some(bulk_id) = &bulk_id
        && !seen.insert(bulk_id.clone())
    {
        let found = excerpt(bulk_id);
        return Err(ScimError::invalid_value(format!("the `bulkId` `{found}` is that of another operation, too")));
    }
    let (endpoint, id) = path(method, required(operation, "path")?)?;
    let data = match (get_ignoring_case(operation, "data"), method) {
        (_, Method::Delete) => Map::new(),
        (Some(Value::Object(data)), _) => data.clone(),
        _ => return Err(ScimError::invalid_syntax(format!("a {} needs `data`, an object", method.as_str()))),
    };
    let version = optional(operation, "version")?.map(str::to_owned);
    Ok(BulkOperation { method, bulk_id, version, endpoint, id, data })
}

/// `/Users` or `/Users/2819c223…`, also without the slash that it begins with.
fn path(method: Method, path: &str) -> Result<(String, Option<String>), ScimError> {
    let trimmed = path.trim_matches('/');
    let (endpoint, id) = trimmed.split_once('/').map_or((trimmed, None), |(endpoint, id)| (endpoint, Some(id)));
    let fits = match method {
        Method::Post => id.is_none(),
        Method::Put | Method::Patch | Method::Delete => id.is_some_and(|id| !id.is_empty() && !id.contains('/')),
    };
    if endpoint.is_empty() || !fits {
        let expected =
            if method == Method::Post { "an endpoint, such as /Users" } else { "a resource, such as /Users/ID" };
        let (method, found) = (method.as_str(), excerpt(path));
        return Err(ScimError::invalid_syntax(format!("the `path` of a {method} must be {expected}, not `{found}`")));
    }
    Ok((endpoint.to_owned(), id.map(str::to_owned)))
}

fn required<'o>(operation: &'o Map<String, Value>, name: &str) -> Result<&'o str, ScimError> {
    optional(operation, name)?.ok_or_else(|| ScimError::invalid_syntax(format!("an operation has no `{name}`")))
}

fn optional<'o>(operation: &'o Map<String, Value>, name: &str) -> Result<Option<&'o str>, ScimError> {
    match get_ignoring_case(operation, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ScimError::invalid_syntax(format!("`{name}` must be a string"))),
    }
}
