//! What a tenant makes stricter of an attribute that is already there: `externalId` immutable, `employeeNumber` unique,
//! `userType` one of three values.
//!
//! A tightening goes one way. What the schema demands stays demanded, so every resource that the tightened type allows
//! is one that the schema allows, and a client that knows only the RFC is not surprised by what it reads.
//!
//! `returned` goes from `default` to `request` to `never`: each shows less. What is `always` returned stays so, since
//! clients tell resources apart by it (RFC 7643 §7). What becomes `never` is a secret like `password` from then on: of
//! a value that is set a hash is kept, and no state, no difference and no log has it. So it cannot be what is
//! done with values that are there: required, unique, indexed, immutable, one of a list.
//!
//! `caseExact` cannot be set, for neither direction is stricter. `true` makes two values different that were the same:
//! what must be unique may then be there twice in two spellings, and a filter misses what it found. `false` makes
//! values the same that were different: a list of possible values has more of them, and who looks for one account by
//! an identifier whose case counts, such as `externalId`, is given another one.

mod apply;

use serde_json::{Map, Value, json};

use crate::scim::limits::ScimLimits;
use crate::scim::schema::document::{CANONICAL_VALUE_BYTES_MAX, CANONICAL_VALUES_MAX, NAME_BYTES_MAX};
use crate::scim::schema::problem::{Members, Problems, SchemaError, read_json};
use crate::scim::schema::{Mutability, Returned, Uniqueness};

/// Most tightenings of a tenant. `User` has 71 attributes and sub-attributes that one is possible of, `Group` 2.
pub const TIGHTENINGS_MAX: usize = 200;

/// Largest document in bytes: a path and a full list of canonical values have 104 KB.
pub const TIGHTENING_BYTES_MAX: usize = 128 * 1024;

/// What is not set stays as the schema has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tightening {
    /// Name of the resource type.
    pub(super) resource_type: String,
    /// The attribute or sub-attribute, as the tenant spelled it.
    pub(super) path: String,
    pub(super) required: Option<bool>,
    pub(super) mutability: Option<Mutability>,
    pub(super) returned: Option<Returned>,
    pub(super) uniqueness: Option<Uniqueness>,
    /// The values that are possible.
    pub(super) canonical_values: Option<Vec<String>>,
    pub(super) indexed: Option<bool>,
}

impl Tightening {
    /// Reads a document as it was sent.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<SchemaError>> {
        Self::from_json(&read_json(json, TIGHTENING_BYTES_MAX)?)
    }

    /// Reads a document, and tells everything that is wrong with it.
    pub fn from_json(document: &Value) -> Result<Self, Vec<SchemaError>> {
        let mut problems = Problems::default();
        let read = read(document, &mut problems);
        problems.finish(read)
    }

    /// The document in its one spelling.
    pub fn to_json(&self) -> Value {
        let members = [
            ("resourceType", Some(json!(self.resource_type))),
            ("path", Some(json!(self.path))),
            ("required", self.required.map(Value::from)),
            ("mutability", self.mutability.map(|mutability| json!(mutability))),
            ("returned", self.returned.map(|returned| json!(returned))),
            ("uniqueness", self.uniqueness.map(|uniqueness| json!(uniqueness))),
            ("canonicalValues", self.canonical_values.as_ref().map(|values| json!(values))),
            ("indexed", self.indexed.map(Value::from)),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<String, Value>>())
    }

    /// Name of the resource type.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The attribute or sub-attribute, as the tenant spelled it.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn read(document: &Value, problems: &mut Problems) -> Option<Tightening> {
    let mut members = Members::of(document, "", problems)?;
    for (name, reason) in [
        (
            "caseExact",
            "`caseExact` decides which values are the same: `true` would loosen uniqueness, `false` what a filter and a \
             list of values match, so neither is stricter",
        ),
        ("type", "the type of an attribute cannot be changed"),
        ("multiValued", "whether an attribute has several values cannot be changed"),
    ] {
        if members.get(name).is_some() {
            members.problem(name, reason);
        }
    }
    let settable = ["required", "mutability", "returned", "uniqueness", "canonicalValues", "indexed"];
    let refused = ["caseExact", "type", "multiValued"];
    members.only(&[&["resourceType", "path"], settable.as_slice(), refused.as_slice()].concat());
    if !settable.iter().chain(&refused).any(|name| members.get(name).is_some()) {
        members.problems().add("", format!("sets nothing; possible are `{}`", settable.join("`, `")));
    }
    let resource_type = members.required_text("resourceType", NAME_BYTES_MAX);
    let path = members.required_text("path", ScimLimits::DEFAULT.path_bytes_max);
    let canonical_values = members.texts("canonicalValues", CANONICAL_VALUES_MAX, CANONICAL_VALUE_BYTES_MAX);
    if canonical_values.as_ref().is_some_and(Vec::is_empty) {
        members.problem("canonicalValues", "is empty, so no value would be possible");
    }
    Some(Tightening {
        required: members.flag("required"),
        mutability: members.keyword("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]),
        returned: members.keyword("returned", &["always", "default", "request", "never"]),
        uniqueness: members.keyword("uniqueness", &["none", "server", "global"]),
        canonical_values,
        indexed: members.flag("indexed"),
        resource_type: resource_type?.to_owned(),
        path: path?.to_owned(),
    })
}

#[cfg(test)]
mod tests;
