//! `remove` (RFC 7644 §3.5.2.2).

use serde_json::{Map, Value};

use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::eval;
use crate::scim::index;
use crate::scim::normalize::value::{Place, normalize_values};
use crate::scim::patch::target::{Target, matching, take_list, take_object};
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::validate::immutable;
use crate::scim::violation::{Characteristic, Violation};

/// "If "path" is unspecified, the operation fails with HTTP status code 400 and a "scimType" error code of "noTarget"."
pub(super) fn without_path() -> ScimError {
    ScimError::refused(400, Some(ScimType::NoTarget), "a `remove` operation needs a `path`")
}

/// Removes what the path leads to. "If an attribute is removed or becomes unassigned and is defined as a required
/// attribute …, the server SHALL return … a "scimType" error code of "mutability"."
///
/// A filter that matches no value is `noTarget` (table 9: "the "path" value contains a filter that yields no match"),
/// unless nothing is what the client asks for.
pub(super) fn remove(mut target: Target<'_>, value: Option<&Value>, absent_is_fine: bool) -> Result<(), ScimError> {
    let attribute = target.attribute;
    let (filter, sub) = (target.filter(), target.sub_attribute());
    let required = sub.map_or(attribute.required && filter.is_none(), |sub| sub.required);
    if required {
        let detail = format!("`{}` is required and cannot be removed", target.path);
        let violation = Violation::new(target.path.to_string(), Characteristic::Required);
        // Of one sub-attribute the values are not told apart here; the path has the filter.
        let before = if sub.is_none() { target.value() } else { None };
        return Err(ScimError::mutability(detail).about(violation.before(attribute, before)));
    }
    if !attribute.multi_valued {
        return remove_single(target, absent_is_fine);
    }
    let only = match value {
        None | Some(Value::Null) => None,
        Some(_) if sub.is_some() => None,
        Some(value) => {
            let path = target.path.to_string();
            let only = normalize_values(target.reading, attribute, value, Place::of(&path))?;
            target.pay_for_pairs(&only)?;
            Some(only)
        }
    };
    let (no_target, path) = (target.no_target(), target.path.to_string());
    target.edit(|current| {
        let mut values = take_list(current);
        let places = matching(filter, &values);
        if places.is_empty() && filter.is_some() && !absent_is_fine {
            return Err(no_target);
        }
        if let Some(sub) = sub.filter(|sub| sub.mutability == Mutability::Immutable) {
            let of = |place: &usize| values.get(*place).and_then(|value| value.get(&sub.name));
            if let Some(old) = places.iter().find_map(of) {
                return Err(immutable(sub, Some(old), None, &path));
            }
        }
        let mut place = 0;
        values.retain_mut(|value| {
            let selected = places.binary_search(&place).is_ok();
            place += 1;
            match (selected, sub, value, &only) {
                (false, _, _, _) => true,
                (true, Some(sub), Value::Object(object), _) => object.remove(&sub.name).is_none() || !object.is_empty(),
                (true, _, value, Some(only)) => !only.iter().any(|named| is_named(attribute, value, named)),
                (true, _, _, None) => false,
            }
        });
        *current = Value::Array(values);
        Ok(())
    })
}

fn remove_single(target: Target<'_>, absent_is_fine: bool) -> Result<(), ScimError> {
    let (filter, sub, no_target) = (target.filter(), target.sub_attribute(), target.no_target());
    target.edit(|current| {
        if filter.is_none() && sub.is_none() {
            *current = Value::Null;
            return Ok(());
        }
        let mut complex = take_object(current);
        let selected = filter.is_none_or(|filter| eval::matches_value(filter, &complex));
        if !selected && !absent_is_fine {
            return Err(no_target);
        }
        match sub {
            Some(sub) if selected => {
                complex.remove(&sub.name);
            }
            None if selected => complex = Map::new(),
            _ => {}
        }
        *current = Value::Object(complex);
        Ok(())
    })
}

/// Whether a value is one that the client names: equal in every sub-attribute that it gives.
fn is_named(attribute: &Attribute, value: &Value, named: &Value) -> bool {
    match (value, named) {
        (Value::Object(value), Value::Object(named)) => named.iter().all(|(name, wanted)| {
            let norm = |value: &Value| index::normalise_value(attribute.sub_attribute(name)?, value);
            value
                .get(name)
                .is_some_and(|value| value == wanted || norm(value).is_some_and(|value| Some(value) == norm(wanted)))
        }),
        (value, named) => value == named,
    }
}
