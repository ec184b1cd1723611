//! What differs between two states, at the finest path that tells.
//!
//! * a simple attribute by its name, a complex one by its sub-attributes: `name.givenName`;
//! * a value of a multi-valued complex attribute that comes or goes as a whole, `emails[value eq "a@x"]`, and one that
//!   stays by its sub-attributes, `emails[value eq "a@x"].type`. A value is known by its `value`; where that is missing
//!   or there twice, by all that it has, so a changed one is one that goes and one that comes;
//! * a value of a multi-valued simple attribute by the attribute's name;
//! * a member by its id: `members[value eq "…"]`.
//!
//! The order of values is no difference. What is never returned is never told.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::change::planned::{Difference, MembersChange};
use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::index;
use crate::scim::path::{AttributeRef, Path};
use crate::scim::resource::{Attributes, Member};
use crate::scim::schema::{Attribute, ResourceType, Returned, Schema, Storage, Type, core};

/// Every effective difference, sorted by path.
pub fn differences(
    resource_type: &ResourceType,
    before: &Attributes,
    after: &Attributes,
    members: &MembersChange,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for attribute in resource_type.schema.attributes.iter().chain(core::common_attributes()) {
        compare(&AttributeRef::of(attribute), before.get(&attribute.name), after.get(&attribute.name), &mut found);
    }
    for extension in &resource_type.extensions {
        compare_extension(&extension.schema, before, after, &mut found);
    }
    if let Some(attribute) = resource_type.row_attribute() {
        let removed = members.removed.iter().map(|member| (member, false));
        let added = members.added.iter().map(|member| (member, true));
        found.extend(removed.chain(added).map(|(member, is_added)| of_member(attribute, member, is_added)));
    }
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
    if before == after || schema.storage != Storage::Inline || schema.returned == Returned::Never {
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
    for sub in attribute.attribute.sub_attributes.iter().filter(|sub| sub.returned != Returned::Never) {
        let of = |value: Option<&'_ Value>| value.and_then(|value| value.get(&sub.name)).cloned();
        let (old, new) = (of(before), of(after));
        if old != new {
            let path = Path { sub_attribute: Some(sub.clone()), ..path.clone() };
            found.push(difference(path.to_string(), attribute.with_sub(sub), old.as_ref(), new.as_ref()));
        }
    }
}

fn compare_values(attribute: &AttributeRef, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let mut remaining: Vec<&Value> = after.iter().collect();
    let mut changed: Vec<&Value> = Vec::new();
    for old in before {
        match remaining.iter().position(|new| *new == old) {
            Some(place) => {
                remaining.swap_remove(place);
            }
            None => changed.push(old),
        }
    }
    let ambiguous = ambiguous_values(&attribute.attribute, before, after);
    for old in changed {
        let identity = Identity::of(attribute, old, &ambiguous);
        let same =
            |new: &&Value| identity.norm.is_some() && Identity::of(attribute, new, &ambiguous).norm == identity.norm;
        match remaining.iter().position(same) {
            Some(place) => {
                let new = remaining.swap_remove(place);
                compare_sub_attributes(&identity.path, attribute, Some(old), Some(new), found);
            }
            None => found.push(difference(identity.path.to_string(), attribute.clone(), Some(old), None)),
        }
    }
    for new in remaining {
        let path = Identity::of(attribute, new, &ambiguous).path.to_string();
        found.push(difference(path, attribute.clone(), None, Some(new)));
    }
}

/// How a value of a multi-valued attribute is known.
struct Identity {
    /// Its `value` as it is compared; `None` if that does not identify it.
    norm: Option<String>,
    path: Path,
}

impl Identity {
    fn of(attribute: &AttributeRef, value: &Value, ambiguous: &BTreeSet<String>) -> Self {
        let norm = value_norm(&attribute.attribute, value).filter(|norm| !ambiguous.contains(norm));
        let object = value.as_object();
        let filter = object.and_then(|object| match norm {
            Some(_) => equal_to(&attribute.attribute, object, |name| name == "value"),
            None => equal_to(&attribute.attribute, object, |_| true),
        });
        Self { norm, path: Path { filter: filter.map(Box::new), ..Path::from(attribute.clone()) } }
    }
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

fn of_member(attribute: &Arc<Attribute>, member: &Member, is_added: bool) -> Difference {
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
