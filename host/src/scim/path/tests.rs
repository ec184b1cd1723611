use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::scim::meta::Meta;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::SchemaRegistry;

fn resource_type(name: &str) -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type(name).unwrap().clone()
}

fn user() -> Resource {
    let attributes = json!({
        "userName": "ada",
        "externalId": "E1",
        "name": { "givenName": "Ada" },
        "emails": [
            { "value": "a@home.example", "type": "home" },
            { "value": "a@work.example", "type": "work", "primary": true },
            { "type": "other" }
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D", "manager": { "value": "m" } }
    });
    Resource {
        resource_type: resource_type("User"),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta {
            created: "2011-05-13T04:42:34Z".parse().unwrap(),
            last_modified: "2012-01-01T00:00:00Z".parse().unwrap(),
            version: 7,
        },
    }
}

#[track_caller]
fn check(path: &str, canonical: &str, selected: Value) {
    let resource = user();
    let parsed = Path::parse(path, &resource.resource_type).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(parsed.to_string(), canonical, "{path}");
    assert_eq!(Path::parse(canonical, &resource.resource_type).as_ref(), Ok(&parsed), "{path}");
    let values: Vec<Value> = parsed.select(&resource).into_iter().map(Cow::into_owned).collect();
    assert_eq!(Value::Array(values.clone()), selected, "{path}");
    if let Ok(attribute) = AttributeRef::parse(path, &resource.resource_type) {
        let again: Vec<Value> = attribute.select(&resource).into_iter().map(Cow::into_owned).collect();
        assert_eq!((again, attribute.to_string()), (values, canonical.to_owned()), "{path}");
    }
}

#[test]
fn a_path_is_read_in_any_case_and_selects_values_in_document_order() {
    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    check("USERNAME", "userName", json!(["ada"]));
    check("urn:ietf:params:scim:schemas:core:2.0:user:username", "userName", json!(["ada"]));
    check("name.GIVENname", "name.givenName", json!(["Ada"]));
    check("name", "name", json!([{ "givenName": "Ada" }]));
    check("title", "title", json!([]));
    check("emails.value", "emails.value", json!(["a@home.example", "a@work.example"]));
    check("emails[type eq \"work\"].value", "emails[type eq \"work\"].value", json!(["a@work.example"]));
    check(
        "emails[TYPE EQ \"WORK\"]",
        "emails[type eq \"WORK\"]",
        json!([{ "value": "a@work.example", "type": "work", "primary": true }]),
    );
    check("emails[value pr].type", "emails[value pr].type", json!(["home", "work"]));
    check(&format!("{ENTERPRISE}:Department"), &format!("{ENTERPRISE}:department"), json!(["R&D"]));
    check(
        &format!("{}:manager.value", ENTERPRISE.to_uppercase()),
        &format!("{ENTERPRISE}:manager.value"),
        json!(["m"]),
    );
    check(ENTERPRISE, ENTERPRISE, json!([{ "department": "R&D", "manager": { "value": "m" } }]));
    check("id", "id", json!(["00000000-0000-0000-0000-000000000001"]));
    check("externalid", "externalId", json!(["E1"]));
    check("schemas", "schemas", json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]));
    check("meta.resourcetype", "meta.resourceType", json!(["User"]));
    check("meta.created", "meta.created", json!(["2011-05-13T04:42:34Z"]));
    check("meta.lastModified", "meta.lastModified", json!(["2012-01-01T00:00:00Z"]));
    check("meta.version", "meta.version", json!(["W/\"7\""]));
    check("meta.location", "meta.location", json!([]));
    check(
        "meta",
        "meta",
        json!([{ "resourceType": "User", "created": "2011-05-13T04:42:34Z", "lastModified": "2012-01-01T00:00:00Z", "version": "W/\"7\"" }]),
    );
}

#[test]
fn a_text_that_is_no_path_is_refused_by_name() {
    let check = |path: &str, expected: &str| {
        let error = Path::parse(path, &resource_type("User")).unwrap_err();
        assert_eq!(error.to_string(), expected, "{path}");
    };
    check("", "the path is empty");
    check("shoeSize", "`shoeSize` is not an attribute of User");
    check("name.shoe", "`shoe` is not an attribute of `name`");
    check("name.givenName.x", "`givenName.x` is not an attribute of `name`");
    check("name.", "`` is not an attribute of `name`");
    check("userName.value", "`userName` has no sub-attributes");
    check("userName[value eq \"x\"]", "`userName` has no sub-attributes");
    check("urn:example:User:x", "`urn:example:User:x` names no schema of User, or no attribute of it");
    check(
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "`urn:ietf:params:scim:schemas:core:2.0:User` names a schema and no attribute of it",
    );
    check("department", "`department` is not an attribute of User");
    check(
        "emails[type eq \"work\"",
        "in the value filter: at position 22 the filter has its end where `and`, `or` or `]` should be",
    );
    check(
        "emails[type eq \"work\"]value",
        "in the value filter: at position 23 the filter has `value` where the end should be",
    );
    check(&"a".repeat(5000), "the path has 5000 bytes; the limit is 4096");
    check(&"a".repeat(4000), &format!("`{}…` is not an attribute of User", "a".repeat(100)));
}

#[test]
fn a_path_into_members_says_that_they_are_rows_and_which_one_is_wanted() {
    let path = Path::parse("members[value eq \"x\"].display", &resource_type("Group")).unwrap();
    assert_eq!(path.attribute_storage(), Storage::Rows);
    assert_eq!(path.value_wanted(), Some("x"));
    let attributes: Vec<String> = path.attributes().iter().map(ToString::to_string).collect();
    assert_eq!(attributes, ["members.display", "members.value"]);
    assert_eq!(Path::parse("groups", &resource_type("User")).unwrap().attribute_storage(), Storage::Derived);
    assert_eq!(Path::parse("members[type eq \"User\"]", &resource_type("Group")).unwrap().value_wanted(), None);
}

#[test]
fn an_attribute_reference_takes_no_value_filter() {
    assert!(matches!(
        AttributeRef::parse("emails[type eq \"work\"].value", &resource_type("User")),
        Err(PathError::Filtered { .. })
    ));
}
