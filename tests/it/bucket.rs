//! Components in an object store beside the database: written there by who takes them, fetched by who has to run them, and what is
//! said where it refuses.

use std::path::Path;

use scruple_tests::components::{FIVE_READS, SAFE_VALUES};
use scruple_tests::database::TestDatabase;
use scruple_tests::objects::{BUCKET, CREDENTIALS, ObjectServer};
use scruple_tests::{ServerProcess, TenantClient, user};
use serde_json::{Value, json};
use tempfile::TempDir;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

fn start(data: &Path, store: &str) -> ServerProcess {
    ServerProcess::start_in(program(), data, &format!("[store]\n{store}"), &CREDENTIALS).unwrap()
}

/// What the program says when it does not start, and its exit code.
fn refused(store: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    ServerProcess::refusal(program(), folder.path(), &format!("[store]\n{store}"), environment).unwrap()
}

/// `safe-values` allows addresses of this domain alone.
fn settings() -> Value {
    json!({ "rules": [{ "path": "emails.value", "domains": ["example.com"] }] })
}

/// A user whose address it refuses.
fn elsewhere(name: &str) -> Value {
    let mut body = user(name);
    body["emails"] = json!([{ "value": format!("{name}@elsewhere.org") }]);
    body
}

/// A server with a tenant whose constraint is in the bucket.
async fn enforcing(data: &TempDir, store: &str) -> (ServerProcess, TenantClient) {
    let server = start(data.path(), store);
    server.operator().post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let acme = TenantClient::new(server.address, "acme", &server.operator()).await;
    acme.enforce(SAFE_VALUES, settings()).await;
    (server, acme)
}

/// The same server once more, which has to compile what it runs.
fn again(server: ServerProcess, data: &TempDir, store: &str) -> ServerProcess {
    server.stop().unwrap();
    std::fs::remove_dir_all(data.path().join("compiled")).unwrap();
    start(data.path(), store)
}

const VERSION: &str = "/plugins/safe-values/versions/1/component";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_go_to_the_bucket_and_come_from_there() {
    let (objects, data) = (ObjectServer::start().await, tempfile::tempdir().unwrap());
    let (server, acme) = enforcing(&data, &objects.settings()).await;
    let component = std::fs::read(SAFE_VALUES).unwrap();
    let versions = acme.admin.get(&acme.api_path("/plugins/safe-values/versions")).await.expect_status(200).body;
    let version = &versions["versions"][0];
    let digest = version["digest"].as_str().unwrap().trim_start_matches("sha256:");
    assert_eq!(objects.objects(), [(format!("of/scruple/{digest}"), component.len())]);
    assert_eq!(version["size"], component.len(), "{version:#}");
    acme.post("/Users", elsewhere("ada")).await.expect_status(400);
    assert_eq!(objects.reads(), 0, "what was uploaded here is compiled already");

    let request = acme.admin.request(reqwest::Method::GET, &acme.api_path(VERSION));
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), component);
    assert_eq!(objects.reads(), 1);

    let server = again(server, &data, &objects.settings());
    let acme = acme.at(server.address);
    acme.post("/Users", elsewhere("ada")).await.expect_status(400);
    acme.post("/Users", user("ada")).await.expect_status(201);
    assert_eq!(objects.reads(), 2, "it is fetched once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_fetches_what_another_has_taken() {
    let (objects, database) = (ObjectServer::start().await, TestDatabase::create());
    let store = format!("database = \"{}\"\nsnapshots_max = 16\n{}", database.url, objects.settings());
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (_server, acme) = enforcing(&here, &store).await;
    std::fs::copy(here.path().join("secret.key"), there.path().join("secret.key")).unwrap();
    let other = start(there.path(), &store);
    acme.at(other.address).post("/Users", elsewhere("ada")).await.expect_status(400);
    acme.at(other.address).post("/Users", user("ada")).await.expect_status(201);
    assert_eq!(objects.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_the_bucket_does_not_take_is_not_there_and_may_be_sent_again() {
    let (objects, data) = (ObjectServer::start().await, tempfile::tempdir().unwrap());
    let server = start(data.path(), &objects.settings());
    server.operator().post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let acme = TenantClient::new(server.address, "acme", &server.operator()).await;
    let component = std::fs::read(SAFE_VALUES).unwrap();

    objects.be_broken(true);
    let refused = acme.upload("safe-values", component.clone()).await.expect_status(503);
    assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
    acme.admin.get(&acme.api_path("/plugins/safe-values/versions")).await.expect_status(404);
    assert_eq!(objects.objects(), []);

    objects.be_broken(false);
    acme.upload("safe-values", component).await.expect_status(201);
    assert_eq!(objects.objects().len(), 1);
}

/// What the newest decision says of why its constraint could not be asked.
async fn fault(acme: &TenantClient) -> String {
    let decision = acme.decisions().await.remove(0);
    acme.decision(decision["id"].as_str().unwrap()).await["evaluations"][0]["fault"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_than_those_that_were_uploaded_are_not_run() {
    let (objects, data) = (ObjectServer::start().await, tempfile::tempdir().unwrap());
    let (mut server, acme) = enforcing(&data, &objects.settings()).await;
    let (name, size) = objects.objects().remove(0);
    // One that allows everything would do harm, of another size or of the same.
    let other = std::fs::read(FIVE_READS).unwrap();
    let mut same_size = other.clone();
    same_size.resize(size, 0);
    for (bytes, why) in [(other, format!("of {size} bytes")), (same_size, "digest".to_owned())] {
        objects.replace(&name, &bytes);
        server = again(server, &data, &objects.settings());
        let acme = acme.at(server.address);
        acme.post("/Users", user("ada")).await.expect_status(403);
        let fault = fault(&acme).await;
        assert!(fault.contains(&why), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_fetched_is_a_fault_that_does_not_tell_a_tenant_where_it_is_kept() {
    let (objects, data) = (ObjectServer::start().await, tempfile::tempdir().unwrap());
    let (server, acme) = enforcing(&data, &objects.settings()).await;
    let server = again(server, &data, &objects.settings());
    let acme = acme.at(server.address);
    objects.be_broken(true);
    acme.post("/Users", user("ada")).await.expect_status(403);
    let fault = fault(&acme).await;
    assert!(fault.contains("the object store that has it failed"), "{fault}");
    assert!(!fault.contains(BUCKET) && !fault.contains("127.0.0.1"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_the_bucket_says_what_it_lacks_until_somebody_uploads_anew() {
    let (objects, data) = (ObjectServer::start().await, tempfile::tempdir().unwrap());
    let (server, acme) = enforcing(&data, &objects.settings()).await;
    let server = again(server, &data, "");
    let acme = acme.at(server.address);
    acme.post("/Users", user("ada")).await.expect_status(403);
    let fault = fault(&acme).await;
    assert!(fault.contains("`[store] components`"), "{fault}");

    acme.enforce(SAFE_VALUES, settings()).await;
    let request = acme.admin.request(reqwest::Method::GET, &acme.api_path(VERSION));
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), std::fs::read(SAFE_VALUES).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_cannot_be_used_is_told_of_at_the_start() {
    let objects = ObjectServer::start().await;
    let (code, said) =
        refused(&objects.settings(), &[("AWS_ACCESS_KEY_ID", "another"), ("AWS_SECRET_ACCESS_KEY", "x")]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("the bucket `s3://components/of/scruple` cannot be used"), "{said}");
    assert!(said.contains("InvalidAccessKeyId"), "{said}");

    let missing = objects.settings().replace(&format!("s3://{BUCKET}/"), "s3://missing/");
    let (code, said) = refused(&missing, &CREDENTIALS);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("the bucket `s3://missing/of/scruple` cannot be used"), "{said}");

    for address in ["components", "s3:/components", "ftp://components/x"] {
        let (code, said) = refused(&format!("components = \"{address}\"\n"), &CREDENTIALS);
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains(&format!("`{address}` is no address of a bucket")), "{said}");
    }
}
