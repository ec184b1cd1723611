//! What was read of people, without the people: texts replaced by others of the same shape. Pure.
//!
//! The same text has the same mask wherever it stands: as a value, as an id, as the key of a table, in quotes in a path or a
//! filter. What stands for it hangs on its place in the list alone, so that nobody can tell from a mask what it stands for,
//! but for its shape: length, and where it has letters, digits and other signs.

use std::collections::BTreeSet;
use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Members of an entry of the log whose texts are words of the protocol or of the tenant's set-up, and not somebody's.
const WORDS: [&str; 12] = [
    "kind",
    "resource_type",
    "table",
    "error",
    "action",
    "constraint",
    "plugin",
    "digest",
    "schemas",
    "at",
    "label",
    "scopes",
];

/// Members whose texts are paths and filters: of those, what is in quotes is somebody's.
const EXPRESSIONS: [&str; 6] = ["path", "filter", "differences_under", "changes", "refused", "document"];

/// Texts and what stands for them.
#[derive(Clone, Debug, Default)]
pub struct Masks(HashMap<String, String>);

impl Masks {
    /// One more text.
    #[must_use]
    pub fn with(&self, text: &str, mask: String) -> Self {
        let mut masks = self.0.clone();
        masks.insert(text.to_owned(), mask);
        Self(masks)
    }

    /// JSON with every text that has one replaced by its mask: whole texts, and what is in quotes in paths and filters.
    pub fn apply(&self, json: &Value) -> Value {
        self.replace(json, false)
    }

    fn replace(&self, json: &Value, is_expression: bool) -> Value {
        match json {
            Value::String(text) if is_expression => Value::String(self.in_quotes(text)),
            Value::String(text) => Value::String(self.0.get(text).unwrap_or(text).clone()),
            Value::Array(items) => items.iter().map(|item| self.replace(item, is_expression)).collect(),
            Value::Object(members) => {
                let replaced = members.iter().map(|(name, value)| match name.as_str() {
                    word if WORDS.contains(&word) => (name.clone(), value.clone()),
                    _ => (name.clone(), self.replace(value, EXPRESSIONS.contains(&name.as_str()))),
                });
                replaced.collect()
            }
            other => other.clone(),
        }
    }

    fn in_quotes(&self, expression: &str) -> String {
        // `User/<id>` names a document.
        if let Some((resource_type, id)) = expression.split_once('/')
            && let Some(mask) = self.0.get(id)
        {
            return format!("{resource_type}/{mask}");
        }
        let mut masked = expression.to_owned();
        for literal in literals(expression) {
            if let Some(mask) = self.0.get(&literal) {
                masked = masked.replace(&quoted(&literal), &quoted(mask));
            }
        }
        masked
    }
}

/// Every text in this JSON that could be somebody's, each once, in the order of their appearance.
pub fn texts(json: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(json, None, &mut found);
    let mut seen = BTreeSet::new();
    found.retain(|text| is_somebodys(text) && seen.insert(text.clone()));
    found
}

fn collect(json: &Value, name: Option<&str>, found: &mut Vec<String>) {
    match json {
        Value::String(text) => match name {
            Some(name) if WORDS.contains(&name) => {}
            Some("document") => found.extend(text.split_once('/').map(|(_, id)| id.to_owned())),
            Some(name) if EXPRESSIONS.contains(&name) => found.extend(literals(text)),
            _ => found.push(text.clone()),
        },
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| collect(value, Some(name), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A URN names a schema; what has neither letters nor digits tells nothing.
fn is_somebodys(text: &str) -> bool {
    !text.starts_with("urn:ietf:params:scim:") && text.chars().any(char::is_alphanumeric)
}

/// The texts in quotes, as they are meant.
fn literals(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find('"') {
        let from = rest.get(start..).unwrap_or_default();
        let mut parsed = serde_json::Deserializer::from_str(from).into_iter::<String>();
        let Some(Ok(literal)) = parsed.next() else { break };
        let end = start.saturating_add(parsed.byte_offset());
        found.push(literal);
        rest = rest.get(end..).unwrap_or_default();
    }
    found
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What stands for the text at this place of the list: an id for an id, else letters for letters and digits for digits.
pub fn mask(text: &str, place: usize) -> String {
    let mut stream = Stream::new(place);
    if text.parse::<Uuid>().is_ok() {
        let mut bytes = [0; 16];
        bytes.fill_with(|| stream.next());
        return Builder::from_random_bytes(bytes).into_uuid().to_string();
    }
    text.chars()
        .map(|sign| match sign {
            'a'..='z' => char::from(b'a' + stream.next() % 26),
            'A'..='Z' => char::from(b'A' + stream.next() % 26),
            '0'..='9' => char::from(b'0' + stream.next() % 10),
            sign if sign.is_alphabetic() => char::from(b'a' + stream.next() % 26),
            sign => sign,
        })
        .collect()
}

/// Bytes that hang on a number alone.
struct Stream {
    place: usize,
    block: u64,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(place: usize) -> Self {
        Self { place, block: 0, bytes: Vec::new() }
    }

    fn next(&mut self) -> u8 {
        if self.bytes.is_empty() {
            let input = format!("mask {} {}", self.place, self.block);
            self.bytes = Sha256::digest(input.as_bytes()).to_vec();
            self.block = self.block.wrapping_add(1);
        }
        self.bytes.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_found_and_masked_wherever_it_stands() {
        let id = "01900000-0000-7000-8000-000000000001";
        let reads = json!([
            { "document": "after", "path": "userName", "value": "ada" },
            { "document": format!("User/{id}"), "path": "emails[value eq \"ada@example.com\"].type", "values": ["work"] },
            { "look_up": { "kind": "count", "resource_type": "User", "filter": "userName eq \"ada\"" }, "answer": 2 },
            { "table": "codes", "revision": 1, "key": "D-7", "row": { "owner": "ada" } },
        ]);
        let found = texts(&reads);
        assert_eq!(found, ["ada", id, "ada@example.com", "work", "D-7"]);
        let known = ["ada", id, "ada@example.com"];
        let masks = known
            .iter()
            .enumerate()
            .fold(Masks::default(), |masks, (place, text)| masks.with(text, format!("<{place}>")));
        let masked = json!([
            { "document": "after", "path": "userName", "value": "<0>" },
            { "document": "User/<1>", "path": "emails[value eq \"<2>\"].type", "values": ["work"] },
            { "look_up": { "kind": "count", "resource_type": "User", "filter": "userName eq \"<0>\"" }, "answer": 2 },
            { "table": "codes", "revision": 1, "key": "D-7", "row": { "owner": "<0>" } },
        ]);
        assert_eq!(masks.apply(&reads), masked);
    }

    #[test]
    fn a_mask_has_the_shape_of_the_text_and_nothing_else_of_it() {
        let masked = mask("Ada.L7@Example.com", 3);
        assert_eq!(masked, mask("Zoë.X1@Unknown.org", 3), "it must hang on the place alone");
        let shape: String = masked
            .chars()
            .map(|sign| match sign {
                'a'..='z' => 'a',
                'A'..='Z' => 'A',
                '0'..='9' => '0',
                sign => sign,
            })
            .collect();
        assert_eq!(shape, "Aaa.A0@Aaaaaaa.aaa");
        assert_ne!(masked, mask("Ada.L7@Example.com", 4));
        assert!(mask("01900000-0000-7000-8000-000000000001", 0).parse::<Uuid>().is_ok());
        assert_eq!(mask(&"a".repeat(1_000), 0).len(), 1_000);
    }

    #[test]
    fn names_of_schemas_and_signs_are_nobodys() {
        assert_eq!(texts(&json!({ "value": "urn:ietf:params:scim:schemas:core:2.0:User", "row": "--" })), [""; 0]);
        assert_eq!(texts(&json!({ "path": "emails[value eq \"a\\\"b\" and type eq \"c\"]" })), ["a\"b", "c"]);
        assert_eq!(texts(&json!({ "path": "emails[value eq \"a" })), [""; 0]);
    }
}
