//! What the server knows of the token that a request has: for whoever holds a token and is not sure what it is.

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::Bearer;

/// A token, as the server knows it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct BearerBody {
    /// Whether it is the operator's, which has none of what follows.
    pub operator: bool,
    /// The tenant that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// By which it is listed and revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For people: what uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it allows: `scim`, `author`, `admin`.
    pub scopes: Vec<String>,
    /// When it stops being valid (RFC 3339); absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The id of the user that it speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Shows whose the token of this very request is, and what it allows. Any valid token may ask.
#[utoipa::path(get, path = "/api/v1/token", tag = "tokens", responses(
    (status = 200, body = BearerBody), (status = 401, description = "the token is not valid"),
))]
pub async fn show(Extension(bearer): Extension<Bearer>) -> Json<BearerBody> {
    Json(match bearer {
        Bearer::Operator => BearerBody { operator: true, ..BearerBody::default() },
        Bearer::Owner(owner) => {
            let token = &owner.token;
            BearerBody {
                operator: false,
                tenant: Some(owner.tenant.name.clone()),
                id: Some(token.id.to_string()),
                label: Some(token.label.clone()),
                scopes: token.scopes.clone(),
                expires_at: token.expires_at.map(|at| at.to_string()),
                user: token.user.map(|user| user.to_string()),
            }
        }
    })
}
