use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::scim::meta::Meta;
use crate::scim::profile::Leniency;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::scim::urn;

fn user_type() -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type("User").unwrap().clone()
}

/// Users numbered from 1 in the order in which they are given.
fn users(attributes: &[Value]) -> Vec<Resource> {
    let numbered = attributes.iter().zip(1_u128..);
    let user = |(attributes, number): (&Value, u128)| Resource {
        resource_type: user_type(),
        id: ResourceId(uuid::Uuid::from_u128(number)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::from_second(1_000 - i64::try_from(number).unwrap()).unwrap()),
    };
    numbered.map(user).collect()
}

#[track_caller]
fn check(sort_by: &str, attributes: &[Value], ascending: &[u128], descending: &[u128]) {
    let user_type = user_type();
    for (order, expected) in [(None, ascending), (Some("Descending"), descending)] {
        let sort = SortBy::parse(Some(sort_by), order, Reading::strict(&user_type)).unwrap().unwrap();
        let mut users = users(attributes);
        users.reverse();
        sort.sort(&mut users);
        let found: Vec<u128> = users.iter().map(|user| user.id.0.as_u128()).collect();
        assert_eq!(found, expected, "{sort_by} {order:?}");
    }
}

#[test]
fn resources_are_in_the_order_of_the_value_and_those_without_one_are_last() {
    let names = [json!({ "userName": "b" }), json!({}), json!({ "userName": "A" }), json!({ "userName": "ß" })];
    check("USERNAME", &names, &[3, 1, 4, 2], &[2, 4, 1, 3]);
    let external = [json!({ "externalId": "a" }), json!({ "externalId": "B" })];
    check("externalId", &external, &[2, 1], &[1, 2]);
    let active = [json!({ "active": true }), json!({ "active": false }), json!({})];
    check("active", &active, &[2, 1, 3], &[3, 1, 2]);
    let named =
        [json!({ "name": { "givenName": "b" } }), json!({ "name": { "givenName": "a" } }), json!({ "name": {} })];
    check("name.givenName", &named, &[2, 1, 3], &[3, 1, 2]);
    let department = format!("{}:department", urn::ENTERPRISE_USER);
    let departments = [
        json!({ urn::ENTERPRISE_USER: { "department": "b" } }),
        json!({ urn::ENTERPRISE_USER: { "department": "a" } }),
    ];
    check(&department, &departments, &[2, 1], &[1, 2]);
    check("meta.lastModified", &[json!({}), json!({})], &[2, 1], &[1, 2]);
    check("id", &[json!({}), json!({})], &[1, 2], &[2, 1]);
}

#[test]
fn of_many_values_the_primary_one_counts_or_else_the_first() {
    let emails = [
        json!({ "emails": [{ "value": "a@x" }, { "value": "z@x", "primary": true }] }),
        json!({ "emails": [{ "value": "m@x" }, { "value": "a@x", "primary": false }] }),
        json!({ "emails": [{ "type": "work" }] }),
    ];
    check("emails.value", &emails, &[2, 1, 3], &[3, 1, 2]);
    check("emails", &emails, &[2, 1, 3], &[3, 1, 2]);
}

#[test]
fn equal_values_are_in_the_order_of_their_ids_either_way() {
    let same = [json!({ "title": "x" }), json!({ "title": "X" }), json!({ "title": "x" })];
    check("title", &same, &[1, 2, 3], &[1, 2, 3]);
}

#[test]
fn numbers_are_compared_as_numbers() {
    let number = |text: &str| Number(serde_json::from_str(text).unwrap());
    let ascending = ["-1.5", "0", "0.5", "2", "10", "9007199254740992", "9007199254740993", "18446744073709551615"];
    for pair in ascending.windows(2) {
        assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
    }
}

#[test]
fn what_cannot_be_sorted_by_is_refused_by_name() {
    let user_type = user_type();
    let reading = Reading::strict(&user_type);
    let check = |sort_by: &str, sort_order: Option<&str>, expected: &str| {
        let error = SortBy::parse(Some(sort_by), sort_order, reading).unwrap_err();
        assert_eq!(error.to_string(), format!("400 invalidValue: {expected}"));
    };
    check("shoeSize", None, "`sortBy`: `shoeSize` is not an attribute of User");
    check("title", Some("upwards"), "`sortOrder` must be ascending or descending, not `upwards`");
    check("name", None, "`name` cannot be sorted by: it is complex, so name one of its sub-attributes");
    check("groups.value", None, "`groups.value` cannot be sorted by: its values are kept apart from the resource");
    check("password", None, "`password` cannot be sorted by: it is never returned");
    check(
        "emails[type eq \"work\"]",
        None,
        "`sortBy`: `emails[type eq \"work\"]` has a value filter, which is not possible here",
    );
    assert_eq!(SortBy::parse(None, Some("upwards"), reading), Ok(None));
    assert_eq!(SortBy::parse(Some(" "), None, reading), Ok(None));
    let lenient = Reading { leniency: Leniency::Lenient, ..reading };
    assert_eq!(SortBy::parse(Some("shoeSize"), None, lenient), Ok(None));
    assert!(SortBy::parse(Some("name"), None, lenient).is_err());
}

#[test]
fn among_several_types_those_without_the_attribute_have_no_value_of_it() {
    let registry = SchemaRegistry::core();
    let readings: Vec<Reading<'_>> = registry.resource_types().iter().map(Reading::strict).collect();
    let sorts = SortBy::parse_among(Some("userName"), None, &readings).unwrap();
    let [Some(of_users), Some(of_groups)] = sorts.as_slice() else { panic!("{sorts:?}") };
    let group = Resource {
        resource_type: registry.resource_type("Group").unwrap().clone(),
        attributes: json!({ "displayName": "a" }).as_object().unwrap().clone(),
        ..users(&[json!({})]).remove(0)
    };
    assert!(of_users.key(&users(&[json!({ "userName": "z" })])[0]) < of_groups.key(&group));
    assert!(SortBy::parse_among(Some("shoeSize"), None, &readings).is_err());
    assert!(SortBy::parse_among(Some("userName"), Some("sideways"), &readings).is_err());
    assert_eq!(SortBy::parse_among(None, None, &readings), Ok(vec![None, None]));
}

#[test]
fn a_key_is_the_same_after_it_has_travelled() {
    let user_type = user_type();
    for (by, attributes) in [
        ("userName", json!({ "userName": "ADA" })),
        ("active", json!({ "active": true })),
        ("meta.lastModified", json!({})),
        ("title", json!({})),
    ] {
        for order in ["ascending", "descending"] {
            let sort = SortBy::parse(Some(by), Some(order), Reading::strict(&user_type)).unwrap().unwrap();
            let key = sort.key(&users(std::slice::from_ref(&attributes))[0]);
            let text = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<SortKey>(&text).unwrap(), key, "{text}");
        }
    }
}
