//! Reads of the operation: answers, what is recorded of them, what a grant keeps back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::guest::Guest;
use super::world::{Residents, ada, ask_with, assert_allowed, creating, id, resource, updating};
use crate::change::members::Membership;
use crate::change::{Departure, Difference, MemberEdit, MembersChange, PlannedChange, Removed};
use crate::constraints::Limits;
use crate::decision::reads::{DocumentAnswer, DocumentRef, Read};
use crate::decision::{Evaluation, Verdict};
use crate::scim::path::AttributeRef;
use crate::scim::resource::Member;

/// Calls a function of the state after with one text, and allows.
fn asking(function: &str, text: &str) -> Guest {
    let mut guest = Guest::new();
    let text = guest.text(text);
    let call = match function {
        "json" => format!("(call $doc_json (global.get $doc) (i32.const 1) {text} (i32.const 768))"),
        _ => format!("(call $doc_{function} (global.get $doc) {text} (i32.const 768))"),
    };
    guest.evaluate(&format!("(call $open_after (local.get $op)) {call} {call} (return (call $allow))"))
}

async fn reads(guest: Guest, planned: PlannedChange, grants: Option<Value>) -> Vec<Read> {
    let evaluation = ask_with(guest, planned, grants, Limits::default(), Residents::default()).await;
    assert_allowed(&evaluation);
    evaluation.reads.reads
}

fn after(path: &str, answer: DocumentAnswer) -> Vec<Read> {
    vec![Read::Document { document: DocumentRef::After, path: path.into(), answer }]
}

fn refused(what: &str, error: &'static str) -> Vec<Read> {
    vec![Read::Refused { what: what.into(), error }]
}

#[tokio::test]
async fn a_read_is_recorded_once_with_its_canonical_path_and_its_answer() {
    async fn check(function: &str, text: &str, path: &str, answer: DocumentAnswer) {
        assert_eq!(
            reads(asking(function, text), creating(ada()), None).await,
            after(path, answer),
            "{function} {text}"
        );
    }
    check("read", "USERNAME", "userName", DocumentAnswer::Value(Some(json!("ada")))).await;
    check("read", "nickName", "nickName", DocumentAnswer::Value(None)).await;
    check("read", "name.givenName", "name.givenName", DocumentAnswer::Value(Some(json!("Ada")))).await;
    check("read", "emails", "emails", DocumentAnswer::Value(Some(ada().attributes["emails"][0].clone()))).await;
    check(
        "read-all",
        "emails.value",
        "emails.value",
        DocumentAnswer::Values(vec![json!("ada@example.com"), json!("ada@home.org")]),
    )
    .await;
    check(
        "read",
        "emails[TYPE eq \"home\"].value",
        "emails[type eq \"home\"].value",
        DocumentAnswer::Value(Some(json!("ada@home.org"))),
    )
    .await;
    let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    check("read", department, department, DocumentAnswer::Value(Some(json!("Engines")))).await;
    check("has", "active", "active", DocumentAnswer::Present(true)).await;
    check("has", "title", "title", DocumentAnswer::Present(false)).await;
    check("matches", "active eq true", "active eq true", DocumentAnswer::Matches(true)).await;
    check("json", "name", "name", DocumentAnswer::Json(ada().attributes["name"].clone())).await;
    check("json", "title", "title", DocumentAnswer::Json(Value::Null)).await;
}

#[tokio::test]
async fn what_is_not_granted_is_not_answered() {
    async fn check(asked: &[&str], function: &str, text: &str, error: Option<&'static str>) {
        let found = reads(asking(function, text).reads(asked), creating(ada()), None).await;
        match error {
            Some(error) => assert_eq!(found, refused(text, error), "{asked:?} {text}"),
            None => assert!(matches!(found[..], [Read::Document { .. }]), "{asked:?} {text}: {found:?}"),
        }
    }
    check(&["name"], "read", "name.givenName", None).await;
    check(&["name.givenName"], "read", "name", Some("not-granted")).await;
    check(&["userName"], "read", "title", Some("not-granted")).await;
    check(&["userName"], "has", "title", Some("not-granted")).await;
    check(&["emails.value"], "read", "emails.value", None).await;
    check(&["emails.value"], "read", "emails[type eq \"work\"].value", Some("not-granted")).await;
    check(&["emails.value", "emails.type"], "read", "emails[type eq \"work\"].value", None).await;
    check(&["emails.value"], "matches", "emails co \"example\"", None).await;
    check(&["userName"], "matches", "userName pr and title pr", Some("not-granted")).await;
    check(&["userName"], "read", "id", None).await;
    check(&["userName"], "read", "meta.created", None).await;
    check(&["userName"], "read", "externalId", Some("not-granted")).await;
    check(&[], "read", "shoeSize", Some("invalid")).await;
    check(&[], "matches", "userName eq", Some("invalid")).await;
}

#[tokio::test]
async fn a_password_is_never_answered_not_even_to_who_may_read_everything() {
    for (function, text) in [("read", "password"), ("has", "password"), ("matches", "password pr")] {
        assert_eq!(reads(asking(function, text), creating(ada()), None).await, refused(text, "not-granted"));
    }
    let guest = Guest::evaluating(
        "(call $open_after (local.get $op))
         (call $doc_json (global.get $doc) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 768))
         (return (call $allow))",
    );
    let found = reads(guest, creating(ada()), None).await;
    let [Read::Document { answer: DocumentAnswer::Json(json), .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(json["userName"], "ada");
    assert_eq!(json.get("password"), None);
}

#[tokio::test]
async fn json_of_everything_is_everything_granted() {
    let guest = Guest::evaluating(
        "(call $open_after (local.get $op))
         (call $doc_json (global.get $doc) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 768))
         (return (call $allow))",
    );
    let found = reads(guest.reads(&["userName", "emails.value"]), creating(ada()), None).await;
    let [Read::Document { answer: DocumentAnswer::Json(Value::Object(json)), .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(json.keys().collect::<Vec<_>>(), ["emails", "id", "meta", "schemas", "userName"]);
    assert_eq!(json["emails"], json!([{ "value": "ada@example.com" }, { "value": "ada@home.org" }]));
}

#[tokio::test]
async fn reading_more_than_the_budget_is_refused_and_the_guest_goes_on() {
    let limits = Limits { read_bytes_max: 2, ..Limits::default() };
    let evaluation = ask_with(asking("read", "userName"), creating(ada()), None, limits, Residents::default()).await;
    assert_allowed(&evaluation);
    assert_eq!(evaluation.reads.reads, refused("userName", "budget-exhausted"));
}

/// Calls `has` or `matches` of the state after in a loop, each time with other digits in the text, and allows.
fn asking_many(function: &str, text: &str, calls: u32) -> Guest {
    let mut guest = Guest::new();
    let place = text.find("0000").unwrap();
    let text = guest.text(text);
    let pointer = text.split_inclusive(')').next().unwrap().to_owned();
    let digit = |place: usize, by: u32| {
        format!(
            "(i32.store8 offset={place} {pointer}
                (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $i) (i32.const {by})) (i32.const 10))))"
        )
    };
    let digits: String = [1_000, 100, 10, 1].into_iter().enumerate().map(|(n, by)| digit(place + n, by)).collect();
    guest.evaluate(&format!(
        "(call $open_after (local.get $op))
         (loop $again
            {digits}
            (call $doc_{function} (global.get $doc) {text} (i32.const 768))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const {calls}))))
         (return (call $allow))"
    ))
}

#[tokio::test]
async fn questions_themselves_are_taken_from_the_budget_granted_or_not() {
    let limits = || Limits { read_bytes_max: 20_000, deadline_ms: 10_000, ..Limits::default() };
    let check = async |guest: Guest, error: &str| {
        let evaluation = ask_with(guest, creating(ada()), None, limits(), Residents::default()).await;
        assert_allowed(&evaluation);
        let reads = evaluation.reads.reads;
        let json = serde_json::to_string(&reads).unwrap();
        assert!(json.len() < 40_000, "{} bytes", json.len());
        let (last, rest) = reads.split_last().unwrap();
        assert!(matches!(last, Read::Refused { error: "budget-exhausted", .. }), "{last:?}");
        assert!(rest.len() > 1);
        assert!(rest.iter().all(|read| match read {
            Read::Refused { error: found, .. } => *found == error,
            _ => error.is_empty(),
        }));
    };
    let padding = "x".repeat(1_000);
    check(asking_many("has", &format!("emails[value eq \"0000{padding}\"]"), 500), "").await;
    check(asking_many("matches", &format!("userName eq \"0000{padding}\""), 500), "").await;
    check(asking_many("has", &format!("shoeSize0000{padding}"), 500), "invalid").await;
}

fn title_changed() -> PlannedChange {
    let mut planned = updating(ada(), ada());
    let attribute = |path: &str| AttributeRef::parse(path, &planned.resource_type).unwrap();
    let differences = vec![
        Difference {
            path: "emails[value eq \"ada@new.org\"]".into(),
            attribute: attribute("emails"),
            before: None,
            after: Some(json!({ "type": "other", "value": "ada@new.org" })),
        },
        Difference {
            path: "title".into(),
            attribute: attribute("title"),
            before: None,
            after: Some(json!("Countess")),
        },
    ];
    planned.differences = differences.into();
    planned
}

#[tokio::test]
async fn differences_are_found_at_under_and_above_a_path() {
    async fn check(path: &str, expected: bool) {
        let mut guest = Guest::new();
        let text = guest.text(path);
        let guest = guest
            .evaluate(&format!("(call $op_changes (local.get $op) {text} (i32.const 768)) (return (call $allow))"));
        let expected = vec![Read::Changes { path: path.into(), answer: expected }];
        assert_eq!(reads(guest, title_changed(), None).await, expected);
    }
    check("title", true).await;
    check("userName", false).await;
    check("emails", true).await;
    check("emails.type", true).await;
    check("emails.display", false).await;
}

#[tokio::test]
async fn differences_are_shown_as_far_as_they_are_granted() {
    let guest = Guest::evaluating(
        "(call $op_differences (local.get $op) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 768))
         (return (call $allow))",
    );
    let found = reads(guest.reads(&["userName", "emails.value"]), title_changed(), None).await;
    let address = Some(json!({ "value": "ada@new.org" }));
    let answer = vec![("emails[value eq \"ada@new.org\"]".to_owned(), None, address)];
    assert_eq!(found, [Read::Differences { under: String::new(), answer }]);
}

fn group(number: u128) -> crate::scim::resource::Resource {
    resource("Group", number, json!({ "displayName": "Admins" }))
}

fn member(number: u128) -> Member {
    Member { id: id(number), resource_type: "User".into() }
}

async fn group_read(function: &str, text: &str, members: MembersChange, limits: Limits) -> Evaluation {
    let planned = PlannedChange { members, ..updating(group(50), group(50)) };
    let residents =
        Residents { memberships: (1..=5).map(|number| (id(50), member(number))).collect(), ..Residents::default() };
    ask_with(asking(function, text), planned, None, limits, residents).await
}

#[tokio::test]
async fn the_members_after_are_the_stored_ones_with_the_change_applied() {
    let change = || MembersChange { added: vec![member(9)], removed: vec![member(1)].into() };
    let check = async |function: &str, text: String, expected: DocumentAnswer| {
        let evaluation = group_read(function, &text, change(), Limits::default()).await;
        assert_eq!(evaluation.answer, Ok(Verdict::Allow));
        assert_eq!(evaluation.reads.reads, after(&text, expected), "{function} {text}");
    };
    let ids = [2, 3, 4, 5, 9].map(|number| json!(id(number).to_string())).to_vec();
    check("read-all", "members.value".into(), DocumentAnswer::Values(ids)).await;
    check("has", "members".into(), DocumentAnswer::Present(true)).await;
    for (number, present) in [(1, false), (2, true), (9, true), (77, false)] {
        check("has", format!("members[value eq \"{}\"]", id(number)), DocumentAnswer::Present(present)).await;
        check("matches", format!("members.value eq \"{}\"", id(number)), DocumentAnswer::Matches(present)).await;
    }
}

#[tokio::test]
async fn a_group_that_loses_its_last_member_has_none() {
    let change = MembersChange { added: vec![], removed: (1..=5).map(member).collect::<Vec<_>>().into() };
    let evaluation = group_read("has", "members", change, Limits::default()).await;
    assert_eq!(evaluation.reads.reads, after("members", DocumentAnswer::Present(false)));
}

/// Of five members all but 2 and 4 go, and nobody lists them; 9 comes.
fn departure(kept_members: Option<Vec<Member>>) -> MembersChange {
    let membership = Membership::after(&[MemberEdit::Replace(vec![id(2), id(4), id(9)])]);
    let departure = Departure { membership, removed: 3, kept: 2, kept_members };
    MembersChange { added: vec![member(9)], removed: Removed::Many(Arc::new(departure)) }
}

#[tokio::test]
async fn the_members_after_a_large_replacement_can_be_asked_for_too() {
    let listed = || departure(Some(vec![member(2), member(4)]));
    for (number, present) in [(1, false), (2, true), (9, true), (77, false)] {
        let path = format!("members[value eq \"{}\"]", id(number));
        let evaluation = group_read("has", &path, listed(), Limits::default()).await;
        assert_eq!(evaluation.reads.reads, after(&path, DocumentAnswer::Present(present)));
    }
    let two = format!("members[value eq \"{}\" or value eq \"{}\"].value", id(1), id(2));
    let evaluation = group_read("read-all", &two, listed(), Limits::default()).await;
    assert_eq!(evaluation.reads.reads, after(&two, DocumentAnswer::Values(vec![json!(id(2).to_string())])));

    let all = group_read("read-all", "members.value", listed(), Limits::default()).await;
    let ids = [2, 4, 9].map(|number| json!(id(number).to_string())).to_vec();
    assert_eq!(all.reads.reads, after("members.value", DocumentAnswer::Values(ids)));
    let too_many = group_read("read-all", "members.value", departure(None), Limits::default()).await;
    assert_eq!(too_many.reads.reads, refused("members.value", "budget-exhausted"));
    let any = group_read("has", "members", departure(None), Limits::default()).await;
    assert_eq!(any.reads.reads, after("members", DocumentAnswer::Present(true)));
}

#[tokio::test]
async fn to_ask_whether_a_group_that_is_emptied_has_members_costs_no_more_than_reading_both_lists() {
    let members = || (1..=20_000).map(member).collect::<Vec<_>>();
    let planned = PlannedChange {
        members: MembersChange { added: vec![], removed: members().into() },
        ..updating(group(50), group(50))
    };
    let memberships = members().into_iter().map(|member| (id(50), member)).collect();
    let residents = Residents { memberships, ..Residents::default() };
    let limits = Limits { deadline_ms: 60_000, ..Limits::default() };
    let evaluation = ask_with(asking("has", "members"), planned, None, limits, residents).await;
    assert_eq!(evaluation.reads.reads, after("members", DocumentAnswer::Present(false)));
    // Comparing each with each is 400 million comparisons, seconds without optimisation.
    assert!(evaluation.duration_us < 1_500_000, "{} µs", evaluation.duration_us);
}

#[tokio::test]
async fn a_group_too_large_to_be_read_whole_can_still_be_asked_for_one_member() {
    let limits = || Limits { members_read_max: 3, ..Limits::default() };
    let whole = group_read("read-all", "members.value", MembersChange::default(), limits()).await;
    assert_eq!(whole.reads.reads, refused("members.value", "budget-exhausted"));
    let one = format!("members[value eq \"{}\"].value", id(4));
    let one_member = group_read("read", &one, MembersChange::default(), limits()).await;
    let answer = DocumentAnswer::Value(Some(json!(id(4).to_string())));
    assert_eq!(one_member.reads.reads, after(&one, answer));
}
