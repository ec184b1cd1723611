//! What differs between two states, at the finest path that tells.
//!
//! * a simple attribute by its name, a complex one by its sub-attributes: `name.givenName`;
//! * a value of a multi-valued complex attribute that comes or goes as a whole, `emails[value eq "a@x"]`, and one that
//!   stays by its sub-attributes, `emails[value eq "a@x"].type`. A value is known by its `value`; where that is missing
//!   or there twice, by all that it has, so a changed one is one that goes and one that comes;
//! * a value of a multi-valued simple attribute by the attribute's name;
//! * a member by its id: `members[value eq "…"]`.
//!
//! A filter longer than [`PATH_FILTER_BYTES_MAX`] is left out, so that each path can be read again: a certificate that
//! comes is a difference at `x509Certificates`, and several have the same path.
//!
//! The order of values is no difference. Of a secret it is told that it changes, and never from what to what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::change::planned::Difference;
use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::index;
use crate::scim::path::{AttributeRef, Path};
use crate::scim::resource::{Attributes, Member};
use crate::scim::schema::{Attribute, ResourceType, Schema, Storage, Type};
use crate::scim::secret::{SecretEdit, is_secret};

/// Longest filter in the path of a difference, in bytes. A value may be longer than a path can be
/// ([`path_bytes_max`](crate::scim::limits::ScimLimits::path_bytes_max)), and a path is for reading: ids and addresses have fewer than
/// 300 bytes.
pub const PATH_FILTER_BYTES_MAX: usize = 512;

/// Every effective difference of what stands in the resources themselves and of secrets, sorted by path.
pub fn differences(
    resource_type: &ResourceType,
    before: &Attributes,
    after: &Attributes,
    secrets: &[SecretEdit],
) -> Vec<Difference> {
    let mut found = Vec::new();
    for attribute in resource_type.base_attributes() {
        compare(&AttributeRef::of(attribute), before.get(&attribute.name), after.get(&attribute.name), &mut found);
    }
    for extension in &resource_type.extensions {
        compare_extension(&extension.schema, before, after, &mut found);
    }
    let of_secret = |edit: &SecretEdit| {
        let attribute = AttributeRef::parse(&edit.path, resource_type).ok()?;
        Some(difference(edit.path.clone(), attribute, None, None))
    };
    found.extend(secrets.iter().filter_map(of_secret));
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn compare_extension(schema: &Arc<Schema>, before: &Attributes, after: &Attributes, found: &mut Vec<Difference>) {
    let of = |attributes: &Attributes, name: &str| attributes.get(&schema.id)?.get(name).cloned();
    for attribute in &schema.attributes {
        let whole = AttributeRef { extension: Some(schema.clone()), ..AttributeRef::of(attribute) };
        let (old, new) = (of(before, &attribute.name), of(after, &attribute.name));
        compare(&whole, old.as_ref(), new.as_ref(), found);
    }
}

fn compare(attribute: &AttributeRef, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    let schema = &attribute.attribute;
    if before == after || schema.storage != Storage::Inline || is_secret(schema) {
        return;
    }
    if schema.multi_valued {
        return compare_values(attribute, values(before), values(after), found);
    }
    if schema.kind != Type::Complex {
        return found.push(difference(attribute.to_string(), attribute.clone(), before, after));
    }
    let path = Path::from(attribute.clone());
    compare_sub_attributes(&path, attribute, before, after, found);
}

fn compare_sub_attributes(
    path: &Path,
    attribute: &AttributeRef,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    for sub in attribute.attribute.sub_attributes.iter().filter(|sub| !is_secret(sub)) {
        let of = |value: Option<&'_ Value>| value.and_then(|value| value.get(&sub.name)).cloned();
        let (old, new) = (of(before), of(after));
        if old != new {
            let path = Path { sub_attribute: Some(sub.clone()), ..path.clone() };
            found.push(difference(path.to_string(), attribute.with_sub(sub), old.as_ref(), new.as_ref()));
        }
    }
}

fn compare_values(attribute: &AttributeRef, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let ambiguous = ambiguous_values(&attribute.attribute, before, after);
    let norm_of = |value: &Value| value_norm(&attribute.attribute, value).filter(|norm| !ambiguous.contains(norm));
    // By norm those that may be changed ones of before; sorted, so that the outcome is the same each time.
    let mut named: BTreeMap<String, &Value> = BTreeMap::new();
    let mut nameless: Vec<&Value> = Vec::new();
    for new in surplus(after, before) {
        match norm_of(new) {
            Some(norm) => {
                named.insert(norm, new);
            }
            None => nameless.push(new),
        }
    }
    for old in surplus(before, after) {
        let norm = norm_of(old);
        let path = path_of(attribute, old, norm.is_some());
        match norm.and_then(|norm| named.remove(&norm)) {
            Some(new) => compare_sub_attributes(&path, attribute, Some(old), Some(new), found),
            None => found.push(difference(path.to_string(), attribute.clone(), Some(old), None)),
        }
    }
    let added = named.into_values().map(|new| (new, true)).chain(nameless.into_iter().map(|new| (new, false)));
    for (new, is_named) in added {
        let path = path_of(attribute, new, is_named).to_string();
        found.push(difference(path, attribute.clone(), None, Some(new)));
    }
}

/// The values that are there more often than among the others.
fn surplus<'v>(values: &'v [Value], others: &[Value]) -> Vec<&'v Value> {
    let mut counts: HashMap<&Value, usize> = HashMap::with_capacity(others.len());
    for other in others {
        *counts.entry(other).or_default() += 1;
    }
    let is_surplus = |value: &&Value| match counts.get_mut(*value) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    values.iter().filter(is_surplus).collect()
}

/// The path of one value, by its `value` if that names it and by all that it has if not. Without a filter if that would
/// be too long.
fn path_of(attribute: &AttributeRef, value: &Value, is_named: bool) -> Path {
    let filter = value.as_object().and_then(|object| {
        equal_to(&attribute.attribute, object, |name| !is_named || name == "value")
            .filter(|filter| filter.to_string().len() <= PATH_FILTER_BYTES_MAX)
    });
    Path { filter: filter.map(Box::new), ..Path::from(attribute.clone()) }
}

/// The filter that a value with these sub-attributes matches.
fn equal_to(attribute: &Attribute, object: &Map<String, Value>, counts: impl Fn(&str) -> bool) -> Option<Filter> {
    let mut terms: Vec<Filter> = attribute
        .sub_attributes
        .iter()
        .filter(|sub| counts(&sub.name))
        .filter_map(|sub| {
            let value = match object.get(&sub.name)? {
                Value::String(text) if sub.kind == Type::DateTime => Literal::Time(crate::scim::time::parse(text)?),
                Value::String(text) => Literal::Text(text.clone()),
                Value::Bool(boolean) => Literal::Boolean(*boolean),
                Value::Number(number) => Literal::Number(number.clone()),
                _ => return None,
            };
            Some(Filter::Compare { attribute: AttributeRef::of(sub), operator: Operator::Eq, value })
        })
        .collect();
    if terms.len() > 1 { Some(Filter::And(terms)) } else { terms.pop() }
}

/// The norms of `value` that more than one value has in one of the states.
fn ambiguous_values(attribute: &Attribute, before: &[Value], after: &[Value]) -> BTreeSet<String> {
    let mut ambiguous = BTreeSet::new();
    for state in [before, after] {
        let mut seen = BTreeSet::new();
        for norm in state.iter().filter_map(|value| value_norm(attribute, value)) {
            if !seen.insert(norm.clone()) {
                ambiguous.insert(norm);
            }
        }
    }
    ambiguous
}

fn value_norm(attribute: &Attribute, value: &Value) -> Option<String> {
    let sub = attribute.sub_attribute("value")?;
    index::normalise_value(sub, value.get(&sub.name)?)
}

fn values(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(values)) => values,
        Some(single) => std::slice::from_ref(single),
        None => &[],
    }
}

/// The difference that a member makes who comes or goes. `attribute` is the one kept as rows.
pub fn member_difference(attribute: &Arc<Attribute>, member: &Member, is_added: bool) -> Difference {
    let object = Value::Object(member.to_object());
    let path = format!("{}[value eq \"{}\"]", attribute.name, member.id);
    let (before, after) = if is_added { (None, Some(&object)) } else { (Some(&object), None) };
    difference(path, AttributeRef::of(attribute), before, after)
}

fn difference(path: String, attribute: AttributeRef, before: Option<&Value>, after: Option<&Value>) -> Difference {
    Difference { path, attribute, before: before.cloned(), after: after.cloned() }
}

#[cfg(test)]
mod tests;
