//! Constraints hold under concurrency: what a decision rests on is still so when it commits.

use scruple_tests::components::PROTECTED_ACCOUNTS;
use scruple_tests::{TenantClient, TestServer, group, mail_at, patch_op, user};
use serde_json::{Value, json};

/// How often the race is run. Each try is a new pair of administrators in the same tenant.
const TRIES: usize = 200;

async fn administrators(acme: &TenantClient, round: usize) -> [String; 2] {
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(acme.post("/Users", user(&format!("{name}{round}"))).await.expect_status(201).id());
    }
    let [a, b] = [0, 1].map(|n| ids[n].clone());
    if round == 0 {
        acme.post("/Groups", group("Administrators", &[&a, &b])).await.expect_status(201);
    }
    [a, b]
}

async fn group_id(acme: &TenantClient) -> String {
    let found = acme.query("/Groups", &[("filter", "displayName eq \"Administrators\"")]).await.expect_status(200);
    found.body["Resources"][0]["id"].as_str().unwrap().to_owned()
}

fn off() -> Value {
    json!([patch_op("replace", "active", json!(false))])
}

/// Two deactivations at once, each of which passes alone: exactly one commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writes_that_together_remove_the_last_administrator_never_both_commit() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let [mut a, mut b] = administrators(&acme, 0).await;
    let administrators_group = group_id(&acme).await;
    let settings = json!({ "groups": [{ "displayName": "Administrators", "minimum": 1 }] });
    acme.enforce(PROTECTED_ACCOUNTS, settings).await;

    for round in 1..=TRIES {
        let deactivate = |id: &str| {
            let (acme, path) = (acme.clone(), format!("/Users/{id}"));
            tokio::spawn(async move { acme.patch(&path, off()).await })
        };
        let (first, second) = (deactivate(&a), deactivate(&b));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403], "round {round}: {:#} {:#}", first.body, second.body);

        // The next pair: whoever is left makes room once two others are in.
        let left = if first.status == 403 { a.clone() } else { b.clone() };
        let next = administrators(&acme, round).await;
        let add = json!([patch_op("add", "members", json!([{ "value": next[0] }, { "value": next[1] }]))]);
        // With its body as long as the members are few.
        let added = acme.patch(&format!("/Groups/{administrators_group}"), add).await;
        assert!(matches!(added.status, 200 | 204), "{:#}", added.body);
        acme.patch(&format!("/Users/{left}"), off()).await.expect_status(200);
        [a, b] = next;
    }
}

/// A constraint that is put to work while writes are under way judges every write that commits after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_commits_under_constraints_that_are_not_in_force_any_more() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let acme = acme.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    acme.post("/Users", user(&format!("user-{writer}-{n}"))).await;
                }
            })
        })
        .collect();
    acme.enforce(scruple_tests::components::SAFE_VALUES, mail_at("elsewhere.org")).await;
    for writer in writers {
        writer.await.unwrap();
    }
    let activation = acme.admin.get(&acme.api_path("/constraints/safe-values")).await.body;
    let generation = activation["generation"].as_i64().unwrap();
    let mut seen = [0, 0];
    for decision in acme.decisions().await {
        let under = decision["generation"].as_i64().unwrap();
        let expected = if under >= generation { "denied" } else { "allowed" };
        assert_eq!(decision["outcome"], expected, "{decision:#}");
        seen[usize::from(under >= generation)] += 1;
    }
    assert_eq!(seen[0] + seen[1], 200);
    assert_eq!(acme.query("/Users", &[("count", "0")]).await.body["totalResults"], seen[0]);
}

/// Many clients add members to one group at once: nobody is turned away, nobody is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_additions_to_one_group_are_all_there() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let staff = acme.post("/Groups", group("Staff", &[])).await.expect_status(201).id();
    let mut ids = Vec::new();
    for n in 0..64 {
        ids.push(acme.post("/Users", user(&format!("user{n}"))).await.expect_status(201).id());
    }
    let additions: Vec<_> = ids
        .iter()
        .map(|id| {
            let (acme, path) = (acme.clone(), format!("/Groups/{staff}"));
            let add = json!([patch_op("add", "members", json!([{ "value": id }]))]);
            tokio::spawn(async move { acme.patch(&path, add).await.expect_status(200) })
        })
        .collect();
    for addition in additions {
        addition.await.unwrap();
    }
    let read = acme.get(&format!("/Groups/{staff}")).await.expect_status(200).body;
    assert_eq!(read["members"].as_array().unwrap().len(), 64);
    assert_eq!(read["meta"]["version"], "W/\"65\"");
}
