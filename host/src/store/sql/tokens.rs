//! Tokens: kept as keyed hashes, found by them.

use super::driver::{self, Connection, OptionalExtension, Row, params};
use jiff::Timestamp;
use uuid::Uuid;

use super::row::{json, optional_id, optional_timestamp, timestamp, uuid};
use super::tenants;
use crate::decision::TenantId;
use crate::store::{NewToken, StoreError, Token, TokenHash, TokenOwner};

fn from_row(row: &Row<'_>) -> driver::Result<Token> {
    let scopes = json(row, 2)?;
    Ok(Token {
        id: uuid(row, 0)?,
        label: row.get(1)?,
        scopes: scopes.as_array().into_iter().flatten().filter_map(|scope| scope.as_str().map(str::to_owned)).collect(),
        created_at: timestamp(row, 3)?,
        expires_at: optional_timestamp(row, 4)?,
        user: optional_id(row, 5)?,
    })
}

/// Whom a token belongs to: one query, since every request asks.
pub(super) fn owner(connection: &Connection, hash: &TokenHash) -> Result<Option<TokenOwner>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT k.token_id, k.label, k.scopes, k.created_at, k.expires_at, k.user_id, t.tenant_id, t.name, t.generation, t.profile, t.respond_async, t.decisions_kept_days, t.created_at \
         FROM token k JOIN tenant t ON t.tenant_id = k.tenant_id \
         WHERE k.token_hash = ?1 AND k.revoked_at IS NULL AND t.name IS NOT NULL",
    )?;
    let owner = statement
        .query_row(params![hash.0], |row| {
            Ok(TokenOwner { tenant: tenants::from_columns(row, 6)?, token: from_row(row)? })
        })
        .optional()?;
    Ok(owner)
}

pub(super) fn create(connection: &Connection, tenant: TenantId, token: &NewToken) -> Result<Token, StoreError> {
    tenants::must_exist(connection, tenant)?;
    connection
        .prepare_cached(
            "INSERT INTO token(token_hash, tenant_id, token_id, label, scopes, created_at, expires_at, user_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            token.hash.0,
            tenant.0,
            token.id,
            token.label,
            serde_json::Value::from(token.scopes.clone()).to_string(),
            token.created_at.as_microsecond(),
            token.expires_at.map(Timestamp::as_microsecond),
            token.user,
        ])?;
    Ok(Token {
        id: token.id,
        label: token.label.clone(),
        scopes: token.scopes.clone(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        user: token.user,
    })
}

pub(super) fn all(connection: &Connection, tenant: TenantId) -> Result<Vec<Token>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT token_id, label, scopes, created_at, expires_at, user_id FROM token \
         WHERE tenant_id = ?1 AND revoked_at IS NULL ORDER BY created_at, token_id",
    )?;
    let tokens = statement.query_map(params![tenant.0], from_row)?.collect::<Result<_, _>>()?;
    Ok(tokens)
}

/// The row stays: a hash that was once a token is never one again.
pub(super) fn revoke(connection: &Connection, tenant: TenantId, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
    let revoked = connection
        .prepare_cached(
            "UPDATE token SET revoked_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2 AND revoked_at IS NULL",
        )?
        .execute(params![tenant.0, id, at.as_microsecond()])?;
    Ok(revoked > 0)
}
