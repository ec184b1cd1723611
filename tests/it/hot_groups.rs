//! Many clients that change one group at once: each change is judged on what those before it have made of the group, none is
//! lost, and none is done twice.

use std::collections::BTreeSet;

use reqwest::Method;
use scruple_tests::components::{GROUP_GATE, PROTECTED_ACCOUNTS};
use scruple_tests::{Response, TenantClient, TestServer, group, patch_op, user};
use serde_json::{Value, json};

const CLIENTS: usize = 64;

/// All at once.
async fn all<T: Send + 'static>(futures: impl IntoIterator<Item: Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

fn patched(acme: &TenantClient, path: &str, change: Value) -> impl Future<Output = Response> + use<> {
    let (acme, path) = (acme.clone(), path.to_owned());
    async move { acme.patch(&path, change).await }
}

async fn users(acme: &TenantClient, count: usize) -> Vec<String> {
    let made = (0..count).map(|n| {
        let acme = acme.clone();
        async move { acme.post("/Users", user(&format!("user-{n}"))).await.expect_status(201).id() }
    });
    all(made).await
}

async fn team(acme: &TenantClient, members: &[String]) -> String {
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    format!("/Groups/{}", acme.post("/Groups", group("Administrators", &members)).await.expect_status(201).id())
}

fn add(id: &str) -> Value {
    json!([patch_op("add", "members", json!([{ "value": id }]))])
}

fn remove(id: &str) -> Value {
    json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }])
}

fn version(answer: &Response) -> u64 {
    answer.header("etag").unwrap().trim_start_matches("W/\"").trim_end_matches('"').parse().unwrap()
}

fn members(group: &Response) -> BTreeSet<String> {
    let members = group.body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_who_come_and_go_at_once_is_one_version() {
    const ROUNDS: usize = 4;
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, CLIENTS).await;
    // It reads what the group is called, and who its members are.
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "groups": [{ "displayName": "Others", "minimum": 1 }] })).await;
    let team = team(&acme, &[]).await;

    let clients = ids.iter().map(|id| {
        let (acme, team, id) = (acme.clone(), team.clone(), id.clone());
        async move {
            let mut versions = Vec::new();
            for _ in 0..ROUNDS {
                for change in [add(&id), remove(&id)] {
                    let answer = acme.patch(&team, change).await;
                    assert!(matches!(answer.status, 200 | 204), "{:#}", answer.body);
                    versions.push(version(&answer));
                }
            }
            assert!(versions.is_sorted(), "{versions:?}");
            versions
        }
    });
    let versions: BTreeSet<u64> = all(clients).await.into_iter().flatten().collect();
    let changes = (CLIENTS * ROUNDS * 2) as u64;
    assert_eq!(versions, (2..=changes + 1).collect());
    let left = acme.get(&team).await.expect_status(200);
    assert_eq!((version(&left), members(&left)), (changes + 1, BTreeSet::new()));
}

/// The rule counts those who are left, so each is judged by what those before it have done, and whoever is refused is refused
/// because they did.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_leave_at_once_so_many_may_as_the_rule_allows() {
    const MINIMUM: usize = 5;
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, 24).await;
    let team = team(&acme, &ids).await;
    let settings = json!({ "groups": [{ "displayName": "Administrators", "minimum": MINIMUM }] });
    acme.enforce(PROTECTED_ACCOUNTS, settings).await;

    let left = all(ids.iter().map(|id| patched(&acme, &team, remove(id)))).await;
    let refused = ids.iter().zip(&left).filter(|(_, answer)| answer.status == 403);
    let refused: BTreeSet<_> = refused.map(|(id, _)| id.clone()).collect();
    assert!(left.iter().all(|answer| matches!(answer.status, 200 | 204 | 403)), "{:?}", statuses(&left));
    assert_eq!(members(&acme.get(&team).await), refused);
    assert_eq!(refused.len(), MINIMUM);
}

/// Those who are in already, and those who are not any more, change nothing; that is only said of what is durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_do_the_same_one_does_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, 1).await;
    let team = team(&acme, &[]).await;
    for (before, change) in [(1, add(&ids[0])), (2, remove(&ids[0]))] {
        let answers = all((0..CLIENTS).map(|_| patched(&acme, &team, change.clone()))).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 204)), "{:?}", statuses(&answers));
        assert!(answers.iter().all(|answer| version(answer) == before + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_expect_the_same_version_one_finds_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let ids = users(&acme, CLIENTS).await;
    let team = team(&acme, &[]).await;
    let answers = ids.iter().map(|id| {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": add(id) });
        let request = acme.scim.request(Method::PATCH, &acme.scim_path(&team)).json(&body);
        let (acme, request) = (acme.clone(), request.header("if-match", "W/\"1\""));
        async move { acme.scim.send(request).await }
    });
    let answers = all(answers).await;
    let done = answers.iter().filter(|answer| answer.status != 412).count();
    assert_eq!((done, members(&acme.get(&team).await).len()), (1, 1), "{:?}", statuses(&answers));
}

/// What does not travel with the others (another name, all members at once, the end) gets its turn among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_replaces_or_deletes_a_group_gets_its_turn_among_those_who_join() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let gate = json!({ "displayName": "Elsewhere", "membersMatch": "active eq true" });
    acme.enforce(GROUP_GATE, json!({ "gates": [gate] })).await;
    let ids = users(&acme, CLIENTS).await;
    let team = team(&acme, &[]).await;
    let join = |id: String| {
        let (acme, team) = (acme.clone(), team.clone());
        tokio::spawn(async move {
            loop {
                for change in [add(&id), remove(&id)] {
                    let answer = acme.patch(&team, change).await;
                    if answer.status == 404 {
                        return;
                    }
                    assert!(matches!(answer.status, 200 | 204), "{:#}", answer.body);
                }
            }
        })
    };
    let (last, others) = ids.split_last().unwrap();
    let joining: Vec<_> = others.iter().cloned().map(join).collect();
    for n in 0..10 {
        let replaced = acme.put(&team, group(&format!("Team {n}"), &[last])).await.expect_status(200);
        assert_eq!(replaced.body["displayName"], format!("Team {n}"));
        let read = acme.get(&team).await.expect_status(200);
        assert_eq!(read.body["displayName"], format!("Team {n}"));
        assert!(members(&read).contains(last));
        let emptied = acme.patch(&team, json!([{ "op": "remove", "path": "members" }])).await;
        assert!(matches!(emptied.status, 200 | 204), "{:#}", emptied.body);
        assert!(!members(&acme.get(&team).await).contains(last));
    }
    acme.delete(&team).await.expect_status(204);
    for joining in joining {
        joining.await.unwrap();
    }
}

fn statuses(answers: &[Response]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}
