//! What is refused before it is compiled, and the words it is refused with.

use super::guest::Guest;
use crate::constraints::check_component::{ComponentError, check_component};

const BYTES_MAX: usize = 1 << 20;

fn check(bytes: &[u8], expected: &str) {
    let error = check_component(bytes, BYTES_MAX).expect_err("the component should be refused");
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
}

fn check_text(component: &str, expected: &str) {
    check(&wat::parse_str(component).unwrap(), expected);
}

#[test]
fn a_guest_is_accepted_in_the_narrowest_world_that_it_fits() {
    let shape = check_component(&Guest::reading("userName").component(), BYTES_MAX).unwrap();
    assert_eq!(shape.world, "scruple:constraint/pure-constraint@0.1.0");

    let capable = Guest::evaluating(
        "(drop (i32.const 0)) (call $dir_count (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 768))",
    );
    let shape = check_component(&capable.component(), BYTES_MAX).unwrap();
    assert_eq!(shape.world, "scruple:constraint/constraint@0.1.0");
}

#[test]
fn what_is_no_component_is_named() {
    check(b"", "the upload is empty");
    check(b"#!/bin/sh", "this is not WebAssembly");
    check(b"\0asm", "this is not a valid component");
    check(&Guest::new().module(), "core WebAssembly module");
    check(&vec![b'x'; BYTES_MAX + 1], "1048577 bytes, more than the limit of 1048576");
}

#[test]
fn a_component_that_is_cut_short_is_refused_wherever_the_cut_is() {
    let whole = Guest::new().component();
    // The core module takes up the first half and more; the exports stand behind it.
    for length in 0..whole.len() / 2 {
        assert!(check_component(&whole[..length], BYTES_MAX).is_err(), "the first {length} bytes passed");
    }
    // At the end are notes on who produced it. Cut there, it may pass, but must come to an end.
    for length in whole.len() / 2..whole.len() {
        drop(check_component(&whole[..length], BYTES_MAX));
    }
}

#[test]
fn wasi_is_refused_with_the_way_to_build_without() {
    let error = check_component(
        &wat::parse_str(r#"(component (import "wasi:clocks/wall-clock@0.2.6" (instance)))"#).unwrap(),
        BYTES_MAX,
    )
    .unwrap_err();
    assert_eq!(error, ComponentError::ImportsWasi { import: "wasi:clocks/wall-clock@0.2.6".into() });
    for hint in ["wasm32-unknown-unknown", "componentize-js", "componentize-qjs", "--stub-wasi"] {
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn imports_and_exports_outside_the_contract_are_named() {
    check_text(r#"(component (import "acme:secrets/vault@1.0.0" (instance)))"#, "imports `acme:secrets/vault@1.0.0`");
    check_text(r#"(component (import "free" (func)))"#, "imports `free`");
    check_text(
        r#"(component (import "scruple:constraint/network@0.1.0" (instance)))"#,
        "imports `scruple:constraint/network@0.1.0`",
    );
    check_text(
        r#"(component (import "scruple:constraint/scim@0.2.0" (instance)))"#,
        "built for `scruple:constraint@0.2.0`; this host serves `scruple:constraint@0.1.0`",
    );
    check_text("(component)", "does not export `scruple:constraint/about@0.1.0`");
    check_text(
        r#"(component (instance $i) (export "scruple:constraint/about@0.1.0" (instance $i)))"#,
        "does not export `scruple:constraint/check@0.1.0`",
    );
    check_text(
        r#"(component (instance $i) (export "scruple:constraint/rewrite@0.1.0" (instance $i)))"#,
        "exports `rewrite`, which is not served by this host yet",
    );
}

#[test]
fn what_a_component_imports_inside_is_its_own_affair() {
    check_text(
        r#"(component (component (import "wasi:cli/environment@0.2.0" (instance))))"#,
        "does not export `scruple:constraint/about@0.1.0`",
    );
}
