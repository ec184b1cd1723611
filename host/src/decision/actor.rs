//! Who asks, in which tenant, and as part of what.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

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

/// A request that is answered before it is carried out: its client finds what came of it under this (the `txn` of RFC
/// 9967 §2.5.1.1, RFC 8417 §2.2). A version 7 UUID, so they sort by the time of their acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Txn(pub Uuid);

impl fmt::Display for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}
