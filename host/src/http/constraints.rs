//! Constraints: plugin versions put to work, with every earlier state.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::constraints::settings::SettingsProblem;
use crate::decision::{ConstraintName, FailurePolicy, Mode};
use crate::http::auth::Principal;
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::nodes::ActiveBody;
use crate::http::problem::{Problem, ProblemPart};
use crate::http::signing::SignerBody;
use crate::http::tenants::check_name;
use crate::metrics::noteworthy::Faults;
use crate::pipeline::activation::{ActivationError, ConstraintRequest, Which};
use crate::pipeline::signing::SigningState;
use crate::store::Activation;

/// How a plugin version is to be put to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstraintBody {
    /// The plugin.
    pub plugin: String,
    /// Which version of it; the newest, if absent and without `tag`.
    pub version: Option<u32>,
    /// The tag that a version was pushed with, instead of its number; the newest of those that were.
    pub tag: Option<String>,
    /// Settings, as the plugin's schema describes them.
    #[serde(default = "empty_object")]
    pub settings: Value,
    /// What it may read: `{"reads": ["userName"], "capabilities": ["directory:User"]}`, and for a rewriter, beside them, what
    /// it may edit: `"writes": ["displayName"]`, or `["*"]`. No more than its descriptor asks for. If absent: exactly what its
    /// descriptor asks for; the answer shows it.
    pub grants: Option<Value>,
    /// `enforce` (the default), `warn`, `shadow` or `off`. The edits of a rewriter are made under `enforce` alone, and recorded
    /// under `warn` and `shadow`, too.
    pub mode: Option<String>,
    /// What a fault does: `deny` (the default) or `allow`, which for a rewriter is as if it had given no edits.
    pub on_fault: Option<String>,
    /// Place among the tenant's constraints. It orders lists and rewriters; the decision never depends on it.
    #[serde(default)]
    pub order: i32,
}

pub(super) fn empty_object() -> Value {
    json!({})
}

/// A constraint in one of its states.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivationBody {
    /// The constraint.
    pub name: String,
    /// 1, 2, 3 … in the constraint.
    pub revision: u32,
    /// The generation this state began with.
    pub generation: i64,
    /// Whether the constraint was removed by this revision; then nothing below is set.
    pub removed: bool,
    /// The plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Which version of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// SHA-256 of that version's component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// What it may read and edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Value>,
    /// Whether its answer counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// What its fault does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_fault: Option<&'static str>,
    /// Place among the tenant's constraints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<i32>,
    /// Who made it so: the label of the token.
    pub by: String,
    /// When.
    pub at: String,
    /// How it broke, if it did since the server was started; only of constraints in force. Its decisions have the causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<FaultsBody>,
    /// Whose signatures of its component the tenant has; only of constraints in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Vec<SignerBody>>,
    /// What its component lacks that the tenant's signing policy requires now, if it does; only of constraints in force, which
    /// it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<String>,
    /// On how many nodes it is active; only where one constraint is shown. It is so of the tenant's generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveBody>,
}

/// How often a constraint broke since the server was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaultsBody {
    /// How often.
    pub count: u64,
    /// How often in which way: `{"out-of-fuel": 3}`.
    pub kinds: BTreeMap<&'static str, u64>,
    /// In which way it broke last.
    pub last_kind: &'static str,
    /// The decision that has the last fault.
    pub last_decision: String,
    /// When that was.
    pub last_at: String,
}

impl From<Faults> for FaultsBody {
    fn from(faults: Faults) -> Self {
        Self {
            count: faults.count(),
            last_kind: faults.last_kind,
            last_decision: faults.last_decision.to_string(),
            last_at: faults.last_at.to_string(),
            kinds: faults.kinds.into_iter().collect(),
        }
    }
}

/// The constraints in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConstraintsBody {
    /// Their generation.
    pub generation: i64,
    /// On how many nodes it is active.
    pub active: ActiveBody,
    /// By order, then name.
    pub constraints: Vec<ActivationBody>,
}

/// Every state of a constraint.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryBody {
    /// Newest first.
    pub history: Vec<ActivationBody>,
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The revision whose state is to be in force again; the last one before the present, if absent.
    pub revision: Option<u32>,
}

impl From<Activation> for ActivationBody {
    fn from(activation: Activation) -> Self {
        let mut body = Self {
            name: activation.name.0,
            revision: activation.revision,
            generation: activation.generation,
            removed: activation.state.is_none(),
            plugin: None,
            version: None,
            digest: None,
            settings: None,
            grants: None,
            mode: None,
            on_fault: None,
            order: None,
            by: activation.by,
            at: activation.at.to_string(),
            faults: None,
            signed_by: None,
            unsigned: None,
            active: None,
        };
        if let Some(state) = activation.state {
            body.plugin = Some(state.plugin);
            body.version = Some(state.version);
            body.digest = Some(state.digest);
            body.settings = Some(state.settings);
            body.grants = Some(state.grants);
            body.mode = Some(state.mode.as_str());
            body.on_fault = Some(state.on_fault.as_str());
            body.order = Some(state.order);
        }
        body
    }
}

impl Problem {
    /// What is wrong with settings, and where.
    pub fn of_settings(detail: String, problems: Vec<SettingsProblem>) -> Self {
        let errors = problems
            .into_iter()
            .map(|problem| ProblemPart { pointer: problem.pointer, detail: problem.message })
            .collect();
        Self::unprocessable("invalid-settings", detail, errors)
    }
}

impl From<ActivationError> for Problem {
    fn from(failure: ActivationError) -> Self {
        let detail = failure.to_string();
        match failure {
            ActivationError::UnknownVersion { .. }
            | ActivationError::UnknownTag { .. }
            | ActivationError::UnknownDigest { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-version", detail)
            }
            ActivationError::UnknownConstraint(name) => Self::not_found(format!("constraint `{name}`")),
            ActivationError::UnknownRevision { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-revision", detail)
            }
            ActivationError::Settings(problems) => Self::of_settings(detail, problems),
            ActivationError::Unsigned(unsigned) => unsigned.into(),
            ActivationError::TooMany => Self::new(StatusCode::CONFLICT, "too-many-constraints", detail),
            ActivationError::Grants(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-grants", detail),
            ActivationError::Component(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "component-fault", detail),
            ActivationError::Overloaded(_) => Self::busy(detail),
            ActivationError::Store(error) => error.into(),
        }
    }
}

fn request(body: ConstraintBody) -> Result<ConstraintRequest, Problem> {
    let mode = mode(body.mode.as_deref()).map_err(|detail| Problem::bad_request("invalid-mode", detail))?;
    let on_fault =
        on_fault(body.on_fault.as_deref()).map_err(|detail| Problem::bad_request("invalid-on-fault", detail))?;
    let version = match (body.version, body.tag) {
        (None, None) => Which::Newest,
        (Some(version), None) => Which::Numbered(version),
        (None, Some(tag)) => Which::Tagged(tag),
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "invalid-version",
                "a version is named by `version` or by `tag`, not by both",
            ));
        }
    };
    Ok(ConstraintRequest {
        plugin: body.plugin,
        version,
        settings: body.settings,
        grants: body.grants,
        mode,
        on_fault,
        order: body.order,
    })
}

/// The mode of that name; `enforce`, if there is none.
pub(super) fn mode(word: Option<&str>) -> Result<Mode, String> {
    word.map_or(Ok(Mode::Enforce), |word| {
        Mode::parse(word).ok_or_else(|| format!("`{word}` is not a mode: use `enforce`, `warn`, `shadow` or `off`"))
    })
}

/// The failure policy of that name; `deny`, if there is none.
pub(super) fn on_fault(word: Option<&str>) -> Result<FailurePolicy, String> {
    word.map_or(Ok(FailurePolicy::Deny), |word| {
        FailurePolicy::parse(word).ok_or_else(|| format!("`{word}` is not a failure policy: use `deny` or `allow`"))
    })
}

/// Puts a plugin version to work, or changes how. Raises the generation.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/constraints/{name}", tag = "constraints",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = ConstraintBody, responses(
        (status = 200, body = ActivationBody),
        (status = 422, description = "no such version; settings that break the schema; grants beyond the descriptor; not signed as required"),
        (status = 503, description = "the tenant has as many components asked as it may have; Retry-After says when to try again"),
))]
pub async fn set(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<ConstraintBody>,
) -> Result<Json<ActivationBody>, Problem> {
    check_name("constraint", &name)?;
    let name = ConstraintName(name);
    let activation =
        app.pipeline.set_constraint(principal.tenant.id, &name, request(body)?, &principal.actor.label).await?;
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    Ok(Json(in_force(&app, &principal, &signing, activation)))
}

/// Takes a constraint away. Its history stays.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/constraints/{name}", tag = "constraints",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 204, description = "removed"), (status = 404, description = "no such constraint"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.pipeline.remove_constraint(principal.tenant.id, &ConstraintName(name), &principal.actor.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an earlier state the present one, as a new revision.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/constraints/{name}/rollback", tag = "constraints",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = RollbackBody, responses(
        (status = 200, body = ActivationBody),
        (status = 404, description = "no such constraint"),
        (status = 422, description = "no such revision, or nothing to go back to; not signed as required"),
))]
pub async fn rollback(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<RollbackBody>,
) -> Result<Json<ActivationBody>, Problem> {
    let name = ConstraintName(name);
    let activation = app.pipeline.roll_back(principal.tenant.id, &name, body.revision, &principal.actor.label).await?;
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    Ok(Json(in_force(&app, &principal, &signing, activation)))
}

/// A constraint in force, with how it broke and who has signed it.
fn in_force(app: &App, principal: &Principal, signing: &SigningState, activation: Activation) -> ActivationBody {
    let faults = app.pipeline.metrics.noteworthy().faults_of(principal.tenant.id, &activation.name);
    let digest = activation.state.as_ref().map(|state| state.digest.clone()).unwrap_or_default();
    ActivationBody {
        faults: faults.map(FaultsBody::from),
        signed_by: Some(signing.signed(&digest).iter().map(SignerBody::from).collect()),
        unsigned: signing.lacking(&digest).map(|unsigned| unsigned.to_string()),
        ..activation.into()
    }
}

/// Lists the constraints in force.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/constraints", tag = "constraints", params(("tenant" = String, Path)),
    responses((status = 200, body = ConstraintsBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<ConstraintsBody>, Problem> {
    let (model, activations) = app.store.tenant(principal.tenant.id).activations().await?;
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    let in_force = |activation| in_force(&app, &principal, &signing, activation);
    let constraints = activations.into_iter().map(in_force).collect();
    // After them: it speaks of no earlier generation than theirs.
    let active = app.store.tenant(principal.tenant.id).active().await?.into();
    Ok(Json(ConstraintsBody { generation: model.generation, active, constraints }))
}

/// Shows one constraint.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/constraints/{name}", tag = "constraints",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 200, body = ActivationBody), (status = 404, description = "no such constraint"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<Json<ActivationBody>, Problem> {
    let (_, activations) = app.store.tenant(principal.tenant.id).activations().await?;
    let found = activations.into_iter().find(|activation| activation.name.0 == name);
    let found = found.ok_or_else(|| Problem::not_found(format!("constraint `{name}`")))?;
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    let active = app.store.tenant(principal.tenant.id).active().await?;
    Ok(Json(ActivationBody { active: Some(active.into()), ..in_force(&app, &principal, &signing, found) }))
}

/// Lists every state a constraint has had, its removals too.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/constraints/{name}/history", tag = "constraints",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 200, body = HistoryBody), (status = 404, description = "no such constraint"),
))]
pub async fn history(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<Json<HistoryBody>, Problem> {
    let name = ConstraintName(name);
    let history = app.store.tenant(principal.tenant.id).activation_history(&name).await?;
    if history.is_empty() {
        return Err(Problem::not_found(format!("constraint `{name}`")));
    }
    Ok(Json(HistoryBody { history: history.into_iter().map(ActivationBody::from).collect() }))
}
