//! What real provisioning clients send (`tests/cases`), under every profile in which it must work, each in a tenant of its
//! own.

use std::sync::Arc;

use scruple_tests::TestServer;
use scruple_tests::cases::{Profile, Target, folder, load, play};
use serde_json::json;
use tokio::task::JoinSet;

/// Cases played at once: enough that they share the store's transactions.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn every_case_of_every_client_is_answered_as_it_must_be() {
    let server = Arc::new(TestServer::start().await);
    let mut open: Vec<(String, Arc<_>, Profile)> = Vec::new();
    for file in load(&folder()).unwrap() {
        for case in file.cases {
            let case = Arc::new(case);
            open.extend(case.profiles.iter().map(|profile| (file.client.clone(), Arc::clone(&case), *profile)));
        }
    }
    let all = open.len();
    let (mut playing, mut failures) = (JoinSet::new(), Vec::new());
    for number in 0..all + AT_ONCE {
        if let Some((client, case, profile)) = open.pop() {
            let server = Arc::clone(&server);
            playing.spawn(async move {
                let target = tenant(&server, &format!("case-{number}"), profile).await;
                let result = play(&case, profile, &target).await;
                result.err().map(|error| format!("{client} under {profile}: {}\n    {error:#}", case.name))
            });
        }
        if number >= AT_ONCE
            && let Some(played) = playing.join_next().await
        {
            failures.extend(played.unwrap());
        }
    }
    failures.sort();
    assert!(failures.is_empty(), "{} of {all} cases failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

async fn tenant(server: &TestServer, name: &str, profile: Profile) -> Target {
    let client = server.tenant(name).await;
    let path = format!("/api/v1/tenants/{name}");
    server.operator().patch(&path, json!({ "profile": profile.as_str() })).await.expect_status(200);
    Target::new(&format!("http://{}/scim/{name}/v2", server.address), client.scim.token())
}
