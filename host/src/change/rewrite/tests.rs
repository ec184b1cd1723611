use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::change::{MembersChange, plan};
use crate::scim::resource::ResourceId;
use crate::scim::schema::{Attribute, ResourceType, SchemaRegistry};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn resource_type(name: &str) -> Arc<ResourceType> {
    Arc::clone(SchemaRegistry::core().resource_type(name).unwrap())
}

fn creating(resource_type: &Arc<ResourceType>, attributes: Value) -> PlannedChange {
    let mut body = attributes.as_object().unwrap().clone();
    body.insert("schemas".to_owned(), json!([resource_type.schema.id]));
    let id = ResourceId(uuid::Uuid::nil());
    let draft = plan::plan_create(Reading::strict(resource_type), id, &body, Timestamp::UNIX_EPOCH).unwrap();
    draft.settle(MembersChange::default()).unwrap()
}

/// The change of `before` by a PUT of these attributes.
fn putting(before: &PlannedChange, attributes: Value) -> Option<PlannedChange> {
    let mut body = attributes.as_object().unwrap().clone();
    body.insert("schemas".to_owned(), json!([before.resource_type.schema.id]));
    let reading = Reading::strict(&before.resource_type);
    let draft = plan::plan_replace(reading, before.after.clone().unwrap(), &body, Timestamp::UNIX_EPOCH).unwrap();
    draft.settle(MembersChange::default())
}

fn set(resource_type: &ResourceType, path: &str, value: Value) -> PatchOperation {
    edit(resource_type, OperationKind::Replace, path, Some(value))
}

fn append(resource_type: &ResourceType, path: &str, value: Value) -> PatchOperation {
    edit(resource_type, OperationKind::Add, path, Some(value))
}

fn remove(resource_type: &ResourceType, path: &str) -> PatchOperation {
    edit(resource_type, OperationKind::Remove, path, None)
}

fn edit(resource_type: &ResourceType, kind: OperationKind, path: &str, value: Option<Value>) -> PatchOperation {
    PatchOperation { kind, path: Some(Path::parse(path, resource_type).unwrap()), value }
}

fn made(planned: &PlannedChange, edits: &[PatchOperation]) -> Result<Option<PlannedChange>, RewriteError> {
    Editing::new(&ScimLimits::DEFAULT).rewrite(planned, edits)
}

fn after(planned: &PlannedChange) -> Value {
    Value::Object(planned.after.as_ref().unwrap().attributes.clone())
}

fn paths(planned: &PlannedChange) -> Vec<&str> {
    planned.differences().iter().map(|difference| difference.path.as_str()).collect()
}

#[test]
fn edits_are_made_in_their_order_and_the_differences_are_looked_for_anew() {
    let user = resource_type("User");
    let planned = creating(&user, json!({ "userName": " Ada ", "title": "x" }));
    assert_eq!(paths(&planned), ["title", "userName"]);
    let edits = [
        set(&user, "userName", json!("ada")),
        remove(&user, "title"),
        set(&user, "name.givenName", json!("Ada")),
        append(&user, "emails", json!({ "value": "ada@example.com", "type": "work" })),
        set(&user, r#"emails[type eq "work"].primary"#, json!(true)),
        set(&user, &format!("{ENTERPRISE}:department"), json!("Engines")),
    ];
    let rewritten = made(&planned, &edits).unwrap().unwrap();
    assert_eq!(
        after(&rewritten),
        json!({
            "userName": "ada", "name": { "givenName": "Ada" },
            "emails": [{ "value": "ada@example.com", "type": "work", "primary": true }],
            ENTERPRISE: { "department": "Engines" },
        })
    );
    assert_eq!(
        paths(&rewritten),
        ["emails[value eq \"ada@example.com\"]", "name.givenName", &format!("{ENTERPRISE}:department"), "userName"]
    );
    assert_eq!(rewritten.expected_version(), None);
}

#[test]
fn edits_that_change_nothing_leave_the_change_as_it_is() {
    let user = resource_type("User");
    let planned = creating(&user, json!({ "userName": "ada", "active": true }));
    assert_eq!(made(&planned, &[]), Ok(None));
    let same = [set(&user, "userName", json!("ada")), set(&user, "active", json!("True")), remove(&user, "title")];
    assert_eq!(made(&planned, &same), Ok(None));
}

#[test]
fn a_rewrite_that_takes_the_change_back_leaves_nothing_to_be_done() {
    let user = resource_type("User");
    let stored = creating(&user, json!({ "userName": "ada" }));
    let planned = putting(&stored, json!({ "userName": "Ada " })).unwrap();
    let rewritten = made(&planned, &[set(&user, "userName", json!("ada"))]).unwrap().unwrap();
    assert!(!rewritten.changes_anything() && planned.changes_anything());
}

#[test]
fn what_cannot_be_edited_is_refused_by_its_path() {
    let user = resource_type("User");
    let group = resource_type("Group");
    let ada = creating(&user, json!({ "userName": "ada", "emails": [{ "value": "a@x" }] }));
    let staff = creating(&group, json!({ "displayName": "Staff" }));
    let check = |planned: &PlannedChange, edits: &[PatchOperation], expected: &str| {
        let message = made(planned, edits).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(&ada, &[set(&user, "id", json!("x"))], "`id` cannot be edited: it is read-only");
    check(&ada, &[set(&user, "meta.version", json!("x"))], "`meta.version` cannot be edited: it is read-only");
    check(&ada, &[set(&user, "groups", json!([]))], "`groups` cannot be edited: it is read-only");
    check(&ada, &[set(&user, "schemas", json!([]))], "`schemas` cannot be edited: it is read-only");
    check(&ada, &[set(&user, "password", json!("t0p"))], "`password` cannot be edited: it is a secret");
    check(&ada, &[remove(&user, "password")], "`password` cannot be edited: it is a secret");
    check(&staff, &[set(&group, "members", json!([]))], "`members` cannot be edited: members are not rewritten");
    check(&staff, &[remove(&group, "members[value eq \"x\"]")], "members are not rewritten");
    check(&ada, &[remove(&user, "userName")], "the edit of `userName` cannot be made");
    check(&ada, &[set(&user, "userName", json!(7))], "the edit of `userName` cannot be made");
    check(&ada, &[set(&user, "userName", json!(""))], "the edits break the schema: `userName` is required");
    check(&ada, &[set(&user, "name", json!({ "shoeSize": 7 }))], "`shoeSize` is not an attribute of `name`");
    check(
        &ada,
        &[remove(&user, r#"emails[type eq "work"]"#)],
        r#"the edit of `emails[type eq "work"]` cannot be made"#,
    );
    let primary = |value: &str| append(&user, "emails", json!({ "value": value, "primary": true }));
    assert!(made(&ada, &[primary("b@x"), primary("c@x")]).unwrap().is_some(), "the last one is the primary one");
    let two = json!([{ "value": "a@x", "primary": true }, { "value": "b@x", "primary": true }]);
    check(&ada, &[set(&user, "emails", two)], "`emails` has 2 primary values");
    let deleted = PlannedChange { after: None, ..ada.clone() };
    check(&deleted, &[set(&user, "title", json!("x"))], "a deleted resource cannot be edited");
}

/// `User` as a tenant has made it stricter.
fn tightened(name: &str, change: impl Fn(&mut Attribute)) -> Arc<ResourceType> {
    let mut user = (*resource_type("User")).clone();
    let mut schema = (*user.schema).clone();
    for attribute in &mut schema.attributes {
        if attribute.name == name {
            change(Arc::make_mut(attribute));
        }
    }
    user.schema = Arc::new(schema);
    Arc::new(user)
}

#[test]
fn what_is_write_once_is_given_a_value_and_keeps_it() {
    let user = tightened("title", |attribute| attribute.mutability = Mutability::Immutable);
    let with = creating(&user, json!({ "userName": "ada", "title": "Countess" }));
    let error = made(&with, &[set(&user, "title", json!("Baroness"))]).unwrap_err().to_string();
    assert!(error.contains("`title` is immutable"), "{error}");
    assert!(made(&with, &[remove(&user, "title")]).is_err());
    let without = creating(&user, json!({ "userName": "ada" }));
    let given = made(&without, &[set(&user, "title", json!("Countess"))]).unwrap().unwrap();
    assert_eq!(after(&given)["title"], "Countess");
}

#[test]
fn canonical_values_and_required_attributes_of_a_tenants_own_hold_after_the_edits() {
    let user = tightened("userType", |attribute| {
        attribute.canonical_values = vec!["Employee".into(), "Contractor".into()];
        attribute.canonical_only = true;
        attribute.required = true;
    });
    let ada = creating(&user, json!({ "userName": "ada", "userType": "Employee" }));
    let error = made(&ada, &[set(&user, "userType", json!("Robot"))]).unwrap_err().to_string();
    assert!(error.starts_with("the edits break the schema: `userType` must be one of"), "{error}");
    assert!(made(&ada, &[remove(&user, "userType")]).is_err());
    let rewritten = made(&ada, &[set(&user, "userType", json!("Contractor"))]).unwrap().unwrap();
    assert_eq!(after(&rewritten)["userType"], "Contractor");
}

#[test]
fn what_is_read_only_stays_when_what_it_is_part_of_is_replaced() {
    let user = tightened("name", |attribute| {
        for sub in &mut attribute.sub_attributes {
            if sub.name == "formatted" {
                Arc::make_mut(sub).mutability = Mutability::ReadOnly;
            }
        }
    });
    let mut planned = creating(&user, json!({ "userName": "ada", "name": { "givenName": "Ada" } }));
    let resource = planned.after.as_mut().unwrap();
    resource.attributes["name"]["formatted"] = json!("Ada L.");
    let rewritten = made(&planned, &[remove(&user, "name")]).unwrap().unwrap();
    assert_eq!(after(&rewritten)["name"], json!({ "formatted": "Ada L." }));
}

/// What the second rewriter's edits leave of the first one's: the path that has another value now.
fn conflict(first: &[PatchOperation], second: &[PatchOperation]) -> Option<String> {
    let user = resource_type("User");
    let emails = json!([{ "value": "a@x", "type": "work" }, { "value": "a@y", "type": "home" }]);
    let planned = creating(&user, json!({ "userName": "ada", "title": "T", "emails": emails }));
    let from = made(&planned, first).unwrap().unwrap_or(planned);
    let to = made(&from, second).unwrap()?;
    let changed = rewritten(&from, &to);
    Editing::new(&ScimLimits::DEFAULT).undone(first, &from, &to, &changed).unwrap()
}

#[test]
fn two_rewriters_disagree_when_what_the_first_has_set_holds_no_more() {
    let user = resource_type("User");
    let set = |path: &str, value: Value| set(&user, path, value);
    let append = |path: &str, value: Value| append(&user, path, value);
    let remove = |path: &str| remove(&user, path);
    let check = |first: &[PatchOperation], second: &[PatchOperation], expected: Option<&str>| {
        assert_eq!(conflict(first, second).as_deref(), expected, "{first:?} {second:?}");
    };
    // One path, two values; also where the first one's was there already.
    check(&[set("title", json!("A"))], &[set("title", json!("B"))], Some("title"));
    check(&[set("title", json!("T"))], &[set("title", json!("B"))], Some("title"));
    check(&[set("title", json!("A"))], &[set("title", json!("A"))], None);
    check(&[set("title", json!("A"))], &[set("nickName", json!("B"))], None);
    // To remove is to set to nothing.
    check(&[remove("title")], &[set("title", json!("B"))], Some("title"));
    check(&[set("title", json!("A"))], &[remove("title")], Some("title"));
    check(&[remove("title")], &[remove("title")], None);
    // A path and one above it.
    check(&[set("name.givenName", json!("A"))], &[set("name", json!({ "givenName": "B" }))], Some("name.givenName"));
    check(&[set("name", json!({ "givenName": "A" }))], &[remove("name.givenName")], Some("name.givenName"));
    check(&[set("name", json!({ "givenName": "A" }))], &[remove("name")], Some("name.givenName"));
    check(&[set("name.givenName", json!("A"))], &[set("name", json!({ "givenName": "A", "familyName": "L" }))], None);
    check(&[set("name.givenName", json!("A"))], &[set("name.familyName", json!("L"))], None);
    // Values of many.
    let work = r#"emails[type eq "work"]"#;
    let of = |value: &str| json!({ "value": value, "type": "other" });
    check(
        &[set(&format!("{work}.value"), json!("b@x"))],
        &[set(r#"emails[type eq "home"].value"#, json!("b@y"))],
        None,
    );
    check(&[append("emails", of("c@x"))], &[append("emails", of("d@x"))], None);
    check(&[append("emails", of("c@x"))], &[remove(r#"emails[value eq "c@x"]"#)], Some(r#"emails[value eq "c@x"]"#));
    check(
        &[remove(work)],
        &[append("emails", json!({ "value": "z@x", "type": "work" }))],
        Some("emails[value eq \"z@x\"]"),
    );
    check(&[remove(work)], &[append("emails", of("c@x"))], None);
    check(&[set("emails", json!([of("c@x")]))], &[append("emails", of("d@x"))], Some("emails[value eq \"d@x\"]"));
    // An edit that is no longer what it was when it is made again.
    let odd = [set(&format!("{work}.type"), json!("office"))];
    check(&odd, &[append("emails", of("d@x"))], Some("emails[value eq \"d@x\"]"));
    check(&odd, &[set("title", json!("B"))], None);
    // An extension and what is in it.
    let department = format!("{ENTERPRISE}:department");
    check(&[set(&department, json!("A"))], &[remove(ENTERPRISE)], Some(&department));
}

#[test]
fn what_all_rewriters_of_a_change_go_through_is_limited() {
    let user = resource_type("User");
    let certificates: Vec<Value> = (0..100).map(|n| json!({ "value": format!("{n:0>60000}") })).collect();
    let planned = creating(&user, json!({ "userName": "ada", "x509Certificates": certificates }));
    // Six million bytes, six times: seven such rewriters have room in 256 MiB, and an eighth has not.
    let mut editing = Editing::new(&ScimLimits::DEFAULT);
    let edits = [set(&user, "title", json!("Countess"))];
    for _ in 0..7 {
        assert!(editing.rewrite(&planned, &edits).unwrap().is_some());
    }
    let error = editing.rewrite(&planned, &edits).unwrap_err().to_string();
    assert!(error.starts_with("the edits of a change are too much work"), "{error}");
    // One that does the same thing over and over is stopped at the edit that is too much.
    let certificate = remove(&user, "x509Certificates[display eq \"x\" or display eq \"y\" or display eq \"z\"]");
    let again: Vec<PatchOperation> = std::iter::repeat_n(repeatable(&certificate), 20).collect();
    let error = made(&planned, &again).unwrap_err().to_string();
    assert!(error.contains("cannot be made: the operations together go through more than"), "{error}");
    // No edits are no work.
    assert_eq!(editing.rewrite(&planned, &[]), Ok(None));
}

#[test]
fn an_extension_of_which_nothing_is_left_goes() {
    let mut extension = (**resource_type("User").extension(ENTERPRISE).unwrap()).clone();
    let mut user = (*resource_type("User")).clone();
    let roles = (**user.schema.attribute("roles").unwrap()).clone();
    let mut value = (**roles.sub_attribute("value").unwrap()).clone();
    value.mutability = Mutability::Immutable;
    let roles = Attribute { name: "seats".into(), sub_attributes: vec![Arc::new(value)], ..roles };
    extension.attributes.push(Arc::new(roles));
    user.extensions[0].schema = Arc::new(extension);
    let user = Arc::new(user);
    let seats = json!({ "seats": [{ "value": "A1" }] });
    let planned = creating(&user, json!({ "userName": "ada", ENTERPRISE: seats }));
    let rewritten = made(&planned, &[remove(&user, ENTERPRISE)]).unwrap().unwrap();
    assert_eq!(after(&rewritten), json!({ "userName": "ada" }));
    let put = putting(&planned, json!({ "userName": "ada" })).unwrap();
    assert_eq!(after(&put), json!({ "userName": "ada" }));
}
