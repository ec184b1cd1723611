//! Whether a filter holds.
//!
//! [`matches()`] asks a resource and sees only what is kept inline; [`matches_value`] asks one value of a complex
//! attribute, such as a member.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::scim::filter::{Filter, Literal, Operator};
use crate::scim::index;
use crate::scim::path::AttributeRef;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Type};
use crate::scim::time;

/// Whether the filter holds of the resource.
pub fn matches(filter: &Filter, resource: &Resource) -> bool {
    holds(filter, Subject::Resource(resource))
}

/// Whether a value filter holds of a value: an object with the sub-attributes that the filter names.
pub fn matches_value(filter: &Filter, value: &Map<String, Value>) -> bool {
    holds(filter, Subject::Object(value))
}

#[derive(Clone, Copy)]
enum Subject<'a> {
    Resource(&'a Resource),
    Object(&'a Map<String, Value>),
}

impl Subject<'_> {
    fn any(self, attribute: &AttributeRef, predicate: &mut dyn FnMut(&Value) -> bool) -> bool {
        match self {
            Self::Resource(resource) => attribute.any(resource, predicate),
            Self::Object(object) => attribute.any_in(object, predicate),
        }
    }

    fn has(self, attribute: &AttributeRef) -> bool {
        self.any(attribute, &mut is_present)
    }
}

fn holds(filter: &Filter, subject: Subject<'_>) -> bool {
    match filter {
        Filter::Compare { attribute, operator, value: Literal::Null } => {
            (*operator == Operator::Ne) == subject.has(attribute)
        }
        Filter::Compare { attribute, operator, value } => {
            let leaf = attribute.leaf();
            let some = subject.any(attribute, &mut |found| compare(leaf, found, *operator, value));
            // No value is not identical with any value.
            some || *operator == Operator::Ne && !subject.has(attribute)
        }
        Filter::Present(attribute) => subject.has(attribute),
        Filter::ValuePath { attribute, filter } => subject.any(attribute, &mut |found| {
            found.as_object().is_some_and(|object| holds(filter, Subject::Object(object)))
        }),
        Filter::And(filters) => filters.iter().all(|filter| holds(filter, subject)),
        Filter::Or(filters) => filters.iter().any(|filter| holds(filter, subject)),
        Filter::Not(filter) => !holds(filter, subject),
    }
}

/// RFC 7644 table 3, `pr`: "has a non-empty or non-null value, or if it contains a non-empty node for complex
/// attributes".
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(is_present),
        Value::Object(object) => object.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(attribute: &Attribute, found: &Value, operator: Operator, literal: &Literal) -> bool {
    match (found, literal) {
        (Value::String(found), Literal::Text(text)) => compare_text(attribute, found, operator, text),
        (Value::String(found), Literal::Time(time)) if attribute.kind == Type::DateTime => {
            time::parse(found).is_some_and(|found| ordered(operator, found.cmp(time)))
        }
        (Value::Bool(found), Literal::Boolean(boolean)) => ordered(operator, found.cmp(boolean)),
        // By the text of the index, so that both find the same.
        (Value::Number(found), Literal::Number(number)) => {
            ordered(operator, index::number_norm(found).cmp(&index::number_norm(number)))
        }
        // Not of the attribute's type: not identical, and nothing else.
        _ => operator == Operator::Ne,
    }
}

fn ordered(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Eq => ordering.is_eq(),
        Operator::Ne => ordering.is_ne(),
        Operator::Gt => ordering.is_gt(),
        Operator::Ge => ordering.is_ge(),
        Operator::Lt => ordering.is_lt(),
        Operator::Le => ordering.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

fn compare_text(attribute: &Attribute, found: &str, operator: Operator, text: &str) -> bool {
    if !attribute.folds_case() {
        return compare_folded(found, operator, text);
    }
    // Nearly every comparison is of this kind, and needs no copy.
    if found.is_ascii() && text.is_ascii() && matches!(operator, Operator::Eq | Operator::Ne) {
        return found.eq_ignore_ascii_case(text) == (operator == Operator::Eq);
    }
    let (found, text): (Cow<'_, str>, Cow<'_, str>) = (index::fold(found), index::fold(text));
    compare_folded(&found, operator, &text)
}

fn compare_folded(found: &str, operator: Operator, text: &str) -> bool {
    match operator {
        Operator::Co => found.contains(text),
        Operator::Sw => found.starts_with(text),
        Operator::Ew => found.ends_with(text),
        _ => ordered(operator, found.cmp(text)),
    }
}
