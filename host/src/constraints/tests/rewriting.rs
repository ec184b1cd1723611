//! Rewriters: what of their edits is taken, and what stops those that give too many, or others than they may.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, creating, enabled, operation, resource, sandbox, schemas};
use crate::change::PlannedChange;
use crate::change::rewrite::Editing;
use crate::constraints::bindings::scruple::constraint::types::Edit;
use crate::constraints::edits::edits_from_wit;
use crate::constraints::{Asked, ConstraintSet, Descriptor, Grants, Limits};
use crate::decision::{ConstraintFault, Mode};
use crate::scim::limits::ScimLimits;
use crate::scim::patch::{OperationKind, PatchOperation};
use crate::scim::profile::Leniency;
use crate::scim::reading::Reading;
use crate::scim::resource::Attributes;
use crate::scim::validate::validate;

/// Uploads the rewriter and asks it once.
async fn ask(
    guest: Guest,
    planned: PlannedChange,
    grants: Option<Value>,
    limits: Limits,
) -> Asked<Vec<PatchOperation>> {
    let sandbox = sandbox(limits);
    let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
    let rewriter = Arc::new(enabled(&checked, grants, "{}", sandbox.limits()));
    let set = ConstraintSet { generation: 1, constraints: vec![Arc::clone(&rewriter)], ..ConstraintSet::default() };
    let place = sandbox.admit_write(TENANT).unwrap();
    let hearing = sandbox.hearing(&place, &set, &planned).await;
    hearing.rewrite(&rewriter, operation(planned), Arc::new(Residents::default())).await.unwrap()
}

async fn fault_of(guest: Guest) -> ConstraintFault {
    let asked = ask(guest, creating(ada()), None, Limits::default()).await;
    asked.answer.expect_err("the rewriter should have broken")
}

/// What is wrong with edits, each `set`, `append` or `remove`, path, JSON; with these grants.
async fn bad_edit(edits: &[(&str, &str, &str)], grants: Option<Value>) -> String {
    let asked = ask(Guest::editing(edits), creating(ada()), grants, Limits::default()).await;
    match asked.answer {
        Err(ConstraintFault::BadEdit { detail }) => detail,
        other => panic!("{other:?}"),
    }
}

async fn refused(guest: Guest) -> String {
    sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_edits_of_a_rewriter_are_taken_as_operations_with_what_it_read_and_cost() {
    let mut guest = Guest::rewriting("");
    let path = guest.text("userName");
    let edits = guest.edits(&[
        ("set", "displayname", r#""Ada""#),
        ("append", "emails", r#"{"value": "c@x"}"#),
        ("remove", "title", ""),
    ]);
    let guest = guest.rewrite(&format!("(call $open_after (local.get $op)) (call $read {path}) (return {edits})"));
    let asked = ask(guest, creating(ada()), None, Limits::default()).await;
    let taken: Vec<String> = (asked.answer.as_ref().unwrap().iter())
        .map(|edit| format!("{:?} {} {:?}", edit.kind, edit.path.as_ref().unwrap(), edit.value))
        .collect();
    assert_eq!(
        taken,
        [
            r#"Replace displayName Some(String("Ada"))"#,
            r#"Add emails Some(Object {"value": String("c@x")})"#,
            "Remove title None"
        ]
    );
    assert_eq!(asked.reads.reads.len(), 1);
    assert!(asked.fuel_used > 0 && asked.memory_bytes >= 128 << 10, "{asked:?}");
}

#[tokio::test]
async fn edits_that_are_none_are_named() {
    let check = async |edit: (&str, &str, &str), expected: &str| {
        let message = bad_edit(&[("set", "title", r#""fine""#), edit], None).await;
        assert!(message.contains(expected), "{message}");
    };
    check(("set", "shoeSize", "7"), "`shoeSize` is no path of User: `shoeSize` is not an attribute of User").await;
    check(("set", "emails[", "7"), "`emails[` is no path of User").await;
    check(("set", "", "7"), "the path is empty").await;
    check(("set", "displayName", "Ada"), "the value for `displayName` is not JSON").await;
    check(("set", "displayName", ""), "the value for `displayName` is not JSON").await;
    check(("set", "displayName", &"[".repeat(500)), "the value for `displayName` is not JSON").await;
    check(("append", "displayName", r#""Ada""#), "nothing can be appended to `displayName`").await;
    check(("append", "emails.value", r#""a@x""#), "nothing can be appended to `emails.value`").await;
    check(("append", "emails", "[]"), "one value can be appended to `emails` at a time").await;
    check(("set", "id", r#""x""#), "`id` cannot be edited: it is read-only").await;
    check(("remove", "meta.created", ""), "`meta.created` cannot be edited: it is read-only").await;
    check(("set", "groups", "[]"), "`groups` cannot be edited: it is read-only").await;
    check(("set", "password", r#""t0p""#), "`password` cannot be edited: it is a secret").await;
    let long = format!("emails[value eq \"{}\"]", "x".repeat(2_100));
    check(("remove", &long, ""), "bytes, more than the limit of 2048").await;
}

#[tokio::test]
async fn an_edit_outside_the_grant_is_a_fault_that_names_the_path() {
    let check = async |granted: Value, edit: (&str, &str, &str), expected: Option<&str>| {
        let grants = Some(json!({ "writes": granted }));
        let Some(expected) = expected else {
            let asked = ask(Guest::editing(&[edit]), creating(ada()), grants, Limits::default()).await;
            return assert!(asked.answer.is_ok(), "{:?}", asked.answer);
        };
        assert_eq!(bad_edit(&[edit], grants).await, expected);
    };
    let work = r#"emails[type eq "work"].value"#;
    check(
        json!(["displayName"]),
        ("set", "title", "7"),
        Some("to edit `title` is not granted; granted is `displayName`"),
    )
    .await;
    check(json!([]), ("remove", "title", ""), Some("to edit `title` is not granted; granted is nothing")).await;
    check(
        json!(["name.givenName"]),
        ("set", "name", "{}"),
        Some("to edit `name` is not granted; granted is `name.givenName`"),
    )
    .await;
    check(json!(["name"]), ("set", "name.givenName", r#""Ada""#), None).await;
    // What its filter compares may be what a new value is made of.
    check(
        json!(["emails.value"]),
        ("set", work, r#""a@x""#),
        Some(&format!("to edit `{work}` is not granted; granted is `emails.value`")),
    )
    .await;
    check(json!(["emails.value", "emails.type"]), ("set", work, r#""a@x""#), None).await;
    check(json!(["*"]), ("set", work, r#""a@x""#), None).await;
}

#[tokio::test]
async fn what_a_rewriter_asks_for_is_checked_when_it_is_uploaded() {
    let check = async |guest: Guest, expected: &str| {
        let message = refused(guest).await;
        assert!(message.contains(expected), "{message}");
    };
    let rewriter = || Guest::editing(&[]);
    check(rewriter().writes(&[]), "exports `rewrite` and its descriptor has no `writes`").await;
    check(Guest::new().writes(&["title"]), "does not export `rewrite`").await;
    check(rewriter().writes(&["members"]), "`members` in `writes` of the descriptor cannot be edited: members").await;
    check(
        rewriter().writes(&["password"]),
        "`password` in `writes` of the descriptor cannot be edited: it is a secret",
    )
    .await;
    check(rewriter().writes(&["meta"]), "`meta` in `writes` of the descriptor cannot be edited: it is read-only").await;
    check(rewriter().writes(&["shoeSize"]), "`shoeSize` in `writes` of the descriptor is not an attribute").await;
    check(rewriter().capabilities(&["directory:User"]), "the capability `directory:User` is of no use").await;
    let mut deleting = rewriter();
    deleting.actions = vec![2];
    check(deleting, "neither the action `create` nor `update`").await;

    let guest = rewriter().writes(&["DISPLAYNAME", "name.givenname"]);
    let descriptor = sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap().descriptor;
    assert_eq!(descriptor.writes, ["displayName", "name.givenName"]);
}

async fn descriptor(writes: &[&str]) -> Descriptor {
    let guest = Guest::editing(&[]).writes(writes).reads(&["title"]);
    sandbox(Limits::default()).upload(TENANT, guest.component(), &schemas()).await.unwrap().descriptor
}

#[tokio::test]
async fn what_may_be_written_is_granted_beside_what_may_be_read() {
    let some = descriptor(&["name", "title"]).await;
    let check = |descriptor: &Descriptor, given: Value, expected: Result<Value, &str>| {
        let found = Grants::parse(Some(&given), descriptor, &schemas());
        match expected {
            Ok(writes) => {
                let shown = found.unwrap().to_json();
                assert_eq!(shown["writes"], writes, "{given}");
                assert_eq!(Grants::parse(Some(&shown), descriptor, &schemas()).unwrap().to_json(), shown);
            }
            Err(message) => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(message), "{error}");
            }
        }
    };
    check(&some, json!({}), Ok(json!(["name", "title"])));
    check(&some, json!({ "writes": [] }), Ok(json!([])));
    check(&some, json!({ "writes": ["NAME.givenName"] }), Ok(json!(["name.givenName"])));
    check(
        &some,
        json!({ "writes": ["*"] }),
        Err("the write `*` is not asked for by the plugin; it asks for `name`, `title`"),
    );
    check(&some, json!({ "writes": ["emails"] }), Err("the write `emails` is not asked for"));
    check(&some, json!({ "writes": ["members"] }), Err("`members` cannot be edited: members are not rewritten"));
    check(
        &some,
        json!({ "writes": ["shoeSize"] }),
        Err("the granted write `shoeSize` is not an attribute of User, Group"),
    );
    check(&some, json!({ "writes": "name" }), Err("`writes` is no list of texts"));
    let all = descriptor(&["*"]).await;
    check(&all, json!({}), Ok(json!(["*"])));
    check(&all, json!({ "writes": ["*"] }), Ok(json!(["*"])));
    check(&all, json!({ "writes": ["emails.value"] }), Ok(json!(["emails.value"])));
    let checks =
        sandbox(Limits::default()).upload(TENANT, Guest::new().component(), &schemas()).await.unwrap().descriptor;
    assert_eq!(Grants::parse(None, &checks, &schemas()).unwrap().to_json(), json!({ "capabilities": [] }));
    check(
        &checks,
        json!({ "writes": ["title"] }),
        Err("the write `title` is not asked for by the plugin; it asks for none"),
    );
}

#[tokio::test]
async fn a_rewriter_that_breaks_is_stopped_like_any_guest() {
    assert_eq!(
        fault_of(Guest::rewriting("(loop $again (br $again))")).await,
        ConstraintFault::OutOfFuel { fuel_max: 10_000_000 }
    );
    assert!(matches!(fault_of(Guest::rewriting("unreachable")).await, ConstraintFault::Trap { .. }));
    let mut guest = Guest::rewriting("");
    let message = guest.text("no idea");
    assert_eq!(
        fault_of(guest.rewrite(&format!("(return (call $cannot {message}))"))).await,
        ConstraintFault::Failed { message: "no idea".into() }
    );
}

#[tokio::test]
async fn a_million_edits_and_an_edit_of_ten_megabytes_are_not_taken_out_of_the_guest() {
    let output = ConstraintFault::Output { output_bytes_max: 256 << 10 };
    let grown = "(drop (memory.grow (i32.const 500)))";
    let many = format!("{grown} (return (call $edits (i32.const 1000000)))");
    assert_eq!(fault_of(Guest::rewriting(&many)).await, output);
    // One edit at 640: `set`, its path, ten megabytes of JSON.
    let mut guest = Guest::rewriting("");
    let path = guest.text("title");
    let (at, length) = path.split_once(") ").unwrap();
    let huge = format!(
        "{grown} (i32.store (i32.const 640) (i32.const 0)) (i32.store (i32.const 644) {at}))
         (i32.store (i32.const 648) {length}) (i32.store (i32.const 652) (i32.const 65536))
         (i32.store (i32.const 656) (i32.const 10000000)) (return (call $edit_list (i32.const 640) (i32.const 1)))"
    );
    assert_eq!(fault_of(guest.rewrite(&huge)).await, output);
    let mut guest = Guest::rewriting("");
    let edits = guest.edits(&vec![("remove", "title", ""); 1_001]);
    assert_eq!(
        fault_of(guest.rewrite(&format!("(return {edits})"))).await,
        ConstraintFault::BadOutput {
            detail: "a rewriter's answer with 1001 edits, more than the limit of 1000".into()
        }
    );
}

#[tokio::test]
async fn a_rewriter_is_asked_by_type_and_action_and_never_of_what_is_deleted() {
    let sandbox = sandbox(Limits::default());
    let mut guest = Guest::editing(&[]);
    guest.resource_types = vec!["User".into()];
    let checked = sandbox.upload(TENANT, guest.component(), &schemas()).await.unwrap();
    let rewriter = enabled(&checked, None, "{}", sandbox.limits());
    let group = creating(resource("Group", 1, json!({ "displayName": "all" })));
    let mut deleting = creating(ada());
    deleting.action = crate::change::Action::Delete;
    assert!(rewriter.rewrites(&creating(ada())) && !rewriter.rewrites(&group) && !rewriter.rewrites(&deleting));
    let set = ConstraintSet { generation: 1, constraints: vec![Arc::new(rewriter)], ..ConstraintSet::default() };
    let place = sandbox.admit_write(TENANT).unwrap();
    let asked = sandbox.evaluate(&place, &set, operation(creating(ada())), Arc::new(Residents::default()));
    assert_eq!(asked.await.unwrap(), [], "it does not judge");
    let mut rewriter = enabled(&checked, None, "{}", sandbox.limits());
    rewriter.mode = Mode::Off;
    assert!(!rewriter.rewrites(&creating(ada())));
}

/// Paths that edits may name, and grants: some within each other, some that nobody may edit.
const PATHS: &[&str] = &[
    "userName",
    "displayName",
    "title",
    "active",
    "name",
    "name.givenName",
    "name.familyName",
    "emails",
    "emails.value",
    "emails.type",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[value eq \"b@x\"].primary",
    "id",
    "meta",
    "groups",
    "password",
    "addresses",
    "addresses.country",
    "shoeSize",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
];

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "null",
        "7",
        "true",
        "\"\"",
        "\"a\"",
        "\"b@x\"",
        "[]",
        "{}",
        "{\"value\": \"b@x\"}",
        "[{\"value\": \"a@x\"}]",
        "{\"givenName\": \"A\"}",
        "{\"value\": \"c@x\", \"type\": \"work\", \"primary\": true}",
        "{\"department\": \"D\"}",
        "[{\"value\": \"a@x\", \"primary\": true}, {\"value\": \"b@x\", \"primary\": true}]",
        "{\"country\": \"GB\"}",
        "{",
        "{\"value\": \"b@x\", \"password\": \"x\"}",
        "\"0192f5e0-0000-7000-8000-000000000000\"",
    ])
    .prop_map(str::to_owned)
}

fn edit() -> impl Strategy<Value = Edit> {
    let path = || prop::sample::select(PATHS).prop_map(str::to_owned);
    prop_oneof![
        (path(), value()).prop_map(Edit::Set),
        (path(), value()).prop_map(Edit::Append),
        path().prop_map(Edit::Remove),
    ]
}

fn user() -> impl Strategy<Value = Value> {
    let email = prop::sample::select(vec![
        json!({ "value": "a@x", "type": "work" }),
        json!({ "value": "b@x", "type": "home", "primary": true }),
        json!({ "value": "c@x" }),
    ]);
    (prop::collection::vec(email, 0..3), any::<bool>(), any::<bool>()).prop_map(|(mut emails, named, employed)| {
        emails.dedup();
        let mut user = json!({ "userName": "ada" });
        if !emails.is_empty() {
            user["emails"] = emails.into_iter().fold(json!([]), |mut all, email| {
                if !all.as_array().unwrap().contains(&email) {
                    all.as_array_mut().unwrap().push(email);
                }
                all
            });
        }
        if named {
            user["name"] = json!({ "givenName": "Ada", "familyName": "Lovelace" });
        }
        if employed {
            user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({ "department": "Engines" });
        }
        user
    })
}

/// What of the attributes is outside of a grant: leaves by path. Of values that become the same, one is kept, so leaves
/// are a set.
fn outside(attributes: &Attributes, granted: &[&str]) -> std::collections::BTreeSet<(String, String)> {
    let is_granted = |path: &str| {
        granted
            .iter()
            .any(|grant| path.strip_prefix(grant).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':'])))
    };
    let mut found = std::collections::BTreeSet::new();
    let mut leaves = |path: String, value: &Value| {
        for one in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
            match one {
                Value::Object(parts) => {
                    for (name, part) in parts {
                        found.insert((format!("{path}.{name}"), part.to_string()));
                    }
                }
                simple => {
                    found.insert((path.clone(), simple.to_string()));
                }
            }
        }
    };
    for (name, value) in attributes {
        match value {
            Value::Object(extension) if name.contains(':') => {
                extension.iter().for_each(|(inner, value)| leaves(format!("{name}:{inner}"), value));
            }
            value => leaves(name.clone(), value),
        }
    }
    found.retain(|(path, _)| !is_granted(path));
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever a rewriter asks for: it is a fault, or what is left is as valid as what a client may send, and differs from
    /// what would be without it in nothing that its grant does not name.
    #[test]
    fn no_edits_leave_what_is_not_valid_or_touch_what_is_not_granted(
        user in user(),
        edits in prop::collection::vec(edit(), 0..5),
        granted in prop::sample::subsequence(PATHS, 0..6),
    ) {
        let schemas = schemas();
        let planned = creating(resource("User", 1, user));
        let granted: Vec<&str> = granted.into_iter()
            .filter(|path| !path.contains('[') && !["id", "meta", "groups", "password", "shoeSize"].contains(path))
            .collect();
        let grants = Grants::parse(Some(&json!({ "writes": granted })), &asks_for_everything(), &schemas).unwrap();
        let limits = Limits::default();
        let Ok(edits) = edits_from_wit(edits, &planned.resource_type, &grants, &limits) else { return Ok(()) };
        let Ok(rewritten) = Editing::new(&ScimLimits::DEFAULT).rewrite(&planned, &edits) else { return Ok(()) };
        let Some(rewritten) = rewritten else { return Ok(()) };
        let attributes = |planned: &PlannedChange| planned.after.as_ref().unwrap().attributes.clone();
        let (before, after) = (attributes(&planned), attributes(&rewritten));

        let reading = Reading { resource_type: &planned.resource_type, leniency: Leniency::Strict, limits: &ScimLimits::DEFAULT };
        prop_assert_eq!(validate(reading, &after), Ok(()));
        let mut body: Map<String, Value> = after.clone();
        body.insert("schemas".to_owned(), json!([planned.resource_type.schema.id]));
        let normalized = crate::scim::normalize::normalize(reading, &body).unwrap();
        prop_assert_eq!(&normalized.attributes, &after, "what a client would send is stored as it is");
        prop_assert!(normalized.secrets.is_empty());
        prop_assert_eq!(outside(&before, &granted), outside(&after, &granted), "{:?}", edits);
        prop_assert!(edits.iter().all(|edit| edit.kind == OperationKind::Remove || edit.value.is_some()));
        prop_assert_eq!(rewritten.after.as_ref().map(|after| after.id), planned.after.as_ref().map(|after| after.id));
    }
}

fn asks_for_everything() -> Descriptor {
    Descriptor {
        name: "any".into(),
        version: "1".into(),
        summary: String::new(),
        settings_schema: json!({}),
        resource_types: Vec::new(),
        actions: Vec::new(),
        reads: Vec::new(),
        writes: vec!["*".into()],
        capabilities: Vec::new(),
        labels: Vec::new(),
    }
}
