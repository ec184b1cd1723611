//! Constraints over HTTP: what is uploaded, what it answers, how it breaks, what it may read.

mod compiling;
mod corpus;
mod determinism;
mod faults;
mod measured;
mod neighbours;
mod plugins;
mod reads;
mod rewriting;
mod spellings;
mod upload;
mod verdicts;

use scruple_tests::{Response, TenantClient, user};
use serde_json::json;

/// That a refused upload is told in these words, that nothing of it is stored, and that the server goes on.
async fn assert_names_and_stores_nothing(acme: &TenantClient, refused: &Response, named: &[&str]) {
    for word in named {
        assert!(refused.detail().contains(word), "`{word}` is not named in: {}", refused.detail());
    }
    let listed = acme.admin.get(&acme.api_path("/plugins")).await.expect_status(200).body;
    assert_eq!(listed["versions"], json!([]), "something was stored");
    acme.post("/Users", user("ada")).await.expect_status(201);
}
