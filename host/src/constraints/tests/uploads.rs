//! From bytes to a checked component: what it says of itself, what its settings may be, what may be granted to it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::guest::Guest;
use super::world::{TENANT, ada, creating, enabled, sandbox, schemas, updating};
use crate::constraints::sandbox::UploadError;
use crate::constraints::{ConstraintSet, Descriptor, Grants, Limits, Registry};
use crate::decision::{ConstraintFault, TenantId};

async fn refused(guest: Guest) -> String {
    let error =
        sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.expect_err("should be refused");
    error.to_string()
}

#[tokio::test]
async fn a_descriptor_comes_back_as_it_was_given_with_canonical_paths() {
    let guest = Guest::new().reads(&["USERNAME", "emails.Value"]).capabilities(&["directory:Group"]);
    let checked = sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap();
    assert_eq!(checked.descriptor.reads, ["userName", "emails.value"]);
    let json = checked.descriptor.to_json();
    assert_eq!(json["settings_schema"], json!({}));
    assert_eq!(json["actions"], json!(["create", "update", "delete"]));
    assert_eq!(Descriptor::from_json(&json).unwrap(), checked.descriptor);
}

#[tokio::test]
async fn a_component_that_breaks_while_it_describes_itself_is_refused() {
    let loops = refused(Guest::new().describe("(loop $again (br $again))")).await;
    assert_eq!(loops, "`describe` failed: the constraint used all of its fuel (10000000)");
    let traps = refused(Guest::new().describe("unreachable")).await;
    assert!(traps.starts_with("`describe` failed: the constraint trapped"), "{traps}");
}

#[tokio::test]
async fn a_descriptor_that_makes_no_sense_is_refused_by_field() {
    async fn check(change: impl FnOnce(&mut Guest), expected: &str) {
        let mut guest = Guest::new();
        change(&mut guest);
        let message = refused(guest).await;
        assert!(message.contains(expected), "{message}");
    }
    check(|guest| guest.name = "No Name".into(), "name `No Name` is not made of").await;
    check(|guest| guest.name = "a".repeat(65), "`name` of the descriptor has 65 bytes, more than the limit of 64")
        .await;
    check(|guest| guest.actions.clear(), "has no actions").await;
    check(|guest| guest.resource_types = vec!["Robot".into()], "resource type `Robot`; there are `User`, `Group`")
        .await;
    check(|guest| guest.reads = vec!["shoeSize".into()], "`shoeSize` in `reads`").await;
    check(|guest| guest.reads = vec!["emails[type eq \"work\"]".into()], "in `reads`").await;
    check(|guest| guest.capabilities = vec!["network".into()], "capability `network`").await;
    check(|guest| guest.settings_schema = "{".into(), "settings schema").await;
    check(|guest| guest.settings_schema = r#"{"type": "wish"}"#.into(), "settings schema").await;
    check(|guest| guest.settings_schema = r#"{"$ref": "https://example.com/schema"}"#.into(), "settings schema").await;
}

#[tokio::test]
async fn a_component_with_other_types_than_the_contracts_is_refused() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $c (instantiate $m))
        (func $f (canon lift (core func $c "f")))
        (instance $about (export "describe" (func $f)) (export "check-settings" (func $f)))
        (instance $check (export "evaluate" (func $f)))
        (export "scruple:constraint/about@0.1.0" (instance $about))
        (export "scruple:constraint/check@0.1.0" (instance $check)))"#;
    let error = sandbox(Limits::default()).upload(TENANT, wat::parse_str(text).unwrap(), &schemas()).await.unwrap_err();
    let UploadError::Describe(ConstraintFault::Unavailable { detail }) = error else { panic!("{error}") };
    assert_eq!(detail, "expected 1-tuple, found 0-tuple");
}

#[tokio::test]
async fn settings_are_checked_by_the_schema_and_then_by_the_component() {
    let sandbox = sandbox(Limits::default());
    let mut guest = Guest::new();
    guest.settings_schema = r#"{"type": "object", "properties": {"minimum": {"type": "integer"}}}"#.into();
    let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
    let check =
        async |settings: Value| sandbox.check_settings(TENANT, &checked.pre, &checked.descriptor, &settings).await;
    assert_eq!(check(json!({ "minimum": 2 })).await.unwrap(), []);
    let problems = check(json!({ "minimum": "two" })).await.unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].pointer, "/minimum");

    // err(list of one problem): its texts are the first bytes of the settings themselves.
    let objects = Guest::new().check_settings(
        "(i32.store (i32.const 640) (i32.const 0)) (i32.store (i32.const 644) (i32.const 0))
         (i32.store (i32.const 648) (local.get $ptr)) (i32.store (i32.const 652) (i32.const 4))
         (i32.store8 (i32.const 512) (i32.const 1))
         (i32.store (i32.const 516) (i32.const 640)) (i32.store (i32.const 520) (i32.const 1))
         (return (i32.const 512))",
    );
    let checked = sandbox.upload(TENANT, objects.component(), &schemas()).await.unwrap();
    let problems = sandbox.check_settings(TENANT, &checked.pre, &checked.descriptor, &json!("abc")).await.unwrap();
    assert_eq!(problems[0].message, "\"abc");
}

#[tokio::test]
async fn grants_are_at_most_what_the_descriptor_asks_for() {
    let guest = Guest::new().reads(&["name", "emails.value"]).capabilities(&["directory:Group"]);
    let descriptor = sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap().descriptor;
    let check = |given: Option<Value>, expected: Result<Value, &str>| {
        let found = Grants::parse(given.as_ref(), &descriptor, &schemas());
        match expected {
            Ok(json) => assert_eq!(found.unwrap().to_json(), json, "{given:?}"),
            Err(message) => assert!(found.unwrap_err().to_string().contains(message), "{given:?}"),
        }
    };
    let all = json!({ "reads": ["name", "emails.value"], "capabilities": ["directory:Group"] });
    check(None, Ok(all.clone()));
    check(Some(Value::Null), Ok(all.clone()));
    check(Some(json!({})), Ok(all));
    check(
        Some(json!({ "reads": ["NAME.givenName"], "capabilities": [] })),
        Ok(json!({ "reads": ["name.givenName"], "capabilities": [] })),
    );
    check(Some(json!({ "reads": ["emails"] })), Err("the read `emails` is not asked for"));
    check(Some(json!({ "reads": ["shoeSize"] })), Err("`shoeSize` is not an attribute of User, Group"));
    check(Some(json!({ "capabilities": ["directory:User"] })), Err("`directory:User` is not asked for"));
    check(Some(json!({ "capabilities": ["sudo"] })), Err("`sudo` is not"));
    check(Some(json!({ "read": [] })), Err("`read` is not known"));
    check(Some(json!([])), Err("is no object"));
}

#[tokio::test]
async fn a_constraint_is_asked_by_type_and_action_alone() {
    let sandbox = sandbox(Limits::default());
    let mut guest = Guest::new().reads(&["title"]);
    guest.resource_types = vec!["User".into()];
    guest.actions = vec![1];
    let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
    let constraint = enabled(&checked, None, "{}", sandbox.limits());
    assert!(!constraint.concerns(&creating(ada())));
    // Nothing that it reads differs, and it is asked all the same.
    assert!(constraint.concerns(&updating(ada(), ada())));
}

#[test]
fn an_older_generation_never_replaces_a_newer_one() {
    let registry = Registry::default();
    let set = |generation| Arc::new(ConstraintSet { generation, constraints: Vec::new(), ..ConstraintSet::default() });
    registry.put(TenantId(1), set(2));
    registry.put(TenantId(1), set(1));
    assert_eq!(registry.get(TenantId(1)).unwrap().generation, 2);
    registry.forget(TenantId(1));
    assert!(registry.get(TenantId(1)).is_none());
}
