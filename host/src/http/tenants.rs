//! Tenants: made, listed and deleted by the operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::error::Failure;
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::problem::Problem;
use crate::scim::profile::Profile;
use crate::store::{Tenant, TenantChange};

/// Characters of a name in a URL: of a tenant, a plugin, a constraint. A DNS label's length (RFC 1035 §2.3.4), so that
/// a tenant's name may one day be a host name.
const NAME_CHARS_MAX: usize = 63;

/// A hundred years.
const KEPT_DAYS_MAX: u32 = 36_500;

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenantBody {
    /// Its name in URLs: 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit.
    #[schema(example = "acme")]
    pub name: String,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantBody {
    /// Its name in URLs.
    pub name: String,
    /// Raised by every change to its constraints, its schemas and its profile.
    pub generation: i64,
    /// For which provisioning clients it is set up: `rfc`, `entra` or `okta`.
    pub profile: &'static str,
    /// Whether its clients are answered before their requests are carried out, if they prefer that (`Prefer:
    /// respond-async`, RFC 9967).
    pub respond_async: bool,
    /// How many days its decisions are kept; `null`: for ever.
    pub decisions_kept_days: Option<u32>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Where its SCIM endpoint is, below the server's address.
    pub scim_path: String,
}

/// What can be changed of a tenant: at least one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChangeBody {
    /// For which provisioning clients it is set up, where they want different things of a server: `rfc` (by the letter),
    /// `entra` or `okta`.
    #[schema(example = "entra")]
    pub profile: Option<String>,
    /// Whether its clients are answered before their requests are carried out, if they prefer that (`Prefer:
    /// respond-async`, RFC 9967).
    pub respond_async: Option<bool>,
    /// How many days its decisions are kept, 1 to 36,500; `null`: for ever. Those that are older are dropped within some minutes, and can
    /// be neither shown nor explained nor replayed any more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36_500, example = 90)]
    pub decisions_kept_days: Option<Option<u32>>,
}

/// Tells `null` from nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Every tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantsBody {
    /// By name.
    pub tenants: Vec<TenantBody>,
}

impl From<Tenant> for TenantBody {
    fn from(tenant: Tenant) -> Self {
        Self {
            scim_path: format!("/scim/{}/v2", tenant.name),
            generation: tenant.generation,
            profile: tenant.profile.as_str(),
            respond_async: tenant.respond_async,
            decisions_kept_days: tenant.decisions_kept_days,
            created_at: tenant.created_at.to_string(),
            name: tenant.name,
        }
    }
}

/// Refuses what cannot stand in a URL, and names what it was to name.
pub fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = !name.starts_with('-') && !name.ends_with('-');
    if !name.is_empty() && name.len() <= NAME_CHARS_MAX && edges && name.bytes().all(inner) {
        return Ok(());
    }
    Err(Problem::bad_request(
        "invalid-name",
        format!(
            "`{name}` is not a name for a {what}: use 1 to {NAME_CHARS_MAX} lower-case letters, digits and dashes, \
             beginning and ending with a letter or digit"
        ),
    ))
}

/// Makes a tenant.
#[utoipa::path(post, path = "/api/v1/tenants", tag = "tenants", request_body = NewTenantBody, responses(
    (status = 201, body = TenantBody),
    (status = 400, description = "the name cannot stand in a URL"),
    (status = 409, description = "the name is taken"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    ApiJson(body): ApiJson<NewTenantBody>,
) -> Result<(StatusCode, Json<TenantBody>), Problem> {
    check_name("tenant", &body.name)?;
    let tenant = app.store.create_tenant(&body.name, app.clock.now()).await?.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "name-taken", format!("there is a tenant `{}` already", body.name))
    })?;
    Ok((StatusCode::CREATED, Json(tenant.into())))
}

/// Lists the tenants.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", responses((status = 200, body = TenantsBody)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<TenantsBody>, Problem> {
    let tenants = app.store.tenants().await?.into_iter().map(TenantBody::from).collect();
    Ok(Json(TenantsBody { tenants }))
}

/// Shows one tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)), responses(
    (status = 200, body = TenantBody), (status = 404, description = "no such tenant"),
))]
pub async fn show(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<TenantBody>, Problem> {
    // The principal's copy may be a second old; the generation is asked for by those who just changed it.
    let name = &principal.tenant.name;
    let tenant = app.store.tenant_named(name).await?.ok_or_else(|| Problem::not_found(format!("tenant `{name}`")))?;
    Ok(Json(tenant.into()))
}

/// Changes for which provisioning clients a tenant is set up, whether it answers before it carries out, and how long its decisions are
/// kept.
#[utoipa::path(patch, path = "/api/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)),
    request_body = TenantChangeBody, responses(
        (status = 200, body = TenantBody), (status = 400, description = "no such profile, no number of days, or nothing to change"),
))]
pub async fn change(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiJson(body): ApiJson<TenantChangeBody>,
) -> Result<Json<TenantBody>, Problem> {
    let profile = body.profile.as_deref().map(parse_profile).transpose()?;
    if let Some(Some(days)) = body.decisions_kept_days
        && !(1..=KEPT_DAYS_MAX).contains(&days)
    {
        let message =
            format!("`decisions_kept_days` is {days}: use 1 to {KEPT_DAYS_MAX}, or null to keep them for ever");
        return Err(Problem::bad_request("invalid-days", message));
    }
    let (respond_async, decisions_kept_days) = (body.respond_async, body.decisions_kept_days);
    let change = TenantChange { profile, respond_async, decisions_kept_days };
    if change == TenantChange::default() {
        return Err(Problem::bad_request(
            "nothing-to-change",
            "name what to change: `profile`, `respond_async`, `decisions_kept_days`",
        ));
    }
    let tenant = app.store.tenant(principal.tenant.id).change(change).await?;
    // Whoever sends the next request is to find what was just set.
    app.credentials.forget(tenant.id, None);
    Ok(Json(tenant.into()))
}

fn parse_profile(word: &str) -> Result<Profile, Problem> {
    Profile::parse(word).ok_or_else(|| {
        let known = Profile::ALL.map(Profile::as_str).join("`, `");
        Problem::bad_request("invalid-profile", format!("`{word}` is not a profile: use `{known}`"))
    })
}

/// Deletes a tenant with everything it has: resources, tokens, plugins, constraints, decisions.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)), responses(
    (status = 204, description = "deleted"), (status = 404, description = "no such tenant"),
))]
pub async fn delete(State(app): State<Arc<App>>, ApiPath(name): ApiPath<String>) -> Result<StatusCode, Problem> {
    let missing = || Failure::NotFound(format!("tenant `{name}`"));
    let tenant = app.store.tenant_named(&name).await?.ok_or_else(missing)?;
    let deleted = app.store.delete_tenant(&name);
    // Before the end of a deletion that may take long, so that the tokens are not believed meanwhile.
    app.credentials.forget(tenant.id, None);
    let deleted = deleted.await?;
    app.credentials.forget(tenant.id, None);
    app.pipeline.registry.forget(tenant.id);
    app.pipeline.metrics.noteworthy().forget(tenant.id);
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(missing().into()) }
}
