//! Every route × {nobody, a wrong token, another tenant, the right tenant without the scope, the right tenant}. The table
//! below says what the right one gets; a route that is not in it fails the test.

use reqwest::Method;
use scruple::config::Config;
use scruple::http::auth::Access;
use scruple::router::{Route, routes};
use scruple_tests::client::ApiClient;
use scruple_tests::cluster::Cluster;
use scruple_tests::{Response, TestServer, user};
use serde_json::{Value, json};

/// What a permitted client gets for a plausible request, by method and path: status, body.
fn expectation(method: &Method, path: &str) -> Option<(u16, Value)> {
    let nothing = Value::Null;
    Some(match (method.as_str(), path) {
        ("GET", "/scim/{tenant}/v2/ServiceProviderConfig") => (200, nothing),
        ("GET", "/scim/{tenant}/v2/ResourceTypes") => (200, nothing),
        ("GET", "/scim/{tenant}/v2/ResourceTypes/{name}") => (404, nothing),
        ("GET", "/scim/{tenant}/v2/Schemas") => (200, nothing),
        ("GET", "/scim/{tenant}/v2/Schemas/{urn}") => (404, nothing),
        // The tokens of the walk speak for no user; `it/me.rs` has those that do.
        ("GET" | "POST" | "DELETE", "/scim/{tenant}/v2/Me") => (501, nothing),
        ("PUT", "/scim/{tenant}/v2/Me") => (501, user("ada")),
        ("PATCH", "/scim/{tenant}/v2/Me") => (501, patch()),
        ("POST", "/scim/{tenant}/v2/Bulk") => (400, json!({})),
        ("GET", "/scim/{tenant}/v2/AsyncRequests/{txn}") => (404, nothing),
        ("GET", "/scim/{tenant}/v2") => (200, nothing),
        ("GET", "/scim/{tenant}/v2/") => (200, nothing),
        ("POST", "/scim/{tenant}/v2/.search") => (200, search()),
        ("POST", "/scim/{tenant}/v2/{endpoint}/.search") => (200, search()),
        ("POST", "/scim/{tenant}/v2/{endpoint}") => (201, user("ada")),
        ("GET", "/scim/{tenant}/v2/{endpoint}") => (200, nothing),
        ("POST", "/scim/{tenant}/v2/{endpoint}/") => (201, user("eve")),
        ("GET", "/scim/{tenant}/v2/{endpoint}/") => (200, nothing),
        ("GET", "/scim/{tenant}/v2/{endpoint}/{id}") => (404, nothing),
        ("PUT", "/scim/{tenant}/v2/{endpoint}/{id}") => (404, user("ada")),
        ("PATCH", "/scim/{tenant}/v2/{endpoint}/{id}") => (404, patch()),
        ("DELETE", "/scim/{tenant}/v2/{endpoint}/{id}") => (404, nothing),
        ("GET", "/api/v1/token") => (200, nothing),
        ("POST", "/api/v1/tenants") => (201, json!({ "name": "new" })),
        ("GET", "/api/v1/tenants") => (200, nothing),
        ("GET", "/api/v1/tenants/{tenant}") => (200, nothing),
        ("PATCH", "/api/v1/tenants/{tenant}") => (200, json!({ "profile": "rfc" })),
        ("GET", "/api/v1/tenants/{tenant}/schemas") => (200, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/schemas/{urn}") => (422, json!({})),
        ("DELETE", "/api/v1/tenants/{tenant}/schemas/{urn}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/resource-types") => (200, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/resource-types/{name}") => (422, json!({})),
        ("DELETE", "/api/v1/tenants/{tenant}/resource-types/{name}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/tightenings") => (200, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/tightenings") => (200, json!({ "tightenings": [] })),
        // The table is walked on one server, so the tenants in use are not deleted: the operator names another one.
        ("DELETE", "/api/v1/tenants/{tenant}") => (204, nothing),
        ("POST", "/api/v1/tenants/{tenant}/tokens") => (201, json!({ "label": "x", "scopes": ["scim"] })),
        ("GET", "/api/v1/tenants/{tenant}/tokens") => (200, nothing),
        ("DELETE", "/api/v1/tenants/{tenant}/tokens/{id}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/plugins") => (200, nothing),
        ("POST", "/api/v1/tenants/{tenant}/plugins/{plugin}/versions") => (422, nothing),
        ("GET", "/api/v1/tenants/{tenant}/plugins/{plugin}/versions") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/plugins/{plugin}/versions/{version}/component") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/signing-keys") => (200, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/signing-keys/{name}") => (422, json!({ "public_key": "none" })),
        ("DELETE", "/api/v1/tenants/{tenant}/signing-keys/{name}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/signing-policy") => (200, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/signing-policy") => (200, json!({ "required": 0 })),
        ("GET", "/api/v1/tenants/{tenant}/constraints") => (200, nothing),
        ("GET", "/api/v1/tenants/{tenant}/constraints/{name}") => (404, nothing),
        ("PUT", "/api/v1/tenants/{tenant}/constraints/{name}") => (422, json!({ "plugin": "none" })),
        ("DELETE", "/api/v1/tenants/{tenant}/constraints/{name}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/constraints/{name}/history") => (404, nothing),
        ("POST", "/api/v1/tenants/{tenant}/constraints/{name}/rollback") => (404, json!({})),
        // Nobody has sent whom to compare with; and nothing is no component.
        ("GET", "/api/v1/tenants/{tenant}/constraints/{name}/differences") => (400, nothing),
        ("POST", "/api/v1/tenants/{tenant}/constraints/{name}/backtest") => (422, nothing),
        ("POST", "/api/v1/tenants/{tenant}/waivers") => (
            422,
            json!({ "constraint": "none", "code": "x", "resource": nothing_id(), "until": "2999-01-01T00:00:00Z", "ticket": "T" }),
        ),
        ("GET", "/api/v1/tenants/{tenant}/waivers") => (200, nothing),
        ("DELETE", "/api/v1/tenants/{tenant}/waivers/{id}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/tables") => (200, nothing),
        ("GET", "/api/v1/tenants/{tenant}/tables/{name}") => (404, nothing),
        // A number is no table, as nobody is meant to have made one before or after.
        ("PUT", "/api/v1/tenants/{tenant}/tables/{name}") => (422, json!(7)),
        ("DELETE", "/api/v1/tenants/{tenant}/tables/{name}") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/tables/{name}/content") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/tables/{name}/history") => (404, nothing),
        ("POST", "/api/v1/tenants/{tenant}/tables/{name}/rollback") => (404, json!({})),
        ("POST", "/api/v1/tenants/{tenant}/tables/{name}/staged") => (422, json!(7)),
        ("POST", "/api/v1/tenants/{tenant}/plan") => (200, json!({})),
        ("POST", "/api/v1/tenants/{tenant}/apply") => (400, json!({})),
        ("GET", "/api/v1/tenants/{tenant}/decisions") => (200, nothing),
        ("GET", "/api/v1/tenants/{tenant}/decisions/{id}") => (404, nothing),
        ("POST", "/api/v1/tenants/{tenant}/decisions/{id}/replay") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/decisions/{id}/explanation") => (404, nothing),
        ("GET", "/api/v1/tenants/{tenant}/decisions/{id}/fixture") => (404, nothing),
        ("GET", "/api/v1/openapi.json") => (200, nothing),
        ("GET", "/api/v1/nodes") => (200, nothing),
        ("GET", "/healthz") => (200, nothing),
        ("GET", "/readyz") => (200, nothing),
        ("GET", "/metrics") => (200, nothing),
        _ => return None,
    })
}

/// The id of nobody.
fn nothing_id() -> &'static str {
    "00000000-0000-0000-0000-000000000000"
}

fn search() -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] })
}

fn patch() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "title", "value": "Countess" }],
    })
}

fn path(route: &Route, tenant: &str) -> String {
    route
        .path
        .replace("{tenant}", tenant)
        .replace("{endpoint}", "Users")
        .replace("{id}", "01936d4e-0000-7000-8000-000000000000")
        .replace("{txn}", "01936d4e000070008000000000000000")
        .replace("{plugin}", "none")
        .replace("{version}", "1")
        .replace("{name}", "none")
        .replace("{urn}", "urn:none")
}

async fn status(client: &ApiClient, route: &Route, tenant: &str, body: &Value) -> u16 {
    answer(client, route, tenant, body).await.status
}

async fn answer(client: &ApiClient, route: &Route, tenant: &str, body: &Value) -> Response {
    let request = client.request(route.method.clone(), &path(route, tenant));
    let request = if body.is_null() { request } else { request.json(body) };
    client.send(request).await
}

#[tokio::test]
async fn every_route_lets_pass_whom_it_should_and_nobody_else() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let other = server.tenant("other").await;
    server.tenant("doomed").await;
    let operator = server.operator();
    let wrong = operator.with_token("scr_0000000000000000000000000000000000000000000000000000000000000000");
    let anonymous = operator.with_token("");

    for route in routes() {
        let name = format!("{} {}", route.method, route.path);
        let (expected, body) = expectation(&route.method, route.path)
            .unwrap_or_else(|| panic!("{name} is not covered: say in `expectation` what it answers"));
        let (permitted, forbidden): (Vec<&ApiClient>, Vec<&ApiClient>) = match route.access {
            Access::Public => (vec![&anonymous], vec![]),
            Access::Bearer => (vec![&operator, &acme.admin, &acme.scim, &other.scim], vec![]),
            Access::Operator => (vec![&operator], vec![&acme.admin, &acme.scim]),
            Access::Tenant(_) if route.path.starts_with("/scim/") => (vec![&acme.scim], vec![&acme.admin, &operator]),
            Access::Tenant(_) => (vec![&acme.admin, &operator], vec![&acme.scim]),
        };
        if route.access != Access::Public {
            assert_eq!(status(&anonymous, &route, "acme", &body).await, 401, "{name} without a token");
            assert_eq!(status(&wrong, &route, "acme", &body).await, 401, "{name} with a wrong token");
        }
        if matches!(route.access, Access::Tenant(_)) {
            for client in [&other.scim, &other.admin] {
                assert_eq!(status(client, &route, "acme", &body).await, 404, "{name} by another tenant");
            }
        }
        for client in forbidden {
            assert_eq!(status(client, &route, "acme", &body).await, 403, "{name} without the scope");
        }
        let tenant = if name == "DELETE /api/v1/tenants/{tenant}" { "doomed" } else { "acme" };
        for client in permitted {
            assert_eq!(status(client, &route, tenant, &body).await, expected, "{name} by the right one");
        }
    }
}

/// Whatever is asked: what cannot be answered without the database may be asked again, and nothing else is said of it.
#[tokio::test]
async fn every_route_says_when_to_come_again_while_the_database_is_away() {
    let database = Cluster::start("");
    let mut config = Config::default();
    config.store.database = Some(database.url());
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let operator = server.operator();
    // Their tokens are known, so that the requests come as far as they can.
    acme.get("/Users").await.expect_status(200);
    acme.admin.get("/api/v1/token").await.expect_status(200);
    database.stop("fast");

    let mut told = 0;
    for route in routes() {
        let name = format!("{} {}", route.method, route.path);
        let (expected, body) = expectation(&route.method, route.path).unwrap();
        let client = match route.access {
            Access::Tenant(_) | Access::Bearer if route.path.starts_with("/scim/") => &acme.scim,
            Access::Tenant(_) | Access::Bearer => &acme.admin,
            Access::Operator | Access::Public => &operator,
        };
        let answer = answer(client, &route, "acme", &body).await;
        if answer.status == 503 {
            let says_when = answer.header("retry-after").is_some() || route.path == "/readyz";
            assert!(says_when, "{name}: {answer:?}");
            told += 1;
        } else {
            // It needs no database for that.
            assert_eq!(answer.status, expected, "{name}: {answer:?}");
        }
    }
    eprintln!("{told} of {} routes need the database", routes().len());
    assert!(told > 50, "{told}");
}

#[tokio::test]
async fn an_unauthorized_client_is_told_so_in_the_words_of_the_surface() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let anonymous = server.operator().with_token("");

    let scim = anonymous.get("/scim/acme/v2/Users").await.expect_status(401);
    assert_eq!(scim.header("content-type"), Some("application/scim+json"));
    assert_eq!(scim.header("www-authenticate"), Some("Bearer"));
    assert_eq!(scim.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(scim.body["status"], "401");

    let api = anonymous.get("/api/v1/tenants").await.expect_status(401);
    assert_eq!(api.header("content-type"), Some("application/problem+json"));
    assert_eq!(api.body["status"], 401);
    assert_eq!(api.body["code"], "unauthorized");
}

#[tokio::test]
async fn the_openapi_document_describes_every_route_of_the_administration() {
    let server = TestServer::start().await;
    let document = server.operator().get("/api/v1/openapi.json").await.expect_status(200).body;
    for route in routes().iter().filter(|route| route.path.starts_with("/api/") && route.access != Access::Public) {
        let method = route.method.as_str().to_lowercase();
        let described = &document["paths"][route.path][&method];
        assert!(described.is_object(), "{} {} is not described", route.method, route.path);
    }
}
