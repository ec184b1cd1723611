//! `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas` (RFC 7644 §4).

use scruple_tests::TestServer;
use serde_json::json;

#[tokio::test]
async fn the_provider_says_what_it_supports_and_no_more() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let config = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    assert_eq!(config["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]));
    for (feature, supported) in
        [("patch", true), ("bulk", true), ("filter", true), ("changePassword", true), ("sort", true), ("etag", true)]
    {
        assert_eq!(config[feature]["supported"], supported, "{feature}");
    }
    assert_eq!(config["filter"]["maxResults"], 1000);
    assert_eq!(config["bulk"]["maxOperations"], 1000);
    assert_eq!(config["bulk"]["maxPayloadSize"], 8_388_608);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
}

#[tokio::test]
async fn resource_types_and_schemas_are_listed_and_read_one_by_one() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let types = acme.get("/ResourceTypes").await.expect_status(200).body;
    assert_eq!(types["totalResults"], 2);
    let user = acme.get("/ResourceTypes/User").await.expect_status(200).body;
    assert_eq!(user["endpoint"], "/Users");
    assert_eq!(user["schema"], "urn:ietf:params:scim:schemas:core:2.0:User");
    assert_eq!(
        user["schemaExtensions"],
        json!([{ "schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false }])
    );

    let schemas = acme.get("/Schemas").await.expect_status(200).body;
    assert_eq!(schemas["totalResults"], 6);
    for schema in schemas["Resources"].as_array().unwrap() {
        let id = schema["id"].as_str().unwrap();
        assert_eq!(acme.get(&format!("/Schemas/{id}")).await.expect_status(200).body, *schema);
    }
}

#[tokio::test]
async fn discovery_is_neither_written_nor_filtered() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        let refused = acme.post(path, json!({})).await.expect_status(405);
        assert_eq!(refused.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{path}");
        // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
        assert_eq!(refused.header("allow"), Some("GET,HEAD"), "{path}");
    }
    acme.query("/Schemas", &[("filter", "id pr")]).await.expect_status(403);
    acme.query("/ResourceTypes", &[("filter", "id pr")]).await.expect_status(403);
}
