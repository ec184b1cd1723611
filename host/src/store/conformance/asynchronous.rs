//! Requests that are answered before they are carried out, and what is set of a tenant.

use std::sync::Arc;

use jiff::Timestamp;

use super::world::{World, context, denial, id_at, planned, tick, user};
use crate::change::MembersChange;
use crate::decision::decide::DecisionContext;
use crate::decision::{Refusal, Txn, decide};
use crate::scim::profile::Profile;
use crate::store::{Finish, NewAsyncRequest, Progress, Store, StoreError, TenantChange};

async fn accepted(world: &World, request: &str) -> Txn {
    let at = tick();
    let txn = Txn(id_at(at));
    world.tenant.accept(NewAsyncRequest { txn, accepted_at: at, request: request.to_owned() }).await.unwrap();
    txn
}

fn finish(txn: Txn, outcome: &str) -> Finish {
    Finish { txn, at: tick(), outcome: outcome.to_owned(), kept_max: 2, kept_since: Timestamp::UNIX_EPOCH }
}

async fn outcome(world: &World, txn: Txn) -> Option<String> {
    match world.tenant.async_request(txn).await.unwrap()?.progress {
        Progress::Finished { outcome, .. } => Some(outcome),
        Progress::Unfinished { request } => panic!("unfinished: {request}"),
    }
}

pub(crate) async fn an_accepted_request_is_kept_until_it_is_finished_and_then_its_outcome(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let first = accepted(&acme, "first").await;
    let foreign = accepted(&other, "foreign").await;
    let second = accepted(&acme, "second").await;
    let unfinished: Vec<Txn> = store.unfinished().await.unwrap().into_iter().map(|(_, txn)| txn).collect();
    assert_eq!(unfinished, [first, foreign, second]);
    let kept = acme.tenant.async_request(first).await.unwrap().unwrap();
    assert_eq!(kept.progress, Progress::Unfinished { request: "first".to_owned() });
    assert_eq!(other.tenant.async_request(first).await.unwrap(), None, "another tenant sees it");

    let done = finish(first, "done");
    acme.tenant.finish(done.clone()).await.unwrap();
    let kept = acme.tenant.async_request(first).await.unwrap().unwrap();
    assert_eq!(kept.progress, Progress::Finished { at: done.at, outcome: "done".to_owned() });
    // What is finished stays as it is, and nobody finishes what is another tenant's.
    acme.tenant.finish(finish(first, "otherwise")).await.unwrap();
    assert_eq!(outcome(&acme, first).await.as_deref(), Some("done"));
    other.tenant.finish(finish(second, "stolen")).await.unwrap();
    let unfinished: Vec<Txn> = store.unfinished().await.unwrap().into_iter().map(|(_, txn)| txn).collect();
    assert_eq!(unfinished, [foreign, second]);

    store.delete_tenant("other").await.unwrap();
    assert_eq!(store.unfinished().await.unwrap().len(), 1);
    let late = other.tenant.finish(finish(foreign, "late")).await;
    assert!(matches!(late, Err(StoreError::NoTenant)), "{late:?}");
}

pub(crate) async fn the_oldest_outcomes_go_and_unfinished_requests_stay(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let waiting = accepted(&acme, "waiting").await;
    let foreign = accepted(&other, "foreign").await;
    other.tenant.finish(finish(foreign, "foreign")).await.unwrap();
    let mut txns = Vec::new();
    for number in ["0", "1", "2"] {
        let txn = accepted(&acme, number).await;
        acme.tenant.finish(finish(txn, number)).await.unwrap();
        txns.push(txn);
    }
    let mut kept = Vec::new();
    for txn in &txns {
        kept.push(outcome(&acme, *txn).await);
    }
    assert_eq!(kept, [None, Some("1".to_owned()), Some("2".to_owned())], "two are kept");

    let last = accepted(&acme, "last").await;
    let kept_since = tick();
    acme.tenant.finish(Finish { kept_since, ..finish(last, "last") }).await.unwrap();
    assert_eq!(outcome(&acme, txns[2]).await, None, "it is older than what is kept");
    assert_eq!(outcome(&acme, last).await.as_deref(), Some("last"));
    assert!(acme.tenant.async_request(waiting).await.unwrap().is_some());
    assert!(other.tenant.async_request(foreign).await.unwrap().is_some(), "another tenant's went");
}

pub(crate) async fn the_decisions_of_an_accepted_request_are_found_by_it(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let (txn, ada, bob) = (Txn(id_at(tick())), user("ada"), user("bob"));
    let of_request = || DecisionContext { txn: Some(txn), ..context(0) };
    let new = |resource| planned(None, Some(resource), MembersChange::default());
    assert_eq!(acme.tenant.decisions_of(txn).await.unwrap(), []);

    let admitted = decide(of_request(), new(&ada), Vec::new(), &[]).expect("admitted");
    let allowed = admitted.record().id;
    acme.tenant.commit(Arc::new(admitted)).await.unwrap();
    let Refusal { record, .. } = *decide(of_request(), new(&bob), vec![denial("guard")], &[]).unwrap_err();
    let denied = record.id;
    acme.tenant.record_refusal(record).await.unwrap();
    acme.create(&user("eve")).await.unwrap();

    let found = acme.tenant.decisions_of(txn).await.unwrap();
    let ids: Vec<_> = found.iter().map(|decision| decision.id).collect();
    assert_eq!(ids, [allowed, denied]);
    assert!(found.iter().all(|decision| decision.record["txn"] == txn.to_string()));
    assert_eq!(other.tenant.decisions_of(txn).await.unwrap(), []);
}

pub(crate) async fn what_is_set_of_a_tenant_is_set_and_the_rest_stays(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    World::new(store, "other").await;
    let change =
        |profile, respond_async| acme.tenant.change(TenantChange { profile, respond_async, ..TenantChange::default() });
    let changed = change(None, Some(true)).await.unwrap();
    assert_eq!((changed.profile, changed.respond_async, changed.generation), (Profile::Rfc, true, 0));
    let changed = change(Some(Profile::Okta), None).await.unwrap();
    // What was planned by another profile must not commit.
    assert_eq!((changed.profile, changed.respond_async, changed.generation), (Profile::Okta, true, 1));
    assert_eq!(store.tenant_named("acme").await.unwrap(), Some(changed));
    assert_eq!(acme.tenant.model().await.unwrap().profile, Profile::Okta);
    let changed = change(Some(Profile::Entra), Some(false)).await.unwrap();
    assert_eq!((changed.profile, changed.respond_async, changed.generation), (Profile::Entra, false, 2));
    let other = store.tenant_named("other").await.unwrap().unwrap();
    assert_eq!((other.profile, other.respond_async, other.generation), (Profile::Rfc, false, 0));
    store.delete_tenant("acme").await.unwrap();
    let gone = change(Some(Profile::Rfc), None).await;
    assert!(matches!(gone, Err(StoreError::NoTenant)), "{gone:?}");
}
