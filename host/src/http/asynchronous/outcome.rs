//! What came of an accepted request: as it is kept, and as its client is told.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracing::error;

use crate::causes::with_causes;
use crate::decision::Txn;
use crate::http::asynchronous::job::Job;
use crate::http::bulk::Places;
use crate::http::error::{ScimFailure, Told};
use crate::scim::error::ScimError;
use crate::scim::urn;
use crate::store::{AsyncRequest, Progress, StoredDecision};

/// A body that is kept, in bytes; of a longer one only status and headers are. A user has 1 KB, what came of a bulk
/// request of 1,000 operations 0.2 MB, or 0.6 MB if all were refused. With as many outcomes as are kept of a tenant it is
/// 1 GB at the worst, 1 MB as a rule.
const BODY_BYTES_MAX: usize = 1 << 20;

/// An answer, read to its end.
pub struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    places: Option<Places>,
}

impl Answered {
    /// What a client is told, also of a failure that is ours, which is logged here: no request is waiting for it.
    pub async fn of(result: Result<Response, ScimFailure>, request_id: &str) -> Self {
        let response = result.unwrap_or_else(|failure| {
            let told = failure.told().unwrap_or_else(|cause| {
                error!(request.id = request_id, error = with_causes(cause.as_ref()), "an accepted request failed");
                Told::from(ScimError::internal(request_id))
            });
            told.into_response()
        });
        let (parts, body) = response.into_parts();
        let places = parts.extensions.get::<Places>().cloned();
        // The body of a write is in memory: there is nothing that could break.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body, places }
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        (self.status, self.headers, Body::from(self.body)).into_response()
    }
}

/// What came of a request, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Outcome {
    /// It was carried out.
    Done(Done),
    /// The server stopped in the middle of it.
    Interrupted(Interrupted),
}

/// The answer to a request that was carried out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    base: String,
    method: String,
    target: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    /// Of a bulk request: the place in it of each operation that the body tells of.
    places: Option<Vec<usize>>,
}

/// How far a request came that is not carried out any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Interrupted {
    detail: String,
    decisions: Vec<Value>,
}

/// What a request is about, for its outcome.
#[derive(Clone, Debug)]
pub struct About {
    base: String,
    method: &'static str,
    target: String,
}

impl About {
    /// Of a request that is about to be carried out.
    pub fn of(job: &Job) -> Self {
        Self { base: job.base.0.clone(), method: job.method(), target: job.target() }
    }
}

impl Outcome {
    /// That of a request that was carried out.
    pub fn done(about: About, answered: &Answered) -> Self {
        let is_kept = answered.body.len() <= BODY_BYTES_MAX;
        let mut headers = BTreeMap::<String, String>::new();
        let told = answered.headers.iter().filter(|(name, _)| **name != header::CONTENT_TYPE);
        for (name, value) in told.filter_map(|(name, value)| Some((name, value.to_str().ok()?))) {
            // RFC 9110 §5.3: the same header more than once is one with a list.
            let all = headers.entry(name.as_str().to_owned()).or_default();
            all.push_str(if all.is_empty() { "" } else { ", " });
            all.push_str(value);
        }
        Self::Done(Done {
            base: about.base,
            method: about.method.to_owned(),
            target: about.target,
            status: answered.status.as_u16(),
            headers,
            body: is_kept.then(|| serde_json::from_slice(&answered.body).ok()).flatten(),
            places: answered.places.as_ref().map(|places| places.0.to_vec()),
        })
    }

    /// That of a request that was being carried out when the server stopped. What was decided is all that is known, and
    /// all that was done: a change is written with its decision or not at all.
    pub fn interrupted(decisions: &[StoredDecision]) -> Self {
        let decisions = decisions.iter().map(|decision| {
            let mut told = Map::from_iter([("decisionId".to_owned(), decision.id.to_string().into())]);
            for (name, member) in [
                ("outcome", "outcome"),
                ("action", "action"),
                ("resourceType", "resource_type"),
                ("resourceId", "resource_id"),
            ] {
                told.insert(name.to_owned(), decision.record.get(member).cloned().unwrap_or_default());
            }
            Value::Object(told)
        });
        let detail = "the server stopped while the request was carried out; what was decided until then is what was \
                      done, and nothing else will be";
        Self::Interrupted(Interrupted { detail: detail.to_owned(), decisions: decisions.collect() })
    }

    /// That of a request that cannot be read any more, of which nothing was done.
    pub fn unreadable() -> Self {
        let detail =
            "the server stopped before the request was carried out and cannot read it any more; nothing was done";
        Self::Interrupted(Interrupted { detail: detail.to_owned(), decisions: Vec::new() })
    }
}

/// What the client of an accepted request is told when it asks.
pub fn message(txn: Txn, request: &AsyncRequest) -> Result<Value, serde_json::Error> {
    let mut message = json!({
        "schemas": [urn::ASYNC_REQUEST],
        "txn": txn.to_string(),
        "acceptedAt": request.accepted_at.to_string(),
    });
    let more = match &request.progress {
        Progress::Unfinished { .. } => json!({ "state": "running" }),
        Progress::Finished { at, outcome } => finished(txn, *at, serde_json::from_str(outcome)?),
    };
    if let (Value::Object(message), Value::Object(more)) = (&mut message, more) {
        message.extend(more);
    }
    Ok(message)
}

fn finished(txn: Txn, at: Timestamp, outcome: Outcome) -> Value {
    let finished_at = at.to_string();
    match outcome {
        Outcome::Done(done) => {
            let events = done.events(txn, at);
            let mut told = json!({
                "state": "done",
                "finishedAt": finished_at,
                "status": done.status.to_string(),
                "headers": done.headers,
                "securityEvents": events,
            });
            if let (Value::Object(told), Some(body)) = (&mut told, done.body) {
                told.insert("response".to_owned(), body);
            }
            told
        }
        Outcome::Interrupted(Interrupted { detail, decisions }) => {
            json!({ "state": "interrupted", "finishedAt": finished_at, "detail": detail, "decisions": decisions })
        }
    }
}

impl Done {
    /// The claims of the completion events (RFC 9967 §2.5.1.3): one, or, §2.5.1.2, one for each operation of a bulk
    /// request, by its "zero-based array index". An operation that `failOnErrors` kept from being carried out has none.
    fn events(&self, txn: Txn, at: Timestamp) -> Vec<Value> {
        let operations = self.body.as_ref().and_then(|body| body.get("Operations")?.as_array());
        match (&self.places, operations) {
            (Some(places), Some(operations)) => places
                .iter()
                .zip(operations)
                .map(|(place, operation)| self.event(&format!("{txn}:{place}"), at, operation))
                .collect(),
            _ => vec![self.event(&txn.to_string(), at, &self.operation())],
        }
    }

    /// As an operation of a bulk response (RFC 7644 §3.7.3).
    fn operation(&self) -> Value {
        let mut operation = json!({ "method": self.method, "status": self.status.to_string() });
        let is_error = self.status >= 300;
        let more = [
            ("location", self.headers.get("location").cloned().map(Value::from)),
            ("version", self.headers.get("etag").cloned().map(Value::from)),
            // "the event operation MUST include a "response" attribute": §2.5.1.3, of an error.
            ("response", self.body.clone().filter(|_| is_error)),
        ];
        if let Value::Object(operation) = &mut operation {
            operation.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        operation
    }

    fn event(&self, txn: &str, at: Timestamp, operation: &Value) -> Value {
        let location = operation.get("location").and_then(Value::as_str);
        // "uri": the path below the base. Where no resource came of it, what was asked for.
        let uri = location.and_then(|location| location.strip_prefix(&self.base)).unwrap_or(&self.target);
        json!({
            "jti": txn,
            "txn": txn,
            "iat": at.as_second(),
            "iss": self.base,
            "sub_id": { "format": "scim", "uri": uri },
            "events": { (urn::ASYNC_RESPONSE_EVENT): operation },
        })
    }
}

#[cfg(test)]
mod tests;
