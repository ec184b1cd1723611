use serde_json::json;

use super::*;
use crate::scim::filter::{Filter, eval};
use crate::scim::meta::Meta;
use crate::scim::resource::ResourceId;
use crate::scim::schema::SchemaRegistry;

fn user(attributes: Value) -> Resource {
    Resource {
        resource_type: SchemaRegistry::core().resource_type("User").unwrap().clone(),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::UNIX_EPOCH),
    }
}

#[test]
fn indexed_values_are_listed_folded_and_each_once() {
    let resource = user(json!({
        "userName": "ADA",
        "externalId": "E1",
        "title": "Dr",
        "active": false,
        "name": { "familyName": "Groß", "middleName": "X" },
        "emails": [{ "value": "A@x", "type": "work" }, { "value": "a@X", "type": "home" }, { "value": "b@x" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "M" } }
    }));
    let found: Vec<String> = entries(&resource)
        .into_iter()
        .map(|entry| format!("{} = {}{}", entry.attribute, entry.norm, if entry.unique { " unique" } else { "" }))
        .collect();
    assert_eq!(
        found,
        [
            "active = false",
            "emails.value = a@x",
            "emails.value = b@x",
            "externalId = E1",
            "name.familyName = gross",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value = m",
            "userName = ada unique",
        ]
    );
}

#[test]
fn a_look_up_by_norm_finds_what_the_filter_finds() {
    let texts = ["ada", "ADA", "Straße", "STRASSE", "\u{212a}", "k", "Σας", "ςΑΣ", ""];
    for stored in texts {
        for asked in texts {
            for name in ["userName", "externalId"] {
                let resource = user(json!({ name: stored }));
                let filter = Filter::parse(&format!("{name} eq {}", json!(asked)), &resource.resource_type).unwrap();
                let Filter::Compare { attribute, value, .. } = &filter else { panic!("{filter}") };
                assert!(is_indexed(attribute));
                let norm = normalise(attribute.leaf(), value).unwrap();
                let listed = entries(&resource).iter().any(|entry| entry.attribute == name && entry.norm == norm);
                assert_eq!(listed, eval::matches(&filter, &resource), "{name}: {stored:?} eq {asked:?}");
            }
        }
    }
}

#[test]
fn a_number_has_one_spelling() {
    let check = |json: &str, expected: &str| {
        assert_eq!(number_norm(&serde_json::from_str(json).unwrap()), expected, "{json}");
    };
    check("1", "1");
    check("1.0", "1");
    check("1e2", "100");
    check("-0.0", "0");
    check("-5.0", "-5");
    check("1.5", "1.5");
    check("9007199254740993", "9007199254740993");
}
