//! What of a resource a response shows (RFC 7644 §3.9 and `returned` of RFC 7643 §7), as it goes over the wire.
//!
//! Start at [`Projection::parse`], then ask [`Projection::wants`] before loading members or groups, then
//! [`project`]. What is shown is written from where it stands: an answer has some hundred values, and a copy of each costs
//! as much as to write it.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};

use crate::scim::error::ScimError;
use crate::scim::path::Path;
use crate::scim::resource::{Attributes, Resource};
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
    /// from users, too. A value filter is none of a name's business (RFC 7644 §3.10), but clients send it: what is asked
    /// for with one is shown with the values that it does not select, and nothing is excluded by one.
    pub fn parse(names: &AttributeNames, resource_type: &ResourceType) -> Result<Self, ScimError> {
        let paths = |names: &[String]| -> Vec<Path> {
            names.iter().filter_map(|name| Path::parse(name.trim(), resource_type).ok()).collect()
        };
        let AttributeNames { attributes, excluded } = names;
        let mode = match (!attributes.is_empty(), !excluded.is_empty()) {
            // RFC 7644 §3.9: the parameters are mutually exclusive.
            (true, true) => {
                return Err(ScimError::invalid_value("`attributes` and `excludedAttributes` cannot be given together"));
            }
            (true, false) => Mode::Only(paths(attributes)),
            (false, true) => Mode::Without(paths(excluded).into_iter().filter(|path| path.filter.is_none()).collect()),
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

    /// Those values of such an attribute that have something to show, as the client asked to see them.
    pub fn values<'a>(
        &'a self,
        name: &str,
        resource_type: &'a ResourceType,
        values: &'a [Value],
    ) -> impl Iterator<Item = impl Serialize + 'a> {
        let attribute = resource_type.attribute(name).filter(|attribute| self.shows(None, attribute));
        let views = attribute.into_iter().flat_map(move |attribute| {
            values.iter().map(move |value| View { projection: self, extension: None, attribute, value })
        });
        views.filter(View::is_shown)
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

    /// What is shown of an attribute's value; `None` if nothing is.
    fn view<'a>(
        &'a self,
        extension: Option<&'a Schema>,
        attribute: &'a Attribute,
        value: &'a Value,
    ) -> Option<View<'a>> {
        let view = View { projection: self, extension, attribute, value };
        (self.shows(extension, attribute) && view.is_shown()).then_some(view)
    }
}

/// A value of an attribute that is shown, without the sub-attributes that are not.
#[derive(Clone, Copy)]
struct View<'a> {
    projection: &'a Projection,
    extension: Option<&'a Schema>,
    attribute: &'a Attribute,
    value: &'a Value,
}

impl<'a> View<'a> {
    fn with(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    fn shows_sub(&self, name: &str) -> bool {
        let Self { projection, extension, attribute, .. } = *self;
        attribute.sub_attribute(name).is_some_and(|sub| projection.shows_sub(extension, attribute, sub))
    }

    /// Whether anything is left of it.
    fn is_shown(&self) -> bool {
        match self.value {
            Value::Array(values) => values.iter().any(|value| self.with(value).is_shown()),
            Value::Object(object) => object.keys().any(|name| self.shows_sub(name)),
            _ => true,
        }
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Array(values) => {
                let mut list = serializer.serialize_seq(None)?;
                for view in values.iter().map(|value| self.with(value)).filter(View::is_shown) {
                    list.serialize_element(&view)?;
                }
                list.end()
            }
            Value::Object(object) => serializer.collect_map(object.iter().filter(|(name, _)| self.shows_sub(name))),
            simple => simple.serialize(serializer),
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

/// A resource as a response shows it.
pub struct Shown<'a> {
    resource: &'a Resource,
    projection: &'a Projection,
    /// What no attribute of the resource holds.
    built: Map<String, Value>,
}

/// The resource as a response shows it. `members` and `groups` are the values of the attributes that are kept elsewhere,
/// for those who have loaded them.
pub fn project<'a>(
    resource: &'a Resource,
    projection: &'a Projection,
    location: &str,
    members: Option<Vec<Value>>,
    groups: Option<Vec<Value>>,
) -> Shown<'a> {
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
    Shown { resource, projection, built }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { resource, projection, built } = self;
        let mut shown = serializer.serialize_map(None)?;
        for attribute in resource.resource_type.base_attributes() {
            let stored = resource.attributes.get(&attribute.name).filter(|_| attribute.storage == Storage::Inline);
            let value = built.get(&attribute.name).or(stored);
            if let Some(view) = value.and_then(|value| projection.view(None, attribute, value)) {
                shown.serialize_entry(&attribute.name, &view)?;
            }
        }
        for extension in &resource.resource_type.extensions {
            let view = Extension { projection, schema: &extension.schema, attributes: &resource.attributes };
            if view.values().next().is_some() {
                shown.serialize_entry(&extension.schema.id, &view)?;
            }
        }
        shown.end()
    }
}

/// What is shown of the attributes of an extension.
struct Extension<'a> {
    projection: &'a Projection,
    schema: &'a Schema,
    attributes: &'a Attributes,
}

impl Extension<'_> {
    fn values(&self) -> impl Iterator<Item = (&str, View<'_>)> {
        let stored = self.attributes.get(&self.schema.id);
        self.schema.attributes.iter().filter_map(move |attribute| {
            let value = stored?.get(&attribute.name)?;
            Some((attribute.name.as_str(), self.projection.view(Some(self.schema), attribute, value)?))
        })
    }
}

impl Serialize for Extension<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.values())
    }
}

#[cfg(test)]
mod tests;
