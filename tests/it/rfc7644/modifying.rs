//! §3.5: PUT and PATCH.

use super::*;

const BABS: &str = "2819c223-7f76-453a-919d-413861904646";

/// A group with Babs and the ids of Babs and James.
async fn tour_guides(acme: &TenantClient) -> (String, String, String) {
    let babs = create(acme, "/Users", named("bjensen")).await.id();
    let james = create(acme, "/Users", named("jsmith")).await.id();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Tour Guides",
        "members": [{ "value": babs }],
    });
    (create(acme, "/Groups", group).await.id(), babs, james)
}

async fn patched(acme: &TenantClient, path: &str, message: &Value) -> Response {
    let version = acme.get(path).await.header("etag").unwrap().to_owned();
    send(acme, Method::PATCH, path, Some(message), &[("If-Match", &version)]).await
}

async fn members(acme: &TenantClient, group: &str) -> Vec<String> {
    let read = acme.get(&format!("/Groups/{group}")).await.expect_status(200).body;
    let members = read["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn section_3_5_1_a_user_is_replaced() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = example(BJENSEN, &[]);
    body["roles"] = json!([{ "value": "guide" }]);
    let created = create(&acme, "/Users", body).await;
    let printed = r#"{
      "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
      "id":"2819c223-7f76-453a-919d-413861904646",
      "userName":"bjensen",
      "externalId":"bjensen",
      "name":{
        "formatted":"Ms. Barbara J Jensen III",
        "familyName":"Jensen",
        "givenName":"Barbara",
        "middleName":"Jane"
      },
      "roles":[],
      "emails":[
        {
            "value":"bjensen@example.com"
        },
        {
            "value":"babs@jensen.org"
        }
      ]
    }"#;
    let body = example(printed, &[(BABS, &created.id())]);
    let version = [("If-Match", created.header("etag").unwrap())];
    let path = format!("/Users/{}", created.id());
    let replaced = send(&acme, Method::PUT, &path, Some(&body), &version).await.expect_status(200);
    assert_eq!(replaced.header("location"), created.header("location"));
    assert_ne!(replaced.header("etag"), created.header("etag"));
    assert_eq!(replaced.body["meta"]["version"].as_str(), replaced.header("etag"));
    assert_eq!(replaced.body["meta"]["created"], created.body["meta"]["created"]);
    assert_eq!(without(replaced.body, &["meta"]), without(body, &["roles"]));
}

#[tokio::test]
async fn section_3_5_2_1_members_and_attributes_are_added() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (group, babs, james) = tour_guides(&acme).await;
    let path = format!("/Groups/{group}");
    let printed = r#"{ "schemas":
      ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations":[
       {
        "op":"add",
        "path":"members",
        "value":[
         {
           "display": "Babs Jensen",
           "$ref":
   "https://example.com/v2/Users/2819c223...413861904646",
           "value": "2819c223-7f76-453a-919d-413861904646"
         }
        ]
       }
     ]
   }"#;
    let added = patched(&acme, &path, &example(printed, &[(BABS, &james)])).await.expect_status(200);
    assert_eq!(members(&acme, &group).await.len(), 2);
    // "If the user was already a member of this group, no changes should be made to the resource"
    let again = patched(&acme, &path, &example(printed, &[(BABS, &james)])).await.expect_status(200);
    assert_eq!(again.header("etag"), added.header("etag"));

    // As printed, a brace is missing before the last bracket.
    let printed = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations":[{
       "op":"add",
       "value":{
         "emails":[
           {
             "value":"babs@jensen.org",
             "type":"home"
           }
         ],
         "nickname":"Babs"
       }
     }]
   }"#;
    let path = format!("/Users/{babs}");
    let user = patched(&acme, &path, &example(printed, &[])).await.expect_status(200).body;
    assert_eq!(user["nickName"], "Babs");
    assert_eq!(user["emails"], json!([{ "value": "babs@jensen.org", "type": "home" }]));
    let version = user["meta"]["version"].clone();
    let again = patched(&acme, &path, &example(printed, &[])).await.expect_status(200).body;
    assert_eq!(again["meta"]["version"], version, "an addition of what is there changed the version");
}

#[tokio::test]
async fn section_3_5_2_2_members_and_values_are_removed() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (group, babs, james) = tour_guides(&acme).await;
    let path = format!("/Groups/{group}");

    let one = r#"{
     "schemas":
      ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations":[{
       "op":"remove",
       "path":"members[value eq \"2819c223-7f76-...413861904646\"]"
     }]
   }"#;
    patched(&acme, &path, &example(one, &[("2819c223-7f76-...413861904646", &babs)])).await.expect_status(200);
    assert_eq!(members(&acme, &group).await, Vec::<String>::new());
    // "If the user was not a member of this group, no changes should be made … and a success response should be returned."
    patched(&acme, &path, &example(one, &[("2819c223-7f76-...413861904646", &babs)])).await.expect_status(200);

    // All are removed, then others added.
    let other = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [
       {
         "op":"remove","path":"members"
       },
       {
         "op":"add",
         "path":"members",
         "value":[
         {
           "display": "Babs Jensen",
           "$ref":
   "https://example.com/v2/Users/2819c223...413861904646",
           "value": "2819c223-7f76-453a-919d-413861904646"
         },
         {
           "display": "James Smith",
           "$ref":
   "https://example.com/v2/Users/08e1d05d...473d93df9210",
           "value": "08e1d05d-121c-4561-8b96-473d93df9210"
         }]
       }
     ]
   }"#;
    let ids = [(BABS, babs.as_str()), ("08e1d05d-121c-4561-8b96-473d93df9210", james.as_str())];
    patched(&acme, &path, &example(other, &ids)).await.expect_status(200);
    assert_eq!(members(&acme, &group).await.len(), 2);

    let all = r#"{ "schemas":
      ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations":[{
       "op":"remove","path":"members"
     }]
   }"#;
    patched(&acme, &path, &example(all, &[])).await.expect_status(200);
    assert_eq!(members(&acme, &group).await, Vec::<String>::new());

    // The RFC's filter has no space between `eq` and the quote.
    let swap = r#"{ "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [
       {
         "op":"remove",
         "path":
           "members[value eq\"2819c223...919d-413861904646\"]"
       },
       {
         "op":"add",
         "path":"members",
         "value": [
           {
             "display": "James Smith",
             "$ref":
   "https://example.com/v2/Users/08e1d05d...473d93df9210",
             "value": "08e1d05d...473d93df9210"
           }
         ]
       }
     ]
   }"#;
    let ids = [("2819c223...919d-413861904646", babs.as_str()), ("08e1d05d...473d93df9210", james.as_str())];
    patched(&acme, &path, &example(swap, &ids)).await.expect_status(200);
    assert_eq!(members(&acme, &group).await, [james]);

    let mut user = named("mandy");
    user["emails"] = json!([
        { "value": "mandy@example.com", "type": "work" },
        { "value": "mandy@example.com", "type": "home" },
        { "value": "mandy@example.org", "type": "work" },
    ]);
    let user = create(&acme, "/Users", user).await.id();
    let value = r#"{
     "schemas":
      ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [{
     "op":"remove",
     "path":"emails[type eq \"work\" and value ew \"example.com\"]"
     }]
   }"#;
    let left = patched(&acme, &format!("/Users/{user}"), &example(value, &[])).await.expect_status(200).body;
    let expected =
        json!([{ "value": "mandy@example.com", "type": "home" }, { "value": "mandy@example.org", "type": "work" }]);
    assert_eq!(left["emails"], expected);
}

#[tokio::test]
async fn section_3_5_2_3_members_and_values_are_replaced() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let (group, babs, james) = tour_guides(&acme).await;
    let printed = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [{
       "op":"replace",
       "path":"members",
       "value":[
         {
           "display": "Babs Jensen",
           "$ref":
   "https://example.com/v2/Users/2819c223...413861904646",
           "value": "2819c223...413861904646"
         },
         {
           "display": "James Smith",
           "$ref":
   "https://example.com/v2/Users/08e1d05d...473d93df9210",
           "value": "08e1d05d...473d93df9210"
         }
       ]
     }]
   }"#;
    let ids = [("2819c223...413861904646", babs.as_str()), ("08e1d05d...473d93df9210", james.as_str())];
    patched(&acme, &format!("/Groups/{group}"), &example(printed, &ids)).await.expect_status(200);
    assert_eq!(members(&acme, &group).await.len(), 2);

    let path = format!("/Users/{babs}");
    let addresses = json!([
        { "type": "work", "locality": "Berlin", "region": "BE" },
        { "type": "home", "locality": "Hollywood", "primary": true },
    ]);
    acme.patch(&path, json!([{ "op": "add", "path": "addresses", "value": addresses }])).await.expect_status(200);
    let work = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [{
       "op":"replace",
       "path":"addresses[type eq \"work\"]",
       "value":
       {
         "type": "work",
         "streetAddress": "911 Universal City Plaza",
         "locality": "Hollywood",
         "region": "CA",
         "postalCode": "91608",
         "country": "US",
         "formatted":
   "911 Universal City Plaza\nHollywood, CA 91608 US",
         "primary": true
       }
     }]
   }"#;
    let work = example(work, &[]);
    let user = patched(&acme, &path, &work).await.expect_status(200).body;
    assert_eq!(user["addresses"][0], work["Operations"][0]["value"]);
    // "the service provider will reset "primary" to "false" for any other existing values of "addresses""
    assert_eq!(user["addresses"][1], json!({ "type": "home", "locality": "Hollywood", "primary": false }));

    let street = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [{
       "op":"replace",
       "path":"addresses[type eq \"work\"].streetAddress",
       "value":"1010 Broadway Ave"
     }]
   }"#;
    let user = patched(&acme, &path, &example(street, &[])).await.expect_status(200).body;
    assert_eq!(user["addresses"][0]["streetAddress"], "1010 Broadway Ave");
    assert_eq!(user["addresses"][0]["postalCode"], "91608");

    // As printed, a brace is missing before the last bracket.
    let emails = r#"{
     "schemas":
       ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
     "Operations": [{
       "op":"replace",
       "value":{
         "emails":[
           {
             "value":"bjensen@example.com",
             "type":"work",
             "primary":true
           },
           {
             "value":"babs@jensen.org",
             "type":"home"
           }
         ],
         "nickname":"Babs"
       }
     }]
   }"#;
    let emails = example(emails, &[]);
    let user = patched(&acme, &path, &emails).await.expect_status(200).body;
    assert_eq!(user["emails"], emails["Operations"][0]["value"]["emails"]);
    assert_eq!(user["nickName"], "Babs");
    assert_eq!(user["addresses"][0]["streetAddress"], "1010 Broadway Ave", "other attributes are unaffected");
}
