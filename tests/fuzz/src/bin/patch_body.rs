//! Any JSON as the operations of a PATCH.
#![no_main]

use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|text: &str| {
    // Without the frame, which would cost the fuzzer its first million inputs.
    let operations: Value = match serde_json::from_str(text) {
        Ok(operations @ Value::Array(_)) => operations,
        Ok(operation @ Value::Object(_)) => json!([operation]),
        _ => return,
    };
    let message = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    if let Value::Object(message) = &message {
        scruple_fuzz::patch_body(message);
    }
});
