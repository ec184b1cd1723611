//! What must hold for every text and body that a client can send. The targets in `bin/` feed these functions.
//!
//! The protocol's code is pure and knows nothing outside itself, so it is compiled into this crate as it stands, without
//! the sandbox and the database that the server has.
#![allow(dead_code, unreachable_pub, reason = "the module is written as a part of the server")]

/// The server's own sources, by symbolic links: the module names its parts from the root of its crate.
pub mod scim;

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use scim::error::ScimError;
use scim::filter::{Filter, FilterError, eval};
use scim::meta::Meta;
use scim::normalize::{Normalized, normalize};
use scim::patch::{self, Patched};
use scim::path::{Path, PathError};
use scim::reading::Reading;
use scim::resource::{Resource, ResourceId};
use scim::schema::{ResourceType, SchemaRegistry};
use scim::validate::validate;

static USER: LazyLock<Resource> = LazyLock::new(|| {
    resource(
        "User",
        json!({
            "userName": "bjensen", "externalId": "E1", "title": "x", "active": true,
            "name": { "givenName": "Barbara", "familyName": "Jensen" },
            "emails": [
                { "value": "b@example.com", "type": "work", "primary": true },
                { "value": "b@example.org", "type": "home" }
            ],
            "roles": [{ "value": "a" }, { "value": "b", "display": "B" }],
            "addresses": [{ "type": "work", "locality": "Hollywood" }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D", "manager": { "value": "m" } }
        }),
    )
});

static GROUP: LazyLock<Resource> = LazyLock::new(|| resource("Group", json!({ "displayName": "Staff" })));

fn resource(name: &str, attributes: Value) -> Resource {
    let registry = SchemaRegistry::core();
    let resource_type = registry.resource_type(name).expect("a core resource type").clone();
    let attributes = attributes.as_object().expect("an object").clone();
    let meta = Meta::first(jiff::Timestamp::UNIX_EPOCH);
    Resource { resource_type, id: ResourceId(uuid::Uuid::from_u128(1)), attributes, meta }
}

fn read(resource_type: &Arc<ResourceType>, body: &Map<String, Value>) -> Result<Normalized, ScimError> {
    normalize(Reading::strict(resource_type), body)
}

fn modify(resource: &Resource, body: &Map<String, Value>) -> Result<Patched, ScimError> {
    let reading = Reading::strict(&resource.resource_type);
    patch::apply(reading, resource, &patch::parse(reading, body)?)
}

/// A filter that parses is printed so that it parses to itself, and can be asked of a resource.
pub fn filter(text: &str) {
    for resource in [&*USER, &*GROUP] {
        let Ok(filter) = Filter::parse(text, &resource.resource_type) else { continue };
        eval::matches(&filter, resource);
        let printed = filter.to_string();
        match Filter::parse(&printed, &resource.resource_type) {
            Ok(again) => assert_eq!(again, filter, "{text} is printed as {printed}"),
            // Names are printed in full, so it may become longer than what may be sent.
            Err(FilterError::TooLong { .. }) => {}
            Err(error) => panic!("{text} is printed as {printed}: {error}"),
        }
    }
}

/// The same for a path.
pub fn path(text: &str) {
    for resource in [&*USER, &*GROUP] {
        let Ok(path) = Path::parse(text, &resource.resource_type) else { continue };
        path.select(resource);
        let printed = path.to_string();
        match Path::parse(&printed, &resource.resource_type) {
            Ok(again) => assert_eq!(again, path, "{text} is printed as {printed}"),
            Err(PathError::TooLong { .. } | PathError::Filter(FilterError::TooLong { .. })) => {}
            Err(error) => panic!("{text} is printed as {printed}: {error}"),
        }
    }
}

/// A PATCH either fails or leaves a state that is canonical: a PUT of it gives it again.
pub fn patch_body(body: &Map<String, Value>) {
    for resource in [&*USER, &*GROUP] {
        if let Ok(patched) = modify(resource, body) {
            put_gives_it_again(resource, &patched.attributes);
        }
    }
}

fn put_gives_it_again(resource: &Resource, attributes: &Map<String, Value>) {
    let put = with_schemas(resource, attributes.clone());
    let again = read(&resource.resource_type, &put)
        .unwrap_or_else(|error| panic!("a PUT of what a PATCH left is refused: {error}: {}", Value::from(put.clone())));
    assert_eq!(&again.attributes, attributes, "a PUT of what a PATCH left is something else");
}

/// What a body is read as is read as itself, and the PATCH that replaces all of it gives the same as the PUT.
pub fn put_body(body: &Map<String, Value>) {
    let user = &*USER;
    let put = with_schemas(user, body.clone());
    let Ok(read_once) = read(&user.resource_type, &put) else { return };
    let again = read(&user.resource_type, &with_schemas(user, read_once.attributes.clone()));
    assert_eq!(
        again.as_ref(),
        Ok(&Normalized { members: None, secrets: Vec::new(), ..read_once.clone() }),
        "read twice is not read once"
    );

    let mut operations: Vec<Value> = user
        .attributes
        .keys()
        .filter(|name| *name != "userName")
        .map(|name| json!({ "op": "remove", "path": name }))
        .collect();
    operations.push(json!({ "op": "replace", "value": read_once.attributes }));
    let message = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let patched = modify(user, message.as_object().expect("an object"));
    if !read_once.attributes.contains_key("userName")
        || validate(Reading::strict(&user.resource_type), &read_once.attributes).is_err()
    {
        return;
    }
    match patched {
        Ok(patched) => assert_eq!(patched.attributes, read_once.attributes, "the PATCH leaves something else"),
        Err(error) => panic!("the PATCH that replaces all is refused: {error}"),
    }
}

fn with_schemas(resource: &Resource, mut attributes: Map<String, Value>) -> Map<String, Value> {
    attributes.retain(|name, _| !name.eq_ignore_ascii_case("schemas"));
    attributes.insert("schemas".to_owned(), json!([resource.resource_type.schema.id]));
    attributes
}
