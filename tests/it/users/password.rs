//! `password` (RFC 7643 §4.1.1): taken, hashed, and never seen again.

use scruple_tests::{TestServer, patch_op, user};
use serde_json::json;

const PASSWORD: &str = "t1meMa$heen-of-wells";

#[tokio::test]
async fn a_password_is_in_no_answer_and_in_no_file() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let mut ada = user("ada");
    ada["password"] = json!(PASSWORD);
    let created = acme.post("/Users", ada.clone()).await.expect_status(201);
    assert_eq!(created.body.get("password"), None);
    let path = format!("/Users/{}", created.id());
    let other = format!("{PASSWORD}-2");
    let patched = acme.patch(&path, json!([patch_op("replace", "password", json!(other))])).await.expect_status(200);
    assert_eq!(patched.body["meta"]["version"], "W/\"2\"", "a new password is a change");
    acme.put(&path, ada).await.expect_status(200);
    let asked = acme.get(&format!("{path}?attributes=password,userName")).await.expect_status(200);
    assert_eq!(asked.body.get("password"), None);
    acme.patch(&path, json!([patch_op("replace", "password", json!({ "a": PASSWORD }))])).await.expect_status(400);
    for decision in acme.decisions().await {
        assert!(!decision.to_string().contains(PASSWORD), "{decision}");
    }
    let refused = acme.query("/Users", &[("filter", &format!("password eq \"{PASSWORD}\""))]).await;
    assert!(refused.body["totalResults"] == 0 || refused.status == 400, "{:#}", refused.body);

    let mut files = vec![server.data().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}
