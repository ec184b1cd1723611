//! `GET /Users` (RFC 7644 §3.4.2).

use scruple_tests::{TenantClient, TestServer, group, user};
use serde_json::json;

async fn names(acme: &TenantClient, filter: &str) -> Vec<String> {
    let found = acme.query("/Users", &[("filter", filter)]).await.expect_status(200).body;
    let resources = found["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(found["totalResults"], resources.len(), "{filter}");
    let mut names: Vec<String> =
        resources.iter().map(|resource| resource["userName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn filters_find_what_matches_and_nothing_else() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut ids = Vec::new();
    for (name, title, active) in [("ada", "Countess", true), ("bob", "builder", true), ("eve", "", false)] {
        let mut body = user(name);
        body["title"] = title.into();
        body["active"] = active.into();
        body["externalId"] = format!("E-{name}").into();
        ids.push(acme.post("/Users", body).await.expect_status(201).id());
    }
    let staff = acme.post("/Groups", group("Staff", &[&ids[0], &ids[2]])).await.expect_status(201).id();

    for (filter, expected) in [
        ("userName eq \"ADA\"", vec!["ada"]),
        ("externalId eq \"E-bob\"", vec!["bob"]),
        ("externalId eq \"e-bob\"", vec![]),
        ("emails.value eq \"eve@example.com\"", vec!["eve"]),
        ("emails[type eq \"work\" and value co \"@example\"]", vec!["ada", "bob", "eve"]),
        ("active eq true and title sw \"count\"", vec!["ada"]),
        ("active eq \"False\"", vec!["eve"]),
        ("not (active eq true)", vec!["eve"]),
        ("title pr", vec!["ada", "bob"]),
        ("userName eq \"ada\" or userName eq \"eve\"", vec!["ada", "eve"]),
        ("name.familyName ew \"lace\" and (userName gt \"b\")", vec!["bob", "eve"]),
        ("meta.resourceType eq \"User\"", vec!["ada", "bob", "eve"]),
        (&format!("groups.value eq \"{staff}\""), vec!["ada", "eve"]),
        (&format!("groups.value eq \"{staff}\" and active eq true"), vec!["ada"]),
        (&format!("id eq \"{}\"", ids[1]), vec!["bob"]),
        ("userName eq \"nobody\"", vec![]),
    ] {
        assert_eq!(names(&acme, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn pages_cover_everything_once() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for n in 0..7 {
        acme.post("/Users", user(&format!("user{n}"))).await.expect_status(201);
    }
    let mut seen = Vec::new();
    for start in ["1", "4", "7"] {
        let page = acme.query("/Users", &[("startIndex", start), ("count", "3")]).await.expect_status(200).body;
        assert_eq!(page["totalResults"], 7);
        assert_eq!(page["startIndex"].to_string(), start);
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], resources.len());
        seen.extend(resources.iter().map(|resource| resource["userName"].as_str().unwrap().to_owned()));
    }
    seen.sort();
    assert_eq!(seen, (0..7).map(|n| format!("user{n}")).collect::<Vec<_>>());

    let beyond = acme.query("/Users", &[("startIndex", "100000000000")]).await.expect_status(200).body;
    assert_eq!((&beyond["totalResults"], &beyond["itemsPerPage"]), (&json!(7), &json!(0)));
    let none = acme.query("/Users", &[("count", "0")]).await.expect_status(200).body;
    assert_eq!((&none["totalResults"], &none["itemsPerPage"]), (&json!(7), &json!(0)));
    let odd = acme.query("/Users", &[("startIndex", "-5"), ("count", "-5")]).await.expect_status(200).body;
    assert_eq!((&odd["startIndex"], &odd["itemsPerPage"]), (&json!(1), &json!(0)));
    acme.query("/Users", &[("count", "many")]).await.expect_status(400);
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused_with_what_is_wrong_and_where() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    for filter in ["", "userName", "userName eq", "userName eq \"a", "shoeSize eq 42", "(userName pr", "active gt true"]
    {
        let refused = acme.query("/Users", &[("filter", filter)]).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidFilter", "{filter}: {}", refused.detail());
    }
    let refused = acme.query("/Users", &[("filter", "shoeSize eq 42")]).await;
    assert!(refused.detail().contains("shoeSize"), "{}", refused.detail());
}
