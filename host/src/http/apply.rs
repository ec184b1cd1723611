//! Constraints as code: what has to change for a tenant to be as a file says, and the change, all of it or nothing.

mod differences;
mod plan_body;
mod wanted_body;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::error::Failure;
use crate::http::extract::{api_json, body};
use crate::http::problem::{Problem, ProblemPart};
use crate::pipeline::apply::{ApplyError, Plan, WantedProblem};

pub use plan_body::{ChangeBody, PlanBody, StepBody, WaiverStepBody};
pub use wanted_body::{WantedBody, WantedConstraintBody, WantedTableBody};

/// The body of a request. 4 MiB: as many constraints as a tenant may have, each with settings as large as they may be by
/// default (50 × 64 KiB), and the rest of them; a waiver has some 300 bytes.
const BODY_BYTES_MAX: usize = 4 << 20;

impl From<ApplyError> for Problem {
    fn from(failure: ApplyError) -> Self {
        let detail = failure.to_string();
        match failure {
            ApplyError::Invalid(problems) => invalid(problems),
            ApplyError::Moved => Self::new(StatusCode::CONFLICT, "generation-moved", detail),
            ApplyError::Table(error) => error.into(),
            ApplyError::Overloaded(_) => Self::busy(detail),
            ApplyError::Store(error) => error.into(),
        }
    }
}

fn invalid(mut problems: Vec<WantedProblem>) -> Problem {
    problems.sort();
    let part = |problem: WantedProblem| ProblemPart { pointer: problem.pointer, detail: problem.message };
    let errors: Vec<ProblemPart> = problems.into_iter().map(part).collect();
    Problem::unprocessable("invalid-constraints", "what is wanted cannot be put in force; nothing was done", errors)
}

/// What was sent. Up to 4 MiB are parsed, which takes some 40 ms: on a thread of its own.
async fn read(request: Request) -> Result<WantedBody, Problem> {
    let bytes = body(request, BODY_BYTES_MAX).await?;
    let parsing = tokio::task::spawn_blocking(move || api_json(&bytes));
    parsing.await.map_err(|panicked| Failure::Internal(Arc::new(panicked)))?
}

/// The plan, or everything that is wrong with what is wanted, be it seen here or there.
async fn planned(app: &App, principal: &Principal, wanted: WantedBody) -> Result<Plan, Problem> {
    let (wanted, mut problems) = wanted.read();
    match app.pipeline.plan(principal.tenant.id, wanted).await {
        Ok(plan) if problems.is_empty() => Ok(plan),
        Ok(_) => Err(invalid(problems)),
        Err(ApplyError::Invalid(more)) => {
            problems.extend(more);
            Err(invalid(problems))
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows what has to change for the tenant's constraints, tables and waivers to be as wanted. Changes nothing.
///
/// Everything is checked as it is when a constraint is set: settings, grants, versions. Components and contents of tables are
/// sent ahead; nothing is in force by that.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/plan", tag = "apply", params(("tenant" = String, Path)),
    request_body = WantedBody, responses(
        (status = 200, body = PlanBody),
        (status = 409, description = "the tenant changes all the time"),
        (status = 422, description = "it cannot be so: all that is wrong, with JSON pointers into what was sent"),
        (status = 503, description = "the tenant has as many components asked as it may have; Retry-After says when to try again"),
))]
pub async fn plan(
    State(app): State<Arc<App>>,
    principal: Principal,
    request: Request,
) -> Result<Json<PlanBody>, Problem> {
    let plan = planned(&app, &principal, read(request).await?).await?;
    Ok(Json(PlanBody::of(&plan, plan.generation)))
}

/// Makes the tenant's constraints, tables and waivers as wanted: all of them or none, and in one generation. `generation` is that of the
/// plan that was shown; if the tenant has another one by now, nothing is done. What is as wanted already has no new revision,
/// and if everything is, there is no new generation.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/apply", tag = "apply", params(("tenant" = String, Path)),
    request_body = WantedBody, responses(
        (status = 200, body = PlanBody, description = "what was done, and the generation that began with it"),
        (status = 400, description = "no generation"),
        (status = 409, description = "the tenant has another generation: nothing was done"),
        (status = 422, description = "it cannot be so: all that is wrong, with JSON pointers into what was sent; nothing was done"),
        (status = 503, description = "the tenant has as many components asked as it may have; Retry-After says when to try again"),
))]
pub async fn apply(
    State(app): State<Arc<App>>,
    principal: Principal,
    request: Request,
) -> Result<Json<PlanBody>, Problem> {
    let wanted = read(request).await?;
    let seen = wanted.generation.ok_or_else(|| {
        Problem::bad_request("missing-generation", "`generation` is missing: send the one of the plan that was seen")
    })?;
    let plan = planned(&app, &principal, wanted).await?;
    if plan.generation != seen {
        return Err(ApplyError::Moved.into());
    }
    let generation = app.pipeline.apply(principal.tenant.id, &plan, &principal.actor.label).await?;
    Ok(Json(PlanBody::of(&plan, generation)))
}
