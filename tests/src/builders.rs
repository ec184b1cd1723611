//! Resources and messages as provisioning clients send them, and who they are to the pipeline.

use std::fmt::Write as _;

use scruple::decision::{Actor, TenantId};
use scruple::pipeline::write::Caller;
use serde_json::{Value, json};

/// A user with a name and an e-mail address.
pub fn user(user_name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name,
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": format!("{user_name}@example.com"), "type": "work", "primary": true }],
        "active": true,
    })
}

/// Somebody of a tenant, for those who write without HTTP.
pub fn caller(tenant: TenantId) -> Caller {
    let actor = Actor { subject: "test".to_owned(), label: "test".to_owned(), scopes: vec!["scim".to_owned()] };
    Caller { tenant, actor, request_id: "test".to_owned(), txn: None }
}

/// A group with these members.
pub fn group(display_name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": display_name,
        "members": members,
    })
}

/// One PATCH operation with a path.
pub fn patch_op(op: &str, path: &str, value: Value) -> Value {
    json!({ "op": op, "path": path, "value": value })
}

/// Settings of `safe-values`: e-mail addresses at this domain only.
pub fn mail_at(domain: &str) -> Value {
    json!({ "rules": [{ "path": "emails.value", "domains": [domain] }] })
}

/// The component with a number in a custom section, which nothing depends on: another digest for the same code.
pub fn numbered(mut component: Vec<u8>, number: usize) -> Vec<u8> {
    let payload = format!("\u{6}number{number:09}");
    // Id and length of the section (core specification 1.0 §5.5.3); both lengths are below 128 and so one byte each.
    component.extend([0, u8::try_from(payload.len()).unwrap_or(u8::MAX)]);
    component.extend(payload.as_bytes());
    component
}

/// A component of so many functions. It has what is looked at before it is compiled, and to compile 40,000 of them takes some
/// seconds and 200 MB.
pub fn compile_heavy(functions: usize) -> Vec<u8> {
    let mut bodies = String::new();
    for number in 0..functions {
        write!(
            bodies,
            "(func (param i32 i64) (result i32) (i32.add (local.get 0) (i32.mul (i32.const {number}) \
             (i32.load (i32.wrap_i64 (local.get 1))))))"
        )
        .expect("a text takes what is written");
    }
    let text = format!(
        r#"(component
            (core module $m (memory 1) {bodies} (func (export "f")))
            (core instance $c (instantiate $m))
            (func $f (canon lift (core func $c "f")))
            (instance $about (export "describe" (func $f)) (export "check-settings" (func $f)))
            (instance $check (export "evaluate" (func $f)))
            (export "scruple:constraint/about@0.1.0" (instance $about))
            (export "scruple:constraint/check@0.1.0" (instance $check)))"#
    );
    wat::parse_str(text).expect("a component")
}
