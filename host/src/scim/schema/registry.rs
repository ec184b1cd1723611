//! Which resource types and schemas there are, by name, endpoint and URN.

use std::sync::{Arc, LazyLock};

use crate::scim::schema::{ResourceType, Schema, core};

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

    /// These resource types, and the schemas that they use.
    pub fn new(resource_types: Vec<Arc<ResourceType>>) -> Self {
        let mut schemas: Vec<Arc<Schema>> = Vec::new();
        for resource_type in &resource_types {
            let extensions = resource_type.extensions.iter().map(|extension| &extension.schema);
            for schema in std::iter::once(&resource_type.schema).chain(extensions) {
                if !schemas.iter().any(|known| known.id.eq_ignore_ascii_case(&schema.id)) {
                    schemas.push(schema.clone());
                }
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

    /// The resource type served under that path segment: `Users`.
    pub fn by_endpoint(&self, segment: &str) -> Option<&Arc<ResourceType>> {
        self.resource_types.iter().find(|resource_type| resource_type.endpoint.strip_prefix('/') == Some(segment))
    }

    /// Every schema, each once.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The schema of that URN, in any spelling of case.
    pub fn schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
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
        assert!(registry.by_endpoint("users").is_none() && registry.resource_type("user").is_none());
    }

    #[test]
    fn schemas_are_found_by_urn_in_any_case() {
        let registry = SchemaRegistry::core();
        let ids: Vec<&str> = registry.schemas().iter().map(|schema| schema.id.as_str()).collect();
        assert_eq!(ids, [urn::USER, urn::ENTERPRISE_USER, urn::GROUP]);
        assert!(registry.schema(&urn::ENTERPRISE_USER.to_uppercase()).is_some());
    }
}
