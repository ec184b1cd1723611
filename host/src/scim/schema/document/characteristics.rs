//! Which characteristics of an attribute go together (RFC 7643 §2.2, §2.3, §7), and which of them we can keep.

use crate::scim::schema::problem::Members;
use crate::scim::schema::{Attribute, Mutability, Returned, Type, Uniqueness};

/// Checks everything but the sub-attributes.
pub(super) fn check(attribute: &Attribute, parent: Option<&Attribute>, members: &mut Members<'_, '_>) {
    check_type(attribute, parent, members);
    check_use(attribute, members);
    check_index(attribute, parent, members);
    check_values(attribute, members);
}

fn check_type(attribute: &Attribute, parent: Option<&Attribute>, members: &mut Members<'_, '_>) {
    if let Some(parent) = parent {
        // RFC 7643 §2.3.8: "A complex attribute MUST NOT contain sub-attributes that have sub-attributes".
        if attribute.kind == Type::Complex {
            members.problem("type", "a sub-attribute cannot be `complex` (RFC 7643 §2.3.8)");
        }
        // RFC 7643 §2.4: "primary": "A Boolean value indicating the 'primary' or preferred attribute value".
        let is_primary = parent.multi_valued && attribute.name.eq_ignore_ascii_case("primary");
        if is_primary && (attribute.kind != Type::Boolean || attribute.multi_valued) {
            members.problem("type", "`primary` of a multi-valued attribute is one boolean (RFC 7643 §2.4)");
        }
        if attribute.name == "$ref" && attribute.kind != Type::Reference {
            members.problem("type", "`$ref` is a `reference` (RFC 7643 §2.4)");
        }
    }
    match attribute.kind {
        Type::Binary | Type::Reference if !attribute.case_exact => {
            members.problem("caseExact", "binary values and references are case-exact (RFC 7643 §2.3.6, §2.3.7)");
        }
        Type::Boolean | Type::Decimal | Type::Integer | Type::DateTime | Type::Complex if attribute.case_exact => {
            members.problem("caseExact", "only texts have case");
        }
        _ => {}
    }
    if attribute.kind != Type::Reference && !attribute.reference_types.is_empty() {
        members.problem("referenceTypes", "only an attribute of type `reference` has `referenceTypes`");
    }
}

fn check_use(attribute: &Attribute, members: &mut Members<'_, '_>) {
    if attribute.required && attribute.mutability == Mutability::ReadOnly {
        members.problem("required", "what is `readOnly` cannot be given, so it cannot be required");
    }
    if attribute.required && attribute.returned == Returned::Never {
        members.problem("required", "what is `returned: never` is not kept, so it cannot be required");
    }
    // RFC 7643 §7, writeOnly: "Attribute values SHALL NOT be returned (for example, because the value is a stored
    // hash)."
    if attribute.mutability == Mutability::WriteOnly && attribute.returned != Returned::Never {
        members.problem("returned", "what is `writeOnly` is never returned: set `returned` to `never`");
    }
}

fn check_index(attribute: &Attribute, parent: Option<&Attribute>, members: &mut Members<'_, '_>) {
    if attribute.uniqueness == Uniqueness::Global {
        members.problem("uniqueness", "uniqueness is kept within the tenant, which is `server`, not `global`");
    }
    let name = if attribute.uniqueness == Uniqueness::None { "indexed" } else { "uniqueness" };
    let is_kept = parent.is_none_or(|parent| parent.returned != Returned::Never);
    if let (true, Err(message)) = (attribute.indexed, if is_kept { indexable(attribute) } else { Err(not_kept()) }) {
        members.problem(name, message);
    }
    if let (Uniqueness::Server, Err(message)) = (attribute.uniqueness, unique_possible(attribute)) {
        members.problem("uniqueness", message);
    }
}

fn check_values(attribute: &Attribute, members: &mut Members<'_, '_>) {
    if let Err(message) = canonical_possible(attribute, &attribute.canonical_values) {
        members.problem("canonicalValues", message);
    }
    if attribute.canonical_only && attribute.canonical_values.is_empty() {
        members.problem("canonicalOnly", "there are no `canonicalValues` that a value could be one of");
    }
}

/// Whether values of the attribute can be kept in an index.
pub(in crate::scim::schema) fn indexable(attribute: &Attribute) -> Result<(), String> {
    if attribute.kind == Type::Complex {
        return Err("a `complex` attribute has no index; its sub-attributes can have one".to_owned());
    }
    if attribute.returned == Returned::Never {
        return Err(not_kept());
    }
    Ok(())
}

fn not_kept() -> String {
    "what is `returned: never` is not kept, so it has no index".to_owned()
}

/// Whether values of the attribute can be kept unique.
pub(in crate::scim::schema) fn unique_possible(attribute: &Attribute) -> Result<(), String> {
    if attribute.multi_valued {
        return Err("a multi-valued attribute cannot be unique; a sub-attribute of it can".to_owned());
    }
    if attribute.kind == Type::Boolean {
        return Err("a boolean cannot be unique: it has two values".to_owned());
    }
    Ok(())
}

/// Whether these can be the canonical values of the attribute.
pub(in crate::scim::schema) fn canonical_possible(attribute: &Attribute, values: &[String]) -> Result<(), String> {
    if !values.is_empty() && !matches!(attribute.kind, Type::String | Type::Reference) {
        return Err("only an attribute of type `string` or `reference` has canonical values".to_owned());
    }
    let is_same = |left: &str, right: &str| {
        if attribute.folds_case() { left.eq_ignore_ascii_case(right) } else { left == right }
    };
    for (index, value) in values.iter().enumerate() {
        if values.iter().take(index).any(|earlier| is_same(earlier, value)) {
            return Err(format!("`{value}` is there more than once"));
        }
    }
    Ok(())
}
