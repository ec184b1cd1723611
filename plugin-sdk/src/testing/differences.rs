//! What differs between two states, at the finest path, named as the host names it. A leaf of the test double.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::backend::value_of;
use super::path::{elements, get};
use crate::filter::quoted;
use crate::operation::Difference;

/// Kept by the host itself, so never part of what a client changes.
const KEPT_BY_HOST: [&str; 4] = ["schemas", "id", "meta", "groups"];

/// Every effective difference. A delete has none: everything goes.
pub(super) fn differences(before: Option<&Map<String, Json>>, after: Option<&Map<String, Json>>) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(after) = after {
        let nothing = Map::new();
        let before = before.unwrap_or(&nothing);
        for name in names(before, after) {
            if KEPT_BY_HOST.iter().any(|kept| kept.eq_ignore_ascii_case(name)) {
                continue;
            }
            let (old, new) = (get(before, name), get(after, name));
            // An extension is a container, not an attribute: its own attributes are named behind a colon.
            if name.contains(':') {
                compare_parts(&format!("{name}:"), old, new, &mut found);
            } else {
                compare(name, old, new, &mut found);
            }
        }
    }
    found
}

fn compare(path: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<Difference>) {
    let is = |test: fn(&Json) -> bool| before.is_some_and(test) || after.is_some_and(test);
    if before == after {
    } else if is(Json::is_array) {
        compare_elements(path, before, after, found);
    } else if is(Json::is_object) {
        compare_parts(&format!("{path}."), before, after, found);
    } else {
        push(path, before, after, found);
    }
}

/// Attributes of an extension, sub-attributes of a complex one.
fn compare_parts(prefix: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<Difference>) {
    let nothing = Map::new();
    let before = before.and_then(Json::as_object).unwrap_or(&nothing);
    let after = after.and_then(Json::as_object).unwrap_or(&nothing);
    for name in names(before, after) {
        compare(&format!("{prefix}{name}"), get(before, name), get(after, name), found);
    }
}

/// A value of a multi-valued attribute is the same value as long as it is named by the same filter.
fn compare_elements(path: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<Difference>) {
    let before = before.map(elements).unwrap_or_default();
    let after = after.map(elements).unwrap_or_default();
    let in_after = |name: &str| after.iter().find(|element| element_path(path, element) == name);
    for old in before {
        let name = element_path(path, old);
        match in_after(&name) {
            Some(new) if new.is_object() && old.is_object() => {
                compare_parts(&format!("{name}."), Some(old), Some(new), found);
            }
            new => compare_whole(&name, Some(old), new, found),
        }
    }
    for new in after {
        let name = element_path(path, new);
        if !before.iter().any(|old| element_path(path, old) == name) {
            compare_whole(&name, None, Some(new), found);
        }
    }
}

fn compare_whole(path: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<Difference>) {
    if before != after {
        push(path, before, after, found);
    }
}

fn push(path: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<Difference>) {
    found.push(Difference { path: path.to_owned(), before: before.map(value_of), after: after.map(value_of) });
}

/// `emails[value eq "a@x"]`; by `type` where a value has no `value`, as addresses.
fn element_path(path: &str, element: &Json) -> String {
    let Some(complex) = element.as_object() else {
        return format!("{path}[value eq {}]", element.as_str().map_or_else(|| element.to_string(), quoted));
    };
    ["value", "type"]
        .into_iter()
        .find_map(|key| Some(format!("{path}[{key} eq {}]", get(complex, key)?)))
        .unwrap_or_else(|| path.to_owned())
}

fn names<'a>(before: &'a Map<String, Json>, after: &'a Map<String, Json>) -> BTreeSet<&'a str> {
    before.keys().chain(after.keys()).map(String::as_str).collect()
}
