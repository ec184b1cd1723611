//! `POST /Bulk` (RFC 7644 §3.7).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tracing::error;

use crate::app::App;
use crate::causes::with_causes;
use crate::http::apart::apart;
use crate::http::asynchronous;
use crate::http::asynchronous::job::Work;
use crate::http::error::{ScimFailure, Told};
use crate::http::extract::{BaseUrl, BulkJson, Client};
use crate::http::respond;
use crate::pipeline::bulk::{Done, Tried};
use crate::pipeline::write::Caller;
use crate::scim::bulk::{Method, Outcome, bulk_response};
use crate::scim::error::ScimError;

/// Answers a bulk request.
pub async fn run(
    State(app): State<Arc<App>>,
    client: Client,
    BulkJson(message): BulkJson,
) -> Result<Response, ScimFailure> {
    asynchronous::answer(&app, client, Work::Bulk(message)).await
}

/// The place in the request of each operation that an answer tells of, in the answer's extensions: those that `failOnErrors`
/// kept from being carried out are not told of.
#[derive(Clone, Debug)]
pub struct Places(pub Arc<[usize]>);

/// Carries out the operations, all of them also when the client goes away meanwhile: what comes after an operation may be
/// what makes it whole.
pub async fn carry_out(
    app: &Arc<App>,
    caller: Caller,
    base: &BaseUrl,
    message: Map<String, Value>,
) -> Result<Response, ScimFailure> {
    let (app, base) = (Arc::clone(app), base.clone());
    let work = async move {
        let done = app.pipeline.bulk(&caller, &message).await?;
        let places = Places(done.iter().map(|(place, _)| *place).collect());
        let outcomes = done.into_iter().map(|(_, done)| outcome(done, &base, &caller.request_id));
        let outcomes: Vec<Outcome> = outcomes.collect();
        // "… the service provider MUST return … HTTP response code 200 (OK)" whatever came of the operations.
        let mut response = respond::message(StatusCode::OK, bulk_response(&outcomes));
        response.extensions_mut().insert(places);
        Ok(response)
    };
    // Always apart: the messages are many in one, and few.
    apart(true, work).await.unwrap_or_else(|panicked| Err(ScimFailure::Internal(Arc::new(panicked))))
}

fn outcome(done: Done, base: &BaseUrl, request_id: &str) -> Outcome {
    let Tried { operation, id, result } = match done {
        Done::Misformed(misformed) => {
            let message = Told::from(misformed.error.clone()).body();
            return Outcome::misformed(&misformed, message);
        }
        Done::Tried(tried) => *tried,
    };
    let location = id.map(|id| respond::place(base, &operation.endpoint, id));
    match result {
        Ok(version) => {
            // The statuses of the requests by themselves, of those with an answer.
            let status = match operation.method {
                Method::Post => StatusCode::CREATED,
                Method::Put | Method::Patch => StatusCode::OK,
                Method::Delete => StatusCode::NO_CONTENT,
            };
            Outcome { location, version, ..Outcome::of(&operation, status.as_u16()) }
        }
        Err(error) => {
            let told = ScimFailure::from(error).told().unwrap_or_else(|cause| {
                error!(request.id = request_id, error = with_causes(cause.as_ref()), "an operation of a bulk failed");
                ScimError::internal(request_id).into()
            });
            let status = told.error.status;
            Outcome { location, response: Some(told.body()), ..Outcome::of(&operation, status) }
        }
    }
}
