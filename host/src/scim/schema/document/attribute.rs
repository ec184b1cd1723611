//! One attribute of a tenant's schema, from JSON. What it may say is checked in
//! `characteristics` beside it.

use std::sync::Arc;

use serde_json::Value;

use super::{
    ATTRIBUTES_MAX, CANONICAL_VALUE_BYTES_MAX, CANONICAL_VALUES_MAX, DESCRIPTION_BYTES_MAX, NAME_BYTES_MAX,
    characteristics,
};
use crate::scim::path::parse::excerpt;
use crate::scim::schema::problem::{Members, Problems};
use crate::scim::schema::{Attribute, Mutability, Returned, Storage, Type, Uniqueness, core};

const KNOWN: [&str; 14] = [
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
    "subAttributes",
    "indexed",
    "canonicalOnly",
];

/// The keywords of RFC 7643 §2.3.
const TYPES: [&str; 8] = ["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"];

/// Reads the attributes of a schema, or the sub-attributes of `parent`.
pub(super) fn read_all(
    listed: &[Value],
    pointer: &str,
    parent: Option<&Attribute>,
    problems: &mut Problems,
) -> Vec<Arc<Attribute>> {
    let mut attributes: Vec<Arc<Attribute>> = Vec::with_capacity(listed.len());
    for (index, value) in listed.iter().enumerate() {
        let place = format!("{pointer}/{index}");
        let Some(attribute) = read(value, &place, parent, problems) else {
            continue;
        };
        // RFC 7643 §2.1: "Attribute names are case insensitive".
        if let Some(other) = attributes.iter().find(|other| other.name.eq_ignore_ascii_case(&attribute.name)) {
            problems.add(format!("{place}/name"), format!("`{}` is the name of another, too", other.name));
        }
        attributes.push(Arc::new(attribute));
    }
    attributes
}

fn read(value: &Value, pointer: &str, parent: Option<&Attribute>, problems: &mut Problems) -> Option<Attribute> {
    let mut members = Members::of(value, pointer, problems)?;
    members.only(&KNOWN);
    let name = members.required_text("name", NAME_BYTES_MAX);
    if let Some(Err(message)) = name.map(|name| check_name(name, parent)) {
        members.problem("name", message);
    }
    if members.get("type").is_none() {
        members.problem("type", "`type` is required");
    }
    let kind: Option<Type> = members.keyword("type", &TYPES);
    let mutability = members.keyword("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]);
    let returned = members.keyword("returned", &["always", "never", "default", "request"]);
    let uniqueness = members.keyword("uniqueness", &["none", "server", "global"]).unwrap_or(Uniqueness::None);
    let case_exact = members.flag("caseExact");
    let multi_valued = members.flag("multiValued").unwrap_or_default();
    let required = members.flag("required").unwrap_or_default();
    let indexed = members.flag("indexed").unwrap_or_default();
    let canonical_only = members.flag("canonicalOnly").unwrap_or_default();
    let canonical_values = members.texts("canonicalValues", CANONICAL_VALUES_MAX, CANONICAL_VALUE_BYTES_MAX);
    let reference_types = members.texts("referenceTypes", ATTRIBUTES_MAX, NAME_BYTES_MAX);
    let description = members.description(DESCRIPTION_BYTES_MAX);

    let kind = kind?;
    let mut attribute = Attribute {
        name: name?.to_owned(),
        kind,
        multi_valued,
        description,
        required,
        canonical_values: canonical_values.unwrap_or_default(),
        // RFC 7643 §2.3.6 and §2.3.7: binary values and references are "case exact".
        case_exact: case_exact.unwrap_or(matches!(kind, Type::Binary | Type::Reference)),
        mutability: mutability.unwrap_or(Mutability::ReadWrite),
        returned: returned.unwrap_or(Returned::Default),
        uniqueness,
        reference_types: reference_types.unwrap_or_default(),
        sub_attributes: Vec::new(),
        // What must be unique is looked up in an index, so it has the limits of what is indexed.
        indexed: indexed || uniqueness != Uniqueness::None,
        canonical_only,
        storage: Storage::Inline,
    };
    characteristics::check(&attribute, parent, &mut members);
    let listed = members.list("subAttributes", ATTRIBUTES_MAX);
    match (kind, listed) {
        (Type::Complex, Some(listed)) if parent.is_none() && !listed.is_empty() => {
            let place = members.place("subAttributes");
            attribute.sub_attributes = read_all(listed, &place, Some(&attribute), members.problems());
        }
        (Type::Complex, _) if parent.is_none() => {
            members.problem("subAttributes", "an attribute of type `complex` needs sub-attributes");
        }
        (Type::Complex, _) | (_, None | Some([])) => {}
        (_, Some(_)) => members.problem("subAttributes", "only an attribute of type `complex` has sub-attributes"),
    }
    Some(attribute)
}

/// RFC 7643 §2.1: `ATTRNAME = ALPHA *(nameChar)`, `nameChar = "$" / "-" / "_" / DIGIT / ALPHA`. `$ref`, which the RFC
/// itself uses, does not follow it and is possible for a sub-attribute.
fn check_name(name: &str, parent: Option<&Attribute>) -> Result<(), String> {
    let is_name_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'-' | b'_');
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(is_name_character);
    let is_reference = parent.is_some() && name == "$ref";
    if !is_name && !is_reference {
        return Err(format!(
            "`{}` is not a name: a letter, then letters, digits, `-`, `_` and `$` (RFC 7643 §2.1)",
            excerpt(name)
        ));
    }
    // RFC 7643 §3.1: "Common attributes are considered to be part of every base resource schema".
    let common = core::common_attributes();
    match common.iter().find(|common| parent.is_none() && common.name.eq_ignore_ascii_case(name)) {
        Some(common) => Err(format!("`{}` is an attribute that every resource has", common.name)),
        None => Ok(()),
    }
}
