//! Waivers: made, listed with what came of them, taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::decision::{ConstraintName, WaiverId};
use crate::http::auth::Principal;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::problem::{Problem, ProblemPart};
use crate::pipeline::waivers::{SHOWN_MAX, WaiverError, WaiverFor, WaiverProblem, WaiverRequest};
use crate::store::{StoredWaiver, WaiverTarget, WaiverWords};

/// A waiver to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWaiverBody {
    /// The constraint whose reason is waived.
    #[schema(example = "write-once")]
    pub constraint: String,
    /// The code of the reason.
    #[schema(example = "immutable-attribute")]
    pub code: String,
    /// The id of a resource; instead of `resource_type` and `filter`.
    pub resource: Option<String>,
    /// With `filter`: of which type.
    #[schema(example = "User")]
    pub resource_type: Option<String>,
    /// A SCIM filter of the state before the change; of a new resource's, of the state after.
    #[schema(example = "userType eq \"Contractor\"")]
    pub filter: Option<String>,
    /// From this time on the reason counts again (RFC 3339): a year away at the most.
    #[schema(example = "2027-01-31T00:00:00Z")]
    pub until: String,
    /// Where it was agreed upon.
    #[schema(example = "IAM-4711")]
    pub ticket: String,
}

/// A waiver and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaiverBody {
    /// By which it is taken back, and named in decisions.
    pub id: String,
    /// `in-force`, `expired` or `revoked`.
    pub state: &'static str,
    /// The constraint.
    pub constraint: String,
    /// The code of the reason.
    pub code: String,
    /// The resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The type of those that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// What they match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// From then on the reason counts again.
    pub until: String,
    /// Where it was agreed upon.
    pub ticket: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: String,
    /// Changes that were committed by it.
    pub uses: u64,
    /// When the last one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<String>,
    /// The decision on that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_in: Option<String>,
    /// Who took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// A tenant's waivers.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaiversBody {
    /// Newest first, those that have ended included: the newest 1,000. With `in_force`, all that are, oldest first.
    pub waivers: Vec<WaiverBody>,
}

impl WaiverBody {
    fn of(waiver: StoredWaiver, now: Timestamp) -> Self {
        let StoredWaiver { made, revoked, uses, last_use } = waiver;
        let state = match &revoked {
            Some(_) => "revoked",
            None if made.words.until <= now => "expired",
            None => "in-force",
        };
        let WaiverWords { constraint, code, target, until, ticket } = made.words;
        let (resource, resource_type, filter) = members_of(target);
        let (revoked_by, revoked_at) = revoked.unzip();
        let (used_at, used_in) = last_use.unzip();
        Self {
            id: made.id.to_string(),
            state,
            constraint: constraint.0,
            code,
            resource,
            resource_type,
            filter,
            until: until.to_string(),
            ticket,
            by: made.by,
            at: made.at.to_string(),
            uses,
            used_at: used_at.map(|at| at.to_string()),
            used_in: used_in.map(|id| id.to_string()),
            revoked_by,
            revoked_at: revoked_at.map(|at| at.to_string()),
        }
    }
}

impl From<WaiverError> for Problem {
    fn from(failure: WaiverError) -> Self {
        match failure {
            WaiverError::Invalid(problems) => {
                let part =
                    |WaiverProblem { member, message }| ProblemPart { pointer: format!("/{member}"), detail: message };
                let parts = problems.into_iter().map(part).collect();
                Self::unprocessable("invalid-waiver", "the waiver is not valid", parts)
            }
            WaiverError::TooMany => Self::new(StatusCode::CONFLICT, "too-many-waivers", failure.to_string()),
            WaiverError::Store(error) => error.into(),
        }
    }
}

/// Resource, resource type and filter, as far as there are any.
pub(super) fn members_of(target: WaiverTarget) -> (Option<String>, Option<String>, Option<String>) {
    match target {
        WaiverTarget::Resource(id) => (Some(id.to_string()), None, None),
        WaiverTarget::Matching { resource_type, filter } => (None, Some(resource_type), Some(filter)),
    }
}

fn wrong(member: &'static str, message: String) -> WaiverProblem {
    WaiverProblem { member, message }
}

impl NewWaiverBody {
    /// What is asked for, or all that cannot be read of it.
    pub(super) fn read(self) -> Result<WaiverRequest, Vec<WaiverProblem>> {
        let waived_for = match (self.resource, self.resource_type, self.filter) {
            (Some(id), None, None) => id
                .parse()
                .map(WaiverFor::Resource)
                .map_err(|_| wrong("resource", format!("`{id}` is not the id of a resource"))),
            (None, Some(resource_type), Some(filter)) => Ok(WaiverFor::Matching { resource_type, filter }),
            _ => Err(wrong("resource", "a waiver has either `resource`, or `resource_type` and `filter`".to_owned())),
        };
        let until = self
            .until
            .parse()
            .map_err(|_| wrong("until", format!("`{}` is not a time such as `2027-01-31T00:00:00Z`", self.until)));
        match (waived_for, until) {
            (Ok(waived_for), Ok(until)) => Ok(WaiverRequest {
                constraint: ConstraintName(self.constraint),
                code: self.code,
                waived_for,
                until,
                ticket: self.ticket,
            }),
            (waived_for, until) => Err([waived_for.err(), until.err()].into_iter().flatten().collect()),
        }
    }
}

/// Makes a waiver: for a while, a reason of a constraint does not count.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/waivers", tag = "waivers", params(("tenant" = String, Path)),
    request_body = NewWaiverBody, responses(
        (status = 201, body = WaiverBody),
        (status = 409, description = "there are as many in force as there may be"),
        (status = 422, description = "no such constraint or resource, a filter that is none, a time that has passed"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiJson(body): ApiJson<NewWaiverBody>,
) -> Result<(StatusCode, Json<WaiverBody>), Problem> {
    let request = body.read().map_err(WaiverError::Invalid)?;
    let made = app.pipeline.waive(principal.tenant.id, request, &principal.actor.label).await?;
    Ok((StatusCode::CREATED, Json(WaiverBody::of(made, app.clock.now()))))
}

/// Parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiversQuery {
    #[serde(default)]
    in_force: bool,
}

/// Lists waivers with what came of them, also those that have ended, unless only those in force are asked for.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/waivers", tag = "waivers",
    params(("tenant" = String, Path), ("in_force" = Option<bool>, Query)), responses((status = 200, body = WaiversBody)))]
pub async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiQuery(query): ApiQuery<WaiversQuery>,
) -> Result<Json<WaiversBody>, Problem> {
    let (store, now) = (app.store.tenant(principal.tenant.id), app.clock.now());
    let found = match query.in_force {
        true => store.in_force(now).await?.2,
        false => store.waivers(SHOWN_MAX).await?,
    };
    Ok(Json(WaiversBody { waivers: found.into_iter().map(|waiver| WaiverBody::of(waiver, now)).collect() }))
}

/// Takes a waiver back. It stays in the list.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/waivers/{id}", tag = "waivers",
    params(("tenant" = String, Path), ("id" = String, Path)), responses(
        (status = 200, body = WaiverBody), (status = 404, description = "no such waiver, or it was taken back before"),
))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
) -> Result<Json<WaiverBody>, Problem> {
    let missing = || Problem::not_found(format!("waiver `{id}`"));
    let waiver = WaiverId(id.parse().map_err(|_| missing())?);
    let revoked = app.pipeline.revoke_waiver(principal.tenant.id, waiver, &principal.actor.label).await?;
    Ok(Json(WaiverBody::of(revoked.ok_or_else(missing)?, app.clock.now())))
}
