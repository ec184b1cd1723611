//! Plugins: uploading versions, listing them and giving them back.

pub mod component;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::extract::{ApiPath, ApiQuery, body};
use crate::http::problem::Problem;
use crate::http::signing::{self, SignerBody};
use crate::http::tenants::check_name;
use crate::pipeline::signing::SigningState;
use crate::pipeline::upload::{NewUpload, PushError};
use crate::store::PluginVersion;

/// Characters of a tag: a version or a Git commit, not prose.
const TAG_CHARS_MAX: usize = 100;

/// A plugin version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionBody {
    /// The plugin.
    pub plugin: String,
    /// 1, 2, 3 … in the plugin.
    pub version: u32,
    /// SHA-256 of the component.
    pub digest: String,
    /// The world it targets.
    pub world: String,
    /// What it says of itself.
    pub descriptor: Value,
    /// Bytes of the component.
    pub size: u64,
    /// A word of the author's choosing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// When it was uploaded.
    pub created_at: String,
    /// Whose signatures of the component the tenant has, by name of the key.
    pub signed_by: Vec<SignerBody>,
    /// Whether it is a new version: `false` if these bytes were one already, whose tag stays what it was; only in the answer to an
    /// upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<bool>,
    /// How long compiling took; only in the answer to an upload, and 0 where it was compiled before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_ms: Option<u64>,
}

/// Every version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionsBody {
    /// By plugin and number.
    pub versions: Vec<VersionBody>,
}

impl VersionBody {
    fn of(version: PluginVersion, signing: &SigningState) -> Self {
        Self {
            signed_by: signing.signed(&version.digest).iter().map(SignerBody::from).collect(),
            plugin: version.plugin,
            version: version.version,
            digest: version.digest,
            world: version.world,
            descriptor: version.descriptor,
            size: version.size,
            tag: version.tag,
            created_at: version.created_at.to_string(),
            added: None,
            compile_ms: None,
        }
    }
}

impl From<PushError> for Problem {
    fn from(failure: PushError) -> Self {
        match failure {
            PushError::Signature(error) => signing::refused(&error),
            PushError::UnknownKey(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-signing-key", failure.to_string())
            }
            PushError::Unsigned(unsigned) => unsigned.into(),
            PushError::Refused { code, detail } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail),
            PushError::Overloaded(overloaded) => Self::busy(overloaded.to_string()),
            PushError::Compiler(error) => Self::Internal(Arc::new(error)),
            PushError::Store(error) => error.into(),
        }
    }
}

/// Parameters of an upload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    tag: Option<String>,
}

/// Uploads a component. The same bytes again are the same version; signatures that come with them are added.
///
/// A signature (Ed25519) is over the text `scruple plugin v1 sha256:` and the digest of the component in hexadecimal. Each that is
/// sent has to be a good one by a key that the tenant knows.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/plugins/{plugin}/versions", tag = "plugins",
    params(("tenant" = String, Path), ("plugin" = String, Path), ("tag" = Option<String>, Query),
        ("Scruple-Signature" = Option<String>, Header, description = "for each signature the id of the key, a space, and the 64 bytes in base64; separated by commas, at most 8")),
    request_body(content = Vec<u8>, content_type = "application/wasm"), responses(
        (status = 201, body = VersionBody, description = "a new version"),
        (status = 200, body = VersionBody, description = "these bytes are a version already"),
        (status = 413, description = "larger than the limit"),
        (status = 422, description = "not a component that this host can run; the detail says why and what helps; a signature that is not \
            one (`invalid-signature`) or by no key of the tenant's (`unknown-signing-key`); not signed as the tenant requires (`unsigned`)"),
        (status = 503, description = "the tenant has as many uploads under way as it may have; Retry-After says when to try again"),
))]
pub async fn upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, plugin)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Json<VersionBody>), Problem> {
    check_name("plugin", &plugin)?;
    if let Some(tag) = &query.tag {
        check_tag(tag)?;
    }
    let place = app.pipeline.sandbox.admit_upload(principal.tenant.id).map_err(PushError::Overloaded)?;
    let signatures = signing::sent(request.headers())?;
    let component = body(request, app.pipeline.sandbox.limits().component_bytes_max).await?;
    let new = NewUpload { plugin, tag: query.tag, component: component.into(), signatures };
    let uploaded = app.pipeline.upload(principal.tenant.id, &place, new).await?;
    let status = if uploaded.added { StatusCode::CREATED } else { StatusCode::OK };
    let mut body = VersionBody::of(uploaded.version, &app.pipeline.signing_state(principal.tenant.id).await?);
    body.added = Some(uploaded.added);
    body.compile_ms = Some(uploaded.compile_ms);
    Ok((status, Json(body)))
}

fn check_tag(tag: &str) -> Result<(), Problem> {
    let length = tag.chars().count();
    if length == 0 || length > TAG_CHARS_MAX || tag.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "invalid-tag",
            format!("a tag has 1 to {TAG_CHARS_MAX} printable characters, this one {length}"),
        ));
    }
    Ok(())
}

/// Lists every version of every plugin.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/plugins", tag = "plugins", params(("tenant" = String, Path)),
    responses((status = 200, body = VersionsBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<VersionsBody>, Problem> {
    let versions = app.store.tenant(principal.tenant.id).versions(None).await?;
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    Ok(Json(VersionsBody {
        versions: versions.into_iter().map(|version| VersionBody::of(version, &signing)).collect(),
    }))
}

/// Lists the versions of one plugin.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/plugins/{plugin}/versions", tag = "plugins",
    params(("tenant" = String, Path), ("plugin" = String, Path)), responses(
        (status = 200, body = VersionsBody), (status = 404, description = "no such plugin"),
))]
pub async fn versions(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, plugin)): ApiPath<(String, String)>,
) -> Result<Json<VersionsBody>, Problem> {
    let versions = app.store.tenant(principal.tenant.id).versions(Some(&plugin)).await?;
    if versions.is_empty() {
        return Err(Problem::not_found(format!("plugin `{plugin}`")));
    }
    let signing = app.pipeline.signing_state(principal.tenant.id).await?;
    Ok(Json(VersionsBody {
        versions: versions.into_iter().map(|version| VersionBody::of(version, &signing)).collect(),
    }))
}
