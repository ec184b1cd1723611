//! Any JSON as the body of a PUT.
#![no_main]

use serde_json::Value;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(Value::Object(body)) = serde_json::from_str(text) {
        scruple_fuzz::put_body(&body);
    }
});
