//! Differences: what a grant leaves of them, which of them a path picks, and that no value can hide one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::guest::Guest;
use super::world::{Residents, ask_with, assert_allowed, id, resource, updating};
use crate::change::members::Membership;
use crate::change::{Action, Departure, Draft, MemberEdit, MembersChange, PlannedChange, Removed};
use crate::constraints::Limits;
use crate::decision::reads::Read;
use crate::scim::resource::Member;

/// The update of a user from one list of e-mail addresses to another, with the differences that it really has.
fn emails(before: Value, after: Value) -> PlannedChange {
    let user = |emails: Value| resource("User", 1, json!({ "userName": "ada", "emails": emails }));
    let draft = Draft {
        action: Action::Update,
        before: Some(user(before)),
        after: Some(user(after)),
        member_edits: Vec::new(),
        secrets: Vec::new(),
    };
    draft.settle(MembersChange::default()).unwrap()
}

/// What `differences` answers; without a path if it is empty.
async fn differences(
    granted: &[&str],
    under: &str,
    planned: PlannedChange,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut guest = Guest::new();
    let some = u8::from(!under.is_empty());
    let text = guest.text(under);
    let call = format!("(call $op_differences (local.get $op) (i32.const {some}) {text} (i32.const 768))");
    let guest = guest.evaluate(&format!("{call} (return (call $allow))")).reads(granted);
    let evaluation = ask_with(guest, planned, None, Limits::default(), Residents::default()).await;
    assert_allowed(&evaluation);
    match evaluation.reads.reads.into_iter().next() {
        Some(Read::Differences { answer, .. }) => answer,
        other => panic!("{other:?}"),
    }
}

fn row(path: &str, before: Option<Value>, after: Option<Value>) -> (String, Option<Value>, Option<Value>) {
    (path.to_owned(), before, after)
}

#[tokio::test]
async fn a_value_that_comes_is_shown_as_far_as_its_parts_are_granted() {
    let added = || emails(json!([]), json!([{ "value": "ada@new.org", "type": "work" }]));
    let path = "emails[value eq \"ada@new.org\"]";
    let all = Some(json!({ "value": "ada@new.org", "type": "work" }));
    assert_eq!(differences(&["emails"], "", added()).await, [row(path, None, all)]);
    let value = Some(json!({ "value": "ada@new.org" }));
    assert_eq!(differences(&["emails.value"], "", added()).await, [row(path, None, value)]);
    let under = row("emails[value eq \"ada@new.org\"].value", None, Some(json!("ada@new.org")));
    assert_eq!(differences(&["emails.value"], "emails.value", added()).await, [under]);
    // The filter would tell the value, which is not granted.
    assert_eq!(
        differences(&["emails.type"], "", added()).await,
        [row("emails", None, Some(json!({ "type": "work" })))]
    );
    assert_eq!(differences(&["emails.display"], "", added()).await, []);
}

#[tokio::test]
async fn a_change_cannot_be_hidden_by_a_value_that_is_there_twice() {
    let twice = |value: &str| json!([{ "value": value, "type": "work" }, { "value": value, "type": "home" }]);
    let found = differences(&["emails.value"], "emails.value", emails(json!([]), twice("a@x.org"))).await;
    let shown = row("emails.value", None, Some(json!("a@x.org")));
    assert_eq!(found, [shown.clone(), shown]);
}

#[tokio::test]
async fn a_change_cannot_be_hidden_by_a_value_too_long_for_a_path() {
    let long = "a".repeat(5_000);
    let found = differences(&[], "emails", emails(json!([]), json!([{ "value": long }]))).await;
    assert_eq!(found, [row("emails", None, Some(json!({ "value": long })))]);
    let typed = |kind: &str| json!([{ "value": long, "type": kind }]);
    let found = differences(&[], "emails.type", emails(typed("home"), typed("work"))).await;
    assert_eq!(found, [row("emails.type", Some(json!("home")), Some(json!("work")))]);
}

#[tokio::test]
async fn a_value_filter_picks_the_values_that_match_before_or_after() {
    let before = || json!([{ "value": "old@x.org", "type": "work" }, { "value": "b@x.org", "type": "home" }]);
    let replaced = || emails(before(), json!([{ "value": "new@x.org", "type": "work" }, before()[1]]));
    let work = "emails[type eq \"work\"].value";
    let gone = row("emails[value eq \"old@x.org\"].value", Some(json!("old@x.org")), None);
    let come = row("emails[value eq \"new@x.org\"].value", None, Some(json!("new@x.org")));
    assert_eq!(differences(&[], work, replaced()).await, [come, gone]);
    assert_eq!(differences(&[], "emails[type eq \"home\"].value", replaced()).await, []);
    // Of a value that stays, something differs: it is that value's type that the filter is asked about.
    let retyped = || emails(before(), json!([before()[0], { "value": "b@x.org", "type": "other" }]));
    let kind = row("emails[value eq \"b@x.org\"].type", Some(json!("home")), Some(json!("other")));
    assert_eq!(differences(&[], "emails[type eq \"home\"]", retyped()).await, std::slice::from_ref(&kind));
    assert_eq!(differences(&[], "emails[type eq \"other\"].type", retyped()).await, [kind]);
    assert_eq!(differences(&[], "emails[type eq \"work\"]", retyped()).await, []);
}

async fn changes(path: &str, planned: PlannedChange) -> bool {
    let mut guest = Guest::new();
    let text = guest.text(path);
    let call = format!("(call $op_changes (local.get $op) {text} (i32.const 768)) (return (call $allow))");
    let evaluation = ask_with(guest.evaluate(&call), planned, None, Limits::default(), Residents::default()).await;
    assert_allowed(&evaluation);
    match evaluation.reads.reads[..] {
        [Read::Changes { answer, .. }] => answer,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_path_with_a_filter_changes_when_it_selects_something_else() {
    let work = |value: &str| json!({ "value": value, "type": "work" });
    let home = |value: &str| json!({ "value": value, "type": "home" });
    let path = "emails[type eq \"work\"].value";
    assert!(changes(path, emails(json!([work("old@x.org")]), json!([work("new@x.org")]))).await);
    assert!(changes(path, emails(json!([home("a@x.org")]), json!([work("a@x.org")]))).await);
    assert!(!changes(path, emails(json!([work("w@x.org")]), json!([work("w@x.org"), home("h@x.org")]))).await);
    // The order of values is no difference.
    let reordered =
        emails(json!([work("a@x.org"), work("b@x.org")]), json!([work("b@x.org"), work("a@x.org"), home("h@x.org")]));
    assert!(!changes(path, reordered).await);
}

#[tokio::test]
async fn members_that_come_or_go_are_picked_by_a_filter() {
    let group = || resource("Group", 50, json!({ "displayName": "Admins" }));
    let member = Member { id: id(9), resource_type: "User".into() };
    let draft = Draft {
        action: Action::Update,
        before: Some(group()),
        after: Some(group()),
        member_edits: Vec::new(),
        secrets: Vec::new(),
    };
    let planned = draft.settle(MembersChange { added: vec![member], removed: Removed::default() }).unwrap();
    assert!(changes(&format!("members[value eq \"{}\"]", id(9)), planned.clone()).await);
    assert!(changes("members[type eq \"User\"].value", planned.clone()).await);
    assert!(!changes(&format!("members[value eq \"{}\"]", id(8)), planned).await);
}

/// Of the members 1 to 5, the change lists none; 2 stays, 9 comes.
fn replaced() -> (PlannedChange, Residents) {
    let group = || resource("Group", 50, json!({ "displayName": "Admins" }));
    let member = |number| Member { id: id(number), resource_type: "User".into() };
    let membership = Membership::after(&[MemberEdit::Replace(vec![id(2), id(9)])]);
    let departure = Departure { membership, removed: 4, kept: 1, kept_members: None };
    let change = MembersChange { added: vec![member(9)], removed: Removed::Many(Arc::new(departure)) };
    let planned = PlannedChange { members: change, ..updating(group(), group()) };
    let memberships = (1..=5).map(|number| (id(50), member(number))).collect();
    (planned, Residents { memberships, ..Residents::default() })
}

/// What `differences` of [`replaced`] answers.
async fn of_replaced(under: &str, limits: Limits) -> Vec<Read> {
    let mut guest = Guest::new();
    let text = guest.text(under);
    let call = format!("(call $op_differences (local.get $op) (i32.const 1) {text} (i32.const 768))");
    let changes = format!("(call $op_changes (local.get $op) {text} (i32.const 768))");
    let (planned, residents) = replaced();
    let guest = guest.evaluate(&format!("{call} {changes} (return (call $allow))"));
    let evaluation = ask_with(guest, planned, None, limits, residents).await;
    assert_allowed(&evaluation);
    evaluation.reads.reads
}

#[tokio::test]
async fn members_that_go_without_being_listed_are_told_and_picked_like_the_others() {
    let check = async |under: &str, expected: &[u128]| {
        let reads = of_replaced(under, Limits::default()).await;
        let [Read::Differences { answer, .. }, Read::Changes { answer: any, .. }] = &reads[..] else {
            panic!("{reads:?}")
        };
        let told: Vec<(String, bool)> =
            answer.iter().map(|(path, before, _)| (path.clone(), before.is_none())).collect();
        let expected: Vec<(String, bool)> =
            expected.iter().map(|number| (format!("members[value eq \"{}\"]", id(*number)), *number == 9)).collect();
        assert_eq!((told, *any), (expected.clone(), !expected.is_empty()), "{under}");
    };
    check("members", &[1, 3, 4, 5, 9]).await;
    check("members[type eq \"User\"]", &[1, 3, 4, 5, 9]).await;
    check("members[type eq \"Group\"]", &[]).await;
    for (number, differs) in [(1, true), (2, false), (9, true), (77, false)] {
        let expected = [number];
        check(&format!("members[value eq \"{}\"]", id(number)), if differs { &expected } else { &[] }).await;
    }
    check("displayName", &[]).await;
}

/// More than there is room for is refused before anything is told, and what is asked for then is answered.
#[tokio::test]
async fn too_many_members_are_refused_as_one_and_can_be_asked_for_by_name() {
    let reads = of_replaced("members", Limits { read_bytes_max: 500, ..Limits::default() }).await;
    assert!(
        matches!(&reads[..], [Read::Refused { error: "budget-exhausted", .. }, Read::Changes { answer: true, .. }]),
        "{reads:?}"
    );
}

#[tokio::test]
async fn differences_beyond_the_budget_are_refused() {
    let limits = Limits { read_bytes_max: 1_000, ..Limits::default() };
    let guest = Guest::evaluating(
        "(call $op_differences (local.get $op) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 768))
         (return (call $allow))",
    );
    let planned = emails(json!([]), json!([{ "value": "a".repeat(2_000) }]));
    let evaluation = ask_with(guest, planned, None, limits, Residents::default()).await;
    assert_allowed(&evaluation);
    assert_eq!(evaluation.reads.reads, [Read::Refused { what: String::new(), error: "budget-exhausted" }]);
}
