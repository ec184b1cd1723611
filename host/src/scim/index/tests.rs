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
fn a_number_has_one_spelling_and_spellings_are_in_the_order_of_numbers() {
    let norm = |json: &str| number_norm(&serde_json::from_str(json).unwrap());
    for (one, other) in [("1", "1.0"), ("100", "1e2"), ("0", "-0.0"), ("-5", "-5.0")] {
        assert_eq!(norm(one), norm(other), "{one} {other}");
    }
    let ascending = [
        "-1e300",
        "-9223372036854775808",
        "-9007199254740993",
        "-5.5",
        "-5",
        "0",
        "1e-300",
        "1",
        "1.5",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551614",
        "18446744073709551615",
        "1e300",
    ];
    for pair in ascending.windows(2) {
        assert!(norm(pair[0]) < norm(pair[1]), "{pair:?}");
    }
}

#[test]
fn spellings_of_moments_are_in_the_order_of_time() {
    let norm = |text: &str| time_norm(time::parse(text).unwrap());
    assert_eq!(norm("2011-05-13T04:42:34.5+02:00"), norm("2011-05-13T02:42:34.500Z"));
    let ascending = [
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "2008-01-23T04:56:22Z",
        "2008-01-23T04:56:22.5Z",
        "2008-01-23T04:56:23Z",
        "9999-12-30T00:00:00Z",
    ];
    for pair in ascending.windows(2) {
        assert!(norm(pair[0]) < norm(pair[1]), "{pair:?}");
    }
    assert!(
        time_norm(jiff::Timestamp::MIN) < norm(ascending[0]) && norm(ascending[5]) < time_norm(jiff::Timestamp::MAX)
    );
}
