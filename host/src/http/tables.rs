//! Tables: reference data that the tenant's constraints look into, with every earlier state that is kept.

mod content;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::Principal;
use crate::http::error::Failure;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery, body};
use crate::http::problem::Problem;
use crate::http::tenants::check_name;
use crate::store::{TableChangeError, TableRevision};
use crate::tables::{Contents, TableError, csv, json};

/// A table in one of its states.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableBody {
    /// The table.
    pub name: String,
    /// 1, 2, 3 … in the table.
    pub revision: u32,
    /// The generation this state began with.
    pub generation: i64,
    /// Whether the table was removed by this revision; then nothing is said of its contents.
    pub removed: bool,
    /// How many rows there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of all keys and rows as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the contents as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Columns as CSV; absent where the contents cannot be shown as CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The column of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who made it so: the label of the token.
    pub by: String,
    /// When.
    pub at: String,
}

/// The tables that there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct TablesBody {
    /// By name.
    pub tables: Vec<TableBody>,
}

/// Every state of a table that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableHistoryBody {
    /// Newest first.
    pub history: Vec<TableBody>,
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableRollbackBody {
    /// The revision whose contents are to be the present ones again; the last that differs from the present, if absent.
    pub revision: Option<u32>,
}

/// Parameters of an upload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutQuery {
    key: Option<String>,
}

impl From<TableRevision> for TableBody {
    fn from(table: TableRevision) -> Self {
        let state = table.state;
        let columns = state.as_ref().and_then(|state| state.columns.as_ref());
        Self {
            name: table.name,
            revision: table.revision,
            generation: table.generation,
            removed: state.is_none(),
            rows: state.as_ref().map(|state| state.rows),
            bytes: state.as_ref().map(|state| state.bytes),
            key: columns.and_then(|columns| columns.names.get(columns.key)).cloned(),
            columns: columns.map(|columns| columns.names.clone()),
            digest: state.map(|state| state.digest),
            by: table.by,
            at: table.at.to_string(),
        }
    }
}

impl From<TableChangeError> for Problem {
    fn from(failure: TableChangeError) -> Self {
        let detail = failure.to_string();
        match failure {
            TableChangeError::TooMany { .. } => Self::new(StatusCode::CONFLICT, "too-many-tables", detail),
            TableChangeError::Unknown(name) => Self::not_found(format!("table `{name}`")),
            TableChangeError::UnknownRevision { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-revision", detail)
            }
            TableChangeError::UnknownContents { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-contents", detail)
            }
            TableChangeError::Store(error) => error.into(),
        }
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-table", error.to_string())
    }
}

/// What tables are sent and shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

impl Format {
    /// RFC 4180 §3 has a parameter `header=absent`, which is not served: without a header the columns have no names.
    fn sent(headers: &HeaderMap) -> Result<Self, Problem> {
        let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        match essence.as_str() {
            "text/csv" if !parts.any(|parameter| parameter == "header=absent") => Ok(Self::Csv),
            "application/json" => Ok(Self::Json),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                format!("a table is sent as `text/csv` with a header or as `application/json`, not as `{value}`"),
            )),
        }
    }
}

/// Makes these the contents of a table, as a new revision. Raises the generation.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/tables/{name}", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path),
        ("key" = Option<String>, Query, description = "the column, or the member of each object in a list, that is the key; of CSV the first, if absent")),
    request_body(description = "CSV with a header (`text/csv`); or JSON: an object from key to row, a list of objects, a list of texts",
        content((String = "text/csv"), (serde_json::Value = "application/json"))), responses(
        (status = 201, body = TableBody, description = "a new revision"),
        (status = 200, body = TableBody, description = "these are the contents already"),
        (status = 409, description = "as many tables as there may be"),
        (status = 413, description = "larger than the limit"),
        (status = 415, description = "neither CSV nor JSON"),
        (status = 422, description = "not a table, or beyond a limit; the detail says where and why"),
))]
pub async fn put(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<PutQuery>,
    request: Request,
) -> Result<(StatusCode, Json<TableBody>), Problem> {
    let contents = sent(&app, &name, query, request).await?;
    let (made, added) = app.pipeline.put_table(principal.tenant.id, &name, contents, &principal.actor.label).await?;
    Ok((if added { StatusCode::CREATED } else { StatusCode::OK }, Json(made.into())))
}

/// The contents that a request has for a table of that name.
async fn sent(app: &App, name: &str, query: PutQuery, request: Request) -> Result<Contents, Problem> {
    check_name("table", name)?;
    let format = Format::sent(request.headers())?;
    let limits = Arc::clone(&app.pipeline.tables);
    let bytes = body(request, limits.upload_bytes_max).await?;
    // Some 10 ms for each MiB: that is not for a worker that has others to answer.
    let reading = tokio::task::spawn_blocking(move || -> Result<Contents, TableError> {
        match format {
            Format::Csv => csv::read(&bytes, query.key.as_deref(), &limits),
            Format::Json => json::read(&bytes, query.key.as_deref(), &limits),
        }
    });
    Ok(reading.await.map_err(|panicked| Failure::Internal(Arc::new(panicked)))??)
}

/// Contents of a table that were sent ahead.
#[derive(Debug, Serialize, ToSchema)]
pub struct StagedBody {
    /// The table.
    pub name: String,
    /// SHA-256 of the contents as JSON, by which a plan names them.
    pub digest: String,
    /// How many rows there are.
    pub rows: u64,
    /// Bytes of all keys and rows as JSON.
    pub bytes: u64,
}

/// Sends contents of a table ahead, for a plan that names them by their digest. Nothing is in force by that. Of a tenant's as
/// many are kept as it may have tables; beyond that the oldest go.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/tables/{name}/staged", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path),
        ("key" = Option<String>, Query, description = "the column, or the member of each object in a list, that is the key; of CSV the first, if absent")),
    request_body(description = "as for `PUT` of the table",
        content((String = "text/csv"), (serde_json::Value = "application/json"))), responses(
        (status = 201, body = StagedBody, description = "kept for later"),
        (status = 200, body = StagedBody, description = "these contents are there already"),
        (status = 413, description = "larger than the limit"),
        (status = 415, description = "neither CSV nor JSON"),
        (status = 422, description = "not a table, or beyond a limit; the detail says where and why"),
))]
pub async fn stage(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<PutQuery>,
    request: Request,
) -> Result<(StatusCode, Json<StagedBody>), Problem> {
    let contents = sent(&app, &name, query, request).await?;
    let (state, added) = app.pipeline.stage_table(principal.tenant.id, &name, contents, &principal.actor.label).await?;
    let body = StagedBody { name, digest: state.digest, rows: state.rows, bytes: state.bytes };
    Ok((if added { StatusCode::CREATED } else { StatusCode::OK }, Json(body)))
}

/// Takes a table away. Its earlier revisions stay as long as they are kept. Raises the generation.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/tables/{name}", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 204, description = "removed"), (status = 404, description = "no such table"),
))]
pub async fn remove(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.pipeline.remove_table(principal.tenant.id, &name, &principal.actor.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the contents of an earlier revision the present ones, as a new revision. Raises the generation.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/tables/{name}/rollback", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = TableRollbackBody, responses(
        (status = 200, body = TableBody),
        (status = 404, description = "no such table"),
        (status = 422, description = "no such revision, or nothing to go back to"),
))]
pub async fn rollback(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<TableRollbackBody>,
) -> Result<Json<TableBody>, Problem> {
    let by = &principal.actor.label;
    let made = app.pipeline.roll_back_table(principal.tenant.id, &name, body.revision, by).await?;
    Ok(Json(made.into()))
}

/// Lists the tables.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tables", tag = "tables", params(("tenant" = String, Path)),
    responses((status = 200, body = TablesBody)))]
pub async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<TablesBody>, Problem> {
    let tables = app.store.tenant(principal.tenant.id).tables().await?;
    Ok(Json(TablesBody { tables: tables.into_iter().map(TableBody::from).collect() }))
}

/// Says of a table which revision there is and what it has.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tables/{name}", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 200, body = TableBody), (status = 404, description = "no such table"),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<Json<TableBody>, Problem> {
    let history = app.store.tenant(principal.tenant.id).table_history(&name).await?;
    Ok(Json(revision_of(history, &name, None)?.into()))
}

/// Lists every revision of a table that is kept, its removals too.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tables/{name}/history", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path)), responses(
        (status = 200, body = TableHistoryBody), (status = 404, description = "no such table"),
))]
pub async fn history(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
) -> Result<Json<TableHistoryBody>, Problem> {
    let history = app.store.tenant(principal.tenant.id).table_history(&name).await?;
    if history.is_empty() {
        return Err(Problem::not_found(format!("table `{name}`")));
    }
    Ok(Json(TableHistoryBody { history: history.into_iter().map(TableBody::from).collect() }))
}

/// Parameters of the contents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentQuery {
    revision: Option<u32>,
}

/// Shows the contents of a table, as an object from key to row, or as CSV where `Accept` asks for `text/csv`.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tables/{name}/content", tag = "tables",
    params(("tenant" = String, Path), ("name" = String, Path),
        ("revision" = Option<u32>, Query, description = "the present one, if absent")), responses(
        (status = 200, description = "rows by key", content((serde_json::Value = "application/json"), (String = "text/csv"))),
        (status = 404, description = "no such table or revision"),
        (status = 406, description = "CSV of a table whose rows are not objects of texts"),
))]
pub async fn content(
    State(app): State<Arc<App>>,
    principal: Principal,
    ApiPath((_tenant, name)): ApiPath<(String, String)>,
    ApiQuery(query): ApiQuery<ContentQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let store = app.store.tenant(principal.tenant.id);
    let table = revision_of(store.table_history(&name).await?, &name, query.revision)?;
    content::show(store, table, &headers)
}

/// The revision of that number, or the present one; one that has contents.
fn revision_of(history: Vec<TableRevision>, name: &str, revision: Option<u32>) -> Result<TableRevision, Problem> {
    let mut history = history.into_iter();
    let found = match revision {
        Some(revision) => history.find(|table| table.revision == revision),
        None => history.next(),
    };
    found.filter(|table| table.state.is_some()).ok_or_else(|| match revision {
        Some(revision) => Problem::not_found(format!("revision {revision} of table `{name}`")),
        None => Problem::not_found(format!("table `{name}`")),
    })
}
