//! Waivers: kept for ever, in force for a while, counted where something is committed by them.

use jiff::Timestamp;

use super::world::{World, context, denial, id_at, planned, tick, user};
use crate::change::MembersChange;
use crate::decision::{ConstraintName, DecisionId, WaivedFor, Waiver, WaiverId, decide};
use crate::scim::resource::ResourceId;
use crate::store::{CommitError, NewWaiver, Store, WaiverTarget, WaiverWords};

pub(crate) fn waiver(target: WaiverTarget, until: Timestamp) -> NewWaiver {
    let at = tick();
    let words = WaiverWords {
        constraint: ConstraintName("guard".to_owned()),
        code: "no".to_owned(),
        target,
        until,
        ticket: "T-1".to_owned(),
    };
    NewWaiver { id: WaiverId(id_at(at)), words, by: "Ada".to_owned(), at }
}

pub(crate) fn matching(filter: &str) -> WaiverTarget {
    WaiverTarget::Matching { resource_type: "User".to_owned(), filter: filter.to_owned() }
}

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) async fn waivers_are_in_force_until_they_end_and_stay_in_the_list(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let of_one = WaiverTarget::Resource(ResourceId(id_at(tick())));
    let first = acme.tenant.add_waiver(waiver(of_one, second(2_000_000_000))).await.unwrap();
    let next = acme.tenant.add_waiver(waiver(matching("active eq true"), second(2_000_000_100))).await.unwrap();
    assert_eq!((acme.generation().await, other.generation().await), (2, 0), "each raises its tenant's generation");

    let in_force = async |at| {
        let (model, _, waivers) = acme.tenant.in_force(second(at)).await.unwrap();
        (model.generation, waivers.into_iter().map(|waiver| waiver.made.id).collect::<Vec<_>>())
    };
    let (one, two) = (first.made.id, next.made.id);
    assert_eq!(in_force(1_999_999_999).await, (2, vec![one, two]));
    assert_eq!(in_force(2_000_000_000).await, (2, vec![two]));
    assert_eq!(in_force(2_000_000_100).await, (2, vec![]));

    let at = tick();
    let revoked = acme.tenant.revoke_waiver(two, ("Bob", at)).await.unwrap().expect("it is there");
    assert_eq!(revoked.revoked, Some(("Bob".to_owned(), at)));
    assert_eq!(in_force(1_999_999_999).await, (3, vec![one]));
    assert!(acme.tenant.revoke_waiver(two, ("Eve", tick())).await.unwrap().is_none());
    assert!(other.tenant.revoke_waiver(one, ("Eve", tick())).await.unwrap().is_none());
    assert_eq!(acme.generation().await, 3, "what does nothing raises nothing");

    assert_eq!(acme.tenant.waivers(10).await.unwrap(), [revoked.clone(), first.clone()]);
    let ending = async |at: &[i64]| {
        let ends: Vec<Timestamp> = at.iter().copied().map(second).collect();
        acme.tenant.waivers_ending_at(&ends).await.unwrap()
    };
    assert_eq!(ending(&[2_000_000_100]).await, std::slice::from_ref(&revoked), "taken back or not");
    assert_eq!(ending(&[2_000_000_100, 2_000_000_000, 1]).await, [first, revoked]);
    assert!(ending(&[1]).await.is_empty() && ending(&[]).await.is_empty());
    assert!(other.tenant.waivers_ending_at(&[second(2_000_000_000)]).await.unwrap().is_empty());
    assert_eq!(acme.tenant.waivers(1).await.unwrap().len(), 1);
    assert!(other.tenant.waivers(10).await.unwrap().is_empty());
}

pub(crate) async fn a_waiver_is_counted_with_the_change_that_is_committed_by_it(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let made = acme.tenant.add_waiver(waiver(matching("userName pr"), second(2_000_000_000))).await.unwrap().made;
    let waiver = Waiver {
        id: made.id,
        constraint: made.words.constraint.clone(),
        code: made.words.code.clone(),
        waived_for: WaivedFor::Resource(ResourceId(id_at(tick()))),
        until: made.words.until,
    };
    let commit = async |name: &str, generation: i64| {
        let ada = user(name);
        let waivers = [Waiver { waived_for: WaivedFor::Resource(ada.id), ..waiver.clone() }];
        let planned = planned(None, Some(&ada), MembersChange::default());
        let admitted = decide(context(generation), planned, vec![denial("guard")], &waivers).expect("it is waived");
        let (id, at) = (admitted.record().id, admitted.record().at);
        acme.tenant.commit(admitted.into()).await.map(|()| (at, id))
    };
    let uses = async || {
        let found = acme.tenant.waivers(1).await.unwrap().remove(0);
        (found.uses, found.last_use)
    };
    assert_eq!(uses().await, (0, None));
    let first: (Timestamp, DecisionId) = commit("ada", 1).await.unwrap();
    assert_eq!(uses().await, (1, Some(first)));
    let late = commit("bob", 0).await;
    assert!(matches!(late, Err(CommitError::GenerationMoved)), "{late:?}");
    assert_eq!(uses().await, (1, Some(first)), "what is not committed does not count");
    let second = commit("cy", 1).await.unwrap();
    assert_eq!(uses().await, (2, Some(second)));
}
