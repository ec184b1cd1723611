//! What of a resource a response shows (RFC 7644 §3.9 and `returned` of RFC 7643 §7), as it goes over the wire.
//!
//! Start at [`Projection::parse`], then ask [`Projection::wants`] before loading members or groups, then
//! [`project`].

use serde_json::{Map, Value, json};

use crate::scim::error::ScimError;
use crate::scim::path::Path;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, ResourceType, Returned, Schema, Storage};

/// Which attributes a client asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    mode: Mode,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    Default,
    Only(Vec<Path>),
    Without(Vec<Path>),
}

/// The names in `attributes` and `excludedAttributes`, as the client gave them: what they mean depends on the resource type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeNames {
    /// Only these.
    pub attributes: Vec<String>,
    /// All but these.
    pub excluded: Vec<String>,
}

impl AttributeNames {
    /// Reads the query parameters: names with commas between them.
    pub fn of_parameters(attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let names = |list: Option<&str>| {
            let names = list.unwrap_or_default().split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Self { attributes: names(attributes), excluded: names(excluded) }
    }
}

impl Projection {
    /// What the names lead to. Names that the resource type does not have select nothing: Entra ID excludes `members`
    /// from users, too.
    pub fn parse(names: &AttributeNames, resource_type: &ResourceType) -> Result<Self, ScimError> {
        let paths = |names: &[String]| {
            let paths = names.iter().filter_map(|name| Path::parse(name.trim(), resource_type).ok());
            paths.filter(|path| path.filter.is_none()).collect()
        };
        let AttributeNames { attributes, excluded } = names;
        let mode = match (!attributes.is_empty(), !excluded.is_empty()) {
            // RFC 7644 §3.9: the parameters are mutually exclusive.
            (true, true) => {
                return Err(ScimError::invalid_value("`attributes` and `excludedAttributes` cannot be given together"));
            }
            (true, false) => Mode::Only(paths(attributes)),
            (false, true) => Mode::Without(paths(excluded)),
            (false, false) => Mode::Default,
        };
        Ok(Self { mode })
    }

    /// Whether an attribute of the base schema will be shown, if it has values: `members`, `groups`.
    pub fn wants(&self, name: &str, resource_type: &ResourceType) -> bool {
        resource_type.attribute(name).is_some_and(|attribute| self.shows(None, attribute))
    }

    /// Whether a sub-attribute of such an attribute will be shown, if it has a value: `members.display`.
    pub fn wants_sub(&self, name: &str, sub_name: &str, resource_type: &ResourceType) -> bool {
        resource_type.attribute(name).is_some_and(|attribute| {
            let sub = attribute.sub_attribute(sub_name);
            self.shows(None, attribute) && sub.is_some_and(|sub| self.shows_sub(None, attribute, sub))
        })
    }

    /// Values of such an attribute as the client asked to see them.
    pub fn values(&self, name: &str, resource_type: &ResourceType, values: Vec<Value>) -> Vec<Value> {
        let attribute = resource_type.attribute(name);
        match attribute.and_then(|attribute| self.view(None, attribute, &Value::Array(values))) {
            Some(Value::Array(shown)) => shown,
            _ => Vec::new(),
        }
    }

    /// Whether the client named any attribute: then it wants a body even where 204 would do.
    pub fn is_default(&self) -> bool {
        self.mode == Mode::Default
    }

    fn shows(&self, extension: Option<&Schema>, attribute: &Attribute) -> bool {
        match (attribute.returned, &self.mode) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (returned, Mode::Default) => returned == Returned::Default,
            (returned, Mode::Without(paths)) => {
                returned == Returned::Default && !paths.iter().any(|path| is_whole(path, extension, attribute))
            }
            (returned, Mode::Only(paths)) => paths.iter().any(|path| {
                leads_to(path, extension, attribute)
                    || returned == Returned::Default && is_whole(path, extension, attribute)
            }),
        }
    }

    fn shows_sub(&self, extension: Option<&Schema>, attribute: &Attribute, sub: &Attribute) -> bool {
        let names_sub = |path: &Path| {
            leads_to(path, extension, attribute)
                && path.sub_attribute.as_ref().is_some_and(|named| named.name == sub.name)
        };
        match (sub.returned, &self.mode) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (returned, Mode::Default) => returned == Returned::Default,
            (returned, Mode::Without(paths)) => returned == Returned::Default && !paths.iter().any(names_sub),
            (returned, Mode::Only(paths)) => {
                let whole = |path: &Path| returned == Returned::Default && is_whole(path, extension, attribute);
                paths.iter().any(|path| names_sub(path) || whole(path)) || self.shows_by_itself(returned, attribute)
            }
        }
    }

    /// A complex attribute that is always shown is shown whole.
    fn shows_by_itself(&self, returned: Returned, attribute: &Attribute) -> bool {
        attribute.returned == Returned::Always && returned == Returned::Default
    }

    fn view(&self, extension: Option<&Schema>, attribute: &Attribute, value: &Value) -> Option<Value> {
        if !self.shows(extension, attribute) {
            return None;
        }
        let is_shown =
            |name: &str| attribute.sub_attribute(name).is_some_and(|sub| self.shows_sub(extension, attribute, sub));
        let view = |value: &Value| match value {
            Value::Object(object) => {
                let shown = object.iter().filter(|(name, _)| is_shown(name));
                let shown: Map<String, Value> = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
                (!shown.is_empty()).then_some(Value::Object(shown))
            }
            simple => Some(simple.clone()),
        };
        match value {
            Value::Array(values) => {
                let shown: Vec<Value> = values.iter().filter_map(view).collect();
                (!shown.is_empty()).then_some(Value::Array(shown))
            }
            single => view(single),
        }
    }
}

fn same_schema(path: &Path, extension: Option<&Schema>) -> bool {
    path.extension.as_ref().map(|schema| schema.id.as_str()) == extension.map(|schema| schema.id.as_str())
}

/// Whether the path is the attribute or one of its sub-attributes.
fn leads_to(path: &Path, extension: Option<&Schema>, attribute: &Attribute) -> bool {
    same_schema(path, extension) && path.attribute.as_ref().is_some_and(|named| named.name == attribute.name)
}

/// Whether the path is the attribute, or the extension that it belongs to.
fn is_whole(path: &Path, extension: Option<&Schema>, attribute: &Attribute) -> bool {
    match &path.attribute {
        Some(_) => path.sub_attribute.is_none() && leads_to(path, extension, attribute),
        None => same_schema(path, extension),
    }
}

/// The resource as a response shows it. `members` and `groups` are the values of the attributes that are kept elsewhere,
/// for those who have loaded them.
pub fn project(
    resource: &Resource,
    projection: &Projection,
    location: &str,
    members: Option<Vec<Value>>,
    groups: Option<Vec<Value>>,
) -> Value {
    let resource_type = &resource.resource_type;
    let mut built = Map::new();
    built.insert("schemas".to_owned(), json!(resource.schemas()));
    built.insert("id".to_owned(), Value::String(resource.id.to_string()));
    let mut meta = resource.meta_object();
    meta.insert("location".to_owned(), Value::from(location));
    built.insert("meta".to_owned(), Value::Object(meta));
    for (attribute, values) in [(resource_type.row_attribute(), members), (resource_type.derived_attribute(), groups)] {
        if let (Some(attribute), Some(values)) = (attribute, values) {
            built.insert(attribute.name.clone(), Value::Array(values));
        }
    }

    let mut shown = Map::new();
    for attribute in resource_type.base_attributes() {
        let stored = resource.attributes.get(&attribute.name).filter(|_| attribute.storage == Storage::Inline);
        let value = built.get(&attribute.name).or(stored);
        if let Some(value) = value.and_then(|value| projection.view(None, attribute, value)) {
            shown.insert(attribute.name.clone(), value);
        }
    }
    for extension in &resource_type.extensions {
        let schema = &extension.schema;
        let values = schema.attributes.iter().filter_map(|attribute| {
            let value = resource.attributes.get(&schema.id)?.get(&attribute.name)?;
            Some((attribute.name.clone(), projection.view(Some(schema), attribute, value)?))
        });
        let values: Map<String, Value> = values.collect();
        if !values.is_empty() {
            shown.insert(schema.id.clone(), Value::Object(values));
        }
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests;
