//! Signatures of components: which are taken, and what a tenant that requires them refuses.

use reqwest::Method;
use scruple::constraints::compile::digest;
use scruple::signature::{PrivateKey, Signature};
use scruple_tests::client::Response;
use scruple_tests::components::{SAFE_VALUES, WRITE_ONCE};
use scruple_tests::{TenantClient, TestServer, user};
use serde_json::{Value, json};

mod policy;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_random(&[seed; 32])
}

fn bytes(component: &str) -> Vec<u8> {
    std::fs::read(component).unwrap()
}

fn word(signature: &Signature) -> String {
    format!("{} {}", signature.key, signature.base64())
}

async fn push(acme: &TenantClient, component: Vec<u8>, signatures: &str) -> Response {
    let request = acme.admin.request(Method::POST, &acme.api_path("/plugins/write-once/versions"));
    let request = if signatures.is_empty() { request } else { request.header("scruple-signature", signatures) };
    acme.admin.send(request.body(component)).await
}

async fn add_key(acme: &TenantClient, name: &str, seed: u8) -> Response {
    let body = json!({ "public_key": key(seed).public().to_pem() });
    acme.admin.put(&acme.api_path(&format!("/signing-keys/{name}")), body).await
}

async fn require(acme: &TenantClient, required: u32, keys: &[&str]) -> Response {
    acme.admin.put(&acme.api_path("/signing-policy"), json!({ "required": required, "keys": keys })).await
}

async fn versions(acme: &TenantClient) -> usize {
    acme.admin.get(&acme.api_path("/plugins")).await.body["versions"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_signature_by_a_known_key_is_kept_with_the_version_and_another_one_is_added_to_it() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    add_key(&acme, "release", 1).await.expect_status(200);
    add_key(&acme, "review", 2).await.expect_status(200);
    let digest = digest(&bytes(WRITE_ONCE));
    let by = |seed: u8| key(seed).sign(&digest);

    let first = push(&acme, bytes(WRITE_ONCE), &word(&by(1))).await.expect_status(201);
    let release = json!({ "key": "release", "id": key(1).public().id().to_string() });
    assert_eq!(first.body["signed_by"], json!([release]));
    let again = push(&acme, bytes(WRITE_ONCE), &word(&by(2))).await.expect_status(200);
    assert_eq!((&again.body["added"], again.body["signed_by"].as_array().unwrap().len()), (&json!(false), 2));
    // Without any the version keeps what it has.
    let again = push(&acme, bytes(WRITE_ONCE), "").await.expect_status(200);
    assert_eq!(again.body["signed_by"].as_array().unwrap().len(), 2);
    let both = format!("{}, {}", word(&by(1)), word(&by(2)));
    push(&acme, bytes(WRITE_ONCE), &both).await.expect_status(200);

    acme.admin.delete(&acme.api_path("/signing-keys/review")).await.expect_status(204);
    let listed = acme.admin.get(&acme.api_path("/plugins/write-once/versions")).await.expect_status(200).body;
    assert_eq!(listed["versions"][0]["signed_by"], json!([release]), "those of a forgotten key go with it");
}

#[tokio::test]
async fn what_is_no_signature_of_the_component_by_a_key_of_the_tenants_is_refused_though_none_is_required() {
    let server = TestServer::start().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    add_key(&acme, "release", 1).await.expect_status(200);
    add_key(&other, "theirs", 3).await.expect_status(200);
    let digest = digest(&bytes(WRITE_ONCE));
    let good = key(1).sign(&digest);
    let mut flipped = good;
    flipped.bytes[40] ^= 1;
    let disguised = Signature { key: good.key, ..key(2).sign(&digest) };
    let of_another = key(1).sign(&scruple::constraints::compile::digest(&bytes(SAFE_VALUES)));
    let nine = (0..9).map(|seed| word(&key(seed).sign(&digest))).collect::<Vec<_>>().join(",");

    for (sent, code, said) in [
        (word(&flipped), "invalid-signature", "is not one of this component"),
        (word(&disguised), "invalid-signature", "is not one of this component"),
        (word(&of_another), "invalid-signature", "is not one of this component"),
        (format!("{}, {}", word(&good), word(&flipped)), "invalid-signature", "two signatures by the key"),
        (word(&good).replace("==", ""), "invalid-signature", "not 64 bytes in base64"),
        (good.key.to_string(), "invalid-signature", "not 64 bytes in base64"),
        ("hello".to_owned(), "invalid-signature", "`hello` is not the id of a key"),
        (nine, "invalid-signature", "9 signatures are more than the limit of 8"),
        (word(&key(2).sign(&digest)), "unknown-signing-key", "knows no key"),
        (word(&key(3).sign(&digest)), "unknown-signing-key", "knows no key"),
    ] {
        let refused = push(&acme, bytes(WRITE_ONCE), &sent).await.expect_status(422);
        assert_eq!(refused.body["code"], code, "{sent}: {}", refused.detail());
        assert!(refused.detail().contains(said), "{sent}: {}", refused.detail());
    }
    assert_eq!(versions(&acme).await, 0, "nothing of it was kept");
    let refused = push(&acme, bytes(WRITE_ONCE), &word(&of_another)).await;
    assert!(refused.detail().contains(&good.key.to_string()) && refused.detail().contains(&digest));
}

#[tokio::test]
async fn a_component_is_given_back_as_it_came_with_its_signatures_and_to_its_tenant_alone() {
    let server = TestServer::start().await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    add_key(&acme, "release", 1).await.expect_status(200);
    let component = bytes(WRITE_ONCE);
    let digest = digest(&component);
    let signed = word(&key(1).sign(&digest));
    push(&acme, component.clone(), &signed).await.expect_status(201);
    let path = "/plugins/write-once/versions/1/component";

    let given = acme.admin.request(Method::GET, &acme.api_path(path)).send().await.unwrap();
    let header = |name: &str| given.headers()[name].to_str().unwrap().to_owned();
    let etag = header("etag");
    assert_eq!((given.status().as_u16(), header("content-type").as_str()), (200, "application/wasm"));
    assert_eq!((etag.as_str(), header("scruple-signature")), (format!("\"{digest}\"").as_str(), signed));
    assert_eq!(header("content-length"), component.len().to_string());
    assert_eq!(given.bytes().await.unwrap(), component);

    let known = async |tags: &str| {
        let request = acme.admin.request(Method::GET, &acme.api_path(path)).header("if-none-match", tags);
        acme.admin.send(request).await.status
    };
    assert_eq!(known(&etag).await, 304);
    assert_eq!(known(&format!("\"x\", W/{etag}")).await, 304);
    assert_eq!(known("\"x\"").await, 200);
    acme.admin.get(&acme.api_path("/plugins/write-once/versions/2/component")).await.expect_status(404);
    other.admin.get(&other.api_path(path)).await.expect_status(404);
    // None of them keeps the place that it took: a tenant has eight.
    for _ in 0..20 {
        assert_eq!(known("\"x\"").await, 200);
    }
}

#[tokio::test]
async fn a_key_has_one_name_and_is_never_replaced() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let made = add_key(&acme, "release", 1).await.expect_status(200).body;
    assert_eq!(made["id"], key(1).public().id().to_string());
    assert_eq!((&made["counts"], &made["by"]), (&json!(false), &json!("acme admin")));
    assert_eq!(add_key(&acme, "release", 1).await.expect_status(200).body, made);
    assert_eq!(add_key(&acme, "release", 2).await.expect_status(409).body["code"], "name-taken");
    assert_eq!(add_key(&acme, "build", 1).await.expect_status(409).body["code"], "key-known");
    add_key(&acme, "Release", 2).await.expect_status(400);

    let private = key(1).to_pem();
    let put = async |text: &str| {
        acme.admin.put(&acme.api_path("/signing-keys/mine"), json!({ "public_key": text })).await.expect_status(422)
    };
    let refused = put(&private).await;
    assert!(refused.detail().contains("this is a private key"), "{}", refused.detail());
    assert!(!refused.body.to_string().contains(&private[30..60]), "what must stay secret is not repeated");
    assert_eq!(put("ssh-ed25519 AAAA").await.body["code"], "invalid-key");
    let listed = acme.admin.get(&acme.api_path("/signing-keys")).await.expect_status(200).body;
    assert_eq!(listed, json!({ "keys": [made] }));
    acme.admin.delete(&acme.api_path("/signing-keys/release")).await.expect_status(204);
    acme.admin.delete(&acme.api_path("/signing-keys/release")).await.expect_status(404);
    for seed in 0..32 {
        add_key(&acme, &format!("k{seed}"), seed).await.expect_status(200);
    }
    assert_eq!(add_key(&acme, "more", 40).await.expect_status(409).body["code"], "too-many-keys");
}
