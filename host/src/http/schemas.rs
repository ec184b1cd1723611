//! A tenant's own schemas, resource types and tightenings, as data. `/Schemas` of the SCIM endpoint shows what they come
//! to; here is what was declared.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery, body};
use crate::http::problem::{Problem, ProblemPart};
use crate::pipeline::schemas::{DefinitionEdit, DefinitionError};
use crate::scim::schema::{ResourceTypeDocument, SchemaDocument, SchemaError, Tightening};
use crate::store::{Broken, Defined, TenantModel};

/// The body of a document. Its own limit is lower, and names itself.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// How a definition is to take effect.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefineQuery {
    /// Though resources are not as it says.
    #[serde(default)]
    force: bool,
}

/// A tenant's own schemas.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemasBody {
    /// In the order in which they were declared, each as RFC 7643 §7 has it.
    pub schemas: Vec<Value>,
}

/// A tenant's own resource types, and the core ones that it has added to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceTypesBody {
    /// In the order in which they were declared, each as RFC 7643 §6 has it.
    pub resource_types: Vec<Value>,
}

/// What a tenant has made stricter.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TighteningsBody {
    /// `{"resourceType": "User", "path": "externalId", "mutability": "immutable", "required": true}` and the like.
    pub tightenings: Vec<Value>,
}

/// A resource that is not as a definition says.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrokenBody {
    /// Its type.
    pub resource_type: String,
    /// The resource.
    pub id: String,
    /// Canonical path of the attribute; empty where it is the resource as a whole.
    pub path: String,
    /// What is wrong.
    pub detail: String,
}

/// Definitions that have taken effect.
#[derive(Debug, Serialize, ToSchema)]
pub struct DefinedBody {
    /// The generation that begins with them.
    pub generation: i64,
    /// How many resources are not as they say: only where that was forced.
    pub broken_total: u64,
    /// The first of them.
    pub broken: Vec<BrokenBody>,
}

impl From<Broken> for BrokenBody {
    fn from(broken: Broken) -> Self {
        Self {
            resource_type: broken.resource_type,
            id: broken.id.to_string(),
            path: broken.path,
            detail: broken.message,
        }
    }
}

impl From<Defined> for DefinedBody {
    fn from(defined: Defined) -> Self {
        Self {
            generation: defined.generation,
            broken_total: defined.total,
            broken: defined.broken.into_iter().map(BrokenBody::from).collect(),
        }
    }
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Unknown(what) => Self::not_found(what),
            DefinitionError::Invalid(problems) => invalid("invalid-definition", "", problems),
            DefinitionError::Broken { total, broken, can_be_forced } => {
                let advice = if can_be_forced { "; mend them, or add `?force=true`" } else { "; mend them first" };
                let detail = format!("{total} resources are not as the definitions say{advice}");
                let errors = broken.into_iter().map(|broken| ProblemPart {
                    pointer: format!("/{}/{}/{}", broken.resource_type, broken.id, broken.path),
                    detail: broken.message,
                });
                Self::Told {
                    status: StatusCode::CONFLICT,
                    code: "resources-break-it",
                    detail,
                    errors: errors.collect(),
                    retry_after: None,
                }
            }
            contended @ DefinitionError::Contended => {
                Self::new(StatusCode::CONFLICT, "definitions-changed", contended.to_string())
            }
            DefinitionError::Store(error) => error.into(),
        }
    }
}

fn invalid(code: &'static str, place: &str, problems: Vec<SchemaError>) -> Problem {
    let errors = problems
        .into_iter()
        .map(|problem| ProblemPart { pointer: format!("{place}{}", problem.pointer), detail: problem.message });
    Problem::unprocessable(code, "the definition is not valid", errors.collect())
}

/// A path and the document in the body have to speak of the same thing.
fn same(what: &str, path: &str, document: &str) -> Result<(), Problem> {
    if path.eq_ignore_ascii_case(document) {
        return Ok(());
    }
    Err(Problem::bad_request("name-differs", format!("the path names the {what} `{path}`, the document `{document}`")))
}

async fn model(app: &App, principal: &Principal) -> Result<Arc<TenantModel>, Problem> {
    Ok(app.store.tenant(principal.tenant.id).model().await?)
}

async fn define(
    app: &App,
    principal: &Principal,
    edit: DefinitionEdit,
    query: &DefineQuery,
) -> Result<Json<DefinedBody>, Problem> {
    let by = &principal.actor.label;
    Ok(Json(app.pipeline.define(principal.tenant.id, &edit, query.force, by).await?.into()))
}

/// Lists the tenant's own schemas.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/schemas", tag = "schemas", params(("tenant" = String, Path)),
    responses((status = 200, body = SchemasBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<SchemasBody>, Problem> {
    let model = model(&app, &principal).await?;
    Ok(Json(SchemasBody { schemas: model.definitions.schemas.iter().map(SchemaDocument::to_json).collect() }))
}

/// Declares a schema, or changes it.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/schemas/{urn}", tag = "schemas",
    params(("tenant" = String, Path), ("urn" = String, Path), ("force" = Option<bool>, Query)),
    request_body = Value, responses(
        (status = 200, body = DefinedBody),
        (status = 409, description = "resources are not as it says: each is listed"),
        (status = 422, description = "not a schema: each problem with its place"),
))]
pub async fn put(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, urn)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DefineQuery>,
    request: Request,
) -> Result<Json<DefinedBody>, Problem> {
    let bytes = body(request, DOCUMENT_BYTES_MAX).await?;
    let document = SchemaDocument::parse(&bytes).map_err(|problems| invalid("invalid-schema", "", problems))?;
    same("schema", &urn, document.id())?;
    define(&app, &principal, DefinitionEdit::Schema(Box::new(document)), &query).await
}

/// Takes a schema away that no resource type uses any more.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/schemas/{urn}", tag = "schemas",
    params(("tenant" = String, Path), ("urn" = String, Path)), responses(
        (status = 200, body = DefinedBody), (status = 404, description = "no such schema of the tenant's own"),
        (status = 422, description = "a resource type uses it"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, urn)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DefineQuery>,
) -> Result<Json<DefinedBody>, Problem> {
    define(&app, &principal, DefinitionEdit::RemoveSchema(urn), &query).await
}

/// Lists the tenant's own resource types.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/resource-types", tag = "schemas",
    params(("tenant" = String, Path)), responses((status = 200, body = ResourceTypesBody)))]
pub async fn list_resource_types(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Json<ResourceTypesBody>, Problem> {
    let model = model(&app, &principal).await?;
    let resource_types = model.definitions.resource_types.iter().map(ResourceTypeDocument::to_json).collect();
    Ok(Json(ResourceTypesBody { resource_types }))
}

/// Declares a resource type, or changes it; of `User` and `Group`, adds extensions.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/resource-types/{name}", tag = "schemas",
    params(("tenant" = String, Path), ("name" = String, Path), ("force" = Option<bool>, Query)),
    request_body = Value, responses(
        (status = 200, body = DefinedBody),
        (status = 409, description = "resources are not as it says: each is listed"),
        (status = 422, description = "not a resource type: each problem with its place"),
))]
pub async fn put_resource_type(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DefineQuery>,
    request: Request,
) -> Result<Json<DefinedBody>, Problem> {
    let bytes = body(request, DOCUMENT_BYTES_MAX).await?;
    let document =
        ResourceTypeDocument::parse(&bytes).map_err(|problems| invalid("invalid-resource-type", "", problems))?;
    same("resource type", &name, document.name())?;
    define(&app, &principal, DefinitionEdit::ResourceType(Box::new(document)), &query).await
}

/// Takes a resource type away that has no resources; of `User` and `Group`, what was added to it.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/resource-types/{name}", tag = "schemas",
    params(("tenant" = String, Path), ("name" = String, Path), ("force" = Option<bool>, Query)), responses(
        (status = 200, body = DefinedBody), (status = 404, description = "no such resource type of the tenant's own"),
        (status = 409, description = "it has resources"),
))]
pub async fn remove_resource_type(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<DefineQuery>,
) -> Result<Json<DefinedBody>, Problem> {
    define(&app, &principal, DefinitionEdit::RemoveResourceType(name), &query).await
}

/// Lists what the tenant has made stricter.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tightenings", tag = "schemas", params(("tenant" = String, Path)),
    responses((status = 200, body = TighteningsBody)))]
pub async fn list_tightenings(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Json<TighteningsBody>, Problem> {
    let model = model(&app, &principal).await?;
    Ok(Json(TighteningsBody { tightenings: model.definitions.tightenings.iter().map(Tightening::to_json).collect() }))
}

/// Makes characteristics of attributes stricter: all that are to be, in the place of those that were. What is stored is
/// looked at first.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/tightenings", tag = "schemas",
    params(("tenant" = String, Path), ("force" = Option<bool>, Query)), request_body = TighteningsBody, responses(
        (status = 200, body = DefinedBody),
        (status = 409, description = "resources are not as they say: each is listed"),
        (status = 422, description = "not stricter, or not possible: each problem with its place"),
))]
pub async fn put_tightenings(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiQuery(query): ApiQuery<DefineQuery>,
    ApiJson(body): ApiJson<TighteningsBody>,
) -> Result<Json<DefinedBody>, Problem> {
    let mut tightenings = Vec::with_capacity(body.tightenings.len());
    for (place, document) in body.tightenings.iter().enumerate() {
        let read = Tightening::from_json(document);
        tightenings
            .push(read.map_err(|problems| invalid("invalid-tightening", &format!("/tightenings/{place}"), problems))?);
    }
    define(&app, &principal, DefinitionEdit::Tightenings(tightenings), &query).await
}
