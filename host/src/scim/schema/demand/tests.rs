use serde_json::{Value, json};

use super::*;
use crate::scim::schema::{Definitions, ResourceTypeDocument, SchemaDocument, SchemaRegistry, Tightening};
use crate::scim::urn;

const BADGE: &str = "urn:example:Badge";

/// `User` with tightenings, and an extension of these attributes.
fn user(tightenings: Value, badge: Option<(bool, Value)>) -> Arc<ResourceType> {
    let tightenings = tightenings.as_array().unwrap().iter().map(|set| {
        let mut set = set.clone();
        set["resourceType"] = json!("User");
        Tightening::from_json(&set).unwrap()
    });
    let mut definitions = Definitions { tightenings: tightenings.collect(), ..Definitions::default() };
    if let Some((required, attributes)) = badge {
        let schema = json!({ "id": BADGE, "name": "Badge", "attributes": attributes });
        let extensions = json!([{ "schema": urn::ENTERPRISE_USER }, { "schema": BADGE, "required": required }]);
        let user = json!({ "name": "User", "endpoint": "/Users", "schema": urn::USER, "schemaExtensions": extensions });
        definitions.schemas = vec![SchemaDocument::from_json(&schema).unwrap()];
        definitions.resource_types = vec![ResourceTypeDocument::from_json(&user).unwrap()];
    }
    SchemaRegistry::build(&definitions).unwrap().resource_type("User").unwrap().clone()
}

/// What the tightenings ask for, and what it asks for to take them away again.
#[track_caller]
fn check_tightenings(tightenings: Value, expected: [Demand; 2]) {
    let (before, after) = (user(json!([]), None), user(tightenings, None));
    assert_eq!([Demand::of(&before, &after), Demand::of(&after, &before)], expected);
}

#[test]
fn a_tightening_asks_for_something_unless_it_is_about_changes_or_answers_alone() {
    use Demand::{Nothing, OfNewNames, Something};
    check_tightenings(json!([]), [Nothing, Nothing]);
    check_tightenings(json!([{ "path": "title", "mutability": "immutable" }]), [Nothing, Nothing]);
    check_tightenings(json!([{ "path": "title", "returned": "request" }]), [Nothing, Nothing]);
    check_tightenings(json!([{ "path": "title", "required": true }]), [Something, Nothing]);
    check_tightenings(json!([{ "path": "emails.type", "required": true }]), [Something, Nothing]);
    check_tightenings(json!([{ "path": "title", "indexed": true }]), [Something, Nothing]);
    check_tightenings(json!([{ "path": "userType", "canonicalValues": ["A"] }]), [Something, Nothing]);
    check_tightenings(json!([{ "path": "title", "returned": "never" }]), [Something, OfNewNames]);
    // It has an index: whether two have the same value is asked of the index.
    check_tightenings(json!([{ "path": "externalId", "uniqueness": "server" }]), [Nothing, Nothing]);
    let list = |values: Value| user(json!([{ "path": "userType", "canonicalValues": values }]), None);
    assert_eq!(Demand::of(&list(json!(["a"])), &list(json!(["A", "B"]))), Nothing);
    assert_eq!(Demand::of(&list(json!(["A", "B"])), &list(json!(["a"]))), Something);
}

#[test]
fn an_extension_asks_for_something_if_it_is_required_or_goes() {
    use Demand::{Nothing, OfNewNames, Something};
    let badge = |required: bool, attributes: Value| user(json!([]), Some((required, attributes)));
    let (without, text) = (user(json!([]), None), json!([{ "name": "number", "type": "string" }]));
    let optional = badge(false, text.clone());
    assert_eq!(Demand::of(&without, &optional), OfNewNames);
    assert_eq!(Demand::of(&optional, &without), Something);
    assert_eq!(Demand::of(&without, &badge(true, text.clone())), Something);
    assert_eq!(Demand::of(&optional, &badge(true, text)), Something);
    let described = badge(false, json!([{ "name": "number", "type": "string", "description": "On its front" }]));
    assert_eq!(Demand::of(&optional, &described), Nothing);
    let more = badge(false, json!([{ "name": "number", "type": "string" }, { "name": "pin", "type": "string" }]));
    assert_eq!([Demand::of(&optional, &more), Demand::of(&more, &optional)], [OfNewNames, Something]);
    assert_eq!(Demand::of(&optional, &badge(false, json!([{ "name": "number", "type": "integer" }]))), Something);
    let needed = badge(
        false,
        json!([{ "name": "number", "type": "string" }, { "name": "pin", "type": "string", "required": true }]),
    );
    assert_eq!(Demand::of(&optional, &needed), Something);
}
