//! Values that go in and never come out: `password`, and whatever else a schema says so of.
//!
//! They are no attributes: no state, no difference and no log has them. Whoever plans a change is handed them apart, as
//! [`SecretEdit`]s, to keep what is derived from them, such as a hash.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::schema::{Attribute, Mutability, Returned, SchemaRegistry};

/// Whether the attribute's values are secrets. RFC 7643 §7: "Attribute values SHALL NOT be returned" of `writeOnly`, and
/// `never` is "never returned"; the one without the other makes no sense, so either is enough.
pub fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never || attribute.mutability == Mutability::WriteOnly
}

/// The names of the attributes whose values are secrets, in lower case.
pub fn names(schemas: &SchemaRegistry) -> Vec<String> {
    fn collect(attributes: &[Arc<Attribute>], names: &mut Vec<String>) {
        for attribute in attributes {
            if is_secret(attribute) {
                names.push(attribute.name.to_ascii_lowercase());
            }
            collect(&attribute.sub_attributes, names);
        }
    }
    let mut names = Vec::new();
    schemas.schemas().iter().for_each(|schema| collect(&schema.attributes, &mut names));
    names
}

/// Whether a message may hold a secret: one of these names, in lower case, is part of the name of a member or of a
/// `path`, at whatever depth. Rather too often than too rarely: nothing is parsed for it.
pub fn may_be_in(message: &Map<String, Value>, names: &[String]) -> bool {
    let is_named = |text: &str| {
        let text = text.to_ascii_lowercase();
        names.iter().any(|name| text.contains(name.as_str()))
    };
    message.iter().any(|(name, value)| {
        let is_path = name.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_named);
        is_path || is_named(name) || may_be_in_value(value, names)
    })
}

fn may_be_in_value(value: &Value, names: &[String]) -> bool {
    match value {
        Value::Object(object) => may_be_in(object, names),
        Value::Array(values) => values.iter().any(|value| may_be_in_value(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A secret text. It is not printed, and there is no way to it but [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for whoever derives from it what is kept.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&Value> for Secret {
    /// A text as it stands, anything else as JSON.
    fn from(value: &Value) -> Self {
        Self(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A secret that is set or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretEdit {
    /// Canonical path of its attribute: `password`.
    pub path: String,
    /// `None`: there is none any more.
    pub value: Option<Secret>,
}

/// Notes an edit. The last of a path counts.
pub(crate) fn note(edits: &mut Vec<SecretEdit>, path: String, value: Option<Secret>) {
    edits.retain(|edit| edit.path != path);
    edits.push(SecretEdit { path, value });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_that_may_hold_a_secret_is_known_by_its_names() {
        let names = names(&SchemaRegistry::core());
        assert_eq!(names, ["password"]);
        let check = |message: Value, expected: bool| {
            assert_eq!(may_be_in(message.as_object().unwrap(), &names), expected, "{message}");
        };
        check(json!({ "userName": "ada", "title": "password" }), false);
        check(json!({ "userName": "ada", "PassWord": "t0p" }), true);
        check(json!({ "urn:ietf:params:scim:schemas:core:2.0:User:password": "t0p" }), true);
        check(json!({ "Operations": [{ "op": "replace", "path": "title", "value": "x" }] }), false);
        check(json!({ "Operations": [{ "op": "replace", "Path": " Password", "value": "t0p" }] }), true);
        check(json!({ "Operations": [{ "op": "add", "value": { "name": {}, "password": "t0p" } }] }), true);
        check(json!({ "Operations": [[{ "data": { "Operations": [{ "path": "password" }] } }]] }), true);
    }

    #[test]
    fn a_secret_is_not_printed_and_the_last_edit_of_a_path_counts() {
        let mut edits = Vec::new();
        note(&mut edits, "password".to_owned(), Some(Secret::from(&Value::from("first"))));
        note(&mut edits, "password".to_owned(), Some(Secret::from(&Value::from("second"))));
        assert_eq!(edits[0].value.as_ref().map(Secret::expose), Some("second"));
        assert_eq!(format!("{edits:?}"), "[SecretEdit { path: \"password\", value: Some(Secret(***)) }]");
    }
}
