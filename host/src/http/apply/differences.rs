//! Where two JSON documents differ.

use serde_json::Value;

use super::plan_body::ChangeBody;
use crate::pipeline::apply::pointer;

/// Every place where they differ, as deep as both have something there. Lists of plain values are one value: a grant more is
/// no reason to tell of every one after it.
pub(super) fn differences(from: &Value, to: &Value) -> Vec<ChangeBody> {
    let mut found = Vec::new();
    compare(&mut String::new(), Some(from), Some(to), &mut found);
    found
}

fn compare(place: &mut String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<ChangeBody>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for (name, value) in before {
                within(place, name, |place| compare(place, Some(value), after.get(name), found));
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                within(place, name, |place| compare(place, None, Some(value), found));
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if !is_plain(before) || !is_plain(after) => {
            for number in 0..before.len().max(after.len()) {
                let (from, to) = (before.get(number), after.get(number));
                within(place, &number.to_string(), |place| compare(place, from, to, found));
            }
        }
        (from, to) => found.push(ChangeBody { pointer: place.clone(), from: from.cloned(), to: to.cloned() }),
    }
}

fn is_plain(list: &[Value]) -> bool {
    !list.iter().any(|value| value.is_object() || value.is_array())
}

fn within(place: &mut String, member: &str, work: impl FnOnce(&mut String)) {
    let length = place.len();
    place.push_str(&pointer(&[member]));
    work(place);
    place.truncate(length);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::differences;

    #[track_caller]
    fn check(from: Value, to: Value, expected: &[&str]) {
        let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let found: Vec<String> = differences(&from, &to)
            .iter()
            .map(|change| format!("{}: {} > {}", change.pointer, shown(&change.from), shown(&change.to)))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_place_is_told_once_and_as_deep_as_it_goes() {
        check(json!({ "a": 1 }), json!({ "a": 1 }), &[]);
        check(json!({ "a": 1, "b": 2 }), json!({ "b": 3, "c": null }), &["/a: 1 > -", "/b: 2 > 3", "/c: - > null"]);
        check(
            json!({ "a": { "b": { "c": 1, "d": 1 } } }),
            json!({ "a": { "b": { "c": 2, "d": 1 } } }),
            &["/a/b/c: 1 > 2"],
        );
        check(json!({ "a/b~": 1 }), json!({ "a/b~": 1.5 }), &["/a~1b~0: 1 > 1.5"]);
        check(json!({ "a": {} }), json!({ "a": [] }), &["/a: {} > []"]);
        check(json!(1), json!(2), &[": 1 > 2"]);
    }

    #[test]
    fn a_list_of_plain_values_is_one_value_and_one_of_objects_is_not() {
        check(json!({ "a": ["x", "y"] }), json!({ "a": ["w", "x", "y"] }), &[r#"/a: ["x","y"] > ["w","x","y"]"#]);
        check(
            json!({ "a": [{ "b": 1 }, { "b": 2 }] }),
            json!({ "a": [{ "b": 1 }, { "b": 3 }, { "b": 4 }] }),
            &["/a/1/b: 2 > 3", r#"/a/2: - > {"b":4}"#],
        );
    }
}
