use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scim::meta::Meta;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::{Attribute, SchemaRegistry, Type};

fn resource_type(name: &str) -> Arc<ResourceType> {
    SchemaRegistry::core().resource_type(name).unwrap().clone()
}

fn user() -> Resource {
    let attributes: Value = json!({
        "userName": "bjensen",
        "externalId": "AbC",
        "displayName": "Straße ΣΑΣ",
        "name": { "familyName": "O'Malley", "givenName": "Bárbara" },
        "active": true,
        "userType": "Employee",
        "emails": [
            { "value": "bjensen@example.com", "type": "work", "primary": true },
            { "value": "babs@jensen.org", "type": "home" }
        ],
        "ims": [{ "value": "foo@example.org", "type": "xmpp" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D", "manager": { "value": "m1" } }
    });
    Resource {
        resource_type: resource_type("User"),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: attributes.as_object().unwrap().clone(),
        meta: Meta::first("2011-05-13T04:42:34Z".parse().unwrap()),
    }
}

#[track_caller]
fn check(filter: &str, expected: bool) {
    let user = user();
    let parsed = Filter::parse(filter, &user.resource_type).unwrap_or_else(|error| panic!("{filter}: {error}"));
    assert_eq!(eval::matches(&parsed, &user), expected, "{filter}");
    assert_eq!(Filter::parse(&parsed.to_string(), &user.resource_type), Ok(parsed), "{filter}");
}

#[track_caller]
fn refused(filter: &str, expected: &str) {
    assert_eq!(Filter::parse(filter, &resource_type("User")).unwrap_err().to_string(), expected, "{filter}");
}

/// RFC 7644 §3.4.2.2, the examples.
#[test]
fn the_filters_of_rfc_7644_section_3_4_2_2_hold_or_not() {
    check(r#"userName eq "bjensen""#, true);
    check(r#"name.familyName co "O'Malley""#, true);
    check(r#"userName sw "J""#, false);
    check(r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#, false);
    check("title pr", false);
    check(r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, false);
    check(r#"meta.lastModified ge "2011-05-13T04:42:34Z""#, true);
    check(r#"meta.lastModified lt "2011-05-13T04:42:34Z""#, false);
    check(r#"meta.lastModified le "2011-05-13T04:42:34Z""#, true);
    check(r#"title pr and userType eq "Employee""#, false);
    check(r#"title pr or userType eq "Intern""#, false);
    check(r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#, true);
    check(r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#, true);
    check(r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#, false);
    check(r#"userType eq "Employee" and (emails.type eq "work")"#, true);
    check(r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#, true);
    check(r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#, true);
}

#[test]
fn comparisons_follow_type_case_and_absence() {
    check(r#"USERNAME EQ "BJensen""#, true);
    check(r#"externalId eq "abc""#, false);
    check(r#"externalId eq "AbC""#, true);
    check(r#"displayName eq "STRASSE σας""#, true);
    check(r#"displayName sw "strasse""#, true);
    check(r#"displayName ew "σασ""#, true);
    check(r#"userName gt "A" and userName lt "c""#, true);
    check(r#"active eq "True""#, true);
    check("active ne false", true);
    check("active eq FALSE", false);
    check(r#"emails[primary eq "True"].value eq "bjensen@example.com""#, true);
    check(r#"emails[type eq "home" and primary eq true]"#, false);
    check(r#"emails[not (type eq "work") and value ew ".org"]"#, true);
    check(r#"meta.created eq "2011-05-13T06:42:34+02:00""#, true);
    check(r#"meta.created sw "2011-05""#, true);
    check(r#"title ne "x""#, true);
    check(r#"emails.value ne "babs@jensen.org""#, true);
    check("title eq null and userName ne null", true);
    check("emails eq null or title ne null", false);
    check("name.middleName pr", false);
    check("emails pr and name pr", true);
    check(r#"id eq "00000000-0000-0000-0000-000000000001" and manager eq "m1""#.replace("manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager").as_str(), true);
    check(r#"manager eq "M1" and department sw "r""#, true);
    check(r#"meta.version eq "W/\"1\"""#, true);
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    check(r#"active eq true or active eq false and active eq false"#, true);
    check(r#"(active eq true or active eq false) and active eq false"#, false);
    check("not (active eq true) or active eq true", true);
    check("not (not (active eq true))", true);
    let filter = |text: &str| Filter::parse(text, &resource_type("User")).unwrap();
    assert_eq!(filter("title pr and (userName pr and name pr)"), filter("title pr and userName pr and name pr"));
    assert_eq!(filter("((title pr))").to_string(), "title pr");
    assert_eq!(filter("title pr AND (NAME pr or active PR)").to_string(), "title pr and (name pr or active pr)");
}

#[test]
fn an_error_names_position_what_was_found_and_what_was_expected() {
    refused("", "at position 1 the filter has its end where an attribute, `not` or `(` should be");
    refused("userName", "at position 9 the filter has its end where an operator should be");
    refused("userName is \"x\"", "at position 10 the filter has `is` where an operator should be");
    refused("userName eq", "at position 12 the filter has its end where a value should be");
    refused("userName eq \"x", "the quote that opens at position 13 is not closed");
    refused("userName eq x", "at position 13: `userName` is a string and cannot be compared with `x`");
    refused(
        "userName eq \"x\" title pr",
        "at position 17 the filter has `title` where `and`, `or` or the end should be",
    );
    refused("(userName eq \"x\"", "at position 17 the filter has its end where `and`, `or` or `)` should be");
    refused("not userName pr", "at position 5 the filter has `userName` where `(` after `not` should be");
    refused("shoeSize eq 4", "at position 1: `shoeSize` is not an attribute of User");
    refused("emails[shoe pr]", "at position 8: `shoe` is not a sub-attribute of `emails`");
    refused("active gt true", "`active` is a boolean, which cannot be compared by `gt`");
    refused("x509Certificates.value lt \"x\"", "`x509Certificates.value` is binary, which cannot be compared by `lt`");
    refused("active co \"r\"", "`active` is a boolean, which cannot be compared by `co`");
    refused("active eq \"yes\"", "at position 11: `active` is a boolean and cannot be compared with the text `yes`");
    refused(
        "meta.created gt \"today\"",
        "at position 17: `created` is a dateTime and cannot be compared with the text `today`",
    );
    refused("userName gt null", "at position 13: `userName` is a string and cannot be compared with `null`");
    refused("name eq \"x\"", "at position 9: `name` is complex: one of its sub-attributes is to be compared");
    refused("userName < \"x\"", "at position 10 the filter has `<` where an operator should be");
}

#[test]
fn size_is_limited_before_it_can_hurt() {
    let nested = |open: &str, depth: usize| format!("{}title pr{}", open.repeat(depth), ")".repeat(depth));
    refused(&nested("(", 5_000), "at position 51 the filter is nested deeper than the limit of 50");
    refused(&nested("not (", 1_000), "at position 255 the filter is nested deeper than the limit of 50");
    refused(&nested("(", 100_000), "the filter has 200008 bytes; the limit is 16384");
    check(&nested("(", 50), false);
    check(&nested("not (", 50), false);
    let terms = |count: usize| vec!["title pr"; count].join(" or ");
    check(&terms(256), false);
    refused(&terms(257), "the filter has more than the limit of 256 comparisons");
}

#[test]
fn a_filter_tells_what_it_rests_on() {
    let group = resource_type("Group");
    let check = |filter: &str, expected: Option<(&str, &str)>| {
        let filter = Filter::parse(filter, &group).unwrap();
        let found = filter.membership().map(|(attribute, id)| (attribute.attribute.name.as_str(), id));
        assert_eq!(found, expected, "{filter}");
        assert_eq!(filter.touches(Storage::Rows), filter.to_string().contains("members"), "{filter}");
    };
    check(r#"members[value eq "x"]"#, Some(("members", "x")));
    check(r#"members.value eq "x""#, Some(("members", "x")));
    check(r#"members eq "x""#, Some(("members", "x")));
    check(r#"members.type eq "User""#, None);
    check(r#"members[value eq "x" and type eq "User"]"#, None);
    check(r#"displayName eq "x""#, None);
    let filter =
        Filter::parse(r#"emails[type eq "work" and not (value pr)] or title pr"#, &resource_type("User")).unwrap();
    let attributes: Vec<String> = filter.attributes().iter().map(ToString::to_string).collect();
    assert_eq!(attributes, ["emails.type", "emails.value", "title"]);
}

#[test]
fn a_value_filter_is_asked_of_one_value() {
    let path = crate::scim::path::Path::parse(r#"members[type eq "user"]"#, &resource_type("Group")).unwrap();
    let holds = |value: Value| eval::matches_value(path.filter.as_ref().unwrap(), value.as_object().unwrap());
    assert!(holds(json!({ "type": "User", "value": "x" })));
    assert!(!holds(json!({ "type": "Group", "value": "x" })));
}

fn leaf(attribute: AttributeRef) -> BoxedStrategy<Filter> {
    let kind = attribute.leaf().kind;
    let text = "[ -~äß\u{1}\n\"\\\\]{0,6}".prop_map(Literal::Text).boxed();
    let value = match kind {
        Type::Boolean => any::<bool>().prop_map(Literal::Boolean).boxed(),
        Type::DateTime => (0..4_000_000_000_i64)
            .prop_map(|second| Literal::Time(jiff::Timestamp::from_second(second).unwrap()))
            .boxed(),
        Type::Complex => Just(Literal::Null).boxed(),
        _ => prop_oneof![9 => text, 1 => Just(Literal::Null)].boxed(),
    };
    let present = Filter::Present(attribute.clone());
    (0..Operator::ALL.len(), value, any::<bool>())
        .prop_map(move |(operator, value, present_instead)| {
            let equality = matches!(value, Literal::Boolean(_) | Literal::Null) || kind == Type::Binary;
            let time = matches!(value, Literal::Time(_));
            let operator = match Operator::ALL[operator] {
                operator if equality && !matches!(operator, Operator::Eq | Operator::Ne) => Operator::Eq,
                Operator::Co | Operator::Sw | Operator::Ew if time => Operator::Gt,
                operator => operator,
            };
            if present_instead {
                present.clone()
            } else {
                Filter::Compare { attribute: attribute.clone(), operator, value }
            }
        })
        .boxed()
}

fn composed(leaves: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    // As the parser does: no `And` directly in an `And`, no `Or` directly in an `Or`.
    let and = |filters: Vec<Filter>| {
        let parts = filters.into_iter().flat_map(|filter| match filter {
            Filter::And(inner) => inner,
            filter => vec![filter],
        });
        Filter::And(parts.collect())
    };
    let or = |filters: Vec<Filter>| {
        let parts = filters.into_iter().flat_map(|filter| match filter {
            Filter::Or(inner) => inner,
            filter => vec![filter],
        });
        Filter::Or(parts.collect())
    };
    leaves
        .prop_recursive(4, 24, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(and),
                prop::collection::vec(inner.clone(), 2..4).prop_map(or),
                inner.prop_map(|filter| Filter::Not(Box::new(filter))),
            ]
        })
        .boxed()
}

fn any_filter() -> BoxedStrategy<Filter> {
    let user = resource_type("User");
    let enterprise = &user.extensions[0].schema;
    let wholes = user.base_attributes().map(AttributeRef::of).chain(
        enterprise
            .attributes
            .iter()
            .map(|attribute| AttributeRef { extension: Some(enterprise.clone()), ..AttributeRef::of(attribute) }),
    );
    let mut leaves: Vec<BoxedStrategy<Filter>> = Vec::new();
    for whole in wholes {
        let subs: &[Arc<Attribute>] = &whole.attribute.sub_attributes;
        leaves.extend(subs.iter().map(|sub| leaf(whole.with_sub(sub))));
        if !subs.is_empty() {
            let inner =
                composed(prop::strategy::Union::new(subs.iter().map(|sub| leaf(AttributeRef::of(sub)))).boxed());
            let attribute = whole.clone();
            let value_path = move |filter| Filter::ValuePath { attribute: attribute.clone(), filter: Box::new(filter) };
            leaves.push(inner.prop_map(value_path).boxed());
        }
        leaves.push(leaf(whole));
    }
    composed(prop::strategy::Union::new(leaves).boxed())
}

proptest! {
    #[test]
    fn a_printed_filter_parses_to_itself(filter in any_filter()) {
        let printed = filter.to_string();
        match Filter::parse(&printed, &resource_type("User")) {
            Ok(parsed) => prop_assert_eq!(parsed, filter),
            Err(error) => prop_assert!(matches!(error, FilterError::TooManyTerms { .. } | FilterError::TooLong { .. }), "{}: {}", printed, error),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-zA-Z\\[\\]()\"\\\\. é]{0,60}") {
        let _ = Filter::parse(&text, &resource_type("User"));
        let _ = crate::scim::path::Path::parse(&text, &resource_type("User"));
    }

    #[test]
    fn what_not_finds_is_what_the_filter_does_not(filter in any_filter()) {
        let user = user();
        prop_assert_ne!(eval::matches(&filter, &user), eval::matches(&Filter::Not(Box::new(filter)), &user));
    }
}

#[test]
fn what_a_type_does_not_have_is_without_a_value_among_others() {
    let registry = SchemaRegistry::core();
    let readings: Vec<Reading<'_>> = registry.resource_types().iter().map(Reading::strict).collect();
    let group = Resource {
        resource_type: registry.resource_type("Group").unwrap().clone(),
        id: ResourceId(uuid::Uuid::from_u128(1)),
        attributes: json!({ "displayName": "Staff" }).as_object().unwrap().clone(),
        meta: Meta::first(jiff::Timestamp::UNIX_EPOCH),
    };
    for (filter, expected) in [
        ("userName eq \"a\"", false),
        ("userName ne \"a\"", true),
        ("userName eq null", true),
        ("userName pr", false),
        ("not (userName pr)", true),
        ("active eq true", false),
        ("name.familyName sw \"a\"", false),
        ("emails[type eq \"work\" and value co \"a\"]", false),
        ("emails[type eq \"work\"].value eq \"a\"", false),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"a\"", false),
        ("displayName eq \"staff\" or userName eq \"a\"", true),
        ("displayName eq \"staff\" and userName eq \"a\"", false),
        ("meta.resourceType eq \"Group\"", true),
        ("meta.resourceType eq \"User\"", false),
    ] {
        let filters = Filter::parse_among(filter, &readings).unwrap();
        assert_eq!(eval::matches(&filters[1], &group), expected, "{filter}");
    }
    let nowhere = Filter::parse_among("shoeSize eq 42 and userName pr", &readings).unwrap_err();
    assert!(nowhere.is_unknown() && nowhere.to_string().contains("shoeSize"), "{nowhere}");
    assert!(Filter::parse_among("userName eq", &readings).is_err());
}
