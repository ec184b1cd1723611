//! A tenant's definitions, put together with the core schemas to what the tenant's resources are read by.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::scim::index;
use crate::scim::path::parse::excerpt;
use crate::scim::schema::document::{SCHEMAS_MAX, SchemaDocument};
use crate::scim::schema::problem::{Problems, SchemaError};
use crate::scim::schema::resource_type_document::{EXTENSIONS_MAX, RESOURCE_TYPES_MAX, ResourceTypeDocument};
use crate::scim::schema::tightening::{TIGHTENINGS_MAX, Tightening};
use crate::scim::schema::{ResourceType, Schema, SchemaExtension, SchemaRegistry, core, registry};

/// Most attributes and sub-attributes of a resource type that have an index. Each is a row of about 100 bytes for each
/// value of each resource, written and removed with it; `User` has 11 by itself.
pub const INDEXED_MAX: usize = 40;

/// What a tenant has defined. The default is nothing: the core schemas as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Its schemas.
    pub schemas: Vec<SchemaDocument>,
    /// Its resource types, and `User` and `Group` where it has extended them.
    pub resource_types: Vec<ResourceTypeDocument>,
    /// What it has made stricter.
    pub tightenings: Vec<Tightening>,
}

impl SchemaRegistry {
    /// Puts the definitions together with the core schemas, or tells everything that does not fit. Pointers begin with
    /// `/schemas`, `/resourceTypes` or `/tightenings` and the place in the list.
    ///
    /// What the tenant has not touched is shared with every other tenant.
    pub fn build(definitions: &Definitions) -> Result<Self, Vec<SchemaError>> {
        if *definitions == Definitions::default() {
            return Ok(Self::core());
        }
        let mut problems = Problems::default();
        check_counts(definitions, &mut problems);
        check_ids(&definitions.schemas, &mut problems);
        let mut resource_types = resource_types(definitions, &mut problems);
        check_references(&definitions.schemas, &resource_types, &mut problems);
        tighten(&definitions.tightenings, &mut resource_types, &mut problems);
        check_indexed(&resource_types, &mut problems);
        problems.finish(Some(Self::new(resource_types)))
    }
}

fn check_counts(definitions: &Definitions, problems: &mut Problems) {
    for (name, count, max) in [
        ("schemas", definitions.schemas.len(), SCHEMAS_MAX),
        ("resourceTypes", definitions.resource_types.len(), RESOURCE_TYPES_MAX),
        ("tightenings", definitions.tightenings.len(), TIGHTENINGS_MAX),
    ] {
        if count > max {
            problems.add(format!("/{name}"), format!("the tenant would have {count}; the limit is {max}"));
        }
    }
}

/// One URN for one schema, and none that is another one and an attribute of it.
fn check_ids(schemas: &[SchemaDocument], problems: &mut Problems) {
    for (index, schema) in schemas.iter().enumerate() {
        let place = format!("/schemas/{index}/id");
        let id = schema.id();
        if schemas.iter().take(index).any(|other| other.id().eq_ignore_ascii_case(id)) {
            problems.add(place, format!("`{id}` is the id of another schema, too"));
        } else if let Some(other) = schemas.iter().find(|other| is_below(id, other.id())) {
            let message = format!("`{id}` could be an attribute of the schema `{}`", other.id());
            problems.add(place, message);
        }
    }
}

fn is_below(id: &str, other: &str) -> bool {
    id.split_at_checked(other.len())
        .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(other) && rest.starts_with(':'))
}

/// The core types, extended where the tenant says so, and the tenant's own.
fn resource_types(definitions: &Definitions, problems: &mut Problems) -> Vec<Arc<ResourceType>> {
    let mut resource_types = core::resource_types();
    for (index, document) in definitions.resource_types.iter().enumerate() {
        let place = format!("/resourceTypes/{index}");
        let earlier = definitions.resource_types.iter().take(index);
        if earlier.clone().any(|other| other.name.eq_ignore_ascii_case(&document.name)) {
            problems
                .add(format!("{place}/name"), format!("`{}` is the name of another resource type, too", document.name));
            continue;
        }
        let extensions = extensions(document, &definitions.schemas, &place, problems);
        if let Some(core) = resource_types.iter_mut().find(|core| core.name.eq_ignore_ascii_case(&document.name)) {
            check_core(document, core, &place, problems);
            let description =
                if document.description.is_empty() { core.description.clone() } else { document.description.clone() };
            *core = Arc::new(ResourceType { extensions, description, ..ResourceType::clone(core) });
            continue;
        }
        if let Some(other) = resource_types.iter().find(|other| other.endpoint.eq_ignore_ascii_case(&document.endpoint))
        {
            let message = format!("`{}` is the endpoint of `{}`", document.endpoint, other.name);
            problems.add(format!("{place}/endpoint"), message);
        }
        let own = definitions.schemas.iter().find(|schema| schema.id().eq_ignore_ascii_case(&document.schema));
        match own {
            Some(base) => resource_types.push(Arc::new(ResourceType {
                name: document.name.clone(),
                endpoint: document.endpoint.clone(),
                description: document.description.clone(),
                schema: base.schema().clone(),
                extensions,
                common: core::common_attributes(),
            })),
            None => problems.add(
                format!("{place}/schema"),
                format!("`{}` is not one of the tenant's schemas", excerpt(&document.schema)),
            ),
        }
    }
    resource_types
}

/// `User` and `Group` are what RFC 7643 §4 says, whatever is added: every client knows them.
fn check_core(document: &ResourceTypeDocument, core: &ResourceType, place: &str, problems: &mut Problems) {
    for (name, found, wanted) in [
        ("name", &document.name, &core.name),
        ("endpoint", &document.endpoint, &core.endpoint),
        ("schema", &document.schema, &core.schema.id),
    ] {
        if found != wanted {
            let message =
                format!("must be `{wanted}`, which RFC 7643 gives to `{}`, not `{}`", core.name, excerpt(found));
            problems.add(format!("{place}/{name}"), message);
        }
    }
    for extension in &core.extensions {
        let id = &extension.schema.id;
        if !document.extensions.iter().any(|kept| kept.schema.eq_ignore_ascii_case(id)) {
            problems.add(
                format!("{place}/schemaExtensions"),
                format!("must have `{id}`, which `{}` has by itself", core.name),
            );
        }
    }
}

fn extensions(
    document: &ResourceTypeDocument,
    own: &[SchemaDocument],
    place: &str,
    problems: &mut Problems,
) -> Vec<SchemaExtension> {
    let core = core::extension_schemas();
    let known = |id: &str| {
        own.iter().map(SchemaDocument::schema).chain(&core).find(|schema| schema.id.eq_ignore_ascii_case(id))
    };
    let mut extensions = Vec::with_capacity(EXTENSIONS_MAX);
    for (index, extension) in document.extensions.iter().enumerate() {
        match known(&extension.schema) {
            Some(schema) => extensions.push(SchemaExtension { schema: schema.clone(), required: extension.required }),
            None => problems.add(
                format!("{place}/schemaExtensions/{index}/schema"),
                format!("`{}` is neither one of the tenant's schemas nor a core extension", excerpt(&extension.schema)),
            ),
        }
    }
    extensions
}

/// RFC 7643 §7, referenceTypes: "Valid values are: A SCIM resource type (e.g., "User" or "Group")", "external", "uri".
fn check_references(schemas: &[SchemaDocument], resource_types: &[Arc<ResourceType>], problems: &mut Problems) {
    let is_known = |name: &str| {
        matches!(name, "external" | "uri") || resource_types.iter().any(|resource_type| resource_type.name == name)
    };
    for (index, schema) in schemas.iter().enumerate() {
        for (number, attribute) in schema.schema().attributes.iter().enumerate() {
            let place = format!("/schemas/{index}/attributes/{number}");
            let subs = attribute.sub_attributes.iter().enumerate();
            let subs = subs.map(|(number, sub)| (format!("{place}/subAttributes/{number}"), sub));
            for (place, attribute) in std::iter::once((place.clone(), attribute)).chain(subs) {
                for (number, name) in attribute.reference_types.iter().enumerate().filter(|(_, name)| !is_known(name)) {
                    let message = format!("`{}` is neither a resource type nor `external` or `uri`", excerpt(name));
                    problems.add(format!("{place}/referenceTypes/{number}"), message);
                }
            }
        }
    }
}

fn tighten(tightenings: &[Tightening], resource_types: &mut [Arc<ResourceType>], problems: &mut Problems) {
    // By resource type and canonical path the place in the list; with it the schema that the attribute belongs to.
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut touched: Vec<(usize, String)> = Vec::new();
    for (index, tightening) in tightenings.iter().enumerate() {
        let place = format!("/tightenings/{index}");
        let name = tightening.resource_type();
        let Some(found) = resource_types.iter_mut().find(|resource_type| resource_type.name == name) else {
            problems.add(format!("{place}/resourceType"), format!("there is no resource type `{}`", excerpt(name)));
            continue;
        };
        let target = match tightening.target(found) {
            Ok(target) => target,
            Err(error) => {
                problems.add_all(&place, vec![error]);
                continue;
            }
        };
        if let Some(other) = seen.insert((found.name.clone(), target.to_string()), index) {
            problems.add(format!("{place}/path"), format!("`{target}` is made stricter by /tightenings/{other}, too"));
            continue;
        }
        let schema = target.extension.as_ref().unwrap_or(&found.schema);
        touched.push((index, schema.id.clone()));
        match tightening.apply(found, &target) {
            Ok(tightened) => *found = Arc::new(tightened),
            Err(errors) => problems.add_all(&place, errors),
        }
    }
    check_shared(&touched, resource_types, problems);
}

/// `/Schemas` shows a schema once, so it must be the same wherever it is used.
fn check_shared(touched: &[(usize, String)], resource_types: &[Arc<ResourceType>], problems: &mut Problems) {
    for (index, id) in touched {
        let used = resource_types.iter().flat_map(|resource_type| {
            let shown = registry::shown_schemas(resource_type).into_iter();
            shown.filter(|schema| schema.id == *id).map(|schema| (&resource_type.name, schema))
        });
        let used: Vec<(&String, Arc<Schema>)> = used.collect();
        if used.windows(2).any(|pair| matches!(pair, [(_, left), (_, right)] if left != right)) {
            let names: Vec<&str> = used.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!(
                "the schema `{id}` is that of `{}`: make its attributes stricter in all of them alike, or in none",
                names.join("`, `")
            );
            problems.add(format!("/tightenings/{index}/path"), message);
        }
    }
}

fn check_indexed(resource_types: &[Arc<ResourceType>], problems: &mut Problems) {
    for resource_type in resource_types {
        let count = index::indexed(resource_type).len();
        if count > INDEXED_MAX {
            let message =
                format!("`{}` would have {count} indexed attributes; the limit is {INDEXED_MAX}", resource_type.name);
            problems.add("/resourceTypes", message);
        }
    }
}

#[cfg(test)]
mod tests;
