//! `add` (RFC 7644 §3.5.2.1), and what `replace` has in common with it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::filter::eval;
use crate::scim::index;
use crate::scim::normalize::value::{Place, normalize_values};
use crate::scim::patch::target::{
    Target, clear_if_empty, matching, merge, set, set_in_value, settle_primary, take_list, take_object,
};
use crate::scim::schema::{Attribute, Type};

/// Adds to what the path leads to.
pub(super) fn add(target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    match (target.attribute.multi_valued, target.filter(), target.sub_attribute()) {
        (false, _, _) => write_single(target, value),
        (true, _, Some(sub)) => write_sub(target, sub, value),
        (true, Some(_), None) => merge_matching(target, value),
        (true, None, None) => append(target, value),
    }
}

/// A single-valued attribute: "If the target location already exists, the value is replaced"; of a complex one, the
/// sub-attributes that are given.
pub(super) fn write_single(target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    let attribute = target.attribute;
    if attribute.kind != Type::Complex {
        let normal = target.normalize(attribute, value)?;
        return target.edit(|value| {
            *value = normal.unwrap_or(Value::Null);
            Ok(())
        });
    }
    let (filter, sub, no_target) = (target.filter(), target.sub_attribute(), target.no_target());
    let given = sub.map(|sub| target.normalize(sub, value)).transpose()?;
    let path = target.reader();
    target.edit(|current| {
        let mut complex = take_object(current);
        if filter.is_some_and(|filter| !eval::matches_value(filter, &complex)) {
            return Err(no_target);
        }
        match (sub, given) {
            (Some(sub), Some(given)) => {
                set(&mut complex, sub, given);
                clear_if_empty(&mut complex);
            }
            _ => merge(&path, &mut complex, value)?,
        }
        *current = Value::Object(complex);
        Ok(())
    })
}

/// One sub-attribute in each value that the filter matches, or in every value. Where there is none, in a new one.
pub(super) fn write_sub(mut target: Target<'_>, sub: &Attribute, value: &Value) -> Result<(), ScimError> {
    target.pay_for_copies(value)?;
    let normal = target.normalize(sub, value)?;
    let (filter, no_target, path) = (target.filter(), target.no_target(), target.path.to_string());
    let reader = target.reader();
    target.edit(|current| {
        let mut values = take_list(current);
        let mut places = matching(filter, &values);
        if places.is_empty() {
            let made = filter.map_or_else(|| Ok(Some(Map::new())), |filter| reader.made_from(filter))?;
            let new = made.ok_or(no_target)?;
            places.push(values.len());
            values.push(Value::Object(new));
        }
        for place in &places {
            if let Some(Value::Object(object)) = values.get_mut(*place) {
                set_in_value(object, sub, normal.clone(), &path)?;
            }
        }
        settle_primary(&mut values, &places);
        *current = Value::Array(values);
        Ok(())
    })
}

/// The given sub-attributes in each value that the filter matches. Where there is none, in a new one.
fn merge_matching(mut target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    target.pay_for_copies(value)?;
    let (filter, no_target) = (target.filter(), target.no_target());
    let reader = target.reader();
    target.edit(|current| {
        let mut values = take_list(current);
        let mut places = matching(filter, &values);
        if places.is_empty() {
            let made = filter.map_or(Ok(None), |filter| reader.made_from(filter))?;
            let new = made.ok_or(no_target)?;
            places.push(values.len());
            values.push(Value::Object(new));
        }
        for place in &places {
            if let Some(Value::Object(object)) = values.get_mut(*place) {
                merge(&reader, object, value)?;
            }
        }
        settle_primary(&mut values, &places);
        *current = Value::Array(values);
        Ok(())
    })
}

/// Values of a multi-valued attribute. "If the value already exists, no changes SHOULD be made". A value that differs
/// from one that is there only in other sub-attributes than `value` and `type` is that value: RFC 7643 §2.4 has a
/// (type, value) combination no more than once.
fn append(target: Target<'_>, value: &Value) -> Result<(), ScimError> {
    let attribute = target.attribute;
    let path = target.path.to_string();
    let given = normalize_values(target.reading, attribute, value, Place::of(&path))?;
    target.edit(|current| {
        let mut values = take_list(current);
        // What is merged into a value leaves its identity as it is, so the places stay right.
        let mut places: HashMap<Identity, usize> = HashMap::with_capacity(values.len() + given.len());
        for (place, old) in values.iter().enumerate() {
            places.entry(Identity::of(attribute, old)).or_insert(place);
        }
        let mut written = Vec::with_capacity(given.len());
        for new in given {
            let place = *places.entry(Identity::of(attribute, &new)).or_insert(values.len());
            written.push(place);
            match (values.get_mut(place), new) {
                (Some(Value::Object(old)), Value::Object(new)) => {
                    for (name, value) in new {
                        let sub = attribute.sub_attribute(&name);
                        // Another spelling of the `value` by which it is known is the same one.
                        if let Some(sub) = sub.filter(|_| name != "value" && name != "type") {
                            set_in_value(old, sub, Some(value), &format!("{path}.{name}"))?;
                        } else {
                            old.insert(name, value);
                        }
                    }
                }
                (Some(_), _) => {}
                (None, new) => values.push(new),
            }
        }
        settle_primary(&mut values, &written);
        *current = Value::Array(values);
        Ok(())
    })
}

/// As what a value is known among those of its attribute.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// By `value` and `type` as they are compared.
    Named(String, Option<String>),
    /// By all of it, where there is no `value`.
    Whole(Value),
}

impl Identity {
    fn of(attribute: &Attribute, value: &Value) -> Self {
        let norm = |name: &str| {
            let sub = attribute.sub_attribute(name)?;
            index::normalise_value(sub, value.get(&sub.name)?)
        };
        norm("value").map_or_else(|| Self::Whole(value.clone()), |named| Self::Named(named, norm("type")))
    }
}
