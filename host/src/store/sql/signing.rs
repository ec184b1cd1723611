//! Signing keys, the policy that names them, and signatures.

use super::driver::{self, Connection, OptionalExtension, Row, params};

use super::row::{damaged, timestamp};
use super::tenants;
use crate::decision::TenantId;
use crate::signature::{PublicKey, Signature};
use crate::store::{
    NewSigningKey, NewSigningPolicy, Signed, Signing, SigningKey, SigningKeyError, SigningPolicyError, StoreError,
    Unsigned,
};

fn public_key(row: &Row<'_>, column: usize) -> driver::Result<PublicKey> {
    PublicKey::from_bytes(&row.get(column)?).map_err(|error| damaged(column, error))
}

fn key_from_row(row: &Row<'_>) -> driver::Result<SigningKey> {
    let made = NewSigningKey { name: row.get(0)?, key: public_key(row, 1)?, by: row.get(3)?, at: timestamp(row, 4)? };
    Ok(SigningKey { made, counts: row.get(2)? })
}

/// Keys and policy.
pub(super) fn state(connection: &Connection, tenant: TenantId) -> Result<Signing, StoreError> {
    let keys = connection
        .prepare_cached(
            "SELECT name, public_key, counts, made_by, made_at FROM signing_key WHERE tenant_id = ?1 ORDER BY name",
        )?
        .query_map(params![tenant.0], key_from_row)?
        .collect::<Result<_, _>>()?;
    let policy: Option<(u32, (String, jiff::Timestamp))> = connection
        .prepare_cached("SELECT required, made_by, made_at FROM signing_policy WHERE tenant_id = ?1")?
        .query_row(params![tenant.0], |row| Ok((row.get(0)?, (row.get(1)?, timestamp(row, 2)?))))
        .optional()?;
    let (required, set) = policy.map_or((0, None), |(required, set)| (required, Some(set)));
    Ok(Signing { required, keys, set })
}

/// Makes a key known, which does not count yet. The same key under the same name again is no change.
pub(super) fn add_key(
    connection: &Connection,
    tenant: TenantId,
    new: &NewSigningKey,
    most: usize,
) -> Result<SigningKey, SigningKeyError> {
    tenants::must_exist(connection, tenant)?;
    let keys = state(connection, tenant)?.keys;
    if let Some(there) = keys.iter().find(|there| there.made.name == new.name) {
        return match there.made.key == new.key {
            true => Ok(there.clone()),
            false => Err(SigningKeyError::NameTaken(new.name.clone())),
        };
    }
    if let Some(there) = keys.iter().find(|there| there.made.key == new.key) {
        return Err(SigningKeyError::Known(there.made.name.clone()));
    }
    if keys.len() >= most {
        return Err(SigningKeyError::TooMany(most));
    }
    let add = || -> Result<_, StoreError> {
        connection
            .prepare_cached(
                "INSERT INTO signing_key(tenant_id, name, public_key, counts, made_by, made_at) \
                 VALUES (?1, ?2, ?3, 0, ?4, ?5)",
            )?
            .execute(params![tenant.0, new.name, new.key.to_bytes(), new.by, new.at.as_microsecond()])?;
        Ok(())
    };
    add()?;
    Ok(SigningKey { made: new.clone(), counts: false })
}

/// Forgets a key and its signatures; `None` if there is none of that name.
pub(super) fn remove_key(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
) -> Result<Option<SigningKey>, StoreError> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM signing_key WHERE tenant_id = ?1 AND name = ?2 \
             RETURNING name, public_key, counts, made_by, made_at",
        )?
        .query_row(params![tenant.0, name], key_from_row)
        .optional()?;
    if let Some(key) = &removed {
        connection
            .prepare_cached("DELETE FROM component_signature WHERE tenant_id = ?1 AND public_key = ?2")?
            .execute(params![tenant.0, key.made.key.to_bytes()])?;
    }
    Ok(removed)
}

/// Sets who has to sign, in place of what was set before.
pub(super) fn set_policy(
    connection: &Connection,
    tenant: TenantId,
    new: &NewSigningPolicy,
) -> Result<Signing, SigningPolicyError> {
    tenants::must_exist(connection, tenant)?;
    let known = state(connection, tenant)?.keys;
    if let Some(unknown) = new.keys.iter().find(|name| known.iter().all(|key| key.made.name != **name)) {
        return Err(SigningPolicyError::UnknownKey(unknown.clone()));
    }
    let set = || -> Result<_, StoreError> {
        connection
            .prepare_cached(
                "INSERT INTO signing_policy(tenant_id, required, made_by, made_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT(tenant_id) DO UPDATE SET required = ?2, made_by = ?3, made_at = ?4",
            )?
            .execute(params![tenant.0, new.required, new.by, new.at.as_microsecond()])?;
        let mut statement =
            connection.prepare_cached("UPDATE signing_key SET counts = ?3 WHERE tenant_id = ?1 AND name = ?2")?;
        for key in &known {
            statement.execute(params![tenant.0, key.made.name, new.keys.contains(&key.made.name)])?;
        }
        state(connection, tenant)
    };
    Ok(set()?)
}

/// Signatures of one component, or of all, by digest and name of the key.
pub(super) fn signed(
    connection: &Connection,
    tenant: TenantId,
    digest: Option<&str>,
) -> Result<Vec<Signed>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT s.digest, k.name, k.public_key, s.signature FROM component_signature s \
         JOIN signing_key k ON k.tenant_id = s.tenant_id AND k.public_key = s.public_key \
         WHERE s.tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR s.digest = ?2) ORDER BY s.digest, k.name",
    )?;
    let from_row = |row: &Row<'_>| {
        let signature = Signature { key: public_key(row, 2)?.id(), bytes: row.get(3)? };
        Ok(Signed { digest: row.get(0)?, key: row.get(1)?, signature })
    };
    let found = statement.query_map(params![tenant.0, digest], from_row)?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// Keeps a signature by a key that the tenant knows, in place of an earlier one by the same key.
pub(super) fn keep(
    connection: &Connection,
    tenant: TenantId,
    digest: &str,
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO component_signature(tenant_id, digest, public_key, signature) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT(tenant_id, digest, public_key) DO UPDATE SET signature = ?4",
        )?
        .execute(params![tenant.0, digest, key.to_bytes(), signature.bytes])?;
    Ok(())
}

/// What a component lacks to be put to work now. Asked in the transaction of whatever puts it to work.
pub(super) fn lacking(connection: &Connection, tenant: TenantId, digest: &str) -> Result<Option<Unsigned>, StoreError> {
    let signing = state(connection, tenant)?;
    if signing.required == 0 {
        return Ok(None);
    }
    let signed = signed(connection, tenant, Some(digest))?;
    let by: Vec<&str> = signed.iter().map(|signed| signed.key.as_str()).collect();
    Ok(signing.lacking(digest, &by))
}
