//! The decision log: what is in it, and how it is searched.

use std::sync::Arc;

use serde_json::json;

use super::world::{World, denial, evaluation, refusal_of, tick, user};
use crate::change::MembersChange;
use crate::decision::reads::{DocumentAnswer, DocumentRef};
use crate::decision::{
    ConstraintFault, ConstraintName, DecisionId, FailurePolicy, LookUp, LookUpAnswer, Mode, Outcome, Read, Verdict,
};
use crate::store::{DecisionQuery, DecisionSpan, Store, TenantChange};

pub(crate) async fn a_refusal_is_recorded_in_full(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = user("ada");
    let looked_up = DocumentRef::LookedUp { resource_type: "User".to_owned(), id: ada.id };
    let read = |document, path: &str, answer| Read::Document { document, path: path.to_owned(), answer };
    let reads = vec![
        read(DocumentRef::Before, "userName", DocumentAnswer::Value(None)),
        read(DocumentRef::After, "emails.value", DocumentAnswer::Values(vec![json!("a@x")])),
        read(looked_up, "title", DocumentAnswer::Present(false)),
        read(DocumentRef::After, "active eq true", DocumentAnswer::Matches(true)),
        read(DocumentRef::After, "", DocumentAnswer::Json(json!({ "z": 1, "a": 0.5 }))),
        Read::Differences {
            under: "emails".to_owned(),
            answer: vec![("emails.value".to_owned(), None, Some(json!("a@x")))],
        },
        Read::Changes { path: "active".to_owned(), answer: false },
        Read::LookUp {
            look_up: LookUp::Find { resource_type: "User".to_owned(), filter: "active eq true".to_owned(), limit: 2 },
            answer: LookUpAnswer::Resources(vec![(ada.id, 3)]),
        },
        Read::Refused { what: "title".to_owned(), error: "not-granted" },
    ];
    let mut guard = denial("guard");
    guard.reads.reads = reads;
    guard.notes = vec![("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())];
    let mut broken = evaluation("broken", Mode::Shadow, Verdict::Allow, Vec::new());
    broken.answer = Err(ConstraintFault::OutOfFuel { fuel_max: 10 });
    broken.on_fault = FailurePolicy::Allow;

    let record = refusal_of(&ada, vec![guard, broken]);
    acme.tenant.record_refusal(Arc::new(record.clone())).await.unwrap();
    let stored = acme.tenant.decision(record.id).await.unwrap().unwrap();
    let id = ada.id.to_string();
    let expected = json!({
        "id": record.id.to_string(), "at": record.at.to_string(), "request_id": "request", "generation": 0,
        "actor": { "subject": "token", "label": "Entra", "scopes": ["scim"] },
        "action": "create", "resource_type": "User", "resource_id": id, "resource_version": null, "outcome": "denied",
        "evaluations": [
            {
                "constraint": "guard", "plugin": "plugin", "version": 1, "digest": "00".repeat(32), "mode": "enforce",
                "on_fault": "deny", "verdict": "deny", "reasons": [{ "code": "no", "message": "No." }],
                "reads": [
                    { "document": "before", "path": "userName", "value": null },
                    { "document": "after", "path": "emails.value", "values": ["a@x"] },
                    { "document": format!("User/{id}"), "path": "title", "present": false },
                    { "document": "after", "path": "active eq true", "matches": true },
                    { "document": "after", "path": "", "json": { "z": 1, "a": 0.5 } },
                    { "differences_under": "emails", "answer": [{ "path": "emails.value", "after": "a@x" }] },
                    { "changes": "active", "answer": false },
                    { "look_up": { "kind": "find", "resource_type": "User", "filter": "active eq true", "limit": 2 },
                      "answer": [{ "id": id, "version": 3 }] },
                    { "refused": "title", "error": "not-granted" }
                ],
                "warnings": [], "notes": [{ "key": "k", "value": "1" }, { "key": "k", "value": "2" }],
                "fuel_used": 1, "memory_bytes": 65_536, "duration_us": 9
            },
            {
                "constraint": "broken", "plugin": "plugin", "version": 1, "digest": "00".repeat(32), "mode": "shadow",
                "on_fault": "allow", "verdict": "fault",
                "fault": { "kind": "out-of-fuel", "message": "the constraint used all of its fuel (10)" },
                "reads": [], "warnings": [], "notes": [], "fuel_used": 1, "memory_bytes": 65_536, "duration_us": 9
            }
        ]
    });
    assert_eq!((stored.id, stored.record), (record.id, expected));
    let other = World::new(store, "other").await;
    assert_eq!(other.tenant.decision(record.id).await.unwrap(), None);
}

async fn ids(world: &World, query: DecisionQuery) -> (Vec<DecisionId>, Option<DecisionId>) {
    let page = world.tenant.decisions(query).await.unwrap();
    (page.decisions.into_iter().map(|decision| decision.id).collect(), page.next)
}

pub(crate) async fn the_log_is_searched_by_time_outcome_constraint_and_resource(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (user("ada"), user("bob"));
    let mut records = Vec::new();
    for (subject, name) in [(&ada, "guard"), (&bob, "guard"), (&ada, "guard-2")] {
        let record = refusal_of(subject, vec![denial(name)]);
        acme.tenant.record_refusal(Arc::new(record.clone())).await.unwrap();
        records.push(record);
    }
    acme.commit(None, Some(&ada), MembersChange::default(), Vec::new()).await.unwrap();
    let any = || DecisionQuery { limit: 10, ..DecisionQuery::default() };
    let (all, _) = ids(&acme, any()).await;
    let [first, second, third] = [records[0].id, records[1].id, records[2].id];
    let allowed = all[0];
    let named = |name: &str| Some(ConstraintName(name.to_owned()));

    let check = async |query: DecisionQuery, expected: &[DecisionId]| {
        assert_eq!(ids(&acme, query.clone()).await, (expected.to_vec(), None), "{query:?}");
        // The same, one by one.
        let (mut one_by_one, mut before) = (Vec::new(), query.before);
        loop {
            let (page, next) = ids(&acme, DecisionQuery { limit: 1, before, ..query.clone() }).await;
            one_by_one.extend(page);
            let Some(next) = next else { break };
            before = Some(next);
        }
        assert_eq!(one_by_one, expected, "{query:?}");
    };
    check(any(), &[allowed, third, second, first]).await;
    check(DecisionQuery { outcome: Some(Outcome::Denied), ..any() }, &[third, second, first]).await;
    check(DecisionQuery { outcome: Some(Outcome::Allowed), ..any() }, &[allowed]).await;
    check(DecisionQuery { outcome: Some(Outcome::Held), ..any() }, &[]).await;
    check(DecisionQuery { constraint: named("guard"), ..any() }, &[second, first]).await;
    check(DecisionQuery { constraint: named("guar"), ..any() }, &[]).await;
    check(DecisionQuery { resource: Some(ada.id.0), ..any() }, &[allowed, third, first]).await;
    check(DecisionQuery { resource: Some(ada.id.0), outcome: Some(Outcome::Denied), ..any() }, &[third, first]).await;
    check(DecisionQuery { since: Some(records[2].at), ..any() }, &[allowed, third]).await;
    check(DecisionQuery { before: Some(second), ..any() }, &[first]).await;
    check(DecisionQuery { since: Some(records[1].at), constraint: named("guard"), ..any() }, &[second]).await;
}

pub(crate) async fn the_oldest_decisions_are_dropped_first_and_no_more_than_wanted(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    for n in 0..5 {
        acme.user(&format!("user-{n}")).await;
    }
    other.user("ada").await;
    let after_them = tick();
    acme.user("late").await;
    let oldest = |most| acme.tenant.oldest_decisions(DecisionSpan::before(after_them), most);
    let ids: Vec<DecisionId> = oldest(10).await.unwrap().iter().map(|decision| decision.id).collect();
    assert!(ids.len() == 5 && ids.is_sorted(), "{ids:?}");
    assert_eq!(oldest(2).await.unwrap().last().unwrap().id, ids[1]);

    let drop_some = |through, most| acme.tenant.drop_decisions(DecisionSpan::before(after_them), through, most);
    assert_eq!(drop_some(Some(ids[1]), 10).await.unwrap(), 2);
    assert_eq!(drop_some(Some(ids[1]), 10).await.unwrap(), 0);
    assert_eq!(drop_some(None, 1).await.unwrap(), 1);
    assert_eq!(oldest(1).await.unwrap()[0].id, ids[3]);
    assert_eq!(drop_some(None, 10).await.unwrap(), 2);
    let left = acme.tenant.decisions(DecisionQuery { limit: 10, ..DecisionQuery::default() }).await.unwrap();
    assert_eq!(left.decisions.len(), 1);
    assert_eq!(other.tenant.oldest_decisions(DecisionSpan::before(after_them), 10).await.unwrap().len(), 1);

    let keep = |decisions_kept_days| {
        acme.tenant.change(TenantChange { decisions_kept_days: Some(decisions_kept_days), ..TenantChange::default() })
    };
    assert_eq!(store.forgetful_tenants().await.unwrap(), []);
    let kept = keep(Some(7)).await.unwrap();
    assert_eq!(kept.decisions_kept_days, Some(7));
    assert_eq!(store.forgetful_tenants().await.unwrap(), [kept]);
    keep(None).await.unwrap();
    assert_eq!(store.forgetful_tenants().await.unwrap(), []);
}

pub(crate) async fn decisions_are_dropped_of_a_span_of_time_alone(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let mut times = Vec::new();
    for n in 0..5 {
        times.push(tick());
        acme.user(&format!("user-{n}")).await;
    }
    let all: Vec<DecisionId> = ids(&acme, DecisionQuery { limit: 10, ..DecisionQuery::default() }).await.0;
    let span = DecisionSpan { from: Some(times[1]), before: times[4] };
    let oldest = acme.tenant.oldest_decisions(span, 2).await.unwrap();
    assert_eq!(oldest.iter().map(|decision| decision.id).collect::<Vec<_>>(), [all[3], all[2]]);
    assert_eq!(acme.tenant.drop_decisions(span, Some(all[2]), 10).await.unwrap(), 2);
    assert_eq!(acme.tenant.drop_decisions(span, None, 10).await.unwrap(), 1);
    assert_eq!(ids(&acme, DecisionQuery { limit: 10, ..DecisionQuery::default() }).await.0, [all[0], all[4]]);
}

pub(crate) async fn a_log_that_nobody_has_divided_is_one_table(store: &dyn Store) {
    assert_eq!(store.decision_partitions().await.unwrap(), []);
}
