//! From the JSON that a client sends to canonical attributes.
//!
//! Names get the schema's spelling, read-only attributes are passed over (RFC 7644 §3.3: "SHALL be ignored"), `null`,
//! `[]` and `{}` are no value (RFC 7643 §2.5), and what cannot be a value of its attribute is refused by the
//! attribute's name. Texts are kept as they were sent: a client that reads back must find what it wrote.
//!
//! Start at [`normalize`], which reads a whole resource; [`value`] reads the values of one attribute and is what PATCH
//! uses too.

pub mod value;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::{Attributes, ResourceId};
use crate::scim::schema::{Attribute, Mutability, Schema, Storage};
use crate::scim::secret::{self, Secret, SecretEdit, is_secret};
use value::Place;

/// What a client sent, as the schema says it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalized {
    /// The attributes that are kept inline.
    pub attributes: Attributes,
    /// The ids in the attribute kept as rows; `None` if it was left out.
    pub members: Option<Vec<ResourceId>>,
    /// The secrets that are given, and those that are `null`.
    pub secrets: Vec<SecretEdit>,
}

/// Reads the resource in the body of a POST or PUT.
///
/// Secrets (`password`) are checked and handed over apart. Those in the values of a multi-valued attribute are checked and
/// dropped: there is no telling later whose they were.
pub fn normalize(reading: Reading<'_>, body: &Map<String, Value>) -> Result<Normalized, ScimError> {
    let resource_type = reading.resource_type;
    reading.check_depth(body)?;
    check_schemas(reading, body)?;
    check_attributes(reading, body)?;
    let mut normalized = Normalized { attributes: Attributes::new(), members: None, secrets: Vec::new() };
    let mut seen: Vec<&str> = Vec::with_capacity(body.len());
    for (key, value) in body {
        if let Some(attribute) = resource_type.attribute(key) {
            once(&mut seen, &attribute.name)?;
            let place = Place::of(&attribute.name);
            if attribute.mutability == Mutability::ReadOnly {
                continue;
            }
            if attribute.storage == Storage::Rows {
                normalized.members = Some(value::member_ids(reading, attribute, value, place)?);
            } else {
                keep(reading, &mut normalized.attributes, &mut normalized.secrets, attribute, value, place)?;
            }
        } else if let Some(extension) = resource_type.extension(key) {
            once(&mut seen, &extension.id)?;
            let place = Place::of(&extension.id);
            let attributes = extension_attributes(reading, &mut normalized.secrets, extension, value, place)?;
            if !attributes.is_empty() {
                normalized.attributes.insert(extension.id.clone(), Value::Object(attributes));
            }
        } else if !value.is_null() && !reading.is_lenient() {
            return Err(unknown(key, &resource_type.name));
        }
    }
    Ok(normalized)
}

/// Those that are read-only or not known count too: each has to be looked at.
fn check_attributes(reading: Reading<'_>, body: &Map<String, Value>) -> Result<(), ScimError> {
    let parts = body.iter().map(|(key, value)| match (reading.resource_type.extension(key), value) {
        (Some(_), Value::Object(attributes)) => attributes.len(),
        _ => 1,
    });
    let (count, max) = (parts.sum::<usize>(), reading.limits.attributes_max);
    if count > max {
        return Err(ScimError::invalid_value(format!("the resource has {count} attributes; the limit is {max}")));
    }
    Ok(())
}

/// RFC 7643 §3: "The "schemas" attribute is a REQUIRED attribute". It has to name the base schema. URNs that the
/// resource type does not have are passed over, because Entra ID names one of its own on groups, and so is the absence
/// of an extension's URN, because it sends the attributes of one that it does not name.
///
/// To a lenient reader it says nothing: the endpoint tells the type, and some clients leave it out.
fn check_schemas(reading: Reading<'_>, body: &Map<String, Value>) -> Result<(), ScimError> {
    let urns = match get_ignoring_case(body, "schemas") {
        Some(Value::Array(urns)) => urns.as_slice(),
        Some(Value::Null) | None if reading.is_lenient() => &[],
        Some(Value::Null) | None => return Err(ScimError::invalid_value("`schemas` is required")),
        Some(_) => return Err(ScimError::invalid_syntax("`schemas` must be a list of URNs")),
    };
    let base = &reading.resource_type.schema.id;
    if reading.is_lenient() || urns.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(base)) {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!("`schemas` must name `{base}`")))
}

fn extension_attributes(
    reading: Reading<'_>,
    secrets: &mut Vec<SecretEdit>,
    schema: &Schema,
    value: &Value,
    place: Place<'_>,
) -> Result<Attributes, ScimError> {
    let object = match value {
        Value::Object(object) => object,
        Value::Null => return Ok(Attributes::new()),
        other => return Err(value::not(place, "an object", other)),
    };
    let mut attributes = Attributes::new();
    let mut seen: Vec<&str> = Vec::new();
    for (key, value) in object {
        let Some(attribute) = schema.attribute(key) else {
            // Some clients name the schema once more inside its own object.
            if value.is_null() || reading.is_lenient() || key.eq_ignore_ascii_case("schemas") {
                continue;
            }
            return Err(unknown(key, &place.to_string()));
        };
        once(&mut seen, &attribute.name)?;
        if attribute.mutability != Mutability::ReadOnly {
            keep(reading, &mut attributes, secrets, attribute, value, place.extension_attribute(&attribute.name))?;
        }
    }
    Ok(attributes)
}

fn keep(
    reading: Reading<'_>,
    attributes: &mut Attributes,
    secrets: &mut Vec<SecretEdit>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<(), ScimError> {
    let normal = value::normalize_value(reading, attribute, value, place)?;
    if is_secret(attribute) {
        keep_secret(secrets, place, normal.as_ref());
        return Ok(());
    }
    secret_parts(reading, secrets, attribute, value, place)?;
    if let Some(normal) = normal {
        attributes.insert(attribute.name.clone(), normal);
    }
    Ok(())
}

/// The secret sub-attributes in the value of a complex attribute.
pub(crate) fn secret_parts(
    reading: Reading<'_>,
    secrets: &mut Vec<SecretEdit>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<(), ScimError> {
    let value = match value {
        Value::Array(values) if values.len() == 1 => values.first(),
        value => Some(value),
    };
    let Some(Value::Object(object)) = value.filter(|_| !attribute.multi_valued) else {
        return Ok(());
    };
    for (key, value) in object {
        if let Some(sub) = attribute.sub_attribute(key).filter(|sub| is_secret(sub)) {
            let place = place.sub(&sub.name);
            keep_secret(secrets, place, value::normalize_value(reading, sub, value, place)?.as_ref());
        }
    }
    Ok(())
}

/// An empty text is no secret, and says nothing: clients fill in forms.
pub(crate) fn keep_secret(secrets: &mut Vec<SecretEdit>, place: Place<'_>, normal: Option<&Value>) {
    if normal.and_then(Value::as_str) != Some("") {
        secret::note(secrets, place.to_string(), normal.map(Secret::from));
    }
}

/// Names are compared without regard to case, so two spellings of one are one attribute with two values.
pub(crate) fn once<'n>(seen: &mut Vec<&'n str>, name: &'n str) -> Result<(), ScimError> {
    if seen.contains(&name) {
        return Err(ScimError::invalid_syntax(format!("`{name}` is given more than once")));
    }
    seen.push(name);
    Ok(())
}

pub(crate) fn unknown(name: &str, owner: &str) -> ScimError {
    ScimError::invalid_value(format!("`{}` is not an attribute of {owner}", excerpt(name)))
}

/// A member of a JSON object by a name in any spelling of case.
pub(crate) fn get_ignoring_case<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests;
