//! What another version of a constraint would have said, of decisions in the log.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::decision::ConstraintName;
use crate::http::auth::Principal;
use crate::http::extract::{ApiPath, ApiQuery, body};
use crate::http::problem::Problem;
use crate::http::replay::settings;
use crate::pipeline::backtest::{Comparison, DECISIONS_MAX, Stretch};
use crate::pipeline::replay::Candidate;
use crate::pipeline::upload::PushError;

/// Which decisions are compared, and with whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferencesQuery {
    with: String,
    since: Option<String>,
    limit: Option<usize>,
}

/// Which decisions are judged once more, and what the component is set to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BacktestQuery {
    settings: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
}

/// How the answers of two differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonBody {
    /// Decisions in which both have an answer.
    pub compared: u64,
    /// Those in which they say the same: verdict, codes and paths.
    pub same: u64,
    /// What the one said (`was`) and the other says (`would_be`), each with verdict and codes of the `reasons`; the `count` of
    /// decisions, and some of the `decisions`, newest first. The most frequent first.
    pub differences: Vec<Value>,
    /// `why` there is no answer, and the `count` of decisions.
    pub undecidable: Vec<Value>,
}

fn shown(comparison: &Comparison) -> Json<Value> {
    Json(comparison.to_json())
}

fn stretch(since: Option<&str>, limit: Option<usize>) -> Result<Stretch, Problem> {
    let parse = |text: &str| {
        text.parse::<Timestamp>().map_err(|_| {
            let detail = format!("`since` is `{text}`, but must be a time such as `2026-11-23T12:00:00Z`");
            Problem::bad_request("invalid-query", detail)
        })
    };
    let limit = limit.unwrap_or(DECISIONS_MAX);
    if limit == 0 || limit > DECISIONS_MAX {
        let detail = format!("`limit` is {limit}, but must be from 1 to {DECISIONS_MAX}");
        return Err(Problem::bad_request("invalid-query", detail));
    }
    Ok(Stretch { since: since.map(parse).transpose()?, limit })
}

/// Tells where two constraints that were asked about the same changes have said different things.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/constraints/{name}/differences", tag = "constraints",
    params(
        ("tenant" = String, Path), ("name" = String, Path),
        ("with" = String, Query, description = "the other constraint"),
        ("since" = Option<String>, Query, description = "only decisions not before this time (RFC 3339)"),
        ("limit" = Option<usize>, Query, description = "the newest, so many: 1,000 at the most"),
    ), responses((status = 200, body = ComparisonBody)))]
pub async fn differences(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DifferencesQuery>,
) -> Result<Json<Value>, Problem> {
    let stretch = stretch(query.since.as_deref(), query.limit)?;
    let (one, other) = (ConstraintName(name), ConstraintName(query.with));
    Ok(shown(&app.pipeline.compare(principal.tenant.id, &one, &other, stretch).await?))
}

/// Tells what a component would have said in the place of a constraint, of decisions in the log and by nothing but what was
/// read then. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/constraints/{name}/backtest", tag = "constraints",
    params(
        ("tenant" = String, Path), ("name" = String, Path),
        ("settings" = Option<String>, Query, description = "JSON: what the component is set to, if not as the constraint was"),
        ("since" = Option<String>, Query, description = "only decisions not before this time (RFC 3339)"),
        ("limit" = Option<usize>, Query, description = "the newest, so many: 1,000 at the most"),
    ),
    request_body(content = Vec<u8>, content_type = "application/wasm"), responses(
        (status = 200, body = ComparisonBody),
        (status = 413, description = "the component is larger than the limit"),
        (status = 422, description = "not a component that this host can run, or settings that it does not take"),
        (status = 503, description = "the tenant has too much under way; Retry-After says when to try again"),
))]
pub async fn backtest(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<BacktestQuery>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (tenant, name) = (principal.tenant.id, ConstraintName(name));
    let stretch = stretch(query.since.as_deref(), query.limit)?;
    let settings = settings(query.settings.as_deref())?;
    let place = app.pipeline.sandbox.admit_upload(tenant).map_err(PushError::Overloaded)?;
    let component = body(request, app.pipeline.sandbox.limits().component_bytes_max).await?.into();
    let candidate = Candidate { component, settings };
    Ok(shown(&app.pipeline.backtest(tenant, &name, &place, candidate, stretch).await?))
}
