//! Signing keys, and the policy that says whose signatures a tenant's components need.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::problem::Problem;
use crate::http::tenants::check_name;
use crate::pipeline::signing::{PolicyError, SigningState};
use crate::pipeline::upload::PushError;
use crate::signature::{PublicKey, SIGNATURES_MAX, Signature, SignatureError, check_number};
use crate::store::{Signed, SigningKey, SigningKeyError, SigningPolicyError, Unsigned};

/// The header that a component's signatures are in, of an upload and of a download.
pub(super) const HEADER: &str = "scruple-signature";

/// A key to be known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSigningKeyBody {
    /// An Ed25519 key in PEM (SubjectPublicKeyInfo), as `openssl pkey -pubout` and `scruple plugin keygen` write it.
    #[schema(example = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA…\n-----END PUBLIC KEY-----\n")]
    pub public_key: String,
}

/// A key that signatures are checked with.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyBody {
    /// Its name in the tenant.
    pub name: String,
    /// SHA-256 of the 32 bytes of the key, in hexadecimal.
    pub id: String,
    /// In PEM.
    pub public_key: String,
    /// Whether the policy names it.
    pub counts: bool,
    /// Who made it known: the label of the token.
    pub by: String,
    /// When.
    pub at: String,
}

/// Every key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeysBody {
    /// By name.
    pub keys: Vec<SigningKeyBody>,
}

/// A policy to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSigningPolicyBody {
    /// How many of the keys have to have signed a component: 1 for any of them, as many as there are for all; 0: none.
    #[schema(example = 1)]
    pub required: u32,
    /// Names of the keys that count; none if `required` is 0.
    #[serde(default)]
    #[schema(example = json!(["release"]))]
    pub keys: Vec<String>,
}

/// Whose signatures components need to be taken and to be put to work.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningPolicyBody {
    /// How many of the keys have to have signed a component; 0: none. Can be more than there are keys, if one was removed: then
    /// nothing is taken until the policy is set anew.
    pub required: u32,
    /// The keys that count, by name.
    pub keys: Vec<String>,
    /// Constraints in force whose components are not signed so. They stay in force.
    pub unsigned: Vec<UnsignedBody>,
    /// Who has set it, if anybody has: the label of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A constraint in force that could not be put to work now.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnsignedBody {
    /// The constraint.
    pub constraint: String,
    /// SHA-256 of its component.
    pub digest: String,
    /// What that lacks.
    pub detail: String,
}

/// Who has signed a component.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct SignerBody {
    /// Name of the key.
    pub key: String,
    /// Its id: SHA-256 of the 32 bytes of the key, in hexadecimal.
    pub id: String,
}

impl From<&Signed> for SignerBody {
    fn from(signed: &Signed) -> Self {
        Self { key: signed.key.clone(), id: signed.signature.key.to_string() }
    }
}

impl From<SigningKey> for SigningKeyBody {
    fn from(SigningKey { made, counts }: SigningKey) -> Self {
        Self {
            id: made.key.id().to_string(),
            public_key: made.key.to_pem(),
            name: made.name,
            counts,
            by: made.by,
            at: made.at.to_string(),
        }
    }
}

impl From<SigningKeyError> for Problem {
    fn from(failure: SigningKeyError) -> Self {
        let detail = failure.to_string();
        match failure {
            SigningKeyError::NameTaken(_) => Self::new(StatusCode::CONFLICT, "name-taken", detail),
            SigningKeyError::Known(_) => Self::new(StatusCode::CONFLICT, "key-known", detail),
            SigningKeyError::TooMany(_) => Self::new(StatusCode::CONFLICT, "too-many-keys", detail),
            SigningKeyError::Store(error) => error.into(),
        }
    }
}

impl From<PolicyError> for Problem {
    fn from(failure: PolicyError) -> Self {
        match failure {
            PolicyError::Store(SigningPolicyError::Store(error)) => error.into(),
            PolicyError::Store(SigningPolicyError::UnknownKey(_)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-signing-key", failure.to_string())
            }
            failure => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-policy", failure.to_string()),
        }
    }
}

/// The signatures of a request: id of the key, a space, the signature in base64; several by commas or by several headers.
pub(super) fn sent(headers: &HeaderMap) -> Result<Vec<Signature>, PushError> {
    let values = headers.get_all(HEADER).iter().map(|value| value.to_str().unwrap_or("?"));
    let mut signatures = Vec::new();
    for word in values.flat_map(|value| value.split(',')).map(str::trim) {
        // What is beyond the limit is counted, and not read.
        if signatures.len() > SIGNATURES_MAX {
            break;
        }
        let (key, base64) = word.split_once(' ').unwrap_or((word, ""));
        signatures.push(Signature::read(key, base64.trim())?);
    }
    check_number(&signatures)?;
    Ok(signatures)
}

/// The same signatures, to be sent again.
pub(super) fn shown(signed: &[Signed]) -> Option<HeaderValue> {
    let words: Vec<String> =
        signed.iter().map(|Signed { signature, .. }| format!("{} {}", signature.key, signature.base64())).collect();
    if words.is_empty() { None } else { HeaderValue::from_str(&words.join(", ")).ok() }
}

impl From<Unsigned> for Problem {
    fn from(unsigned: Unsigned) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unsigned", unsigned.to_string())
    }
}

/// What is wrong with a signature that was sent.
pub(super) fn refused(error: &SignatureError) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-signature", error.to_string())
}

/// Lists the keys.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/signing-keys", tag = "signing", params(("tenant" = String, Path)),
    responses((status = 200, body = SigningKeysBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<SigningKeysBody>, Problem> {
    let signing = app.store.tenant(principal.tenant.id).signing().await?;
    Ok(Json(SigningKeysBody { keys: signing.keys.into_iter().map(SigningKeyBody::from).collect() }))
}

/// Makes a key known, so that signatures by it can be checked. It counts once the policy names it. The same key under the same
/// name again is no change; another key is never put in its place.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/signing-keys/{name}", tag = "signing",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = NewSigningKeyBody, responses(
        (status = 200, body = SigningKeyBody),
        (status = 409, description = "another key has the name; the key is known under another name; there are as many as there may be"),
        (status = 422, description = "not an Ed25519 public key in PEM"),
))]
pub async fn put(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<NewSigningKeyBody>,
) -> Result<Json<SigningKeyBody>, Problem> {
    check_name("signing key", &name)?;
    let wrong = |error: crate::signature::KeyError| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-key", error.to_string())
    };
    let key = PublicKey::from_pem(&body.public_key).map_err(wrong)?;
    let added = app.pipeline.add_signing_key(principal.tenant.id, name, key, &principal.actor.label).await?;
    Ok(Json(added.into()))
}

/// Forgets a key and its signatures. What it has signed stays in force.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/signing-keys/{name}", tag = "signing",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 204, description = "forgotten"), (status = 404, description = "no such key"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    let removed = app.pipeline.remove_signing_key(principal.tenant.id, &name, &principal.actor.label).await?;
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found(format!("signing key `{name}`")))
}

/// The policy, and what of what is in force does not satisfy it.
async fn present(app: &App, principal: &Principal) -> Result<SigningPolicyBody, Problem> {
    let state: SigningState = app.pipeline.signing_state(principal.tenant.id).await?;
    let (_, activations) = app.store.tenant(principal.tenant.id).activations().await?;
    let unsigned = state.lacking_in_force(&activations).into_iter();
    let unsigned = unsigned.map(|(constraint, unsigned)| UnsignedBody {
        constraint,
        detail: unsigned.to_string(),
        digest: unsigned.digest,
    });
    let (by, at) = state.signing.set.clone().unzip();
    Ok(SigningPolicyBody {
        required: state.signing.required,
        unsigned: unsigned.collect(),
        keys: state.signing.keys.into_iter().filter(|key| key.counts).map(|key| key.made.name).collect(),
        by,
        at: at.map(|at| at.to_string()),
    })
}

/// Shows whose signatures components need, and which constraints in force are without.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/signing-policy", tag = "signing", params(("tenant" = String, Path)),
    responses((status = 200, body = SigningPolicyBody)))]
pub async fn policy(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<SigningPolicyBody>, Problem> {
    Ok(Json(present(&app, &principal).await?))
}

/// Sets whose signatures components need from now on: to be taken, and to be put to work by setting a constraint, rolling one
/// back or applying a file. Constraints in force stay so; the answer says which are not signed.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/signing-policy", tag = "signing", params(("tenant" = String, Path)),
    request_body = NewSigningPolicyBody, responses(
        (status = 200, body = SigningPolicyBody),
        (status = 422, description = "no such key, or fewer keys than have to sign"),
))]
pub async fn set_policy(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiJson(body): ApiJson<NewSigningPolicyBody>,
) -> Result<Json<SigningPolicyBody>, Problem> {
    let NewSigningPolicyBody { required, keys } = body;
    app.pipeline.set_signing_policy(principal.tenant.id, required, keys, &principal.actor.label).await?;
    Ok(Json(present(&app, &principal).await?))
}
