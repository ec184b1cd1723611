//! Requests that are answered before they are carried out (RFC 9967 §2.5.1): `Prefer: respond-async`.
//!
//! Such a request is kept in the store before its client hears of it (202), is carried out like any other, and what came
//! of it is kept in its place, to be had under `/AsyncRequests`. Each decision on it is written with its `txn`, in the
//! transaction of the change. So after a stop of the server it is known how far it came: one of which nothing was decided
//! is carried out then; any other is not touched again, and its outcome says what was decided.
//!
//! [`answer`] is where every request that changes something comes through.

pub mod job;
pub mod outcome;
pub mod under_way;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tracing::{error, info};
use uuid::Uuid;

use crate::app::App;
use crate::causes::with_causes;
use crate::decision::{TenantId, Txn};
use crate::http::asynchronous::job::{Job, Work};
use crate::http::asynchronous::outcome::{About, Answered, Outcome};
use crate::http::asynchronous::under_way::Place;
use crate::http::error::ScimFailure;
use crate::http::extract::{BaseUrl, Client};
use crate::http::respond;
use crate::pipeline::write::Caller;
use crate::scim::error::ScimError;
use crate::scim::secret;
use crate::store::{Finish, NewAsyncRequest, Progress, StoreError};

/// For how long an outcome is kept: a client that was down over night finds it in the morning.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Outcomes kept of a tenant; the oldest go first. A client that sends 25 requests a second, as Entra ID does, and asks
/// for what came of each within half a minute finds them all (750). With 1.5 KB each that is 1.5 MB of the database.
const KEPT_MAX: usize = 1_000;

/// After how many seconds a client may ask again how far its request is.
const ASK_AGAIN_SECONDS: u32 = 1;

/// After how long an outcome that could not be kept is tried to be kept again: a full disk may have room again.
const KEEP_AGAIN: Duration = Duration::from_secs(1);

/// Path segment of the accepted requests.
const ENDPOINT: &str = "AsyncRequests";

/// "Set-Txn" (RFC 9967 §3).
const SET_TXN: HeaderName = HeaderName::from_static("set-txn");

/// "Preference-Applied" (RFC 7240 §3).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Answers a request that changes something: with what came of it, or, if that is preferred, that it will be carried out.
///
/// The preference is passed over where the request may hold a secret, since it would be written down, and where the
/// tenant has as many requests under way as it may: a client that waits for its answers does not send more of them.
pub async fn answer(app: &Arc<App>, client: Client, work: Work) -> Result<Response, ScimFailure> {
    let Client { caller, base, preference } = client;
    let job = Job { caller, base, work };
    let Some(preferred) = preference.0 else { return job.run(app).await };
    let Some(place) = app.under_way.place(job.caller.tenant) else { return job.run(app).await };
    let (job, text) = written_down(app, job).await?;
    let Some(text) = text else {
        drop(place);
        return job.run(app).await;
    };

    let base = job.base.clone();
    let accepted_at = app.clock.now();
    let txn = Txn(app.clock.new_id(accepted_at));
    let (accept, accepted) = oneshot::channel();
    let (done, answered) = oneshot::channel();
    // A task of its own: the client may go away at any moment, and what was kept has to be carried out.
    let accepting = Arc::clone(app);
    app.under_way.spawn(async move {
        let store = accepting.store.tenant(job.caller.tenant);
        let kept = store.accept(NewAsyncRequest { txn, accepted_at, request: text }).await;
        let is_kept = kept.is_ok();
        // Nobody may be waiting any more, for this or for the answer.
        drop(accept.send(kept));
        if is_kept {
            drop(done.send(carry_out(&accepting, txn, job, place).await));
        }
    });
    accepted.await.map_err(|lost| ScimFailure::Internal(Arc::new(lost)))?.map_err(internal)?;
    // Also if it is done already: who did not say how long it would wait gets the same answer each time.
    if preferred.wait.is_zero() {
        return Ok(accepted_response(&base, txn));
    }
    match tokio::time::timeout(preferred.wait, answered).await {
        Ok(Ok(answered)) => Ok(answered.into_response()),
        // The time is up; or what came of it is lost to us, but not to whoever asks for it.
        Err(_) | Ok(Err(_)) => Ok(accepted_response(&base, txn)),
    }
}

/// 202, without a body (RFC 9967 §2.5.1.1).
fn accepted_response(base: &BaseUrl, txn: Txn) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    for (name, value) in [(SET_TXN, txn.to_string()), (header::LOCATION, respond::place(base, ENDPOINT, txn))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The text that a job is to be kept as; none of one that may hold a secret. Both take some 10 ms for the largest body, so
/// that is done away from the workers.
async fn written_down(app: &App, job: Job) -> Result<(Job, Option<String>), ScimFailure> {
    let model = app.store.tenant(job.caller.tenant).model().await.map_err(internal)?;
    let writing = tokio::task::spawn_blocking(move || {
        let text = if job.may_hold(&secret::names(&model.schemas)) { None } else { Some(job.to_text()) };
        text.transpose().map(|text| (job, text))
    });
    let written = writing.await.map_err(|panicked| ScimFailure::Internal(Arc::new(panicked)))?;
    written.map_err(|error| ScimFailure::Internal(Arc::new(error)))
}

/// Carries out a request that is kept, and keeps what came of it.
async fn carry_out(app: &Arc<App>, txn: Txn, mut job: Job, _place: Place) -> Answered {
    let (tenant, request_id, about) = (job.caller.tenant, job.caller.request_id.clone(), About::of(&job));
    job.caller.txn = Some(txn);
    let answered = Answered::of(job.run(app).await, &request_id).await;
    finish(app, tenant, txn, &Outcome::done(about, &answered)).await;
    answered
}

/// Keeps an outcome, however long that takes: until it is kept, the request is under way for whoever asks.
async fn finish(app: &App, tenant: TenantId, txn: Txn, outcome: &Outcome) {
    let outcome = match serde_json::to_string(outcome) {
        Ok(outcome) => outcome,
        // Texts, numbers and JSON are never refused.
        Err(error) => return error!(%txn, error = with_causes(&error), "an outcome cannot be written"),
    };
    loop {
        let at = app.clock.now();
        let kept_since = at.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        let finish = Finish { txn, at, outcome: outcome.clone(), kept_max: KEPT_MAX, kept_since };
        match app.store.tenant(tenant).finish(finish).await {
            // Without its tenant nobody asks for it; with the store closed it is for the next start.
            Ok(()) | Err(StoreError::NoTenant | StoreError::Closed) => return,
            Err(error) => error!(%txn, error = with_causes(&error), "an outcome could not be kept; trying again"),
        }
        tokio::time::sleep(KEEP_AGAIN).await;
    }
}

/// Takes up what was accepted before the last stop, in a task of its own, one after the other in the order in which it was
/// accepted. To be called before the first request of this start is answered.
pub async fn resume(app: &Arc<App>) -> Result<(), StoreError> {
    let unfinished = app.store.unfinished().await?;
    if !unfinished.is_empty() {
        info!(requests = unfinished.len(), "taking up requests that were accepted before the last stop");
    }
    let resuming = Arc::clone(app);
    app.under_way.spawn(async move {
        for (tenant, txn) in unfinished {
            if let Err(error) = take_up(&resuming, tenant, txn).await {
                error!(%txn, error = with_causes(&error), "an accepted request could not be taken up");
            }
        }
    });
    Ok(())
}

async fn take_up(app: &Arc<App>, tenant: TenantId, txn: Txn) -> Result<(), StoreError> {
    let store = app.store.tenant(tenant);
    let Some(Progress::Unfinished { request }) = store.async_request(txn).await?.map(|found| found.progress) else {
        return Ok(());
    };
    let decided = store.decisions_of(txn).await?;
    // Something was decided: to carry it out again would do it twice.
    if !decided.is_empty() {
        finish(app, tenant, txn, &Outcome::interrupted(&decided)).await;
        return Ok(());
    }
    match Job::from_text(tenant, txn, &request) {
        Ok(job) => drop(carry_out(app, txn, job, app.under_way.place_in_any_case(tenant)).await),
        Err(unreadable) => {
            error!(%txn, error = with_causes(&unreadable), "an accepted request cannot be read");
            finish(app, tenant, txn, &Outcome::unreadable()).await;
        }
    }
    Ok(())
}

/// `GET /AsyncRequests/{txn}`: how far a request is, and what came of it. "the returned URI endpoint MUST be protected"
/// (RFC 9967 §5): by the tenant's tokens.
pub async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((_tenant, text)): Path<(String, String)>,
) -> Result<Response, ScimFailure> {
    let missing = || ScimError::not_found(&format!("`/{ENDPOINT}/{text}`"));
    let txn = Uuid::try_parse(&text).map(Txn).map_err(|_| missing())?;
    let request = app.store.tenant(caller.tenant).async_request(txn).await.map_err(internal)?.ok_or_else(missing)?;
    let is_running = match &request.progress {
        Progress::Unfinished { .. } => true,
        // Old ones are dropped when another one is finished; until then they are not shown any more.
        Progress::Finished { at, .. } if app.clock.now().duration_since(*at) > KEPT_FOR => return Err(missing().into()),
        Progress::Finished { .. } => false,
    };
    let message = outcome::message(txn, &request)
        .map_err(|error| internal(StoreError::Damaged(format!("an outcome: {error}"))))?;
    let mut response = respond::message(StatusCode::OK, message);
    if is_running {
        response.headers_mut().insert(header::RETRY_AFTER, ASK_AGAIN_SECONDS.into());
    }
    Ok(response)
}

fn internal(error: StoreError) -> ScimFailure {
    ScimFailure::Internal(Arc::new(error))
}
