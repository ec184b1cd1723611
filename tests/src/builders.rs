//! Resources and messages as provisioning clients send them.

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
