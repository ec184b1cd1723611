//! Which resource types and schemas there are, by name, endpoint and URN.

use std::sync::{Arc, LazyLock};

use crate::scim::schema::{Attribute, ResourceType, Schema, core};

/// The resource types that are served. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SchemaRegistry {
    resource_types: Arc<[Arc<ResourceType>]>,
    schemas: Arc<[Arc<Schema>]>,
}

impl SchemaRegistry {
    /// `User` with the enterprise extension, and `Group`.
    pub fn core() -> Self {
        static CORE: LazyLock<SchemaRegistry> = LazyLock::new(|| SchemaRegistry::new(core::resource_types()));
        CORE.clone()
    }

    /// These resource types, the schemas that they use, and those of discovery.
    pub(super) fn new(resource_types: Vec<Arc<ResourceType>>) -> Self {
        let mut schemas: Vec<Arc<Schema>> = Vec::new();
        let used = resource_types.iter().flat_map(|resource_type| shown_schemas(resource_type));
        for schema in used.chain(core::service_provider_schemas()) {
            if !schemas.iter().any(|known| known.id.eq_ignore_ascii_case(&schema.id)) {
                schemas.push(schema);
            }
        }
        Self { resource_types: resource_types.into(), schemas: schemas.into() }
    }

    /// Every resource type.
    pub fn resource_types(&self) -> &[Arc<ResourceType>] {
        &self.resource_types
    }

    /// The resource type of that name: `User`.
    pub fn resource_type(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.resource_types.iter().find(|resource_type| resource_type.name == name)
    }

    /// The resource type served under that path segment, `Users`, in any spelling of case: some clients send `/users`, and
    /// no two types have endpoints that differ in case alone.
    pub fn by_endpoint(&self, segment: &str) -> Option<&Arc<ResourceType>> {
        let is_it = |endpoint: &str| endpoint.strip_prefix('/').is_some_and(|name| name.eq_ignore_ascii_case(segment));
        self.resource_types.iter().find(|resource_type| is_it(&resource_type.endpoint))
    }

    /// Every schema that `/Schemas` shows, each once, with what a tenant has made stricter.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The schema of that URN as `/Schemas` shows it, in any spelling of case.
    pub fn schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}

/// The schemas of a resource type as `/Schemas` shows them: the base, then the extensions.
///
/// RFC 7643 §3.1: "Common attributes are considered to be part of every base resource schema and do not use their own
/// "schemas" URI." So no schema lists them, except one that a tenant has made stricter: it stands in the base schema of
/// its type, for there is no other place where a client could learn of it.
pub(super) fn shown_schemas(resource_type: &ResourceType) -> Vec<Arc<Schema>> {
    let core = core::common_attributes();
    let stricter: Vec<&Arc<Attribute>> =
        resource_type.common_attributes().iter().filter(|common| !core.contains(common)).collect();
    let base = if stricter.is_empty() {
        resource_type.schema.clone()
    } else {
        let attributes = stricter.into_iter().chain(&resource_type.schema.attributes).cloned().collect();
        Arc::new(Schema { attributes, ..Schema::clone(&resource_type.schema) })
    };
    let extensions = resource_type.extensions.iter().map(|extension| extension.schema.clone());
    std::iter::once(base).chain(extensions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::urn;

    #[test]
    fn resource_types_are_found_by_name_and_by_endpoint() {
        let registry = SchemaRegistry::core();
        assert_eq!(registry.by_endpoint("Groups").unwrap().name, "Group");
        assert_eq!(registry.resource_type("User").unwrap().endpoint, "/Users");
        assert_eq!(registry.by_endpoint("users").unwrap().name, "User");
        assert!(registry.by_endpoint("/Users").is_none() && registry.resource_type("user").is_none());
    }

    #[test]
    fn schemas_are_found_by_urn_in_any_case() {
        let registry = SchemaRegistry::core();
        let ids: Vec<&str> = registry.schemas().iter().map(|schema| schema.id.as_str()).collect();
        let discovery = [urn::SERVICE_PROVIDER_CONFIG, urn::RESOURCE_TYPE, urn::SCHEMA];
        assert_eq!(ids, [[urn::USER, urn::ENTERPRISE_USER, urn::GROUP], discovery].concat());
        assert!(registry.schema(&urn::ENTERPRISE_USER.to_uppercase()).is_some());
    }
}
