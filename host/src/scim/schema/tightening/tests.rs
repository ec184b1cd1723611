use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::scim::schema::{Attribute, Definitions, SchemaRegistry};

/// The attribute as the tightening makes it, or what is wrong.
fn tighten(resource_type: &str, path: &str, set: Value) -> Result<Arc<Attribute>, Vec<String>> {
    let mut document = json!({ "resourceType": resource_type, "path": path });
    document.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    let told = |errors: Vec<SchemaError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let tightening = Tightening::from_json(&document).map_err(told)?;
    assert_eq!(Tightening::from_json(&tightening.to_json()).as_ref(), Ok(&tightening));
    let definitions = Definitions { tightenings: vec![tightening.clone()], ..Definitions::default() };
    let registry = SchemaRegistry::build(&definitions).map_err(told)?;
    let found = tightening.target(registry.resource_type(resource_type).unwrap()).unwrap();
    Ok(found.leaf().clone())
}

#[test]
fn what_is_stricter_is_set() {
    let set = |path: &str, set: Value| tighten("User", path, set).unwrap();
    let external_id = set("externalId", json!({ "mutability": "immutable", "required": true, "uniqueness": "server" }));
    assert!(external_id.required && external_id.indexed);
    assert_eq!((external_id.mutability, external_id.uniqueness), (Mutability::Immutable, Uniqueness::Server));
    let number = set(
        "URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:EMPLOYEENUMBER",
        json!({ "uniqueness": "server" }),
    );
    assert_eq!(number.uniqueness, Uniqueness::Server);
    let user_type = set("userType", json!({ "canonicalValues": ["Employee", "Contractor"] }));
    assert!(user_type.canonical_only && user_type.is_canonical("employee") && !user_type.is_canonical("Guest"));
    assert!(set("emails.type", json!({ "required": true, "canonicalValues": ["work"] })).canonical_only);
    assert_eq!(set("emails.value", json!({ "uniqueness": "server" })).uniqueness, Uniqueness::Server);
    assert!(set("title", json!({ "indexed": true })).indexed);
    assert_eq!(set("name.givenName", json!({ "mutability": "readOnly" })).mutability, Mutability::ReadOnly);
    assert_eq!(set("name", json!({ "returned": "request" })).returned, Returned::Request);
    assert_eq!(set("title", json!({ "returned": "never" })).returned, Returned::Never);
    assert!(!set("emails", json!({ "returned": "never" })).sub_attributes.iter().any(|sub| sub.indexed));
    let external_id = set("externalId", json!({ "returned": "request", "uniqueness": "server", "required": true }));
    assert_eq!((external_id.returned, external_id.required), (Returned::Request, true));
    // What the schema says anyway.
    assert_eq!(set("title", json!({ "returned": "default" })).returned, Returned::Default);
    assert!(set("userName", json!({ "required": true, "uniqueness": "server", "mutability": "readWrite" })).required);
}

#[test]
fn what_is_looser_or_cannot_be_kept_is_refused_by_name() {
    let check = |path: &str, set: Value, expected: &str| {
        let errors = tighten("User", path, set).unwrap_err();
        let errors: Vec<&str> = errors.iter().map(|error| error.trim_start_matches("/tightenings/0")).collect();
        assert_eq!(errors, [expected], "{path}");
    };
    check(
        "userName",
        json!({ "required": false }),
        "/required: `false` would be looser than the schema, which has `true`",
    );
    check(
        "userName",
        json!({ "uniqueness": "none" }),
        "/uniqueness: `none` would be looser than the schema, which has `server`",
    );
    check("userName", json!({ "indexed": false }), "/indexed: the attribute has an index, which stays");
    check(
        "userName",
        json!({ "mutability": "readOnly" }),
        "/mutability: what is `readOnly` cannot be given, so it cannot be required",
    );
    check(
        "title",
        json!({ "mutability": "writeOnly" }),
        "/mutability: `writeOnly` would be looser than the schema, which has `readWrite`",
    );
    check(
        "password",
        json!({ "mutability": "immutable" }),
        "/mutability: `immutable` would be looser than the schema, which has `writeOnly`",
    );
    check(
        "password",
        json!({ "required": true }),
        "/required: what is `returned: never` is not kept, so it cannot be required",
    );
    check(
        "password",
        json!({ "indexed": true }),
        "/indexed: what is `returned: never` is not kept, so it has no index",
    );
    check(
        "emails",
        json!({ "indexed": true }),
        "/indexed: a `complex` attribute has no index; its sub-attributes can have one",
    );
    check(
        "emails",
        json!({ "uniqueness": "server" }),
        "/uniqueness: a `complex` attribute has no index; its sub-attributes can have one",
    );
    check("active", json!({ "uniqueness": "server" }), "/uniqueness: a boolean cannot be unique: it has two values");
    check(
        "active",
        json!({ "canonicalValues": ["true"] }),
        "/canonicalValues: only an attribute of type `string` or `reference` has canonical values",
    );
    check(
        "title",
        json!({ "uniqueness": "global" }),
        "/uniqueness: uniqueness is kept within the tenant, which is `server`, not `global`",
    );
    check(
        "emails.value",
        json!({ "mutability": "immutable" }),
        "/mutability: the values of `emails` come and go as a whole, so `value` cannot be held fast; make `emails` stricter instead",
    );
    check(
        "groups",
        json!({ "required": true }),
        "/path: `groups` is kept in another way, so it cannot be made stricter",
    );
    check(
        "id",
        json!({ "required": true }),
        "/path: `id` is assigned by the service provider, so it cannot be made stricter",
    );
    check(
        "meta.created",
        json!({ "indexed": true }),
        "/path: `meta.created` is assigned by the service provider, so it cannot be made stricter",
    );
    check("nothing", json!({ "required": true }), "/path: `nothing` is not an attribute of User");
    check(
        "emails[type eq \"work\"]",
        json!({ "required": true }),
        "/path: `emails[type eq \"work\"]` has a value filter, which is not possible here",
    );
    check(
        "title",
        json!({}),
        "sets nothing; possible are `required`, `mutability`, `returned`, `uniqueness`, `canonicalValues`, `indexed`",
    );
    check(
        "title",
        json!({ "caseExact": true }),
        "/caseExact: `caseExact` decides which values are the same: `true` would loosen uniqueness, `false` what a filter and a list of values match, so neither is stricter",
    );
    check(
        "title",
        json!({ "required": true, "canonicalValues": [] }),
        "/canonicalValues: is empty, so no value would be possible",
    );
}

#[test]
fn what_would_show_more_or_needs_values_that_are_not_kept_is_refused() {
    let check = |path: &str, set: Value, expected: &str| {
        let errors = tighten("User", path, set).unwrap_err();
        assert_eq!(errors, [format!("/tightenings/0{expected}")], "{path}");
    };
    let looser = "/returned: `always` would show more than the schema, which has `default`";
    check("title", json!({ "returned": "always" }), looser);
    let looser = "/returned: `request` would show more than the schema, which has `never`";
    check("password", json!({ "returned": "request" }), looser);
    let not_kept = |demand: &str| format!("/returned: what is `returned: never` is not kept, and {demand}");
    let never = |more: Value| {
        let mut set = json!({ "returned": "never" });
        set.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        set
    };
    check("userName", never(json!({})), &not_kept("`userName` is required"));
    check("title", never(json!({ "indexed": true })), &not_kept("`title` is to be looked up in an index"));
    check("title", never(json!({ "uniqueness": "server" })), &not_kept("`title` is unique"));
    check("title", never(json!({ "mutability": "immutable" })), &not_kept("`title` is immutable"));
    check("title", never(json!({ "canonicalValues": ["Dr"] })), &not_kept("`title` is limited to a list of values"));
}

#[test]
fn no_part_of_what_is_not_kept_is_made_stricter() {
    let documents = [
        json!({ "resourceType": "User", "path": "name", "returned": "never" }),
        json!({ "resourceType": "User", "path": "name.givenName", "required": true }),
    ];
    let tightenings = documents.iter().map(|document| Tightening::from_json(document).unwrap()).collect();
    let definitions = Definitions { tightenings, ..Definitions::default() };
    let errors = SchemaRegistry::build(&definitions).unwrap_err();
    let expected =
        "/tightenings/1/path: `name` is `returned: never` and not kept, so no part of it can be made stricter";
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_type_that_is_not_there_has_no_tightening() {
    let errors = tighten("Device", "title", json!({ "required": true })).unwrap_err();
    assert_eq!(errors, ["/tightenings/0/resourceType: there is no resource type `Device`"]);
    let errors = tighten("Group", "members", json!({ "required": true })).unwrap_err();
    assert_eq!(errors, ["/tightenings/0/path: `members` is kept in another way, so it cannot be made stricter"]);
}
