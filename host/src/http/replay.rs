//! A decision of the log, asked for once more: replayed, explained, made a test.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::decision::DecisionId;
use crate::decision::expected::Expected;
use crate::http::auth::Principal;
use crate::http::extract::{ApiPath, ApiQuery, body};
use crate::http::problem::Problem;
use crate::pipeline::explain::Explanation;
use crate::pipeline::replay::{Candidate, Replay, ReplayError};
use crate::pipeline::upload::PushError;
use crate::scim::schema::Definitions;

/// Which of the constraints is meant, and what a component in its place is set to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    constraint: Option<String>,
    settings: Option<String>,
}

/// Which of the constraints is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureQuery {
    constraint: Option<String>,
}

/// What the constraints of a decision say now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplaysBody {
    /// One for each that was asked again: `constraint`, `digest` of the component, the `recorded` entry, what was `replayed`
    /// (`null` where it is `undecidable`, with `kind` and `detail`), and whether verdict, reasons and fuel are the `same`.
    pub replays: Vec<Value>,
}

/// A decision and what it rests on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationBody {
    /// The entry of the log.
    pub decision: Value,
    /// For each constraint what it `rests_on`: what would have had to be otherwise (`supposed`: one thing, or several at
    /// once), and `verdict` and codes of the `reasons` then; or why that is `undecidable`.
    pub explanations: Vec<Value>,
}

/// A decision as a fixture: the contents of the files of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct FixtureBody {
    /// `recorded.json`: what was asked and read, masked.
    pub recorded: Value,
    /// `settings.json`.
    pub settings: Value,
    /// `grants.json`.
    pub grants: Value,
    /// `schemas.json`: what of the tenant's own definitions it takes; absent where it takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Value>,
    /// `expected.json`.
    pub expected: Value,
    /// The texts that are not masked, since the verdict rests on them.
    pub kept: Vec<String>,
}

impl From<ReplayError> for Problem {
    fn from(failure: ReplayError) -> Self {
        let detail = failure.to_string();
        match failure {
            ReplayError::UnknownDecision(id) => Self::not_found(format!("decision `{id}`")),
            ReplayError::Which(_) => Self::bad_request("which-constraint", detail),
            ReplayError::Component(error) => error.into(),
            ReplayError::Settings(problems) => Self::of_settings(detail, problems),
            ReplayError::Uncapturable(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not-capturable", detail),
            ReplayError::Overloaded(_) => Self::busy(detail),
            ReplayError::Stopped(fault) => Self::Internal(Arc::new(fault)),
            ReplayError::Store(error) => error.into(),
        }
    }
}

/// Settings that are a parameter.
pub(super) fn settings(text: Option<&str>) -> Result<Option<Value>, Problem> {
    let parsed = text.map(serde_json::from_str).transpose();
    parsed.map_err(|error| Problem::bad_request("invalid-query", format!("`settings` is no JSON: {error}")))
}

fn decision_id(text: &str) -> Result<DecisionId, Problem> {
    text.parse().map(DecisionId).map_err(|_| Problem::not_found(format!("decision `{text}`")))
}

/// Has the constraints of a decision judge it again, by nothing but what they read then; with a component as the body, that one in
/// the place of one of them. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/decisions/{id}/replay", tag = "decisions",
    params(
        ("tenant" = String, Path), ("id" = String, Path),
        ("constraint" = Option<String>, Query, description = "only this one; with a component, the one whose place it takes"),
        ("settings" = Option<String>, Query, description = "JSON: what the component is set to, if not as the constraint was"),
    ),
    request_body(content = Option<Vec<u8>>, content_type = "application/wasm"), responses(
        (status = 200, body = ReplaysBody),
        (status = 400, description = "it is not known which constraint is meant"),
        (status = 404, description = "no such decision"),
        (status = 413, description = "the component is larger than the limit"),
        (status = 422, description = "not a component that this host can run, or settings that it does not take"),
        (status = 503, description = "the tenant has too much under way; Retry-After says when to try again"),
))]
pub async fn replay(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<ReplayQuery>,
    request: Request,
) -> Result<Json<ReplaysBody>, Problem> {
    let (tenant, id) = (principal.tenant.id, decision_id(&id)?);
    let only = query.constraint.as_deref();
    let place = app.pipeline.sandbox.admit_upload(tenant).map_err(PushError::Overloaded)?;
    let component = body(request, app.pipeline.sandbox.limits().component_bytes_max).await?;
    let replays = match component.is_empty() {
        true => app.pipeline.replay(tenant, id, only).await?,
        false => {
            let candidate = Candidate { component: component.into(), settings: settings(query.settings.as_deref())? };
            vec![app.pipeline.replay_with(tenant, id, only, &place, candidate).await?]
        }
    };
    Ok(Json(ReplaysBody { replays: replays.iter().map(Replay::to_json).collect() }))
}

/// Tells what each verdict of a decision rests on: which other answers to what was read would have turned it.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/decisions/{id}/explanation", tag = "decisions",
    params(("tenant" = String, Path), ("id" = String, Path)), responses(
        (status = 200, body = ExplanationBody), (status = 404, description = "no such decision"),
        (status = 503, description = "the tenant has too much under way; Retry-After says when to try again"),
))]
pub async fn explanation(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
) -> Result<Json<ExplanationBody>, Problem> {
    let (tenant, id) = (principal.tenant.id, decision_id(&id)?);
    let (decision, explained) = app.pipeline.explain(tenant, id).await?;
    let explanations = explained.iter().map(Explanation::to_json).collect();
    Ok(Json(ExplanationBody { decision, explanations }))
}

/// Makes a fixture of one constraint's part in a decision, with what is somebody's masked.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/decisions/{id}/fixture", tag = "decisions",
    params(
        ("tenant" = String, Path), ("id" = String, Path),
        ("constraint" = Option<String>, Query, description = "whose part, where several were asked"),
    ), responses(
        (status = 200, body = FixtureBody), (status = 400, description = "it is not known which constraint is meant"),
        (status = 404, description = "no such decision"),
        (status = 422, description = "no fixture can be made of it; the detail says why"),
        (status = 503, description = "the tenant has too much under way; Retry-After says when to try again"),
))]
pub async fn fixture(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<FixtureQuery>,
) -> Result<Json<FixtureBody>, Problem> {
    let captured = app.pipeline.capture(principal.tenant.id, decision_id(&id)?, query.constraint.as_deref()).await?;
    let expected = Expected::of_evaluations(std::slice::from_ref(&captured.evaluation));
    Ok(Json(FixtureBody {
        recorded: captured.recorded,
        settings: captured.settings,
        grants: captured.grants,
        schemas: captured.definitions.as_ref().map(Definitions::to_json),
        expected: serde_json::to_value(expected).map_err(|error| Problem::Internal(Arc::new(error)))?,
        kept: captured.kept,
    }))
}
