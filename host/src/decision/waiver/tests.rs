use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::change::{Action, Draft, MembersChange};
use crate::decision::decide::{AdmittedChange, DecisionContext, Refusal, RefusalKind};
use crate::decision::{Actor, ConstraintFault, DecisionId, FailurePolicy, Hold, Outcome, ReadSet, decide};
use crate::scim::meta::Meta;
use crate::scim::resource::Resource;
use crate::scim::schema::{ResourceType, SchemaRegistry};

fn users() -> Arc<ResourceType> {
    Arc::clone(SchemaRegistry::core().resource_type("User").unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn user(attributes: Value) -> Resource {
    let Value::Object(attributes) = attributes else { panic!("an object") };
    let meta = Meta { created: at(0), last_modified: at(0), version: 1 };
    Resource { resource_type: users(), id: ResourceId(Uuid::from_u128(1)), attributes, meta }
}

fn planned(before: Option<Value>, after: Option<Value>) -> PlannedChange {
    let action = match (&before, &after) {
        (None, _) => Action::Create,
        (_, None) => Action::Delete,
        _ => Action::Update,
    };
    let (before, after) = (before.map(user), after.map(user));
    let draft = Draft { action, before, after, member_edits: Vec::new(), secrets: Vec::new() };
    draft.settle(MembersChange::default()).unwrap()
}

fn renamed() -> PlannedChange {
    planned(Some(json!({ "userName": "ada" })), Some(json!({ "userName": "bob" })))
}

fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), message: code.to_owned(), paths: Vec::new(), scim_type: None }
}

fn saying(answer: Result<Verdict, ConstraintFault>) -> Evaluation {
    Evaluation {
        constraint: ConstraintName("guard".to_owned()),
        plugin: "guard".to_owned(),
        version: 1,
        digest: String::new(),
        mode: Mode::Enforce,
        on_fault: FailurePolicy::Deny,
        answer,
        reads: ReadSet::default(),
        waived: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        fuel_used: 0,
        memory_bytes: 0,
        duration_us: 0,
    }
}

fn denying(codes: &[&str]) -> Evaluation {
    saying(Ok(Verdict::Deny(codes.iter().map(|code| reason(code)).collect())))
}

fn waiver(number: u128, code: &str) -> Waiver {
    Waiver {
        id: WaiverId(Uuid::from_u128(number)),
        constraint: ConstraintName("guard".to_owned()),
        code: code.to_owned(),
        waived_for: WaivedFor::Resource(ResourceId(Uuid::from_u128(1))),
        until: at(100),
    }
}

fn matching(filter: &str) -> Waiver {
    let filter = Filter::parse(filter, &users()).unwrap();
    Waiver { waived_for: WaivedFor::Matching { resource_type: "User".to_owned(), filter }, ..waiver(1, "late") }
}

fn decided(
    planned: PlannedChange,
    evaluations: Vec<Evaluation>,
    waivers: &[Waiver],
    second: i64,
) -> Result<AdmittedChange, Box<Refusal>> {
    let context = DecisionContext {
        id: DecisionId(Uuid::nil()),
        at: at(second),
        request_id: String::new(),
        txn: None,
        generation: 1,
        actor: Actor { subject: String::new(), label: String::new(), scopes: Vec::new() },
    };
    decide(context, planned, evaluations, waivers)
}

#[test]
fn a_change_passes_when_every_reason_is_waived_and_says_by_which() {
    let waivers = [waiver(1, "late"), waiver(2, "far")];
    let admitted = decided(renamed(), vec![denying(&["late", "far"])], &waivers, 50).unwrap();
    assert_eq!(admitted.waivers_used(), [waivers[0].id, waivers[1].id]);
    let record = serde_json::to_value(&**admitted.record()).unwrap();
    assert_eq!(record["outcome"], "allowed");
    let evaluation = &record["evaluations"][0];
    assert_eq!(evaluation["verdict"], "deny", "it has said so all the same");
    let second = json!({ "reason": 1, "code": "far", "waiver": waivers[1].id.to_string() });
    assert_eq!(evaluation["waived"][1], second);
}

#[test]
fn reasons_that_are_not_waived_still_refuse_and_are_the_only_ones_told() {
    let refusal = decided(renamed(), vec![denying(&["late", "far"])], &[waiver(1, "late")], 50).unwrap_err();
    let codes: Vec<&str> = refusal.reasons.iter().map(|(_, reason)| reason.code.as_str()).collect();
    assert_eq!((refusal.kind, codes), (RefusalKind::Denied, vec!["far"]));
    let other = Waiver { constraint: ConstraintName("other".to_owned()), ..waiver(1, "late") };
    decided(renamed(), vec![denying(&["late"])], &[other], 50).unwrap_err();
    let elsewhere = WaivedFor::Resource(ResourceId(Uuid::from_u128(2)));
    let elsewhere = Waiver { waived_for: elsewhere, ..waiver(1, "late") };
    decided(renamed(), vec![denying(&["late"])], &[elsewhere], 50).unwrap_err();
}

#[test]
fn a_waiver_ends_at_its_time() {
    decided(renamed(), vec![denying(&["late"])], &[waiver(1, "late")], 99).unwrap();
    decided(renamed(), vec![denying(&["late"])], &[waiver(1, "late")], 100).unwrap_err();
}

#[test]
fn nobody_gets_under_a_waiver_by_the_change_that_it_is_for() {
    let late = || vec![denying(&["late"])];
    let (ada, bob) = (json!({ "userName": "ada" }), json!({ "userName": "bob" }));
    let of_bob = [matching("userName eq \"bob\"")];
    decided(renamed(), late(), &of_bob, 50).unwrap_err();
    decided(renamed(), late(), &[matching("userName eq \"ada\"")], 50).unwrap();
    decided(planned(None, Some(bob.clone())), late(), &of_bob, 50).unwrap();
    decided(planned(Some(bob), None), late(), &of_bob, 50).unwrap();
    decided(planned(Some(ada), None), late(), &of_bob, 50).unwrap_err();
    let groups = WaivedFor::Matching {
        resource_type: "Group".to_owned(),
        filter: Filter::parse("userName pr", &users()).unwrap(),
    };
    decided(renamed(), late(), &[Waiver { waived_for: groups, ..waiver(1, "late") }], 50).unwrap_err();
}

#[test]
fn a_hold_is_waived_and_a_fault_is_not() {
    let hold = |codes: &[&str]| {
        let reasons = codes.iter().map(|code| reason(code)).collect();
        saying(Ok(Verdict::Hold(Hold { reasons, not_before_seconds: None, expires_after_seconds: None })))
    };
    decided(renamed(), vec![hold(&["late"])], &[waiver(1, "late")], 50).unwrap();
    let held = decided(renamed(), vec![hold(&["late", "far"])], &[waiver(1, "late")], 50).unwrap_err();
    assert_eq!(held.record.outcome, Outcome::Held);
    let broken = saying(Err(ConstraintFault::Failed { message: "late".to_owned() }));
    let faulted = decided(renamed(), vec![broken], &[waiver(1, "failed"), waiver(2, "late")], 50).unwrap_err();
    assert_eq!(faulted.record.outcome, Outcome::Faulted);
}

#[test]
fn what_refuses_nothing_needs_no_waiver() {
    let shadow = Evaluation { mode: Mode::Shadow, ..denying(&["late"]) };
    let admitted = decided(renamed(), vec![shadow, saying(Ok(Verdict::Allow))], &[waiver(1, "late")], 50).unwrap();
    assert!(admitted.waivers_used().is_empty());
}
