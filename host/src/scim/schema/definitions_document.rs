//! All of a tenant's definitions in one document, for who keeps them in a file: what the three lists of the tenant API come
//! to when they are put together.

use serde_json::{Value, json};

use crate::scim::schema::build::Definitions;
use crate::scim::schema::document::{SCHEMAS_MAX, SchemaDocument};
use crate::scim::schema::problem::{Members, Problems, SchemaError};
use crate::scim::schema::resource_type_document::{RESOURCE_TYPES_MAX, ResourceTypeDocument};
use crate::scim::schema::tightening::{TIGHTENINGS_MAX, Tightening};

impl Definitions {
    /// The members of the document, each a list.
    pub const MEMBERS: [&str; 3] = ["schemas", "resource_types", "tightenings"];

    /// Reads a document, and tells everything that is wrong with a part of it by itself. Whether the parts fit together is
    /// told by [`SchemaRegistry::build`](super::SchemaRegistry::build).
    pub fn from_json(document: &Value) -> Result<Self, Vec<SchemaError>> {
        let mut problems = Problems::default();
        let read = Members::of(document, "", &mut problems).map(|mut members| {
            members.only(&Self::MEMBERS);
            let [schemas, resource_types, tightenings] = Self::MEMBERS;
            Self {
                schemas: each(&mut members, schemas, SCHEMAS_MAX, SchemaDocument::parse),
                resource_types: each(&mut members, resource_types, RESOURCE_TYPES_MAX, ResourceTypeDocument::parse),
                tightenings: each(&mut members, tightenings, TIGHTENINGS_MAX, Tightening::parse),
            }
        });
        problems.finish(read)
    }

    /// The document, with every list.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": self.schemas.iter().map(SchemaDocument::to_json).collect::<Vec<_>>(),
            "resource_types": self.resource_types.iter().map(ResourceTypeDocument::to_json).collect::<Vec<_>>(),
            "tightenings": self.tightenings.iter().map(Tightening::to_json).collect::<Vec<_>>(),
        })
    }

    /// What of it makes one resource type what it is.
    #[must_use]
    pub fn of(&self, resource_type: &str) -> Self {
        let is_it = |name: &str| name.eq_ignore_ascii_case(resource_type);
        let resource_types: Vec<_> =
            self.resource_types.iter().filter(|document| is_it(document.name())).cloned().collect();
        let is_used = |id: &str| {
            resource_types.iter().any(|document| {
                let extensions = document.extensions.iter().map(|extension| &extension.schema);
                extensions.chain([&document.schema]).any(|used| used.eq_ignore_ascii_case(id))
            })
        };
        let schemas = self.schemas.iter().filter(|document| is_used(document.id())).cloned().collect();
        let tightenings = self.tightenings.iter().filter(|one| is_it(one.resource_type())).cloned().collect();
        Self { schemas, resource_types, tightenings }
    }
}

/// The parts in a list, each read as the tenant API reads it by itself: with the limit of its size.
fn each<T>(
    members: &mut Members<'_, '_>,
    name: &str,
    count_max: usize,
    parse: fn(&[u8]) -> Result<T, Vec<SchemaError>>,
) -> Vec<T> {
    let listed = members.list(name, count_max).unwrap_or_default();
    let place = members.place(name);
    let mut read = Vec::with_capacity(listed.len());
    for (index, document) in listed.iter().enumerate() {
        match parse(document.to_string().as_bytes()) {
            Ok(part) => read.push(part),
            Err(errors) => members.problems().add_all(&format!("{place}/{index}"), errors),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaRegistry;

    const BADGE: &str = "urn:example:params:scim:schemas:extension:badge:2.0:User";
    const PRINTER: &str = "urn:example:params:scim:schemas:printer:2.0:Printer";

    fn document() -> Value {
        let schema = |id: &str, name: &str| json!({ "id": id, "name": name, "attributes": [{ "name": "code", "type": "string" }] });
        let user = "urn:ietf:params:scim:schemas:core:2.0:User";
        json!({
            "schemas": [schema(BADGE, "Badge"), schema(PRINTER, "Printer")],
            "resource_types": [
                { "name": "User", "endpoint": "/Users", "schema": user,
                  "schemaExtensions": [
                    { "schema": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "required": false },
                    { "schema": BADGE, "required": false },
                  ] },
                { "name": "Printer", "endpoint": "/Printers", "schema": PRINTER },
            ],
            "tightenings": [{ "resourceType": "User", "path": "externalId", "mutability": "immutable" }],
        })
    }

    #[test]
    fn a_document_says_the_same_when_it_is_read_and_written() {
        let read = Definitions::from_json(&document()).unwrap();
        assert_eq!((read.schemas.len(), read.resource_types.len(), read.tightenings.len()), (2, 2, 1));
        assert_eq!(Definitions::from_json(&read.to_json()).unwrap(), read);
        assert_eq!(Definitions::from_json(&json!({})).unwrap(), Definitions::default());
    }

    #[test]
    fn what_is_of_one_resource_type_fits_together_without_the_rest() {
        let all = Definitions::from_json(&document()).unwrap();
        let (users, printers) = (all.of("User"), all.of("Printer"));
        assert_eq!(users.schemas.iter().map(SchemaDocument::id).collect::<Vec<_>>(), [BADGE]);
        assert_eq!((users.resource_types.len(), users.tightenings.len()), (1, 1));
        assert_eq!(printers.schemas.iter().map(SchemaDocument::id).collect::<Vec<_>>(), [PRINTER]);
        assert!(printers.tightenings.is_empty());
        for part in [users, printers] {
            SchemaRegistry::build(&part).unwrap();
        }
        assert_eq!(all.of("Group"), Definitions::default());
    }

    #[test]
    fn each_problem_is_told_with_its_place_in_the_document() {
        let mut wrong = document();
        wrong["schemas"][1]["attributes"][0]["type"] = json!("text");
        wrong["tightenings"] = json!([{ "resourceType": "User", "path": "title", "mutability": "sometimes" }]);
        wrong["resourceTypes"] = json!([]);
        let told = Definitions::from_json(&wrong).unwrap_err();
        let places: Vec<&str> = told.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(places, ["/resourceTypes", "/schemas/1/attributes/0/type", "/tightenings/0/mutability"], "{told:?}");
        assert!(told[0].message.contains("`resource_types`"), "{told:?}");
        assert!(Definitions::from_json(&json!([])).unwrap_err()[0].message.contains("must be an object"));
    }
}
