use super::*;
use crate::scim::meta::Meta;
use crate::scim::resource::ResourceId;
use crate::scim::schema::SchemaRegistry;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LOCATION: &str = "https://example.com/Users/1";

fn resource(name: &str, attributes: Value) -> Resource {
    Resource {
        resource_type: SchemaRegistry::core().resource_type(name).unwrap().clone(),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta { version: 3, ..Meta::first("2010-01-23T04:56:22Z".parse().unwrap()) },
    }
}

fn ada() -> Resource {
    resource(
        "User",
        json!({
            "userName": "ada",
            "name": { "givenName": "Ada", "familyName": "Byron" },
            "emails": [{ "value": "a@x", "type": "work" }, { "type": "home" }],
            ENTERPRISE: { "department": "R&D", "manager": { "value": "m" } }
        }),
    )
}

/// What goes over the wire.
fn shown(resource: &Resource, projection: &Projection, members: Option<Vec<Value>>) -> Value {
    serde_json::to_value(project(resource, projection, LOCATION, members, None)).unwrap()
}

/// What is shown beside `schemas` and `id`, which always are.
#[track_caller]
fn check(attributes: Option<&str>, excluded: Option<&str>, expected: Value) {
    let ada = ada();
    let names = AttributeNames::of_parameters(attributes, excluded);
    let projection = Projection::parse(&names, &ada.resource_type).unwrap();
    let mut shown = shown(&ada, &projection, None);
    let object = shown.as_object_mut().unwrap();
    assert_eq!(object.remove("id"), Some(json!(ada.id.to_string())));
    assert_eq!(object.remove("schemas"), Some(json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE])));
    assert_eq!(shown, expected, "{attributes:?} {excluded:?}");
}

#[test]
fn a_response_shows_what_was_asked_for_and_what_is_always_returned() {
    let meta = json!({
        "resourceType": "User",
        "created": "2010-01-23T04:56:22Z",
        "lastModified": "2010-01-23T04:56:22Z",
        "version": "W/\"3\"",
        "location": LOCATION
    });
    let mut whole = Value::Object(ada().attributes);
    whole["meta"] = meta.clone();
    check(None, None, whole.clone());
    check(Some(""), Some(" "), whole.clone());
    check(Some("USERNAME, name.givenname"), None, json!({ "userName": "ada", "name": { "givenName": "Ada" } }));
    check(Some("emails.value"), None, json!({ "emails": [{ "value": "a@x" }] }));
    let emails = json!({ "emails": [{ "value": "a@x", "type": "work" }, { "type": "home" }] });
    check(Some("emails[type eq \"work\"]"), None, emails);
    check(None, Some("emails[type eq \"work\"]"), whole.clone());
    check(Some("id"), None, json!({}));
    check(Some("meta.version,shoeSize"), None, json!({ "meta": { "version": "W/\"3\"" } }));
    check(Some(ENTERPRISE), None, json!({ ENTERPRISE: { "department": "R&D", "manager": { "value": "m" } } }));
    check(Some(&format!("{ENTERPRISE}:department")), None, json!({ ENTERPRISE: { "department": "R&D" } }));
    check(
        None,
        Some(&format!("emails,name.familyName,meta,members,id,{ENTERPRISE}")),
        json!({ "userName": "ada", "name": { "givenName": "Ada" } }),
    );
}

#[test]
fn members_and_groups_are_wanted_only_where_they_are_shown() {
    let registry = SchemaRegistry::core();
    let check = |name: &str, attribute: &str, attributes: Option<&str>, excluded: Option<&str>, expected: bool| {
        let resource_type = registry.resource_type(name).unwrap();
        let names = AttributeNames::of_parameters(attributes, excluded);
        let projection = Projection::parse(&names, resource_type).unwrap();
        assert_eq!(projection.wants(attribute, resource_type), expected, "{name} {attributes:?} {excluded:?}");
    };
    check("Group", "members", None, None, true);
    check("Group", "members", None, Some("Members"), false);
    check("Group", "members", Some("displayName"), None, false);
    check("Group", "members", Some("members.value"), None, true);
    check("User", "groups", None, None, true);
    check("User", "groups", None, Some("groups"), false);
    check("User", "members", None, None, false);
}

#[test]
fn members_are_shown_as_they_were_loaded() {
    let group = resource("Group", json!({ "displayName": "g" }));
    let values = vec![json!({ "value": "1", "type": "User", "display": "Ada" })];
    let members = Some(values.clone());
    let projection =
        Projection::parse(&AttributeNames::of_parameters(Some("members.value"), None), &group.resource_type).unwrap();
    assert_eq!(shown(&group, &projection, members.clone())["members"], json!([{ "value": "1" }]));
    assert_eq!(
        shown(&group, &Projection::default(), members.clone())["members"],
        json!([{ "value": "1", "type": "User" }])
    );
    let names = AttributeNames::of_parameters(Some("members,members.display"), None);
    let by_name = Projection::parse(&names, &group.resource_type).unwrap();
    assert!(by_name.wants_sub("members", "display", &group.resource_type));
    assert!(!projection.wants_sub("members", "display", &group.resource_type));
    let all = json!([{ "value": "1", "type": "User", "display": "Ada" }]);
    assert_eq!(shown(&group, &by_name, members)["members"], all);
    let listed: Vec<_> = by_name.values("members", &group.resource_type, &values).collect();
    assert_eq!(serde_json::to_value(listed).unwrap(), all);
    assert_eq!(shown(&group, &Projection::default(), Some(Vec::new())).get("members"), None);
}

#[test]
fn both_parameters_together_are_refused() {
    let error =
        Projection::parse(&AttributeNames::of_parameters(Some("userName"), Some("emails")), &ada().resource_type)
            .unwrap_err();
    assert_eq!(error.to_string(), "400 invalidValue: `attributes` and `excludedAttributes` cannot be given together");
}
