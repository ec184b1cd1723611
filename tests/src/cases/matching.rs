//! Whether an answer is the expected one.
//!
//! An expectation is a part of the answer: what it does not name may be anything. In it, `null` is "not there", `"*"` is
//! "there, whatever it is". A list must have as many values as expected, in any order unless order is asked for.

use serde_json::Value;

/// The first difference, with the path to it; `None` if the answer is as expected.
pub fn difference(expected: &Value, found: &Value, ordered: bool) -> Option<String> {
    differs(expected, Some(found), ordered, "").err()
}

fn differs(expected: &Value, found: Option<&Value>, ordered: bool, path: &str) -> Result<(), String> {
    let place = if path.is_empty() { "the body" } else { path };
    match (expected, found) {
        (Value::Null, None | Some(Value::Null)) => Ok(()),
        (Value::Null, Some(found)) => Err(format!("{place} should not be there and is {found}")),
        (_, None | Some(Value::Null)) => Err(format!("{place} is not there and should be {expected}")),
        (Value::String(any), Some(_)) if any == "*" => Ok(()),
        (Value::Object(expected), Some(Value::Object(found))) => expected.iter().try_for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            differs(value, found.get(name), ordered, &path)
        }),
        (Value::Array(wanted), Some(Value::Array(values))) if wanted.len() == values.len() => {
            if ordered {
                let mut pairs = wanted.iter().zip(values).enumerate();
                return pairs.try_for_each(|(n, (wanted, value))| {
                    differs(wanted, Some(value), ordered, &format!("{path}[{n}]"))
                });
            }
            let mut open: Vec<&Value> = values.iter().collect();
            for wanted in wanted {
                let matching = open.iter().position(|value| differs(wanted, Some(value), ordered, path).is_ok());
                match matching {
                    Some(place) => drop(open.swap_remove(place)),
                    None => {
                        return Err(format!("{place} has no value like {wanted} in {}", Value::from(values.clone())));
                    }
                }
            }
            Ok(())
        }
        (expected, Some(found)) if expected == found => Ok(()),
        (expected, Some(found)) => Err(format!("{place} is {found} and should be {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: Value, found: Value, difference_is: Option<&str>) {
        assert_eq!(difference(&expected, &found, false).as_deref(), difference_is, "{expected} {found}");
    }

    #[test]
    fn what_is_not_named_may_be_anything_and_null_must_not_be_there() {
        let found = json!({ "a": 1, "b": { "c": "x", "d": [1, 2] } });
        check(json!({ "a": 1 }), found.clone(), None);
        check(json!({ "b": { "d": [2, 1], "e": null }, "f": null, "a": "*" }), found.clone(), None);
        check(json!({ "a": 2 }), found.clone(), Some("a is 1 and should be 2"));
        check(json!({ "b": { "c": null } }), found.clone(), Some("b.c should not be there and is \"x\""));
        check(json!({ "b": { "e": "*" } }), found.clone(), Some("b.e is not there and should be \"*\""));
        check(json!({ "b": { "d": [1] } }), found.clone(), Some("b.d is [1,2] and should be [1]"));
        check(json!({ "b": { "d": [1, 3] } }), found, Some("b.d has no value like 3 in [1,2]"));
    }

    #[test]
    fn one_value_stands_for_one_expectation() {
        check(
            json!([{ "v": 1 }, { "v": 1 }]),
            json!([{ "v": 1 }, { "v": 2 }]),
            Some("the body has no value like {\"v\":1} in [{\"v\":1},{\"v\":2}]"),
        );
        assert_eq!(difference(&json!([1, 2]), &json!([2, 1]), true).as_deref(), Some("[0] is 2 and should be 1"));
    }
}
