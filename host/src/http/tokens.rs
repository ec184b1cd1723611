//! Tokens of a tenant. A token's secret is shown once, when it is made; what is stored is a keyed hash of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::{Principal, Scope};
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::problem::Problem;
use crate::scim::resource::ResourceId;
use crate::secrets::new_token;
use crate::store::{NewToken, Token};

/// Characters of a label: enough for "Entra ID, production, rotated 2026-11-23", little enough for a table.
const LABEL_CHARS_MAX: usize = 100;

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenBody {
    /// For people: what uses it. Stands in every decision it leads to.
    #[schema(example = "Entra ID")]
    pub label: String,
    /// `scim` (the SCIM endpoint), `author` (plugins), `admin` (everything in the tenant).
    pub scopes: Vec<String>,
    /// When it stops being valid (RFC 3339); never, if absent.
    pub expires_at: Option<String>,
    /// The id of the user that it speaks for, which `/Me` then stands for.
    pub user: Option<String>,
}

/// A token, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedTokenBody {
    /// By which it is listed and revoked.
    pub id: String,
    /// The secret: shown here and never again.
    pub token: String,
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenBody {
    /// By which it is revoked.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it stops being valid.
    pub expires_at: Option<String>,
    /// The id of the user that it speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Every token of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensBody {
    /// Oldest first.
    pub tokens: Vec<TokenBody>,
}

impl From<Token> for TokenBody {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label,
            scopes: token.scopes,
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.map(|at| at.to_string()),
            user: token.user.map(|user| user.to_string()),
        }
    }
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/tokens", tag = "tokens", params(("tenant" = String, Path)),
    request_body = NewTokenBody, responses(
        (status = 201, body = CreatedTokenBody),
        (status = 400, description = "an unknown scope, an empty label, an expiry in the past"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiJson(body): ApiJson<NewTokenBody>,
) -> Result<(StatusCode, Json<CreatedTokenBody>), Problem> {
    let now = app.clock.now();
    let expires_at = check(&body, now)?;
    let user = body.user.as_deref().map(user_id).transpose()?;
    let secret = new_token().map_err(|error| Problem::Internal(Arc::new(error)))?;
    let token = NewToken {
        id: app.clock.new_id(now),
        hash: app.credentials.hash(&secret),
        label: body.label,
        scopes: body.scopes,
        created_at: now,
        expires_at,
        user,
    };
    let token = app.store.tenant(principal.tenant.id).create_token(token).await?;
    Ok((StatusCode::CREATED, Json(CreatedTokenBody { id: token.id.to_string(), token: secret })))
}

fn user_id(text: &str) -> Result<ResourceId, Problem> {
    text.parse().map_err(|_| Problem::bad_request("invalid-user", format!("`{text}` is not the id of a user")))
}

fn check(body: &NewTokenBody, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let length = body.label.chars().count();
    if length == 0 || length > LABEL_CHARS_MAX || body.label.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "invalid-label",
            format!("a label has 1 to {LABEL_CHARS_MAX} printable characters, this one {length}"),
        ));
    }
    if body.scopes.is_empty() {
        return Err(Problem::bad_request("invalid-scope", "a token needs at least one of `scim`, `author`, `admin`"));
    }
    if let Some(unknown) = body.scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
        return Err(Problem::bad_request(
            "invalid-scope",
            format!("`{unknown}` is not a scope: use `scim`, `author` or `admin`"),
        ));
    }
    let Some(text) = &body.expires_at else { return Ok(None) };
    let expires_at: Timestamp = text.parse().map_err(|error| {
        Problem::bad_request(
            "invalid-expiry",
            format!("`{text}` is not a time such as `2027-01-31T00:00:00Z`: {error}"),
        )
    })?;
    if expires_at <= now {
        return Err(Problem::bad_request("invalid-expiry", format!("`{text}` has passed")));
    }
    Ok(Some(expires_at))
}

/// Lists a tenant's tokens.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tokens", tag = "tokens", params(("tenant" = String, Path)),
    responses((status = 200, body = TokensBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<TokensBody>, Problem> {
    let tokens = app.store.tenant(principal.tenant.id).tokens().await?.into_iter().map(TokenBody::from).collect();
    Ok(Json(TokensBody { tokens }))
}

/// Revokes a token, at once.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/tokens/{id}", tag = "tokens",
    params(("tenant" = String, Path), ("id" = String, Path)), responses(
        (status = 204, description = "revoked"), (status = 404, description = "no such token"),
))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, id)): ApiPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::not_found(format!("token `{id}`"));
    let token: Uuid = id.parse().map_err(|_| missing())?;
    let tenant = principal.tenant.id;
    if !app.store.tenant(tenant).revoke_token(token, app.clock.now()).await? {
        return Err(missing());
    }
    app.credentials.forget(tenant, Some(token));
    Ok(StatusCode::NO_CONTENT)
}
