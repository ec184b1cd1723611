//! Changes of more members than are listed. The limit is lowered, so that few members are many.

use scruple::config::Config;
use scruple_tests::components::PROTECTED_ACCOUNTS;
use scruple_tests::{TenantClient, TestServer, group, patch_op, user};
use serde_json::{Value, json};

/// Users.
const MANY: usize = 90;

async fn start() -> (TestServer, TenantClient, Vec<String>) {
    let mut config = Config::default();
    config.scim.limits.members_listed_max = 10;
    // No room for so many differences of members, of some 120 bytes each.
    config.sandbox.read_bytes_max = Some(9_000);
    let server = TestServer::start_with(config).await;
    let acme = server.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..MANY {
        ids.push(acme.post("/Users", user(&format!("u{number}"))).await.expect_status(201).id());
    }
    (server, acme, ids)
}

async fn members(acme: &TenantClient, group: &str) -> Vec<String> {
    let read = acme.get(&format!("/Groups/{group}")).await.expect_status(200);
    let members = read.body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

async fn total(acme: &TenantClient, endpoint: &str, filter: &str) -> u64 {
    let found = acme.query(endpoint, &[("filter", filter)]).await.expect_status(200);
    found.body["totalResults"].as_u64().unwrap()
}

/// Who is in the group, by every question there is.
async fn check(acme: &TenantClient, staff: &str, everybody: &[String], expected: &[String]) {
    assert_eq!(members(acme, staff).await, expected);
    let in_staff = format!("groups.value eq \"{staff}\"");
    let users = expected.iter().filter(|id| everybody.contains(id)).count() as u64;
    assert_eq!(total(acme, "/Users", &in_staff).await, users);
    for id in [&everybody[0], &everybody[MANY - 1]] {
        let groups = acme.get(&format!("/Users/{id}")).await.expect_status(200).body["groups"].clone();
        let is_in = expected.contains(id);
        assert_eq!(groups.as_array().map_or(0, Vec::len), usize::from(is_in), "{groups}");
        assert_eq!(total(acme, "/Groups", &format!("members[value eq \"{id}\"]")).await, u64::from(is_in));
    }
}

fn refs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn values(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

#[tokio::test]
async fn many_members_are_replaced_filtered_and_removed() {
    let (_server, acme, ids) = start().await;
    let inner = acme.post("/Groups", group("Inner", &[])).await.expect_status(201).id();
    let staff = acme.post("/Groups", group("Staff", &refs(&ids))).await.expect_status(201).id();
    let path = format!("/Groups/{staff}");
    let patch = async |operation: Value| acme.patch(&path, json!([operation])).await.expect_status(200);
    check(&acme, &staff, &ids, &ids).await;

    // By a replacement some stay; by PUT others come.
    patch(patch_op("replace", "members", values(&ids[20..30]))).await;
    check(&acme, &staff, &ids, &ids[20..30]).await;
    acme.put(&path, group("Staff", &refs(&ids))).await.expect_status(200);
    patch(json!({ "op": "add", "path": "members", "value": [{ "value": inner }] })).await;
    let mut all = ids.clone();
    all.push(inner.clone());
    all.sort();
    check(&acme, &staff, &ids, &all).await;

    // Operations in their order: whoever is added after a filter stays.
    let operations = json!([
        { "op": "remove", "path": "members[type eq \"User\"]" },
        patch_op("add", "members", values(&ids[..1])),
    ]);
    let version = acme.patch(&path, operations.clone()).await.expect_status(200);
    let mut left = vec![ids[0].clone(), inner.clone()];
    left.sort();
    check(&acme, &staff, &ids, &left).await;
    let again = acme.patch(&path, operations).await.expect_status(200);
    assert_eq!(again.header("etag"), version.header("etag"), "nothing has changed");

    acme.put(&path, group("Staff", &refs(&ids))).await.expect_status(200);
    patch(json!({ "op": "remove", "path": "members" })).await;
    check(&acme, &staff, &ids, &[]).await;
    patch(patch_op("add", "members", values(&ids))).await;
    patch(json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) })).await;
    check(&acme, &staff, &ids, &ids[1..]).await;
    acme.delete(&path).await.expect_status(204);
    assert_eq!(total(&acme, "/Users", &format!("groups.value eq \"{staff}\"")).await, 0);
    // As there is no such group any more, it has no members that a new one of its name could have.
    let next = acme.post("/Groups", group("Staff", &refs(&ids[..2]))).await.expect_status(201).id();
    check(&acme, &next, &ids, &ids[..2]).await;
}

/// A constraint cannot be told all of the differences, and finds what matters to it nevertheless.
#[tokio::test]
async fn a_protected_account_is_not_lost_among_many() {
    let (_server, acme, ids) = start().await;
    let root = acme.post("/Users", user("root")).await.expect_status(201).id();
    let mut all = ids.clone();
    all.push(root.clone());
    let staff = acme.post("/Groups", group("Staff", &refs(&all))).await.expect_status(201).id();
    let minimum = json!([{ "displayName": "staff", "minimum": 3 }]);
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "accounts": ["ROOT"], "groups": minimum })).await;
    let path = format!("/Groups/{staff}");
    let with_root = |others: &[String]| [others, std::slice::from_ref(&root)].concat();

    for operation in [
        patch_op("replace", "members", values(&ids[..10])),
        patch_op("replace", "members", json!([])),
        json!({ "op": "remove", "path": "members" }),
        json!({ "op": "remove", "path": "members[type eq \"User\"]" }),
        patch_op("remove", "members", values(&all)),
    ] {
        let refused = acme.patch(&path, json!([operation])).await.expect_status(403);
        assert_eq!(refused.reason_codes()[0], "protected-account-removed-from-group", "{operation}");
    }
    acme.put(&path, group("Staff", &refs(&ids))).await.expect_status(403);
    acme.delete(&path).await.expect_status(403);
    let mut expected = all.clone();
    expected.sort();
    check(&acme, &staff, &all, &expected).await;

    // Small changes and large ones that spare it.
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[5]) }]);
    acme.patch(&path, remove).await.expect_status(200);
    let replace = |others: &[String]| json!([patch_op("replace", "members", values(&with_root(others)))]);
    acme.patch(&path, replace(&ids[..12])).await.expect_status(200);
    check(&acme, &staff, &all, &with_root(&ids[..12])).await;
    let refused = acme.patch(&path, replace(&ids[..1])).await.expect_status(403);
    assert_eq!(refused.reason_codes(), ["too-few-active-members"]);
    acme.patch(&path, replace(&ids[..2])).await.expect_status(200);
}

/// Who was added after the replacement is there, who was added before is not: the versions tell which it was.
#[tokio::test]
async fn a_large_replacement_and_small_changes_of_one_group_lose_nothing_of_each_other() {
    let (_server, acme, ids) = start().await;
    let staff = acme.post("/Groups", group("Staff", &refs(&ids[..50]))).await.expect_status(201).id();
    let path = format!("/Groups/{staff}");
    let version = async |operation: Value| {
        let changed = acme.patch(&path, json!([operation])).await.expect_status(200);
        changed.header("etag").unwrap().to_owned()
    };
    let add = |place: usize| version(patch_op("add", "members", values(&ids[place..=place])));
    let clear = version(json!({ "op": "remove", "path": "members" }));
    let (cleared, first, second, third) = tokio::join!(clear, add(50), add(51), add(52));
    let mut versions = vec![&cleared, &first, &second, &third];
    versions.sort();
    assert_eq!(versions, ["W/\"2\"", "W/\"3\"", "W/\"4\"", "W/\"5\""]);
    let added = [&first, &second, &third].into_iter().zip(&ids[50..53]);
    let expected: Vec<String> = added.filter(|(version, _)| **version > cleared).map(|(_, id)| id.clone()).collect();
    check(&acme, &staff, &ids, &expected).await;
}
