//! The values of one attribute.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::filter::parser::parse_boolean;
use crate::scim::normalize::{once, unknown};
use crate::scim::path::parse::excerpt;
use crate::scim::reading::Reading;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{Attribute, Mutability, Type};
use crate::scim::secret::is_secret;
use crate::scim::time;
use crate::scim::violation::{Characteristic, Violation};

/// Longest text of an indexed attribute in bytes. Case folding makes a text three times as long at most (`ΐ`: 2 bytes to
/// 6), and PostgreSQL's index entries end at 2,704 bytes: 3 × 800 leaves room for the rest of the key.
pub const INDEXED_BYTES_MAX: usize = 800;

/// Where a value stands, for errors. Put together only when it is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    separator: &'static str,
    name: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn of(name: &'a str) -> Self {
        Self { parent: None, separator: "", name }
    }

    pub(crate) fn sub(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), separator: ".", name }
    }

    pub(crate) fn extension_attribute(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), separator: ":", name }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}{}", self.separator)?;
        }
        f.write_str(self.name)
    }
}

/// The value of an attribute: for a multi-valued one an array. `None`: it has no value.
pub(crate) fn normalize_value(
    reading: Reading<'_>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<Option<Value>, ScimError> {
    if attribute.multi_valued {
        let values = normalize_values(reading, attribute, value, place)?;
        return Ok((!values.is_empty()).then_some(Value::Array(values)));
    }
    match (attribute.kind, value) {
        // Entra ID sends `manager` as a list of one.
        (Type::Complex, Value::Array(values)) => match values.as_slice() {
            [] => Ok(None),
            [single] => normalize_single(reading, attribute, single, place),
            _ => {
                let detail = format!("`{place}` has one value, and {} are given", values.len());
                Err(ScimError::invalid_value(detail).about(given(attribute, place, Characteristic::MultiValued, value)))
            }
        },
        _ => normalize_single(reading, attribute, value, place),
    }
}

/// The values of a multi-valued attribute. One alone may be given without its list.
pub(crate) fn normalize_values(
    reading: Reading<'_>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<Vec<Value>, ScimError> {
    let values = match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    };
    let max = reading.limits.values_max;
    if values.len() > max {
        let detail = format!("`{place}` has {} values; the limit is {max}", values.len());
        return Err(ScimError::invalid_value(detail).about(Violation::new(place.to_string(), Characteristic::Size)));
    }
    let mut normal: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        normal.extend(normalize_single(reading, attribute, value, place)?);
    }
    each_once(&mut normal);
    Ok(normal)
}

/// RFC 7643 §2.4: service providers "SHOULD NOT return the same (type, value) combination more than once".
pub(crate) fn each_once(values: &mut Vec<Value>) {
    if values.len() < 2 {
        return;
    }
    let mut seen = HashSet::with_capacity(values.len());
    let mut is_first = values.iter().map(|value| seen.insert(value)).collect::<Vec<bool>>().into_iter();
    values.retain(|_| is_first.next() == Some(true));
}

/// One value of the attribute; `None` for what counts as no value.
pub(crate) fn normalize_single(
    reading: Reading<'_>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<Option<Value>, ScimError> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Type::Complex, Value::Object(object)) => complex(reading, attribute, object, place),
        // `manager` and members as bare ids; an empty one is how Entra ID clears a manager.
        (Type::Complex, Value::String(text)) if let Some(sub) = attribute.sub_attribute("value") => {
            if text.is_empty() {
                return Ok(None);
            }
            let single = normalize_single(reading, sub, value, place.sub(&sub.name))?;
            Ok(single.map(|value| Value::Object(Map::from_iter([(sub.name.clone(), value)]))))
        }
        (Type::Complex, other) => Err(wrong_type(attribute, place, "an object", other)),
        (Type::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
        // Entra ID sends "True" and "False".
        (Type::Boolean, Value::String(text)) if let Some(boolean) = parse_boolean(text) => {
            Ok(Some(Value::Bool(boolean)))
        }
        (Type::Boolean, other) => Err(wrong_type(attribute, place, "true or false", other)),
        (Type::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(value.clone())),
        (Type::Integer, other) => Err(wrong_type(attribute, place, "an integer", other)),
        (Type::Decimal, Value::Number(_)) => Ok(Some(value.clone())),
        (Type::Decimal, other) => Err(wrong_type(attribute, place, "a number", other)),
        (Type::Reference, Value::String(text)) if text.is_empty() => Ok(None),
        (_, Value::String(text)) => {
            check_text(reading, attribute, text, place)?;
            Ok(Some(value.clone()))
        }
        (_, other) => Err(wrong_type(attribute, place, "a string", other)),
    }
}

fn complex(
    reading: Reading<'_>,
    attribute: &Attribute,
    object: &Map<String, Value>,
    place: Place<'_>,
) -> Result<Option<Value>, ScimError> {
    parts(reading, attribute, object, place).map_err(|error| {
        // A part of a secret is one, whatever its own characteristics are.
        if !is_secret(attribute) {
            return error;
        }
        let value = Value::Object(Map::new());
        ScimError::invalid_value(format!("a part of `{place}` is not of its type")).about(given(
            attribute,
            place,
            Characteristic::Type,
            &value,
        ))
    })
}

fn parts(
    reading: Reading<'_>,
    attribute: &Attribute,
    object: &Map<String, Value>,
    place: Place<'_>,
) -> Result<Option<Value>, ScimError> {
    let mut normal = Map::new();
    let mut seen: Vec<&str> = Vec::with_capacity(object.len());
    for (key, value) in object {
        let Some(sub) = attribute.sub_attribute(key) else {
            // Entra ID sends `"$ref": null` with everything.
            if value.is_null() || reading.is_lenient() {
                continue;
            }
            return Err(unknown(key, &format!("`{place}`")));
        };
        once(&mut seen, &sub.name)?;
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = normalize_value(reading, sub, value, place.sub(&sub.name))?
            && !is_secret(sub)
        {
            normal.insert(sub.name.clone(), value);
        }
    }
    // `{"value": ""}` clears a manager like `""` does.
    let cleared = !attribute.multi_valued && normal.get("value").and_then(Value::as_str) == Some("");
    Ok((!normal.is_empty() && !cleared).then_some(Value::Object(normal)))
}

fn check_text(reading: Reading<'_>, attribute: &Attribute, text: &str, place: Place<'_>) -> Result<(), ScimError> {
    let bytes_max = if attribute.indexed { INDEXED_BYTES_MAX } else { reading.limits.text_bytes_max };
    let refused = |characteristic, detail: String| {
        let value = Value::from(text);
        Err(ScimError::invalid_value(detail).about(given(attribute, place, characteristic, &value)))
    };
    if text.len() > bytes_max {
        return refused(Characteristic::Size, format!("`{place}` has {} bytes; the limit is {bytes_max}", text.len()));
    }
    // PostgreSQL's text cannot hold it.
    if text.contains('\0') {
        return refused(Characteristic::Type, format!("`{place}` contains the character U+0000"));
    }
    let expected = match attribute.kind {
        Type::DateTime if time::parse(text).is_none() => "a dateTime such as 2008-01-23T04:56:22Z",
        Type::Binary if !is_base64(text) => "binary in base64",
        Type::Reference if !is_reference(text) => "a URI",
        _ => return Ok(()),
    };
    let found = if is_secret(attribute) { "what is given".to_owned() } else { format!("`{}`", excerpt(text)) };
    refused(Characteristic::Type, format!("`{place}` must be {expected}, and {found} is not"))
}

/// A violation with the value that was given for the attribute.
fn given(attribute: &Attribute, place: Place<'_>, characteristic: Characteristic, value: &Value) -> Violation {
    Violation::new(place.to_string(), characteristic).after(attribute, Some(value))
}

/// RFC 7643 §2.3.6: base64 of RFC 4648 §4 or §5, padded or not.
fn is_base64(text: &str) -> bool {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [&base64::alphabet::STANDARD, &base64::alphabet::URL_SAFE]
        .into_iter()
        .any(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).is_ok())
}

/// RFC 7643 §2.3.7: a URI, which may be relative. RFC 3986 has no space and no control character in either.
fn is_reference(text: &str) -> bool {
    !text.contains(|character: char| character.is_whitespace() || character.is_control())
}

/// The ids in the attribute kept as rows, in their order, each once. Only `value` is read: the type follows from the
/// member itself, and `$ref` and `display` from both.
pub(crate) fn member_ids(
    reading: Reading<'_>,
    attribute: &Attribute,
    value: &Value,
    place: Place<'_>,
) -> Result<Vec<ResourceId>, ScimError> {
    let given = match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    };
    check_members(reading, given.len())?;
    let mut ids = Vec::with_capacity(given.len());
    for value in given {
        let id = match value {
            Value::Null => continue,
            Value::String(id) => id,
            Value::Object(object) => member_value(reading, attribute, object, place)?,
            other => return Err(wrong_type(attribute, place, "an object", other)),
        };
        let id = id.parse().map_err(|_| {
            let detail = format!("`{}` in `{place}` is not the id of a resource", excerpt(id));
            ScimError::invalid_value(detail).about(self::given(attribute, place, Characteristic::Type, value))
        })?;
        ids.push(id);
    }
    let mut seen = HashSet::with_capacity(ids.len());
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// Whether a request may name so many members.
pub(crate) fn check_members(reading: Reading<'_>, count: usize) -> Result<(), ScimError> {
    let max = reading.limits.members_max;
    if count > max {
        return Err(ScimError::too_many(format!("the request names {count} members; the limit is {max}")));
    }
    Ok(())
}

fn member_value<'v>(
    reading: Reading<'_>,
    attribute: &Attribute,
    object: &'v Map<String, Value>,
    place: Place<'_>,
) -> Result<&'v str, ScimError> {
    let mut id = None;
    for (key, value) in object {
        match attribute.sub_attribute(key) {
            Some(sub) if sub.name == "value" => id = Some(value),
            Some(_) => {}
            None if value.is_null() || reading.is_lenient() => {}
            None => return Err(unknown(key, &format!("`{place}`"))),
        }
    }
    match id {
        Some(Value::String(id)) => Ok(id),
        Some(other) if !other.is_null() => Err(wrong_type(attribute, place.sub("value"), "a string", other)),
        _ => {
            let violation = Violation::new(place.sub("value").to_string(), Characteristic::Required);
            Err(ScimError::invalid_value(format!("a value of `{place}` has no `value`")).about(violation))
        }
    }
}

/// A value that is not of the attribute's type.
fn wrong_type(attribute: &Attribute, place: Place<'_>, expected: &str, found: &Value) -> ScimError {
    let error = match found {
        Value::String(_) if is_secret(attribute) => ScimError::invalid_value(format!("`{place}` must be {expected}")),
        found => not(place, expected, found),
    };
    error.about(given(attribute, place, Characteristic::Type, found))
}

/// A value that is something else than expected.
pub(crate) fn not(place: Place<'_>, expected: &str, found: &Value) -> ScimError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => format!("the text `{}`", excerpt(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    ScimError::invalid_value(format!("`{place}` must be {expected}, not {found}"))
}
