//! The schemas of RFC 7643: `User`, `Group`, `EnterpriseUser` and the common attributes, read from the JSON beside this
//! file.
//!
//! The characteristics are those of RFC 7643 §8.7.1, with these corrections:
//! * `displayName` of a group is required, as §4.2 says; §8.7.1 contradicts it.
//! * `members.value` and `groups.value` are case-exact: they hold an `id`, which §3.1 makes so.
//! * `manager.displayName`, `members.display` and the sub-attributes of `groups` are read-only, as the text says.
//! * `members.display`, which §8.7.1 does not have at all, is returned on request: it costs a look at each member.
//! * References and binary values are case-exact (§2.3.6, §2.3.7); §8.7.1 marks some of them otherwise.
//! * Canonical values are suggestions (§2.4: "service providers MAY"), so none of them is enforced.
//! * `password` is written and never returned.
//!
//! Of the schemas of discovery (§8.7.2) these are corrected:
//! * `ServiceProviderConfig` is named so, as the two others are by what they describe, and has the `pagination` of RFC
//!   9865 §4.
//! * `schemaExtensions` has several values and can be absent, as §6 says.
//! * `type` is told to be `binary`, too.

use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;

use crate::scim::schema::{Attribute, ResourceType, Schema, SchemaExtension};

static COMMON: LazyLock<Arc<[Arc<Attribute>]>> = LazyLock::new(|| embedded(include_str!("common.json")));
static USER: LazyLock<Arc<Schema>> = LazyLock::new(|| embedded(include_str!("user.json")));
static GROUP: LazyLock<Arc<Schema>> = LazyLock::new(|| embedded(include_str!("group.json")));
static ENTERPRISE_USER: LazyLock<Arc<Schema>> = LazyLock::new(|| embedded(include_str!("enterprise_user.json")));
static SERVICE_PROVIDER_CONFIG: LazyLock<Arc<Schema>> =
    LazyLock::new(|| embedded(include_str!("service_provider_config.json")));
static RESOURCE_TYPE: LazyLock<Arc<Schema>> = LazyLock::new(|| embedded(include_str!("resource_type.json")));
static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| embedded(include_str!("schema.json")));

/// The attributes that every resource has, whatever its schema (RFC 7643 §3 and §3.1): `schemas`, `id`, `externalId`,
/// `meta`. A resource type has its own ([`ResourceType::common_attributes`]), which may be stricter than these.
pub(super) fn common_attributes() -> Arc<[Arc<Attribute>]> {
    COMMON.clone()
}

/// The schemas of what discovery shows (RFC 7643 §8.7.2).
pub(super) fn service_provider_schemas() -> [Arc<Schema>; 3] {
    [SERVICE_PROVIDER_CONFIG.clone(), RESOURCE_TYPE.clone(), SCHEMA.clone()]
}

/// The schemas that extend a core resource type, which may extend others, too.
pub(super) fn extension_schemas() -> [Arc<Schema>; 1] {
    [ENTERPRISE_USER.clone()]
}

/// The resource types of RFC 7643 §4.
pub(super) fn resource_types() -> Vec<Arc<ResourceType>> {
    vec![
        Arc::new(ResourceType {
            name: "User".to_owned(),
            endpoint: "/Users".to_owned(),
            description: "User Account".to_owned(),
            schema: USER.clone(),
            extensions: vec![SchemaExtension { schema: ENTERPRISE_USER.clone(), required: false }],
            common: common_attributes(),
        }),
        Arc::new(ResourceType {
            name: "Group".to_owned(),
            endpoint: "/Groups".to_owned(),
            description: "Group".to_owned(),
            schema: GROUP.clone(),
            extensions: Vec::new(),
            common: common_attributes(),
        }),
    ]
}

#[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads every one of them")]
fn embedded<T: DeserializeOwned>(json: &'static str) -> T {
    serde_json::from_str(json).expect("an embedded schema is valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::{Mutability, Returned, Storage, Type, Uniqueness};

    fn user(path: &str) -> Arc<Attribute> {
        let (name, sub) = path.split_once('.').unwrap_or((path, ""));
        let attribute = USER.attribute(name).or_else(|| ENTERPRISE_USER.attribute(name)).unwrap().clone();
        if sub.is_empty() { attribute } else { attribute.sub_attribute(sub).unwrap().clone() }
    }

    #[test]
    fn user_name_is_required_unique_and_sees_no_case() {
        let user_name = user("userName");
        assert!(user_name.required && !user_name.case_exact);
        assert_eq!(user_name.uniqueness, Uniqueness::Server);
    }

    #[test]
    fn characteristics_are_the_corrected_ones() {
        let types = resource_types();
        assert!(types.iter().all(|resource_type| resource_type.attribute("EXTERNALID").unwrap().case_exact));
        assert!(GROUP.attribute("displayName").unwrap().required);
        assert_eq!(user("password").returned, Returned::Never);
        assert_eq!(user("manager.displayName").mutability, Mutability::ReadOnly);
        assert_eq!(user("groups").storage, Storage::Derived);
        let members = GROUP.attribute("members").unwrap();
        assert_eq!(members.storage, Storage::Rows);
        assert_eq!(members.sub_attribute("VALUE").unwrap().mutability, Mutability::Immutable);
    }

    #[test]
    fn every_reference_and_binary_is_case_exact() {
        let schemas = [&*USER, &*GROUP, &*ENTERPRISE_USER];
        let attributes = schemas.iter().flat_map(|schema| &schema.attributes).chain(COMMON.iter());
        for attribute in attributes.flat_map(|attribute| attribute.sub_attributes.iter().chain([attribute])) {
            if matches!(attribute.kind, Type::Reference | Type::Binary) {
                assert!(attribute.case_exact, "{}", attribute.name);
            }
        }
    }
}
