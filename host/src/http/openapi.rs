//! The administration API, described (OpenAPI 3.1).

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::http::{
    apply, backtest, bearer, constraints, decisions, nodes, plugins, replay, schemas, signing, tables, tenants, tokens,
    waivers,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Scruple administration",
        description = "Tenants, their schemas, tokens, plugins, constraints, tables and decisions. Send a bearer token: the operator's, or one \
                       of the tenant with the scope `author` or `admin`. Errors are problem details (RFC 9457).",
    ),
    paths(
        tenants::create, tenants::list, tenants::show, tenants::change, tenants::delete,
        schemas::list, schemas::put, schemas::remove, schemas::list_resource_types, schemas::put_resource_type,
        schemas::remove_resource_type, schemas::list_tightenings, schemas::put_tightenings,
        bearer::show, tokens::create, tokens::list, tokens::revoke,
        plugins::list, plugins::upload, plugins::versions, plugins::component::show,
        signing::list, signing::put, signing::remove, signing::policy, signing::set_policy,
        constraints::list, constraints::show, constraints::set, constraints::remove, constraints::history,
        constraints::rollback, backtest::differences, backtest::backtest,
        tables::list, tables::show, tables::put, tables::remove, tables::content, tables::history, tables::rollback,
        tables::stage, apply::plan, apply::apply,
        waivers::create, waivers::list, waivers::revoke,
        nodes::list,
        decisions::list, decisions::show, replay::replay, replay::explanation, replay::fixture,
    ),
    components(schemas(crate::http::problem::ProblemBody)),
    security(("bearer" = [])),
)]
struct Api;

/// `GET /api/v1/openapi.json`.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    let mut api = Api::openapi();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    Json(api)
}
