//! Where a resource is said to be: `meta.location`, `$ref` and `Location` begin with what the client has used.

use reqwest::Method;
use scruple::config::Config;
use scruple_tests::{Response, TenantClient, TestServer, group, user};

async fn read_through(acme: &TenantClient, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = acme.scim.request(Method::GET, &acme.scim_path(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    acme.scim.send(request).await
}

#[tokio::test]
async fn a_resource_is_where_the_client_of_a_trusted_proxy_has_asked() {
    let mut config = Config::default();
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201).id();
    let club = acme.post("/Groups", group("Club", &[&ada])).await.expect_status(201).id();

    let place = format!("https://scim.example.com/scim/acme/v2/Users/{ada}");
    let found = read_through(
        &acme,
        &format!("/Users/{ada}"),
        &[("forwarded", "for=192.0.2.43;proto=https;host=scim.example.com")],
    )
    .await;
    assert_eq!(found.body["meta"]["location"], place);
    assert_eq!(found.header("location"), Some(place.as_str()));
    let found = read_through(
        &acme,
        &format!("/Groups/{club}"),
        &[("x-forwarded-proto", "https"), ("x-forwarded-host", "scim.example.com")],
    )
    .await;
    assert_eq!(found.body["members"][0]["$ref"], place);
}

#[tokio::test]
async fn what_somebody_says_who_is_no_trusted_proxy_changes_nothing() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201);
    let found = read_through(
        &acme,
        &format!("/Users/{}", ada.id()),
        &[("forwarded", "proto=https;host=evil.example"), ("x-forwarded-host", "evil.example")],
    )
    .await;
    assert_eq!(found.body["meta"]["location"], ada.body["meta"]["location"]);
    assert!(found.body["meta"]["location"].as_str().unwrap().starts_with(&format!("http://{}/", server.address)));
}

#[tokio::test]
async fn the_configured_address_goes_before_everything() {
    let mut config = Config::default();
    config.server.public_url = Some("https://id.example.com".to_owned());
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let ada = acme.post("/Users", user("ada")).await.expect_status(201);
    let expected = format!("https://id.example.com/scim/acme/v2/Users/{}", ada.id());
    assert_eq!(ada.body["meta"]["location"], expected);
    let found = read_through(&acme, &format!("/Users/{}", ada.id()), &[("x-forwarded-host", "proxy.example")]).await;
    assert_eq!(found.body["meta"]["location"], expected);
}

#[tokio::test]
async fn a_host_that_is_none_is_refused_and_not_repeated() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    acme.post("/Users", user("ada")).await.expect_status(201);
    for host in ["evil\"><script>", "user@evil.example", "a b", "evil.example/path", ""] {
        let refused = read_through(&acme, "/Users", &[("host", host)]).await.expect_status(400);
        assert_eq!(refused.body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error", "{host}");
        assert!(!refused.body.to_string().contains("evil"), "{:#}", refused.body);
    }
}
