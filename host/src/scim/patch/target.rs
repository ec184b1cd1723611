//! What a path leads to in the attributes that are being changed.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::filter::{Filter, Literal, Operator, eval};
use crate::scim::normalize::unknown;
use crate::scim::normalize::value::{Place, normalize_single, normalize_value};
use crate::scim::patch::work::{Work, weight};
use crate::scim::path::{AttributeRef, Path};
use crate::scim::reading::Reading;
use crate::scim::resource::Attributes;
use crate::scim::schema::{Attribute, Mutability, Schema, Type};
use crate::scim::secret::is_secret;
use crate::scim::validate::{check_values, immutable, is_primary};

/// An attribute that is kept inline, and the attributes that it is one of.
pub(super) struct Target<'t> {
    pub(super) reading: Reading<'t>,
    pub(super) path: &'t Path,
    pub(super) attribute: &'t Attribute,
    attributes: &'t mut Attributes,
    extension: Option<&'t Schema>,
    work: &'t mut Work,
}

impl<'t> Target<'t> {
    /// The path has to lead to an attribute. That its values are gone through once, and by each term of the filter, is
    /// paid for here.
    pub(super) fn new(
        reading: Reading<'t>,
        attributes: &'t mut Attributes,
        work: &'t mut Work,
        path: &'t Path,
    ) -> Result<Self, ScimError> {
        let attribute = path.attribute.as_deref().ok_or_else(|| {
            ScimError::invalid_path(format!("`{path}` is not an attribute of {}", reading.resource_type.name))
        })?;
        let target = Self { reading, path, attribute, attributes, extension: path.extension.as_deref(), work };
        let current = target.current();
        let cost = match target.filter() {
            None => weight_of(current),
            Some(filter) => {
                let literals = filter.to_string().len().saturating_mul(current.len());
                filter.attributes().len().saturating_mul(weight_of(current)).saturating_add(literals)
            }
        };
        target.work.spend(cost)?;
        Ok(target)
    }

    /// What the attribute has: for a multi-valued one a list.
    pub(super) fn value(&self) -> Option<&Value> {
        let object = match self.extension {
            None => Some(&*self.attributes),
            Some(schema) => self.attributes.get(&schema.id).and_then(Value::as_object),
        };
        object?.get(&self.attribute.name)
    }

    /// The values that the attribute has.
    fn current(&self) -> &[Value] {
        match self.value() {
            None => &[],
            Some(Value::Array(values)) => values,
            Some(single) => std::slice::from_ref(single),
        }
    }

    /// Pays for writing the given value into each one that is there.
    pub(super) fn pay_for_copies(&mut self, given: &Value) -> Result<(), ScimError> {
        let cost = weight(given).saturating_mul(self.current().len());
        self.work.spend(cost)
    }

    /// Pays for comparing each given value with each one that is there.
    pub(super) fn pay_for_pairs(&mut self, given: &[Value]) -> Result<(), ScimError> {
        let current = self.current();
        let theirs = weight_of(given).saturating_mul(current.len());
        let cost = weight_of(current).saturating_mul(given.len()).saturating_add(theirs);
        self.work.spend(cost)
    }

    pub(super) fn filter(&self) -> Option<&'t Filter> {
        self.path.filter.as_deref()
    }

    pub(super) fn sub_attribute(&self) -> Option<&'t Attribute> {
        self.path.sub_attribute.as_deref()
    }

    pub(super) fn no_target(&self) -> ScimError {
        ScimError::no_target(&self.path.to_string())
    }

    /// What reads values for it while it is being edited.
    pub(super) fn reader(&self) -> Reader<'t> {
        Reader { reading: self.reading, path: self.path, place: self.path.to_string(), attribute: self.attribute }
    }

    /// The value as canonical JSON; `None` for no value.
    pub(super) fn normalize(&self, attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
        self.reader().normalize(attribute, value)
    }

    /// Lets `edit` change the value of the attribute, which begins as `null` if there is none. What is no value
    /// afterwards is taken away, with the extension if it was the last of it.
    ///
    /// The limit of values holds after each edit and not only in the end: later operations go through all of them.
    pub(super) fn edit<T>(self, edit: impl FnOnce(&mut Value) -> Result<T, ScimError>) -> Result<T, ScimError> {
        let name = &self.attribute.name;
        let object = match self.extension {
            None => &mut *self.attributes,
            Some(schema) => {
                let extension = self.attributes.entry(schema.id.clone()).or_insert_with(empty_object);
                match extension {
                    Value::Object(object) => object,
                    _ => return Err(ScimError::no_target(&self.path.to_string())),
                }
            }
        };
        let mut value = object.remove(name).unwrap_or(Value::Null);
        let result = edit(&mut value)?;
        if !is_secret(self.attribute)
            && let Some(value) = pruned(value)
        {
            if let Value::Array(values) = &value {
                check_values(self.reading, &|| whole(self.path), values.len())?;
            }
            object.insert(name.clone(), value);
        }
        if let Some(schema) = self.extension
            && object.is_empty()
        {
            self.attributes.remove(&schema.id);
        }
        Ok(result)
    }
}

/// Reads values for an attribute.
pub(super) struct Reader<'t> {
    reading: Reading<'t>,
    path: &'t Path,
    /// The path as errors print it. Made once: a value may be read again for each that is there.
    place: String,
    attribute: &'t Attribute,
}

impl Reader<'_> {
    fn normalize(&self, attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
        normalize_value(self.reading, attribute, unwrapped(attribute, value), Place::of(&self.place))
    }

    /// A value that the filter matches, if it says nothing but what sub-attributes are equal to. It is read like any
    /// value that a client gives: a filter's literals have neither its limits nor its formats.
    pub(super) fn made_from(&self, filter: &Filter) -> Result<Option<Map<String, Value>>, ScimError> {
        let Some(made) = from_filter(filter) else {
            return Ok(None);
        };
        // Not the path: it has the text that may be refused for its length.
        let normal =
            normalize_single(self.reading, self.attribute, &Value::Object(made), Place::of(&whole(self.path)))?;
        Ok(match normal {
            Some(Value::Object(normal)) if eval::matches_value(filter, &normal) => Some(normal),
            _ => None,
        })
    }
}

/// The name of the attribute that the path leads to or into.
fn whole(path: &Path) -> String {
    let whole = |attribute| AttributeRef { sub_attribute: None, ..attribute };
    path.attribute_ref().map_or_else(String::new, |attribute| whole(attribute).to_string())
}

fn weight_of(values: &[Value]) -> usize {
    values.iter().map(weight).sum()
}

/// Without the empty lists and objects, which are no value (RFC 7643 §2.5).
fn pruned(mut value: Value) -> Option<Value> {
    match &mut value {
        Value::Null => return None,
        Value::Array(values) => {
            values.retain(|value| !matches!(value, Value::Object(object) if object.is_empty()));
            if values.is_empty() {
                return None;
            }
        }
        Value::Object(object) if object.is_empty() => return None,
        _ => {}
    }
    Some(value)
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

/// Takes the values of a multi-valued attribute out, as a list to be changed and put back.
pub(super) fn take_list(value: &mut Value) -> Vec<Value> {
    match value.take() {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

/// Takes the sub-attributes of a complex value out, to be changed and put back.
pub(super) fn take_object(value: &mut Value) -> Map<String, Value> {
    match value.take() {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Entra ID sends the value of a single simple attribute as `[{"$ref": null, "value": "x"}]`, too.
pub(super) fn unwrapped<'v>(attribute: &Attribute, value: &'v Value) -> &'v Value {
    if attribute.multi_valued || attribute.kind == Type::Complex {
        return value;
    }
    let single = match value {
        Value::Array(values) => match values.as_slice() {
            [single] => single,
            _ => return value,
        },
        other => other,
    };
    let inner = single.as_object().and_then(|object| {
        let mut given = object.iter().filter(|(_, value)| !value.is_null());
        match (given.next(), given.next()) {
            (Some((key, inner)), None) if key.eq_ignore_ascii_case("value") => Some(inner),
            _ => None,
        }
    });
    inner.unwrap_or(value)
}

/// Sets the sub-attributes that the value names, and leaves the others. RFC 7644 §3.5.2.1 and §3.5.2.3: "a set of
/// sub-attributes SHALL be specified in the "value" parameter" that is added to, or replaces, existing ones. `null`
/// takes one away.
pub(super) fn merge(reader: &Reader<'_>, complex: &mut Map<String, Value>, value: &Value) -> Result<(), ScimError> {
    let attribute = reader.attribute;
    let value = match value {
        Value::Array(values) if values.len() == 1 => values.first().unwrap_or(value),
        value => value,
    };
    let Value::Object(given) = value else {
        // A bare value stands for `value`, an empty one clears all.
        match normalize_single(reader.reading, attribute, value, Place::of(&reader.place))? {
            Some(Value::Object(normal)) => complex.extend(normal),
            _ => complex.clear(),
        }
        return Ok(());
    };
    for (key, value) in given {
        let Some(sub) = attribute.sub_attribute(key) else {
            if value.is_null() || reader.reading.is_lenient() {
                continue;
            }
            return Err(unknown(key, &format!("`{}`", reader.place)));
        };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        let value = reader.normalize(sub, value)?;
        if attribute.multi_valued {
            set_in_value(complex, sub, value, &format!("{}.{}", reader.place, sub.name))?;
        } else {
            set(complex, sub, value);
        }
    }
    if !attribute.multi_valued {
        clear_if_empty(complex);
    }
    Ok(())
}

/// An empty `value` is how Entra ID clears a manager, in whichever form it is given.
pub(super) fn clear_if_empty(complex: &mut Map<String, Value>) {
    if complex.get("value").and_then(Value::as_str) == Some("") {
        complex.clear();
    }
}

/// Sets a sub-attribute of a value among many, or takes it away. One that is immutable and there stays as it is: what
/// is compared in the end, [`check_immutable`](crate::scim::validate::check_immutable), knows a value by its `value`,
/// and not at all if that is what changes.
pub(super) fn set_in_value(
    complex: &mut Map<String, Value>,
    sub: &Attribute,
    value: Option<Value>,
    path: &str,
) -> Result<(), ScimError> {
    let old = complex.get(&sub.name);
    if sub.mutability == Mutability::Immutable && old.is_some() && old != value.as_ref() {
        return Err(immutable(sub, old, value.as_ref(), path));
    }
    set(complex, sub, value);
    Ok(())
}

/// Sets a sub-attribute, or takes it away.
pub(super) fn set(complex: &mut Map<String, Value>, sub: &Attribute, value: Option<Value>) {
    match value {
        Some(value) if !is_secret(sub) => {
            complex.insert(sub.name.clone(), value);
        }
        _ => {
            complex.remove(&sub.name);
        }
    }
}

/// The places of the values that the filter matches, ascending; all without a filter.
pub(super) fn matching(filter: Option<&Filter>, values: &[Value]) -> Vec<usize> {
    let matches = |value: &Value| match (filter, value) {
        (None, _) => true,
        (Some(filter), Value::Object(object)) => eval::matches_value(filter, object),
        (Some(_), _) => false,
    };
    values.iter().enumerate().filter(|(_, value)| matches(value)).map(|(place, _)| place).collect()
}

/// What sub-attributes are equal to by the filter, if it says nothing else.
fn from_filter(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare { attribute, operator: Operator::Eq, value } => {
            let value = match value {
                Literal::Text(text) => Value::from(text.as_str()),
                Literal::Boolean(boolean) => Value::Bool(*boolean),
                Literal::Number(number) => Value::Number(number.clone()),
                Literal::Time(_) | Literal::Null => return None,
            };
            Some(Map::from_iter([(attribute.leaf().name.clone(), value)]))
        }
        Filter::And(filters) => {
            let mut all = Map::new();
            for filter in filters {
                all.extend(from_filter(filter)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// RFC 7644 §3.5.2: a value whose `primary` becomes true makes that of all others false.
pub(super) fn settle_primary(values: &mut [Value], written: &[usize]) {
    let wrote_primary = written.iter().any(|place| values.get(*place).is_some_and(is_primary));
    if !wrote_primary {
        return;
    }
    let written: HashSet<usize> = written.iter().copied().collect();
    for (place, value) in values.iter_mut().enumerate() {
        if is_primary(value)
            && !written.contains(&place)
            && let Value::Object(object) = value
        {
            object.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}
