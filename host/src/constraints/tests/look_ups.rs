//! Look-ups of other resources: granted by type, recorded with what the commit has to check.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::guest::Guest;
use super::world::{Residents, ada, ask_with, assert_allowed, creating, id, resource, updating};
use crate::constraints::Limits;
use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read};
use crate::scim::resource::Member;

fn residents() -> Residents {
    let user =
        |number: u128, name: &str| Arc::new(resource("User", number, json!({ "userName": name, "title": "Dr" })));
    Residents {
        resources: vec![user(2, "grace"), user(3, "edsger")],
        memberships: vec![(id(50), Member { id: id(1), resource_type: "User".into() })],
        ..Residents::default()
    }
}

async fn reads(guest: Guest) -> Vec<Read> {
    let evaluation = ask_with(guest, updating(ada(), ada()), None, Limits::default(), residents()).await;
    assert_allowed(&evaluation);
    evaluation.reads.reads
}

fn look_up(look_up: LookUp, answer: LookUpAnswer) -> Read {
    Read::LookUp { look_up, answer }
}

fn getting(number: u128, path: &str) -> Guest {
    let mut guest = Guest::new();
    let (kind, id, path) = (guest.text("User"), guest.text(&id(number).to_string()), guest.text(path));
    // option<document> of the result: the handle is at 776.
    guest.evaluate(&format!(
        "(call $dir_get {kind} {id} (i32.const 768))
         (if (i32.and (i32.eqz (i32.load8_u (i32.const 768))) (i32.load8_u (i32.const 772)))
            (then (global.set $doc (i32.load (i32.const 776))) (call $read {path})))
         (return (call $allow))"
    ))
}

fn counting(filter: &str) -> Guest {
    let mut guest = Guest::new();
    let (kind, filter) = (guest.text("User"), guest.text(filter));
    let call = format!("(call $dir_count {kind} {filter} (i32.const 768))");
    guest.evaluate(&format!("{call} {call} (return (call $allow))"))
}

#[tokio::test]
async fn what_is_found_is_recorded_with_its_version_and_read_like_any_document() {
    let found = reads(getting(2, "userName").capabilities(&["directory:User"])).await;
    let get = LookUp::Get { resource_type: "User".into(), id: id(2).to_string() };
    let read = Read::Document {
        document: DocumentRef::LookedUp { resource_type: "User".into(), id: id(2) },
        path: "userName".into(),
        answer: DocumentAnswer::Value(Some(json!("grace"))),
    };
    assert_eq!(found, [look_up(get, LookUpAnswer::Resources(vec![(id(2), 3)])), read]);
}

#[tokio::test]
async fn absence_is_recorded_too() {
    let found = reads(getting(99, "userName").capabilities(&["directory:User"])).await;
    let get = LookUp::Get { resource_type: "User".into(), id: id(99).to_string() };
    assert_eq!(found, [look_up(get, LookUpAnswer::Resources(vec![]))]);
}

#[tokio::test]
async fn what_is_found_is_read_under_the_same_grants() {
    let found = reads(getting(2, "title").reads(&["userName"]).capabilities(&["directory:User"])).await;
    assert_eq!(found[1], Read::Refused { what: "title".into(), error: "not-granted" });
}

#[tokio::test]
async fn a_repeated_look_up_stands_once_with_its_filter_spelled_canonically() {
    let found = reads(counting("USERNAME sw \"g\"").capabilities(&["directory:User"])).await;
    let count = LookUp::Count { resource_type: "User".into(), filter: "userName sw \"g\"".into() };
    assert_eq!(found, [look_up(count, LookUpAnswer::Count(1))]);
}

#[tokio::test]
async fn a_look_up_that_is_not_granted_is_not_made() {
    let refused = |what: &str| [Read::Refused { what: what.into(), error: "not-granted" }];
    // Imported, and not asked for.
    assert_eq!(reads(counting("title pr")).await, refused("directory.count User title pr"));
    // Asked for, of another type.
    let of_groups = counting("title pr").capabilities(&["directory:Group"]);
    assert_eq!(reads(of_groups).await, refused("directory.count User title pr"));
    // Of the type, by an attribute that is not granted.
    let by_title = counting("title pr").reads(&["userName"]).capabilities(&["directory:User"]);
    assert_eq!(reads(by_title).await, refused("directory.count User title pr"));
}

#[tokio::test]
async fn look_ups_beyond_the_budget_are_refused() {
    let limits = Limits { look_ups_max: 1, ..Limits::default() };
    let guest = counting("title pr").capabilities(&["directory:User"]);
    let evaluation = ask_with(guest, creating(ada()), None, limits, residents()).await;
    assert_allowed(&evaluation);
    assert_eq!(
        evaluation.reads.reads[1],
        Read::Refused { what: "directory.count User title pr".into(), error: "budget-exhausted" }
    );
}

#[tokio::test]
async fn the_groups_of_a_user_are_a_look_up_of_their_own() {
    let found = reads(Guest::reading("groups.value")).await;
    let groups = look_up(LookUp::GroupsOf { id: id(1) }, LookUpAnswer::Groups(vec![id(50)]));
    let read = Read::Document {
        document: DocumentRef::After,
        path: "groups.value".into(),
        answer: DocumentAnswer::Value(Some(json!(id(50).to_string()))),
    };
    assert_eq!(found, [groups, read]);
}

#[tokio::test]
async fn membership_is_looked_up_under_the_capability_of_groups() {
    let asking = || {
        let mut guest = Guest::new();
        let (group, member) = (guest.text(&id(50).to_string()), guest.text(&id(1).to_string()));
        let call = format!("(call $dir_is_member {group} {member} (i32.const 0) (i32.const 768))");
        guest.evaluate(&format!("{call} (return (call $allow))"))
    };
    let question = LookUp::IsMember { group_id: id(50).to_string(), member_id: id(1).to_string(), transitive: false };
    let found = reads(asking().capabilities(&["directory:Group"])).await;
    assert_eq!(found, [look_up(question, LookUpAnswer::Member(true))]);
    let found = reads(asking().capabilities(&["directory:User"])).await;
    assert!(matches!(found[..], [Read::Refused { error: "not-granted", .. }]), "{found:?}");
}

#[tokio::test]
async fn look_ups_are_taken_from_the_budget_of_bytes() {
    let limits = Limits { read_bytes_max: 70, ..Limits::default() };
    let guest = counting("title pr").capabilities(&["directory:User"]);
    let evaluation = ask_with(guest, creating(ada()), None, limits, residents()).await;
    assert_allowed(&evaluation);
    let refused = Read::Refused { what: "directory.count User title pr".into(), error: "budget-exhausted" };
    assert_eq!(evaluation.reads.reads, [refused]);
}

#[tokio::test]
async fn waiting_for_look_ups_does_not_count_towards_the_deadline() {
    let limits = Limits { deadline_ms: 400, ..Limits::default() };
    let slow = Residents { delay: Duration::from_millis(900), ..residents() };
    let guest = counting("title pr").capabilities(&["directory:User"]);
    // The second look-up is counted when the first has been waited for, long after the deadline.
    let evaluation = ask_with(guest, creating(ada()), None, limits, slow).await;
    assert_allowed(&evaluation);
}
