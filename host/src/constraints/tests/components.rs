//! What is refused before it is compiled, and the words it is refused with.

use super::guest::Guest;
use super::world::{TENANT, sandbox, schemas};
use crate::constraints::Limits;
use crate::constraints::check_component::{ComponentError, check_component, extent};

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

    let rewriter =
        check_component(&Guest::rewriting("(return (call $edits (i32.const 0)))").component(), BYTES_MAX).unwrap();
    assert_eq!(rewriter.world, "scruple:constraint/rewriter@0.1.0");
    let both = Guest::rewriting("(return (call $edits (i32.const 0)))").evaluate("(return (call $allow))");
    let both = check_component(&both.component(), BYTES_MAX).unwrap();
    assert_eq!(both.world, "scruple:constraint/rewriting-constraint@0.1.0");
    assert!(rewriter.rewrites && !rewriter.checks && both.rewrites && both.checks && !shape.rewrites);
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
        "exports neither `scruple:constraint/check@0.1.0` nor `scruple:constraint/rewrite@0.1.0`",
    );
    check_text(
        r#"(component (instance $i) (export "scruple:constraint/rewrite@0.1.0" (instance $i)))"#,
        "does not export `scruple:constraint/about@0.1.0`",
    );
}

#[test]
fn what_a_component_imports_inside_is_its_own_affair() {
    check_text(
        r#"(component (component (import "wasi:cli/environment@0.2.0" (instance))))"#,
        "does not export `scruple:constraint/about@0.1.0`",
    );
}

/// A component with nothing in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A section of the binary format: its id, its length in LEB128, its bytes.
fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [vec![id], leb128(bytes.len()), bytes.to_vec()].concat()
}

/// A good component with something more in it.
fn with_section(id: u8, bytes: &[u8]) -> Vec<u8> {
    let mut component = Guest::new().component();
    component.extend(section(id, bytes));
    component
}

/// Types of components, each declared in the one around it.
fn types_inside_each_other(depth: usize) -> Vec<u8> {
    let mut types = vec![1];
    types.extend([0x41, 0x01, 0x01].repeat(depth));
    types.extend([0x41, 0x00]);
    with_section(7, &types)
}

fn components_inside_each_other(depth: usize) -> Vec<u8> {
    let innermost = EMPTY.to_vec();
    let nested = (1..depth).fold(innermost, |inner, _| [EMPTY, &section(4, &inner)].concat());
    with_section(4, &nested)
}

/// Each of these killed the process, or took all of its memory, before it was counted.
#[tokio::test]
async fn a_small_component_that_is_much_work_to_compile_is_refused_before_it_is_compiled() {
    fn refused(component: &[u8], expected: &str) {
        let error = check_component(component, 32 << 20).expect_err("should be refused");
        assert_eq!(error.to_string(), expected);
    }
    let sandbox = sandbox(Limits::default());
    let taken =
        async |component: Vec<u8>| drop(sandbox.upload(TENANT, component, &schemas()).await.expect("within bounds"));

    // 300 KB, 100,000 deep: reading them overflowed the stack.
    refused(
        &types_inside_each_other(100_000),
        "the component has 100001 types of instances inside each other, more than the limit of 200",
    );
    taken(types_inside_each_other(extent::NESTED_TYPES_MAX - 1)).await;

    // 240 KB, 20,000 deep: 56 s, 12 GiB.
    refused(
        &components_inside_each_other(20_000),
        "the component has 33 modules and components inside each other, more than the limit of 32",
    );
    taken(components_inside_each_other(extent::DEPTH_MAX)).await;

    // Beside each other: a guest has some of its own.
    let empty = section(1, b"\0asm\x01\0\0\0");
    let mut many = Guest::new().component();
    many.extend(empty.repeat(extent::PARTS_MAX));
    refused(&many, "the component has 257 modules and components, more than the limit of 256");

    // 400 KB: 10 s, 600 MiB. As many as are allowed take half of that.
    let functions = "the component has 100000 functions, more than the limit of 50000";
    refused(&[EMPTY, &section(1, &module(100_000, 1))].concat(), functions);

    // 1.2 MB of one function: 10 s, 440 MiB.
    let length = "the component has 600002 bytes of code in one function, more than the limit of 524288";
    refused(&[EMPTY, &section(1, &module(1, 600_000))].concat(), length);
    let code = "the component has 17000068 bytes of code, more than the limit of 16777216";
    refused(&[EMPTY, &section(1, &module(40, 500_000))].concat(), code);
}

#[tokio::test]
async fn a_component_of_thirty_megabytes_is_taken_and_costs_what_is_in_it() {
    let custom = [&[1, b'x'], vec![0; 30 << 20].as_slice()].concat();
    let checked = sandbox(Limits::default()).upload(TENANT, with_section(0, &custom), &schemas()).await.unwrap();
    let image = checked.pre.component().image_range();
    assert!(image.end.addr() - image.start.addr() < 1 << 20);
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A core module of so many functions, each of so many instructions that do nothing.
fn module(functions: usize, instructions: usize) -> Vec<u8> {
    let body = [&[0], &[0x01].repeat(instructions)[..], &[0x0b]].concat();
    let body = [leb128(body.len()), body].concat();
    let types = section(1, &[1, 0x60, 0, 0]);
    let declared = section(3, &[leb128(functions), vec![0; functions]].concat());
    let code = section(10, &[leb128(functions), body.repeat(functions)].concat());
    [b"\0asm\x01\0\0\0".to_vec(), types, declared, code].concat()
}
