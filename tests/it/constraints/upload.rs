//! What is not taken, and why.

use scruple_tests::TestServer;
use scruple_tests::components::{BAD_SETTINGS_SCHEMA, DESCRIBE_LOOPS, DESCRIBE_TRAPS, SAFE_VALUES};

use super::assert_names_and_stores_nothing;

async fn check(component: Vec<u8>, named: &[&str]) {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let refused = acme.upload("rules", component).await.expect_status(422);
    assert!(refused.body["code"].as_str().unwrap().starts_with("component"), "{:#}", refused.body);
    assert_names_and_stores_nothing(&acme, &refused, named).await;
}

#[tokio::test]
async fn bytes_that_are_no_webassembly() {
    check(b"#!/bin/sh\necho hello\n".to_vec(), &["not WebAssembly"]).await;
    check(Vec::new(), &["empty"]).await;
}

#[tokio::test]
async fn a_core_module() {
    check(b"\0asm\x01\0\0\0".to_vec(), &["core WebAssembly module", "component"]).await;
}

#[tokio::test]
async fn a_truncated_component() {
    let mut component = std::fs::read(SAFE_VALUES).unwrap();
    component.truncate(component.len() / 2);
    check(component, &[]).await;
}

#[tokio::test]
async fn a_component_larger_than_the_limit() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let refused = acme.upload("rules", vec![0; (32 << 20) + 1]).await.expect_status(413);
    assert!(refused.detail().contains("33554432"), "{}", refused.detail());
}

#[tokio::test]
async fn a_component_whose_describe_traps_or_loops() {
    check(std::fs::read(DESCRIBE_TRAPS).unwrap(), &["describe"]).await;
    check(std::fs::read(DESCRIBE_LOOPS).unwrap(), &["describe", "fuel"]).await;
}

#[tokio::test]
async fn a_component_whose_settings_schema_is_none() {
    check(std::fs::read(BAD_SETTINGS_SCHEMA).unwrap(), &["settings"]).await;
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_component_that_wants_an_operating_system_is_told_how_to_do_without() {
    let wasi = component(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#);
    check(wasi, &["wasi:cli/environment@0.2.0", "wasm32-unknown-unknown", "componentize-js", "--stub-wasi"]).await;
}

#[tokio::test]
async fn a_component_for_another_version_of_the_contract() {
    let later = component(r#"(component (import "scruple:constraint/scim@0.2.0" (instance)))"#);
    check(later, &["0.2.0", "0.1.0"]).await;
}

#[tokio::test]
async fn a_component_that_exports_nothing() {
    check(component("(component)"), &["scruple:constraint/about"]).await;
}
