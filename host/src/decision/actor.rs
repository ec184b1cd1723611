//! Who asks, and in which tenant.

use serde::Serialize;

/// A tenant. It comes from the credential and from nowhere else (`http::auth`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub i64);

/// The authenticated client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// Stable id: that of the token.
    pub subject: String,
    /// What its token is called, for people.
    pub label: String,
    /// What its token allows.
    pub scopes: Vec<String>,
}
