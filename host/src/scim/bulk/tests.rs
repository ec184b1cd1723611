use serde_json::{Map, Value, json};

use super::request::parse;
use super::*;
use crate::scim::limits::ScimLimits;
use crate::scim::profile::Leniency;
use crate::scim::urn;

fn message(operations: Value) -> Map<String, Value> {
    json!({ "schemas": [urn::BULK_REQUEST], "Operations": operations }).as_object().unwrap().clone()
}

fn request(operations: Value) -> BulkRequest {
    parse(&message(operations), Leniency::Strict, &ScimLimits::DEFAULT).unwrap()
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|bulk_id| json!({ "value": format!("bulkId:{bulk_id}") })).collect();
    json!({ "method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": { "displayName": bulk_id, "members": members } })
}

/// The steps as the places of the operations, those of completions with a `+`.
fn order(operations: Value) -> Vec<String> {
    let steps = plan(&request(operations)).into_iter();
    let printed = steps.map(|step| match step {
        Step::Run { place, .. } => place.to_string(),
        Step::Complete { place, .. } => format!("{place}+"),
    });
    printed.collect()
}

/// Carries the steps out as if each created a resource; the requests with their references resolved.
fn carried_out(operations: Value) -> Vec<(String, Value)> {
    let mut ids = Ids::new();
    let mut done = Vec::new();
    for step in plan(&request(operations)) {
        let (Step::Run { operation, .. } | Step::Complete { operation, .. }) = step;
        let operation = resolve(&operation, &ids).unwrap();
        if let Some(bulk_id) = operation.bulk_id {
            ids.insert(bulk_id.clone(), format!("id-of-{bulk_id}"));
        }
        let path =
            format!("{} /{}/{}", operation.method.as_str(), operation.endpoint, operation.id.unwrap_or_default());
        done.push((path, Value::Object(operation.data)));
    }
    done
}

/// RFC 7644 §3.7.1, the example.
#[test]
fn two_groups_that_contain_each_other_are_created_and_then_completed() {
    let operation = |bulk_id: &str, name: &str, other: &str| {
        json!({
            "method": "POST", "path": "/Groups", "bulkId": bulk_id,
            "data": {
                "schemas": [urn::GROUP], "displayName": name,
                "members": [{ "type": "Group", "value": format!("bulkId:{other}") }]
            }
        })
    };
    let operations = json!([operation("qwerty", "Group A", "ytrewq"), operation("ytrewq", "Group B", "qwerty")]);
    let member = |id: &str| json!([{ "type": "Group", "value": id }]);
    let expected = [
        ("POST /Groups/".to_owned(), json!({ "schemas": [urn::GROUP], "displayName": "Group B" })),
        (
            "POST /Groups/".to_owned(),
            json!({ "schemas": [urn::GROUP], "displayName": "Group A", "members": member("id-of-ytrewq") }),
        ),
        (
            "PATCH /Groups/id-of-ytrewq".to_owned(),
            json!({
                "schemas": [urn::PATCH_OP],
                "Operations": [{ "op": "add", "path": "members", "value": member("id-of-qwerty") }]
            }),
        ),
    ];
    assert_eq!(carried_out(operations), expected);
}

/// RFC 7644 §3.7.2, the examples.
#[test]
fn references_are_to_the_resource_that_was_created_extensions_included() {
    let alice = json!({ "method": "POST", "path": "/Users", "bulkId": "qwerty", "data": { "userName": "Alice" } });
    let guides = json!({
        "method": "POST", "path": "/Groups", "bulkId": "ytrewq",
        "data": { "displayName": "Tour Guides", "members": [{ "type": "User", "value": "bulkId:qwerty" }] }
    });
    let bob = json!({
        "method": "POST", "path": "/Users", "bulkId": "bob",
        "data": { "userName": "Bob", urn::ENTERPRISE_USER: { "employeeNumber": "11250", "manager": { "value": "bulkId:qwerty" } } }
    });
    // The references come first.
    let done = carried_out(json!([guides, bob, alice]));
    assert_eq!(done[0].1, json!({ "userName": "Alice" }));
    assert_eq!(done[1].1["members"], json!([{ "type": "User", "value": "id-of-qwerty" }]));
    assert_eq!(
        done[2].1[urn::ENTERPRISE_USER],
        json!({ "employeeNumber": "11250", "manager": { "value": "id-of-qwerty" } })
    );
}

#[test]
fn what_is_referred_to_comes_first_and_all_else_stays_in_its_place() {
    let delete = json!({ "method": "DELETE", "path": "/Users/7" });
    let check = |operations: Value, expected: &[&str]| assert_eq!(order(operations), expected);
    check(json!([delete, group("a", &[]), delete]), &["0", "1", "2"]);
    check(json!([delete, group("a", &["c"]), group("b", &[]), group("c", &[])]), &["0", "3", "1", "2"]);
    check(json!([group("a", &["b"]), group("b", &["c"]), group("c", &[])]), &["2", "1", "0"]);
    check(json!([group("a", &["a"])]), &["0", "0+"]);
    check(json!([group("a", &["b"]), group("b", &["c"]), group("c", &["a"])]), &["2", "1", "0", "2+"]);
    check(
        json!([group("a", &["b", "c"]), group("b", &["a", "c"]), group("c", &["a", "b"])]),
        &["2", "1", "0", "2+", "1+"],
    );
    check(json!([group("a", &["nobody"]), 7]), &["0"]);
    let patch = json!({
        "method": "PATCH", "path": "/Groups/bulkId:a",
        "data": { "Operations": [{ "op": "remove", "path": "members[value eq \"bulkId:b\"]" }] }
    });
    check(json!([patch, group("b", &[]), group("a", &[])]), &["2", "1", "0"]);
    let done = carried_out(json!([patch, group("b", &[]), group("a", &[])]));
    assert_eq!(done[2].0, "PATCH /Groups/id-of-a");
    assert_eq!(done[2].1["Operations"][0]["path"], "members[value eq \"id-of-b\"]");
}

#[test]
fn only_what_closes_the_circle_is_left_out() {
    let user = json!({
        "method": "POST", "path": "/Users", "bulkId": "u",
        "data": {
            "userName": "u",
            "roles": [{ "value": "r" }, { "value": "bulkId:g" }],
            urn::ENTERPRISE_USER: { "department": "d", "manager": { "value": "bulkId:g" } }
        }
    });
    let done = carried_out(json!([group("g", &["u"]), user]));
    assert_eq!(
        done[0].1,
        json!({ "userName": "u", "roles": [{ "value": "r" }], urn::ENTERPRISE_USER: { "department": "d" } })
    );
    assert_eq!(
        done[2].1["Operations"],
        json!([
            { "op": "add", "path": "roles", "value": [{ "value": "id-of-g" }] },
            { "op": "add", "path": format!("{}:manager", urn::ENTERPRISE_USER), "value": { "value": "id-of-g" } }
        ])
    );
}

#[test]
fn a_chain_as_long_as_a_request_may_be_is_planned() {
    let limits = ScimLimits { bulk_operations_max: 100_000, ..ScimLimits::DEFAULT };
    let operations: Vec<Value> =
        (0..10_000).map(|number: u32| group(&number.to_string(), &[&(number + 1).to_string()])).collect();
    let steps = plan(&parse(&message(json!(operations)), Leniency::Strict, &limits).unwrap());
    assert!(matches!(steps.first(), Some(Step::Run { place: 9_999, .. })));
    assert!(matches!(steps.last(), Some(Step::Run { place: 0, .. })));
}

#[test]
fn a_reference_to_what_is_not_there_is_a_conflict() {
    let request = request(json!([group("a", &["nobody"])]));
    let error = resolve(request.operations[0].as_ref().unwrap(), &Ids::new()).unwrap_err();
    assert_eq!(error.to_string(), "409: `bulkId:nobody` refers to no resource that this request has created");
}

/// RFC 7644 §3.7.3, the request; its PATCH has no valid data there, so it has the message here.
#[test]
fn the_request_of_rfc_7644_section_3_7_3_is_read() {
    let body = json!({
        "schemas": [urn::BULK_REQUEST],
        "failOnErrors": 1,
        "Operations": [
            { "method": "POST", "path": "/Users", "bulkId": "qwerty", "data": { "userName": "Alice" } },
            {
                "method": "PUT", "path": "/Users/b7c14771-226c-4d05-8860-134711653041", "version": "W/\"3694e05e9dff591\"",
                "data": { "id": "b7c14771-226c-4d05-8860-134711653041", "userName": "Bob" }
            },
            {
                "method": "PATCH", "path": "/Users/5d8d29d3-342c-4b5f-8683-a3cb6763ffcc", "version": "W/\"edac3253e2c0ef2\"",
                "data": { "Operations": [{ "op": "remove", "path": "nickName" }] }
            },
            { "method": "DELETE", "path": "/Users/e9025315-6bea-44e1-899c-1e07454e468b", "version": "W/\"0ee8add0a938e1a\"" }
        ]
    });
    let request = parse(body.as_object().unwrap(), Leniency::Strict, &ScimLimits::DEFAULT).unwrap();
    assert_eq!(request.fail_on_errors, Some(1));
    let methods: Vec<Method> = request.operations.iter().map(|operation| operation.as_ref().unwrap().method).collect();
    assert_eq!(methods, Method::ALL);
    let put = request.operations[1].as_ref().unwrap();
    assert_eq!((put.endpoint.as_str(), put.id.as_deref()), ("Users", Some("b7c14771-226c-4d05-8860-134711653041")));
    assert_eq!(put.version.as_deref(), Some("W/\"3694e05e9dff591\""));
}

#[test]
fn a_misformed_operation_is_an_error_of_its_own_and_a_misformed_message_one_of_the_request() {
    let check = |operation: Value, expected: &str| {
        let request = request(json!([group("x", &[]), operation]));
        assert!(request.operations[0].is_ok());
        assert_eq!(request.operations[1].as_ref().unwrap_err().error.to_string(), format!("400 {expected}"));
    };
    let post = |key: &str, value: Value| {
        let mut operation = group("a", &[]);
        operation[key] = value;
        operation
    };
    check(json!(7), "invalidSyntax: an operation must be an object");
    check(json!({}), "invalidSyntax: an operation has no `method`");
    check(post("method", json!("GET")), "invalidSyntax: `method` must be POST, PUT, PATCH or DELETE, not `GET`");
    check(post("bulkId", Value::Null), "invalidSyntax: a POST needs a `bulkId`");
    check(post("bulkId", json!(7)), "invalidSyntax: `bulkId` must be a string");
    check(post("bulkId", json!("x")), "invalidValue: the `bulkId` `x` is that of another operation, too");
    check(post("data", json!([])), "invalidSyntax: a POST needs `data`, an object");
    check(
        post("path", json!("/Groups/1")),
        "invalidSyntax: the `path` of a POST must be an endpoint, such as /Users, not `/Groups/1`",
    );
    check(
        post("method", json!("DELETE")),
        "invalidSyntax: the `path` of a DELETE must be a resource, such as /Users/ID, not `/Groups`",
    );

    let refused = |body: Value, limits: &ScimLimits| {
        parse(body.as_object().unwrap(), Leniency::Strict, limits).unwrap_err().to_string()
    };
    let limits = ScimLimits { bulk_operations_max: 1, ..ScimLimits::DEFAULT };
    assert_eq!(
        refused(Value::Object(message(json!([1, 2]))), &limits),
        "413: there are 2 operations, which exceeds maxOperations (1)"
    );
    assert_eq!(
        refused(json!({ "Operations": [] }), &limits),
        format!("400 invalidSyntax: `schemas` must name `{}`", urn::BULK_REQUEST)
    );
    assert!(parse(json!({ "operations": [] }).as_object().unwrap(), Leniency::Lenient, &limits).is_ok());
    let mut body = Value::Object(message(json!([])));
    body["failOnErrors"] = json!(-1);
    assert_eq!(refused(body, &limits), "400 invalidSyntax: `failOnErrors` must be a number of errors");
    assert_eq!(
        refused(json!({ "schemas": [urn::BULK_REQUEST] }), &limits),
        "400 invalidSyntax: `Operations` must be a list of operations"
    );
}

/// RFC 7644 §3.7.3, parts of the responses.
#[test]
fn a_response_has_a_status_for_each_operation_and_a_body_for_each_error() {
    let error = json!({ "schemas": [urn::ERROR], "status": "400", "detail": "no" });
    let request = request(json!([group("qwerty", &[]), { "method": "GET", "bulkId": "b" }]));
    let created = Outcome {
        location: Some("https://example.com/v2/Users/92b7".to_owned()),
        version: Some("W/\"1\"".to_owned()),
        ..Outcome::of(request.operations[0].as_ref().unwrap(), 201)
    };
    let refused = Outcome::misformed(request.operations[1].as_ref().unwrap_err(), error.clone());
    assert!(refused.is_error() && !created.is_error());
    assert_eq!(
        bulk_response(&[created, refused]),
        json!({
            "schemas": [urn::BULK_RESPONSE],
            "Operations": [
                { "location": "https://example.com/v2/Users/92b7", "method": "POST", "bulkId": "qwerty", "version": "W/\"1\"", "status": "201" },
                { "method": "GET", "bulkId": "b", "status": "400", "response": error }
            ]
        })
    );
}
