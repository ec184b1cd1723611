//! §3.4, §3.9: one resource, lists, filters, searches.

use super::*;

#[tokio::test]
async fn section_3_4_1_a_known_user_is_read() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut body = example(BJENSEN, &[]);
    body["phoneNumbers"] = example(r#"[ { "value":"555-555-8377", "type":"work" } ]"#, &[]);
    body["emails"] = example(r#"[ { "value":"bjensen@example.com", "type":"work" } ]"#, &[]);
    let created = create(&acme, "/Users", body.clone()).await;
    let read = send(&acme, Method::GET, &format!("/Users/{}", created.id()), None, &[]).await.expect_status(200);
    assert_eq!(read.header("content-type"), Some("application/scim+json"));
    assert_eq!(read.header("location"), created.header("location"));
    assert_eq!(read.header("etag"), created.header("etag"));
    assert_eq!(without(read.body.clone(), &["id", "meta"]), body);
    assert_eq!(read.body, created.body);
}

#[tokio::test]
async fn section_3_4_2_a_list_shows_the_user_names_that_were_asked_for() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids =
        [create(&acme, "/Users", named("bjensen")).await.id(), create(&acme, "/Users", named("jsmith")).await.id()];
    let listed = send(&acme, Method::GET, "/Users?attributes=userName", None, &[]).await.expect_status(200).body;
    assert_eq!(listed["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    assert_eq!(listed["totalResults"], 2);
    let mut found: Vec<Value> = listed["Resources"].as_array().unwrap().clone();
    found.sort_by_key(|user| user["userName"].to_string());
    // The example shows no `schemas`; RFC 7643 §3 makes them part of every representation.
    let found: Vec<Value> = found.into_iter().map(|user| without(user, &["schemas"])).collect();
    let expected = [json!({ "id": ids[0], "userName": "bjensen" }), json!({ "id": ids[1], "userName": "jsmith" })];
    assert_eq!(found, expected);
}

/// Figure 2. Two users: one of whom most of the examples speak, and one who is none of it.
#[tokio::test]
async fn section_3_4_2_2_every_example_of_a_filter_finds_what_it_should() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mut bjensen = named("bjensen");
    bjensen["name"] = json!({ "familyName": "O'Malley" });
    bjensen["userType"] = "Employee".into();
    bjensen["emails"] = json!([{ "type": "work", "value": "bjensen@example.com" }]);
    create(&acme, "/Users", bjensen).await;
    let mut jsmith = named("Jsmith");
    jsmith["title"] = "Trainee".into();
    jsmith["userType"] = "Intern".into();
    jsmith["ims"] = json!([{ "type": "xmpp", "value": "jsmith@foo.com" }]);
    jsmith[enterprise] = json!({ "department": "Tours" });
    create(&acme, "/Users", jsmith).await;

    let (b, j, both, none): (&[&str], &[&str], &[&str], &[&str]) =
        (&["bjensen"], &["Jsmith"], &["Jsmith", "bjensen"], &[]);
    for (filter, expected) in [
        (r#"userName eq "bjensen""#, b),
        (r#"name.familyName co "O'Malley""#, b),
        (r#"userName sw "J""#, j),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#, j),
        ("title pr", j),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, both),
        (r#"meta.lastModified ge "2011-05-13T04:42:34Z""#, both),
        (r#"meta.lastModified lt "2011-05-13T04:42:34Z""#, none),
        (r#"meta.lastModified le "2011-05-13T04:42:34Z""#, none),
        (r#"title pr and userType eq "Employee""#, none),
        (r#"title pr or userType eq "Intern""#, j),
        (r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#, j),
        ("userType eq \"Employee\" and (emails co \"example.com\" or\n  emails.value co \"example.org\")", b),
        ("userType ne \"Employee\" and not (emails co \"example.com\" or\n  emails.value co \"example.org\")", j),
        (r#"userType eq "Employee" and (emails.type eq "work")"#, b),
        ("userType eq \"Employee\" and emails[type eq \"work\" and\n  value co \"@example.com\"]", b),
        (
            "emails[type eq \"work\" and value co \"@example.com\"] or\n  ims[type eq \"xmpp\" and value co \"@foo.com\"]",
            both,
        ),
        // "Attribute names and attribute operators used in filters are case insensitive."
        (r#"userName Eq "BJensen""#, b),
        (r#"Username eq "bjensen""#, b),
    ] {
        let found = acme.query("/Users", &[("filter", filter)]).await.expect_status(200).body;
        let resources = found["Resources"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<&str> = resources.iter().map(|user| user["userName"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{filter}");
    }
    // "if a client specified an unsupported operator named 'regex' …"
    let refused = acme.query("/Users", &[("filter", "userName regex \"b.*\"")]).await.expect_status(400);
    assert_eq!(refused.body["scimType"], "invalidFilter");
    assert!(refused.detail().contains("regex"), "{}", refused.detail());
}

#[tokio::test]
async fn section_3_4_2_4_a_page_tells_where_it_begins_and_of_how_many_it_is() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for n in 0..12 {
        create(&acme, "/Users", named(&format!("user{n}"))).await;
    }
    for (path, start, count) in [("/Users?startIndex=1&count=10", 1, 10), ("/Users?startIndex=11&count=10", 11, 2)] {
        let page = send(&acme, Method::GET, path, None, &[]).await.expect_status(200).body;
        assert_eq!(page["totalResults"], 12);
        assert_eq!((&page["startIndex"], &page["itemsPerPage"]), (&json!(start), &json!(count)));
        assert_eq!(page["Resources"].as_array().unwrap().len(), count);
    }
}

#[tokio::test]
async fn section_3_4_3_a_search_at_the_root_finds_users_and_groups() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut jsmith = named("jsmith");
    jsmith["displayName"] = "Smith, James".into();
    let jsmith = create(&acme, "/Users", jsmith).await.id();
    create(&acme, "/Users", named("bjensen")).await;
    let family = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Smith Family" });
    let family = create(&acme, "/Groups", family).await.id();
    let search = example(
        r#"{
          "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
          "attributes": ["displayName", "userName"],
          "filter":
            "displayName sw \"smith\"",
          "startIndex": 1,
          "count": 10
        }"#,
        &[],
    );
    let found = send(&acme, Method::POST, "/.search", Some(&search), &[]).await.expect_status(200).body;
    assert_eq!(found["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    assert_eq!(
        (&found["totalResults"], &found["itemsPerPage"], &found["startIndex"]),
        (&json!(2), &json!(2), &json!(1))
    );
    let mut resources: Vec<Value> = found["Resources"].as_array().unwrap().clone();
    resources.sort_by_key(|resource| resource["displayName"].to_string());
    let shown: Vec<Value> = resources.into_iter().map(|resource| without(resource, &["schemas"])).collect();
    let expected = [
        json!({ "id": family, "displayName": "Smith Family" }),
        json!({ "id": jsmith, "userName": "jsmith", "displayName": "Smith, James" }),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn section_3_9_a_partial_representation_has_what_was_asked_for_and_the_minimum() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let created = create(&acme, "/Users", example(BJENSEN, &[])).await;
    let path = format!("/Users/{}?attributes=userName", created.id());
    let partial = send(&acme, Method::GET, &path, None, &[]).await.expect_status(200);
    let printed = r#"{
      "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
      "id":"2819c223-7f76-453a-919d-413861904646",
      "userName":"bjensen"
    }"#;
    assert_eq!(partial.body, example(printed, &[("2819c223-7f76-453a-919d-413861904646", &created.id())]));
    assert_eq!(partial.header("etag"), created.header("etag"));
}
