//! A rewriter's edits over JSON, as the host makes them by its PATCH. A leaf of the test double.
//!
//! Without schemas it cannot tell everything: what it does not know is an error. Whether what is left is valid, only the
//! host says.

use serde_json::{Map, Value as Json};

use super::path::{Path, is_core};
use crate::rewriter::Edit;

/// Makes an edit. The error names the path.
pub(super) fn make(edit: &Edit, document: &mut Map<String, Json>) -> Result<(), String> {
    let fail = |why: &str| format!("the edit of `{}` cannot be made: {why}", edit.path());
    let path = Path::parse(edit.path()).map_err(|why| fail(&why))?;
    if document.keys().any(|key| key.eq_ignore_ascii_case(&path.written) && key.contains(':')) {
        return Err(fail("native tests know no edits of a whole extension"));
    }
    let urn = path.urn.as_deref().filter(|urn| !is_core(urn));
    let container = match urn {
        None => &mut *document,
        Some(urn) => match entry(document, urn) {
            Json::Object(extension) => extension,
            nothing => {
                *nothing = Json::Object(Map::new());
                nothing.as_object_mut().ok_or_else(|| fail("it is no object"))?
            }
        },
    };
    let value = entry(container, &path.attribute);
    match edit {
        Edit::Set { value: new, .. } => set(value, &path, new),
        Edit::Append { value: new, .. } if path.filter.is_none() && path.sub.is_none() => {
            append(value, new, path.is_several())
        }
        Edit::Append { .. } => Err("it is no multi-valued attribute".to_owned()),
        Edit::Remove { .. } => remove(value, &path),
    }
    .map_err(|why| fail(&why))?;
    prune(document);
    Ok(())
}

fn set(value: &mut Json, path: &Path, new: &Json) -> Result<(), String> {
    let Some(sub) = &path.sub else {
        return match (&path.filter, value, new) {
            (None, Json::Object(complex), Json::Object(given)) => {
                given.iter().for_each(|(name, part)| *entry(complex, name) = part.clone());
                Ok(())
            }
            (None, value, new) => {
                *value = new.clone();
                Ok(())
            }
            (Some(_), value, new) => each_match(value, path, |matching| *matching = new.clone()),
        };
    };
    let with = |complex: &mut Json| {
        if let Json::Object(complex) = complex {
            *entry(complex, sub) = new.clone();
        }
    };
    match (&path.filter, &mut *value) {
        (Some(_), value) => each_match(value, path, with),
        (None, Json::Array(values)) => {
            values.iter_mut().for_each(with);
            Ok(())
        }
        (None, Json::Null) => {
            let mut complex = Json::Object(Map::new());
            with(&mut complex);
            *value = if path.is_several() { Json::Array(vec![complex]) } else { complex };
            Ok(())
        }
        (None, complex) => {
            with(complex);
            Ok(())
        }
    }
}

/// A value of the same `value` and `type` is the same one.
fn append(value: &mut Json, new: &Json, is_several: bool) -> Result<(), String> {
    if new.is_array() || new.is_null() {
        return Err("one value can be appended at a time, and no list".to_owned());
    }
    let values = match value {
        Json::Array(values) => values,
        Json::Null if !is_several => return Err("native tests do not know whether it has several values".to_owned()),
        Json::Null => {
            *value = Json::Array(vec![new.clone()]);
            return Ok(());
        }
        _ => return Err("it is no multi-valued attribute".to_owned()),
    };
    let is_same = |old: &&mut Json| match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) if new.contains_key("value") => {
            ["value", "type"].into_iter().all(|name| old.get(name) == new.get(name))
        }
        _ => **old == *new,
    };
    match (values.iter_mut().find(is_same), new) {
        (Some(Json::Object(old)), Json::Object(new)) => old.extend(new.clone()),
        (Some(_), _) => {}
        (None, new) => values.push(new.clone()),
    }
    Ok(())
}

fn remove(value: &mut Json, path: &Path) -> Result<(), String> {
    let take = |part: &mut Json| match (&path.sub, part) {
        (Some(sub), Json::Object(complex)) => *entry(complex, sub) = Json::Null,
        (Some(_), _) => {}
        (None, part) => *part = Json::Null,
    };
    match (&path.filter, value) {
        (Some(_), value) => each_match(value, path, take),
        (None, Json::Array(values)) if path.sub.is_some() => {
            values.iter_mut().for_each(take);
            Ok(())
        }
        (None, value) => {
            take(value);
            Ok(())
        }
    }
}

/// Changes every value that the filter selects; there has to be one.
fn each_match(value: &mut Json, path: &Path, mut change: impl FnMut(&mut Json)) -> Result<(), String> {
    let values = match value {
        Json::Array(values) => values.as_mut_slice(),
        Json::Null => &mut [],
        single => std::slice::from_mut(single),
    };
    let mut found = false;
    for value in values {
        let holds = path.filter.as_ref().map_or(Ok(true), |filter| filter.holds_of_element(value))?;
        if holds {
            found = true;
            change(value);
        }
    }
    if found { Ok(()) } else { Err("it selects no value, and native tests make none of a filter".to_owned()) }
}

/// The member of that name, in any spelling of case; `null` if it was not there.
fn entry<'d>(object: &'d mut Map<String, Json>, name: &str) -> &'d mut Json {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    object.entry(key.unwrap_or_else(|| name.to_owned())).or_insert(Json::Null)
}

/// RFC 7643, 2.5: `null`, an empty list and an empty object are no value.
fn prune(object: &mut Map<String, Json>) {
    let is_nothing = |value: &Json| match value {
        Json::Null => true,
        Json::Array(values) => values.is_empty(),
        Json::Object(object) => object.is_empty(),
        _ => false,
    };
    for value in object.values_mut() {
        match value {
            Json::Object(inner) => prune(inner),
            Json::Array(values) => {
                values.iter_mut().filter_map(Json::as_object_mut).for_each(prune);
                values.retain(|value| !is_nothing(value));
            }
            _ => {}
        }
    }
    object.retain(|_, value| !is_nothing(value));
}
