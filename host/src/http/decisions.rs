//! The decision log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::decision::{ConstraintName, DecisionId, Outcome};
use crate::http::auth::Principal;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::problem::Problem;
use crate::store::DecisionQuery;

/// Decisions on a page when the client names no `limit`.
const PAGE_SIZE: usize = 50;

/// Decisions on a page at the most. With a few constraints a decision is 1 to 2 KB, so a page is at most about 1 MB.
const PAGE_SIZE_MAX: usize = 500;

/// What to look for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsQuery {
    /// Not before this time (RFC 3339).
    since: Option<String>,
    /// Only `allowed`, `denied`, `held`, `faulted`, `invalid` or `unchanged`.
    verdict: Option<String>,
    /// Only where this constraint was asked.
    constraint: Option<String>,
    /// Only on the resource of this id.
    resource: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many: 50 if absent, 500 at the most.
    limit: Option<usize>,
}

/// A page of the decision log.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionsBody {
    /// Newest first.
    pub decisions: Vec<Value>,
    /// `cursor` of the next page; absent at the end. A page can be short and still have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl DecisionsQuery {
    fn parse(self) -> Result<DecisionQuery, Problem> {
        let invalid = |name: &str, value: &str, expected: &str| {
            Problem::bad_request("invalid-query", format!("`{name}` is `{value}`, but must be {expected}"))
        };
        let since = self.since.as_deref().map(|text| {
            text.parse::<Timestamp>().map_err(|_| invalid("since", text, "a time such as `2026-11-23T12:00:00Z`"))
        });
        let outcome = self.verdict.as_deref().map(|text| {
            Outcome::parse(text)
                .ok_or_else(|| invalid("verdict", text, "`allowed`, `denied`, `held`, `faulted` or `invalid`"))
        });
        let id = |name: &'static str, text: &Option<String>| {
            text.as_deref().map(|text| text.parse::<Uuid>().map_err(|_| invalid(name, text, "an id"))).transpose()
        };
        Ok(DecisionQuery {
            since: since.transpose()?,
            outcome: outcome.transpose()?,
            resource: id("resource", &self.resource)?,
            before: id("cursor", &self.cursor)?.map(DecisionId),
            constraint: self.constraint.map(ConstraintName),
            limit: self.limit.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX),
        })
    }
}

/// Lists decisions, newest first.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/decisions", tag = "decisions",
    params(
        ("tenant" = String, Path),
        ("since" = Option<String>, Query, description = "not before this time (RFC 3339)"),
        ("verdict" = Option<String>, Query, description = "only `allowed`, `denied`, `held`, `faulted` or `invalid`"),
        ("constraint" = Option<String>, Query, description = "only where this constraint was asked"),
        ("resource" = Option<String>, Query, description = "only on the resource of this id"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "at most so many: 50 if absent, 500 at the most"),
    ), responses((status = 200, body = DecisionsBody)))]
pub async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiQuery(query): ApiQuery<DecisionsQuery>,
) -> Result<Json<DecisionsBody>, Problem> {
    let page = app.store.tenant(principal.tenant.id).decisions(query.parse()?).await?;
    Ok(Json(DecisionsBody {
        decisions: page.decisions.into_iter().map(|decision| decision.record).collect(),
        next: page.next.map(|id| id.to_string()),
    }))
}

/// Shows one decision with everything its constraints read.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/decisions/{id}", tag = "decisions",
    params(("tenant" = String, Path), ("id" = String, Path)), responses(
        (status = 200, description = "the decision"), (status = 404, description = "no such decision"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("decision `{id}`"));
    let decision = DecisionId(id.parse().map_err(|_| missing())?);
    let found = app.store.tenant(principal.tenant.id).decision(decision).await?;
    Ok(Json(found.ok_or_else(missing)?.record))
}
