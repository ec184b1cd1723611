//! `/Groups`: the same code path as `/Users`, and members.

use reqwest::Method;
use scruple_tests::{Response, TenantClient, TestServer, group, patch_op, user};
use serde_json::{Value, json};

async fn users(acme: &TenantClient, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(acme.post("/Users", user(name)).await.expect_status(201).id());
    }
    ids
}

fn members(read: &Response) -> Vec<String> {
    members_of(&read.body)
}

fn members_of(group: &Value) -> Vec<String> {
    let members = group["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_group_shows_its_members_with_type_and_reference_and_with_their_names_if_asked() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["ada"]).await;
    let inner = acme.post("/Groups", group("Inner", &[])).await.expect_status(201).id();
    let created = acme.post("/Groups", group("Outer", &[&ids[0], &inner])).await.expect_status(201);
    let base = format!("http://{}/scim/acme/v2", server.address);
    let mut found = created.body["members"].as_array().unwrap().clone();
    found.sort_by_key(|member| member["type"].as_str().unwrap().to_owned());
    assert_eq!(
        found,
        [
            json!({ "value": inner, "type": "Group", "$ref": format!("{base}/Groups/{inner}") }),
            json!({ "value": ids[0], "type": "User", "$ref": format!("{base}/Users/{}", ids[0]) }),
        ]
    );
    let path = format!("/Groups/{}", created.id());
    let asked = acme.query(&path, &[("attributes", "members.value,members.display")]).await.expect_status(200);
    let mut named = asked.body["members"].as_array().unwrap().clone();
    named.sort_by_key(|member| member["display"].as_str().unwrap().to_owned());
    assert_eq!(named, [json!({ "value": inner, "display": "Inner" }), json!({ "value": ids[0], "display": "ada" })]);
    let without = acme.query(&format!("/Groups/{}", created.id()), &[("excludedAttributes", "members")]).await;
    assert_eq!(without.body.get("members"), None);
    assert_eq!(without.body["displayName"], "Outer");
}

#[tokio::test]
async fn members_change_by_every_form_of_patch() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a", "b", "c", "d", "e"]).await;
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| &ids[n]);
    let staff = acme.post("/Groups", group("Staff", &[a])).await.expect_status(201).id();
    let path = format!("/Groups/{staff}");
    let value = |id: &String| json!([{ "value": id }]);

    let steps: Vec<(Value, Vec<&String>)> = vec![
        (json!([patch_op("add", "members", json!([{ "value": b }, { "value": c, "$ref": null }]))]), vec![a, b, c]),
        (json!([{ "op": "add", "value": { "members": value(d) } }]), vec![a, b, c, d]),
        (json!([patch_op("Add", "members", value(a))]), vec![a, b, c, d]),
        (json!([{ "op": "remove", "path": format!("members[value eq \"{a}\"]") }]), vec![b, c, d]),
        (json!([patch_op("Remove", "members", json!([{ "value": b }, { "value": e }]))]), vec![c, d]),
        (json!([patch_op("replace", "members", json!([{ "value": d }, { "value": e }]))]), vec![d, e]),
        (json!([patch_op("remove", "members", value(d)), patch_op("add", "members", value(a))]), vec![a, e]),
        (json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]), vec![]),
        (json!([{ "op": "add", "path": "members", "value": { "value": c } }]), vec![c]),
        (json!([{ "op": "remove", "path": "members" }]), vec![]),
    ];
    for (operations, expected) in steps {
        acme.patch(&path, operations.clone()).await.expect_status(200);
        assert_eq!(members(&acme.get(&path).await), sorted(&expected), "{operations}");
    }
}

#[tokio::test]
async fn a_patch_returns_the_group_when_attributes_are_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a"]).await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [patch_op("add", "members", json!([{ "value": ids[0] }]))],
    });
    let path = format!("/scim/acme/v2/Groups/{staff}?attributes=members");
    let patched = acme.scim.patch(&path, body).await.expect_status(200);
    assert_eq!(members(&patched), ids);
}

#[tokio::test]
async fn a_put_replaces_the_members() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a", "b", "c"]).await;
    let staff = acme.post("/Groups", group("Staff", &[&ids[0], &ids[1]])).await.expect_status(201).id();
    let path = format!("/Groups/{staff}");
    let replaced = acme.put(&path, group("Crew", &[&ids[1], &ids[2]])).await.expect_status(200);
    assert_eq!(members(&replaced), sorted(&[&ids[1], &ids[2]]));
    assert_eq!(replaced.body["displayName"], "Crew");
    let emptied = acme.put(&path, group("Crew", &[])).await.expect_status(200);
    assert_eq!(members(&emptied), Vec::<String>::new());
}

#[tokio::test]
async fn a_member_that_does_not_exist_is_named() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    for missing in ["01936d4e-0000-7000-8000-000000000000", "nobody"] {
        let operations = json!([patch_op("add", "members", json!([{ "value": missing }]))]);
        let refused = acme.patch(&format!("/Groups/{staff}"), operations).await.expect_status(400);
        assert_eq!(refused.body["scimType"], "invalidValue");
        assert!(refused.detail().contains(missing), "{}", refused.detail());
    }
}

#[tokio::test]
async fn a_group_cannot_be_its_own_member() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    let operations = json!([patch_op("add", "members", json!([{ "value": staff }]))]);
    acme.patch(&format!("/Groups/{staff}"), operations).await.expect_status(400);
}

#[tokio::test]
async fn a_membership_raises_the_version_and_a_repeated_one_does_not() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a"]).await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    let add = json!([patch_op("add", "members", json!([{ "value": ids[0] }]))]);
    let first = acme.patch(&format!("/Groups/{staff}"), add.clone()).await.expect_status(200);
    let second = acme.patch(&format!("/Groups/{staff}"), add).await.expect_status(200);
    assert_eq!(first.header("etag"), Some("W/\"2\""));
    assert_eq!(second.header("etag"), Some("W/\"2\""));
}

#[tokio::test]
async fn a_group_of_a_thousand_is_made_read_and_emptied() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut ids = Vec::new();
    for n in 0..1_000 {
        ids.push(acme.post("/Users", user(&format!("user{n}"))).await.expect_status(201).id());
    }
    let members_sent: Vec<&str> = ids.iter().map(String::as_str).collect();
    let staff = acme.post("/Groups", group("Staff", &members_sent)).await.expect_status(201).id();
    ids.sort();
    assert_eq!(members(&acme.get(&format!("/Groups/{staff}")).await), ids);
    let found = acme.query("/Groups", &[("filter", &format!("members.value eq \"{}\"", ids[500]))]).await;
    assert_eq!(found.body["totalResults"], 1);
    acme.patch(&format!("/Groups/{staff}"), json!([{ "op": "remove", "path": "members" }])).await.expect_status(200);
    assert_eq!(members(&acme.get(&format!("/Groups/{staff}")).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_group_in_another_version_is_neither_patched_nor_replaced_nor_deleted() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a", "b"]).await;
    let staff = acme.post("/Groups", group("Staff", &[&ids[0]])).await.expect_status(201).id();
    let path = acme.scim_path(&format!("/Groups/{staff}"));
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [patch_op("add", "members", json!([{ "value": ids[1] }]))],
    });
    for (method, body) in [(Method::PATCH, patch), (Method::PUT, group("Crew", &[])), (Method::DELETE, Value::Null)] {
        let request = acme.scim.request(method, &path).header("if-match", "W/\"7\"");
        acme.scim.send(request.json(&body)).await.expect_status(412);
    }
    assert_eq!(members(&acme.get(&format!("/Groups/{staff}")).await), ids[..1]);
}

#[tokio::test]
async fn a_list_of_groups_shows_members_unless_they_are_excluded() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["a"]).await;
    acme.post("/Groups", group("Staff", &[&ids[0]])).await.expect_status(201);
    let shown = acme.get("/Groups").await.expect_status(200).body;
    assert_eq!(shown["Resources"][0]["members"][0]["value"], ids[0].as_str());
    let without = acme.query("/Groups", &[("excludedAttributes", "members")]).await.expect_status(200).body;
    assert_eq!(
        (&without["Resources"][0]["displayName"], without["Resources"][0].get("members")),
        (&json!("Staff"), None)
    );
    let named = acme.query("/Groups", &[("attributes", "displayName")]).await.expect_status(200).body;
    let keys: Vec<&String> = named["Resources"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["displayName", "id", "schemas"]);
}

#[tokio::test]
async fn a_user_shows_the_groups_that_its_groups_are_in() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, &["ada"]).await;
    let team = acme.post("/Groups", group("Team", &[&ids[0]])).await.expect_status(201).id();
    let company = acme.post("/Groups", group("Company", &[&team])).await.expect_status(201).id();
    acme.patch(&format!("/Groups/{team}"), json!([patch_op("add", "members", json!([{ "value": company }]))]))
        .await
        .expect_status(200);
    let base = format!("http://{}/scim/acme/v2", server.address);
    let expected = json!([
        { "value": team, "type": "direct", "display": "Team", "$ref": format!("{base}/Groups/{team}") },
        { "value": company, "type": "indirect", "display": "Company", "$ref": format!("{base}/Groups/{company}") },
    ]);
    let read = acme.get(&format!("/Users/{}", ids[0])).await.expect_status(200);
    assert_eq!(read.body["groups"], expected);
    let listed = acme.get("/Users").await.expect_status(200);
    assert_eq!(listed.body["Resources"][0]["groups"], expected);
    // A filter asks for what the group itself states.
    for (group, expected) in [(&team, 1), (&company, 0)] {
        let found = acme.query("/Users", &[("filter", &format!("groups.value eq \"{group}\""))]).await;
        assert_eq!(found.expect_status(200).body["totalResults"], expected);
    }
}

/// More members than the first question brings.
#[tokio::test]
async fn a_group_of_many_is_sent_whole_and_in_order() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut creating = tokio::task::JoinSet::new();
    for number in 0..1_003 {
        let acme = acme.clone();
        creating.spawn(async move { acme.post("/Users", user(&format!("u{number}"))).await.expect_status(201).id() });
    }
    let mut ids = creating.join_all().await;
    ids.sort();
    let created = acme
        .post("/Groups", group("All", &ids.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .expect_status(201);
    assert_eq!(members(&created), ids);
    let path = format!("/Groups/{}", created.id());

    let read = acme.get(&path).await.expect_status(200);
    assert_eq!(read.header("content-type"), Some("application/scim+json"));
    assert_eq!(read.header("etag"), created.header("etag"));
    assert_eq!((&read.body["displayName"], &read.body["id"]), (&json!("All"), &json!(created.id())));
    let shown: Vec<&str> =
        read.body["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect();
    assert_eq!(shown, ids);
    assert_eq!(read.body["members"][1_002]["type"], "User");

    let values = acme.query(&path, &[("attributes", "members.value")]).await.expect_status(200);
    assert_eq!(values.body["members"][1_002], json!({ "value": ids[1_002] }));
    assert_eq!(values.body.get("displayName"), None);
    let types = acme.query(&path, &[("attributes", "members.type"), ("excludedAttributes", "")]).await;
    assert_eq!(types.expect_status(200).body["members"][0], json!({ "type": "User" }));
    let listed = acme.get("/Groups").await.expect_status(200);
    assert_eq!(listed.body["Resources"][0]["members"], read.body["members"]);
    let without = acme.query(&path, &[("excludedAttributes", "members")]).await.expect_status(200);
    assert_eq!(without.body.get("members"), None);

    // A list of several, of which some have no members and some have nothing of them to show.
    for name in ["Few", "None"] {
        let members: &[&str] = if name == "Few" { &[&ids[0]] } else { &[] };
        acme.post("/Groups", group(name, members)).await.expect_status(201);
    }
    let listed = acme.query("/Groups", &[("count", "2")]).await.expect_status(200);
    assert_eq!(listed.header("content-type"), Some("application/scim+json"));
    assert_eq!((&listed.body["totalResults"], &listed.body["itemsPerPage"]), (&json!(3), &json!(2)));
    let names: Vec<&Value> =
        listed.body["Resources"].as_array().unwrap().iter().map(|one| &one["displayName"]).collect();
    assert_eq!(names, ["All", "Few"]);
    assert_eq!(listed.body["Resources"][0], read.body);
    assert_eq!(members_of(&listed.body["Resources"][1]), ids[..1]);
    let listed = acme.query("/Groups", &[("attributes", "members.display")]).await.expect_status(200);
    assert_eq!(listed.body["Resources"][0]["members"].as_array().map(Vec::len), Some(1_003));
    assert_eq!(listed.body["Resources"][2].get("members"), None);
    let searched = acme.post(
        "/Groups/.search",
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName eq \"all\"",
        }),
    );
    assert_eq!(searched.await.expect_status(200).body["Resources"][0], read.body);

    // The answers to changes.
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let replaced = acme.put(&path, group("Everybody", &all)).await.expect_status(200);
    assert_eq!((replaced.header("etag"), members(&replaced)), (Some("W/\"2\""), ids.clone()));
    let remove = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) }],
    });
    let patched = acme.scim.patch(&acme.scim_path(&format!("{path}?attributes=members")), remove).await;
    assert_eq!(members(&patched.expect_status(200)), ids[1..]);
}
