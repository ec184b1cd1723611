//! One table of routes: it builds the router, decides who may pass, and feeds the test that walks every route.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::http::auth::{Access, Scope, authorize};
use crate::http::{
    apply, asynchronous, backtest, bearer, bulk, constraints, decisions, discovery, health, me, metrics, middleware,
    nodes, openapi, plugins, query, replay, resources, schemas, signing, tables, tenants, tokens, waivers,
};

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Who may pass.
    pub access: Access,
    handler: MethodRouter<Arc<App>>,
}

fn route(method: Method, path: &'static str, access: Access, handler: MethodRouter<Arc<App>>) -> Route {
    Route { method, path, access, handler }
}

/// Every route: SCIM in the order of RFC 7644 table 2, administration in the order one comes to need it.
pub fn routes() -> Vec<Route> {
    const SCIM: Access = Access::Tenant(&[Scope::Scim]);
    const ADMIN: Access = Access::Tenant(&[Scope::Admin]);
    const AUTHOR: Access = Access::Tenant(&[Scope::Author, Scope::Admin]);
    const OPERATOR: Access = Access::Operator;
    const BEARER: Access = Access::Bearer;
    const PUBLIC: Access = Access::Public;
    vec![
        route(Method::GET, "/scim/{tenant}/v2/ServiceProviderConfig", SCIM, get(discovery::service_provider_config)),
        route(Method::GET, "/scim/{tenant}/v2/ResourceTypes", SCIM, get(discovery::resource_types)),
        route(Method::GET, "/scim/{tenant}/v2/ResourceTypes/{name}", SCIM, get(discovery::resource_type)),
        route(Method::GET, "/scim/{tenant}/v2/Schemas", SCIM, get(discovery::schemas)),
        route(Method::GET, "/scim/{tenant}/v2/Schemas/{urn}", SCIM, get(discovery::schema)),
        route(Method::GET, "/scim/{tenant}/v2/Me", SCIM, get(me::read)),
        route(Method::POST, "/scim/{tenant}/v2/Me", SCIM, post(me::create)),
        route(Method::PUT, "/scim/{tenant}/v2/Me", SCIM, put(me::replace)),
        route(Method::PATCH, "/scim/{tenant}/v2/Me", SCIM, patch(me::patch)),
        route(Method::DELETE, "/scim/{tenant}/v2/Me", SCIM, delete(me::delete)),
        route(Method::POST, "/scim/{tenant}/v2/Bulk", SCIM, post(bulk::run)),
        route(Method::GET, "/scim/{tenant}/v2/AsyncRequests/{txn}", SCIM, get(asynchronous::read)),
        route(Method::GET, "/scim/{tenant}/v2", SCIM, get(query::list_all)),
        route(Method::GET, "/scim/{tenant}/v2/", SCIM, get(query::list_all)),
        route(Method::POST, "/scim/{tenant}/v2/.search", SCIM, post(query::search_all)),
        route(Method::POST, "/scim/{tenant}/v2/{endpoint}/.search", SCIM, post(query::search)),
        route(Method::POST, "/scim/{tenant}/v2/{endpoint}", SCIM, post(resources::create)),
        route(Method::GET, "/scim/{tenant}/v2/{endpoint}", SCIM, get(query::list)),
        // Not in the table: Microsoft's collection of requests writes `/Users/?filter=…`.
        route(Method::POST, "/scim/{tenant}/v2/{endpoint}/", SCIM, post(resources::create)),
        route(Method::GET, "/scim/{tenant}/v2/{endpoint}/", SCIM, get(query::list)),
        route(Method::GET, "/scim/{tenant}/v2/{endpoint}/{id}", SCIM, get(resources::read)),
        route(Method::PUT, "/scim/{tenant}/v2/{endpoint}/{id}", SCIM, put(resources::replace)),
        route(Method::PATCH, "/scim/{tenant}/v2/{endpoint}/{id}", SCIM, patch(resources::patch)),
        route(Method::DELETE, "/scim/{tenant}/v2/{endpoint}/{id}", SCIM, delete(resources::delete)),
        //
        route(Method::GET, "/api/v1/token", BEARER, get(bearer::show)),
        route(Method::GET, "/api/v1/nodes", OPERATOR, get(nodes::list)),
        route(Method::POST, "/api/v1/tenants", OPERATOR, post(tenants::create)),
        route(Method::GET, "/api/v1/tenants", OPERATOR, get(tenants::list)),
        route(Method::GET, "/api/v1/tenants/{tenant}", ADMIN, get(tenants::show)),
        route(Method::PATCH, "/api/v1/tenants/{tenant}", ADMIN, patch(tenants::change)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}", OPERATOR, delete(tenants::delete)),
        route(Method::GET, "/api/v1/tenants/{tenant}/schemas", AUTHOR, get(schemas::list)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/schemas/{urn}", ADMIN, put(schemas::put)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/schemas/{urn}", ADMIN, delete(schemas::remove)),
        route(Method::GET, "/api/v1/tenants/{tenant}/resource-types", AUTHOR, get(schemas::list_resource_types)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/resource-types/{name}", ADMIN, put(schemas::put_resource_type)),
        route(
            Method::DELETE,
            "/api/v1/tenants/{tenant}/resource-types/{name}",
            ADMIN,
            delete(schemas::remove_resource_type),
        ),
        route(Method::GET, "/api/v1/tenants/{tenant}/tightenings", AUTHOR, get(schemas::list_tightenings)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/tightenings", ADMIN, put(schemas::put_tightenings)),
        route(Method::POST, "/api/v1/tenants/{tenant}/tokens", ADMIN, post(tokens::create)),
        route(Method::GET, "/api/v1/tenants/{tenant}/tokens", ADMIN, get(tokens::list)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/tokens/{id}", ADMIN, delete(tokens::revoke)),
        route(Method::GET, "/api/v1/tenants/{tenant}/plugins", AUTHOR, get(plugins::list)),
        route(Method::POST, "/api/v1/tenants/{tenant}/plugins/{plugin}/versions", AUTHOR, post(plugins::upload)),
        route(Method::GET, "/api/v1/tenants/{tenant}/plugins/{plugin}/versions", AUTHOR, get(plugins::versions)),
        route(
            Method::GET,
            "/api/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}/component",
            AUTHOR,
            get(plugins::component::show),
        ),
        route(Method::GET, "/api/v1/tenants/{tenant}/signing-keys", AUTHOR, get(signing::list)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/signing-keys/{name}", ADMIN, put(signing::put)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/signing-keys/{name}", ADMIN, delete(signing::remove)),
        route(Method::GET, "/api/v1/tenants/{tenant}/signing-policy", AUTHOR, get(signing::policy)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/signing-policy", ADMIN, put(signing::set_policy)),
        route(Method::GET, "/api/v1/tenants/{tenant}/constraints", AUTHOR, get(constraints::list)),
        route(Method::GET, "/api/v1/tenants/{tenant}/constraints/{name}", AUTHOR, get(constraints::show)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/constraints/{name}", ADMIN, put(constraints::set)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/constraints/{name}", ADMIN, delete(constraints::remove)),
        route(Method::GET, "/api/v1/tenants/{tenant}/constraints/{name}/history", AUTHOR, get(constraints::history)),
        route(Method::POST, "/api/v1/tenants/{tenant}/constraints/{name}/rollback", ADMIN, post(constraints::rollback)),
        route(
            Method::GET,
            "/api/v1/tenants/{tenant}/constraints/{name}/differences",
            AUTHOR,
            get(backtest::differences),
        ),
        route(Method::POST, "/api/v1/tenants/{tenant}/constraints/{name}/backtest", AUTHOR, post(backtest::backtest)),
        route(Method::POST, "/api/v1/tenants/{tenant}/waivers", ADMIN, post(waivers::create)),
        route(Method::GET, "/api/v1/tenants/{tenant}/waivers", AUTHOR, get(waivers::list)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/waivers/{id}", ADMIN, delete(waivers::revoke)),
        route(Method::GET, "/api/v1/tenants/{tenant}/tables", AUTHOR, get(tables::list)),
        route(Method::GET, "/api/v1/tenants/{tenant}/tables/{name}", AUTHOR, get(tables::show)),
        route(Method::PUT, "/api/v1/tenants/{tenant}/tables/{name}", ADMIN, put(tables::put)),
        route(Method::DELETE, "/api/v1/tenants/{tenant}/tables/{name}", ADMIN, delete(tables::remove)),
        route(Method::GET, "/api/v1/tenants/{tenant}/tables/{name}/content", AUTHOR, get(tables::content)),
        route(Method::GET, "/api/v1/tenants/{tenant}/tables/{name}/history", AUTHOR, get(tables::history)),
        route(Method::POST, "/api/v1/tenants/{tenant}/tables/{name}/rollback", ADMIN, post(tables::rollback)),
        route(Method::POST, "/api/v1/tenants/{tenant}/tables/{name}/staged", AUTHOR, post(tables::stage)),
        // Everything at once. To see what would change is not to change it.
        route(Method::POST, "/api/v1/tenants/{tenant}/plan", AUTHOR, post(apply::plan)),
        route(Method::POST, "/api/v1/tenants/{tenant}/apply", ADMIN, post(apply::apply)),
        route(Method::GET, "/api/v1/tenants/{tenant}/decisions", AUTHOR, get(decisions::list)),
        route(Method::GET, "/api/v1/tenants/{tenant}/decisions/{id}", AUTHOR, get(decisions::show)),
        route(Method::POST, "/api/v1/tenants/{tenant}/decisions/{id}/replay", AUTHOR, post(replay::replay)),
        route(Method::GET, "/api/v1/tenants/{tenant}/decisions/{id}/explanation", AUTHOR, get(replay::explanation)),
        route(Method::GET, "/api/v1/tenants/{tenant}/decisions/{id}/fixture", AUTHOR, get(replay::fixture)),
        route(Method::GET, "/api/v1/openapi.json", PUBLIC, get(openapi::document)),
        //
        route(Method::GET, "/healthz", PUBLIC, get(health::alive)),
        route(Method::GET, "/readyz", PUBLIC, get(health::ready)),
        route(Method::GET, "/metrics", OPERATOR, get(metrics::show)),
    ]
}

/// The handler for every request.
pub fn build_handler(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let guard = from_fn_with_state((Arc::clone(&app), route.access), authorize);
        router = router.route(route.path, route.handler.layer(guard));
    }
    router
        .fallback(middleware::unknown_path)
        .method_not_allowed_fallback(middleware::unknown_method)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn(middleware::explain_failures))
        .layer(from_fn(middleware::request_id))
        .layer(from_fn(middleware::version))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::closing))
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count))
        .with_state(app)
}
