//! §3.7: Bulk.

use super::*;

const INVALID: &str = "urn:ietf:params:scim:api:messages:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

async fn bulk(acme: &TenantClient, message: &Value) -> Vec<Value> {
    let answer = send(acme, Method::POST, "/Bulk", Some(message), &[]).await.expect_status(200).body;
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    answer["Operations"].as_array().unwrap().clone()
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    operations.iter().map(|operation| operation["status"].as_str().unwrap()).collect()
}

fn id_in(operation: &Value) -> String {
    operation["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn section_3_7_1_circular_references_are_resolved_or_a_conflict() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let printed = r#"{
     "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
     "Operations": [
       {
         "method": "POST",
         "path": "/Groups",
         "bulkId": "qwerty",
         "data": {
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
           "displayName": "Group A",
           "members": [
             {
               "type": "Group",
               "value": "bulkId:ytrewq"
             }
           ]
         }
       },
       {
         "method": "POST",
         "path": "/Groups",
         "bulkId": "ytrewq",
         "data": {
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
           "displayName": "Group B",
           "members": [
             {
               "type": "Group",
               "value": "bulkId:qwerty"
             }
           ]
         }
       }
     ]
   }"#;
    let done = bulk(&acme, &example(printed, &[])).await;
    let found = acme.query("/Groups", &[("filter", "displayName sw \"Group\"")]).await.expect_status(200).body;
    // "MUST try to resolve circular cross-references … but MAY stop after a failed attempt and instead return … 409"
    if statuses(&done).contains(&"409") {
        assert_eq!((statuses(&done), &found["totalResults"]), (vec!["409", "409"], &json!(0)));
        return;
    }
    assert_eq!(statuses(&done), ["201", "201"]);
    let (a, b) = (id_in(&done[0]), id_in(&done[1]));
    assert_eq!(found["totalResults"], 2);
    for (group, member) in [(&a, &b), (&b, &a)] {
        let read = acme.get(&format!("/Groups/{group}")).await.expect_status(200).body;
        assert_eq!(read["members"][0]["value"], member.as_str());
        assert_eq!(read["members"][0]["type"], "Group");
    }
}

#[tokio::test]
async fn section_3_7_2_a_bulk_id_stands_for_the_id_of_what_is_created() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let printed = r#"{
     "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
     "Operations": [
       {
         "method": "POST",
         "path": "/Users",
         "bulkId": "qwerty",
         "data": {
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
           "userName": "Alice"
         }
       },
       {
         "method": "POST",
         "path": "/Groups",
         "bulkId": "ytrewq",
         "data": {
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
           "displayName": "Tour Guides",
           "members": [
             {
               "type": "User",
               "value": "bulkId:qwerty"
             }
           ]
         }
       }
     ]
   }"#;
    let done = bulk(&acme, &example(printed, &[])).await;
    // The example's `"status": {"code": "201"}` is that of an earlier draft; §3.7.3 has `"status": "201"`.
    assert_eq!(statuses(&done), ["201", "201"]);
    let base = format!("http://{}/scim/acme/v2", server.address);
    for (operation, (bulk_id, endpoint)) in done.iter().zip([("qwerty", "Users"), ("ytrewq", "Groups")]) {
        assert_eq!((&operation["method"], &operation["bulkId"]), (&json!("POST"), &json!(bulk_id)));
        assert!(operation["location"].as_str().unwrap().starts_with(&format!("{base}/{endpoint}/")), "{operation}");
        assert!(operation["version"].as_str().unwrap().starts_with("W/"), "{operation}");
    }
    let group = acme.get(&format!("/Groups/{}", id_in(&done[1]))).await.expect_status(200).body;
    assert_eq!(group["displayName"], "Tour Guides");
    assert_eq!(group["members"][0]["value"], id_in(&done[0]).as_str());
    assert_eq!(group["members"][0]["$ref"], done[0]["location"]);
    assert_eq!(group["members"][0]["type"], "User");
}

#[tokio::test]
async fn section_3_7_2_a_bulk_id_in_an_extension_is_replaced_too() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let printed = r#"{
   "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
   "Operations": [
     {
       "method": "POST",
       "path": "/Users",
       "bulkId": "qwerty",
       "data": {
         "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
         "userName": "Alice"
       }
     },
     {
       "method": "POST",
       "path": "/Users",
       "bulkId": "ytrewq",
       "data": {
         "schemas": [
           "urn:ietf:params:scim:schemas:core:2.0:User",
           "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
         ],
         "userName": "Bob",
         "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
           "employeeNumber": "11250",
           "manager": {
             "value": "bulkId:qwerty"
           }
         }
       }
     }
   ]
 }"#;
    let done = bulk(&acme, &example(printed, &[])).await;
    assert_eq!(statuses(&done), ["201", "201"]);
    let bob = acme.get(&format!("/Users/{}", id_in(&done[1]))).await.expect_status(200).body;
    let manager = &bob["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"];
    assert_eq!(*manager, id_in(&done[0]).as_str());
}

/// The request of §3.7.3 for users that exist, with their versions. Its PATCH is printed as `{[…]}`; here it is a
/// `PatchOp` message. `schemas` of the created user is printed with a URN that no schema has.
async fn section_3_7_3(acme: &TenantClient, schema: &str, versions: bool) -> (Value, Vec<String>) {
    let mut ids = Vec::new();
    let mut put_in: Vec<(String, String)> = vec![(INVALID.to_owned(), schema.to_owned())];
    for (name, id, version) in [
        ("Bob", "b7c14771-226c-4d05-8860-134711653041", r#"W\/\"3694e05e9dff591\""#),
        ("Carol", "5d8d29d3-342c-4b5f-8683-a3cb6763ffcc", r#"W/\"edac3253e2c0ef2\""#),
        ("Eve", "e9025315-6bea-44e1-899c-1e07454e468b", r#"W\/\"0ee8add0a938e1a\""#),
    ] {
        let made = create(acme, "/Users", named(name)).await;
        if versions {
            put_in.push((version.to_owned(), made.header("etag").unwrap().replace('"', "\\\"")));
        }
        put_in.push((id.to_owned(), made.id()));
        ids.push(made.id());
    }
    let printed = r#"{
     "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
     "failOnErrors":1,
     "Operations":[
       {
         "method":"POST",
         "path":"/Users",
         "bulkId":"qwerty",
         "data":{
           "schemas": ["urn:ietf:params:scim:api:messages:2.0:User"],
           "userName":"Alice"
         }
       },
       {
         "method":"PUT",
         "path":"/Users/b7c14771-226c-4d05-8860-134711653041",
         "version":"W\/\"3694e05e9dff591\"",
         "data":{
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
           "id":"b7c14771-226c-4d05-8860-134711653041",
           "userName":"Bob"
         }
       },
       {
         "method": "PATCH",
         "path": "/Users/5d8d29d3-342c-4b5f-8683-a3cb6763ffcc",
         "version": "W/\"edac3253e2c0ef2\"",
         "data": {
           "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
           "Operations": [
           {
               "op": "remove",
               "path": "nickName"
           },
           {
               "op": "add",
               "path": "userName",
               "value": "Dave"
           }
         ]}
       },
       {
         "method":"DELETE",
         "path":"/Users/e9025315-6bea-44e1-899c-1e07454e468b",
         "version":"W\/\"0ee8add0a938e1a\""
       }
     ]
   }"#;
    let put_in: Vec<(&str, &str)> = put_in.iter().map(|(printed, real)| (printed.as_str(), real.as_str())).collect();
    (example(printed, &put_in), ids)
}

#[tokio::test]
async fn section_3_7_3_users_are_added_updated_and_removed_in_one_request() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (message, ids) = section_3_7_3(&acme, CORE, true).await;
    let done = bulk(&acme, &message).await;
    assert_eq!(statuses(&done), ["201", "200", "200", "204"]);
    let methods: Vec<&str> = done.iter().map(|operation| operation["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["POST", "PUT", "PATCH", "DELETE"]);
    assert!(done.iter().all(|operation| operation["location"].is_string()), "{done:#?}");
    assert_eq!(done[0]["bulkId"], "qwerty");
    assert_eq!(acme.get(&format!("/Users/{}", ids[1])).await.expect_status(200).body["userName"], "Dave");
    acme.get(&format!("/Users/{}", ids[2])).await.expect_status(404);
}

#[tokio::test]
async fn section_3_7_3_processing_stops_at_the_errors_that_the_client_accepts() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (message, ids) = section_3_7_3(&acme, INVALID, true).await;
    let done = bulk(&acme, &message).await;
    assert_eq!(statuses(&done), ["400"]);
    assert_eq!((&done[0]["method"], &done[0]["bulkId"]), (&json!("POST"), &json!("qwerty")));
    assert_eq!(done[0].get("location"), None, "a failed POST has no location");
    let error = &done[0]["response"];
    assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!((&error["scimType"], &error["status"]), (&json!("invalidSyntax"), &json!("400")));
    acme.get(&format!("/Users/{}", ids[2])).await.expect_status(200);
}

#[tokio::test]
async fn section_3_7_3_without_a_limit_of_errors_every_operation_is_tried() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (mut message, ids) = section_3_7_3(&acme, INVALID, false).await;
    message.as_object_mut().unwrap().remove("failOnErrors");
    acme.delete(&format!("/Users/{}", ids[2])).await.expect_status(204);
    let done = bulk(&acme, &message).await;
    assert_eq!(statuses(&done), ["400", "412", "412", "404"]);
    for operation in &done {
        assert_eq!(operation["response"]["status"], operation["status"], "{operation}");
    }
    for (operation, id) in done[1..].iter().zip(&ids) {
        assert!(operation["location"].as_str().unwrap().ends_with(&format!("/Users/{id}")), "{operation}");
    }
}

#[tokio::test]
async fn section_3_7_4_more_than_may_be_is_413_and_names_the_limit() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let config = acme.get("/ServiceProviderConfig").await.expect_status(200).body;
    assert_eq!(config["bulk"]["supported"], true);
    let limit = |name: &str| usize::try_from(config["bulk"][name].as_u64().unwrap()).unwrap();

    let operation = json!({ "method": "DELETE", "path": "/Users/2819c223-7f76-453a-919d-413861904646" });
    let message = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": vec![operation; limit("maxOperations") + 1],
    });
    let refused = send(&acme, Method::POST, "/Bulk", Some(&message), &[]).await.expect_status(413);
    assert_eq!(refused.body["status"], "413");
    assert!(refused.detail().contains(&limit("maxOperations").to_string()), "{}", refused.detail());

    let mut user = named("Alice");
    user["title"] = "x".repeat(limit("maxPayloadSize")).into();
    let message = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "POST", "path": "/Users", "bulkId": "1", "data": user }],
    });
    let refused = send(&acme, Method::POST, "/Bulk", Some(&message), &[]).await.expect_status(413);
    assert!(refused.detail().contains(&limit("maxPayloadSize").to_string()), "{}", refused.detail());
}
