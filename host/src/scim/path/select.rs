//! What a path selects in a resource.
//!
//! `id`, `schemas` and `meta` are no stored attributes: they follow from the other fields of a [`Resource`] and are
//! made when asked for. All else is borrowed.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::scim::filter::{Filter, eval};
use crate::scim::path::{AttributeRef, Path};
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, Schema};

impl Path {
    /// Every value that the path selects, in document order. A multi-valued attribute gives each of its values, and
    /// with a sub-attribute the sub-value of each that has one. `meta.location` is not here: it depends on the base
    /// URL, which a resource does not know.
    pub fn select<'a>(&self, resource: &'a Resource) -> Vec<Cow<'a, Value>> {
        let mut selected = Vec::new();
        match (&self.attribute, &self.extension) {
            (Some(attribute), extension) => {
                let parts =
                    Parts { attribute, filter: self.filter.as_deref(), sub_attribute: self.sub_attribute.as_deref() };
                if let Some(root) = root(resource, extension.as_deref(), &parts) {
                    parts.fan_out(root, &mut selected);
                }
            }
            (None, Some(extension)) => {
                selected.extend(resource.attributes.get(&extension.id).map(Cow::Borrowed));
            }
            (None, None) => {}
        }
        selected
    }
}

impl AttributeRef {
    /// Every value of the attribute, in document order, as [`Path::select`] gives them.
    pub fn select<'a>(&self, resource: &'a Resource) -> Vec<Cow<'a, Value>> {
        let parts = Parts { attribute: &self.attribute, filter: None, sub_attribute: self.sub_attribute.as_deref() };
        let mut selected = Vec::new();
        if let Some(root) = root(resource, self.extension.as_deref(), &parts) {
            parts.fan_out(root, &mut selected);
        }
        selected
    }

    /// Whether some value of the attribute in the resource satisfies the predicate. Allocates nothing for what is
    /// stored.
    pub(crate) fn any(&self, resource: &Resource, predicate: &mut dyn FnMut(&Value) -> bool) -> bool {
        let sub_attribute = self.sub_attribute.as_deref();
        let parts = Parts { attribute: &self.attribute, filter: None, sub_attribute };
        root(resource, self.extension.as_deref(), &parts).is_some_and(|root| any_value(&root, sub_attribute, predicate))
    }

    /// The same for an object that has the attribute, such as one value of a complex attribute.
    pub(crate) fn any_in(&self, object: &Map<String, Value>, predicate: &mut dyn FnMut(&Value) -> bool) -> bool {
        object.get(&self.attribute.name).is_some_and(|root| any_value(root, self.sub_attribute.as_deref(), predicate))
    }
}

fn any_value(root: &Value, sub_attribute: Option<&Attribute>, predicate: &mut dyn FnMut(&Value) -> bool) -> bool {
    let mut test = |value: &Value| match sub_attribute {
        None => predicate(value),
        Some(sub_attribute) => match value.get(&sub_attribute.name) {
            Some(Value::Array(values)) => values.iter().any(&mut *predicate),
            Some(value) => predicate(value),
            None => false,
        },
    };
    match root {
        Value::Array(values) => values.iter().any(test),
        value => test(value),
    }
}

struct Parts<'p> {
    attribute: &'p Attribute,
    filter: Option<&'p Filter>,
    sub_attribute: Option<&'p Attribute>,
}

impl Parts<'_> {
    fn fan_out<'a>(&self, root: Cow<'a, Value>, selected: &mut Vec<Cow<'a, Value>>) {
        match root {
            Cow::Borrowed(Value::Array(values)) => {
                values.iter().for_each(|value| self.take(Cow::Borrowed(value), selected));
            }
            Cow::Owned(Value::Array(values)) => {
                values.into_iter().for_each(|value| self.take(Cow::Owned(value), selected));
            }
            single => self.take(single, selected),
        }
    }

    /// Takes one value of the attribute, or of it the sub-attribute.
    fn take<'a>(&self, value: Cow<'a, Value>, selected: &mut Vec<Cow<'a, Value>>) {
        if let Some(filter) = self.filter
            && !value.as_object().is_some_and(|object| eval::matches_value(filter, object))
        {
            return;
        }
        let Some(sub_attribute) = self.sub_attribute else {
            return selected.push(value);
        };
        match value {
            Cow::Borrowed(value) => match value.get(&sub_attribute.name) {
                Some(Value::Array(values)) => selected.extend(values.iter().map(Cow::Borrowed)),
                Some(value) => selected.push(Cow::Borrowed(value)),
                None => {}
            },
            Cow::Owned(mut value) => {
                selected.extend(value.get_mut(&sub_attribute.name).map(|value| Cow::Owned(value.take())));
            }
        }
    }
}

/// The attribute's value as it stands in the resource: for a multi-valued one the array.
fn root<'a>(resource: &'a Resource, extension: Option<&Schema>, parts: &Parts<'_>) -> Option<Cow<'a, Value>> {
    let name = parts.attribute.name.as_str();
    if let Some(extension) = extension {
        return resource.attributes.get(&extension.id)?.get(name).map(Cow::Borrowed);
    }
    match name {
        "id" => Some(Cow::Owned(Value::String(resource.id.to_string()))),
        "schemas" => Some(Cow::Owned(resource.schemas().into_iter().map(Value::from).collect())),
        "meta" => Some(Cow::Owned(meta(resource, parts))),
        _ => resource.attributes.get(name).map(Cow::Borrowed),
    }
}

/// `meta`, or an object with the one part of it that is asked for: formatting times is the costly part.
fn meta(resource: &Resource, parts: &Parts<'_>) -> Value {
    let only = parts.sub_attribute.filter(|_| parts.filter.is_none()).map(|sub_attribute| sub_attribute.name.as_str());
    match only {
        Some("resourceType") => json!({ "resourceType": resource.resource_type.name }),
        Some("created") => json!({ "created": resource.meta.created.to_string() }),
        Some("lastModified") => json!({ "lastModified": resource.meta.last_modified.to_string() }),
        Some("version") => json!({ "version": resource.meta.etag() }),
        _ => Value::Object(resource.meta_object()),
    }
}
