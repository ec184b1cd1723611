//! What a commit writes, what refuses it, and that a refused one writes nothing.

use serde_json::json;

use super::world::{
    World, admitted, changed, evaluation, group, group_type, member, resource, resting_on, user, user_type,
};
use crate::change::MembersChange;
use crate::decision::{ConstraintName, LookUp, LookUpAnswer, Mode, Read, Verdict};
use crate::store::{CommitError, DecisionQuery, Store};

async fn decisions_of(world: &World) -> usize {
    let query = DecisionQuery { limit: 100, ..DecisionQuery::default() };
    world.tenant.decisions(query).await.unwrap().decisions.len()
}

pub(crate) async fn what_is_committed_reads_back_and_is_in_the_log(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = resource(
        user_type(),
        json!({ "userName": "Ada", "name": { "familyName": "Ünal" }, "emails": [{ "value": "a@x" }] }),
    );
    acme.create(&ada).await.unwrap();
    assert_eq!(acme.get(&ada).await, Some(ada.clone()));

    let after = changed(&ada, json!({ "title": "Dr" }));
    acme.update(&ada, &after).await.unwrap();
    assert_eq!(acme.get(&ada).await, Some(after.clone()));
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 1);

    acme.delete(&after).await.unwrap();
    assert_eq!(acme.get(&ada).await, None);
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 0);
    assert_eq!(acme.count(&user_type(), "emails.value eq \"a@x\"").await, 0);
    assert_eq!(decisions_of(&acme).await, 3);
}

pub(crate) async fn a_change_judged_in_an_older_version_is_not_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = acme.user("ada").await;
    let after = changed(&ada, json!({ "title": "Dr" }));
    acme.update(&ada, &after).await.unwrap();

    let stale = changed(&ada, json!({ "title": "Prof", "userName": "countess" }));
    assert!(matches!(acme.update(&ada, &stale).await, Err(CommitError::VersionMoved)));
    assert!(matches!(acme.delete(&ada).await, Err(CommitError::VersionMoved)));
    assert_eq!(acme.get(&ada).await, Some(after.clone()));
    assert_eq!(acme.count(&user_type(), "userName eq \"countess\"").await, 0);
    assert_eq!(decisions_of(&acme).await, 2);

    acme.delete(&after).await.unwrap();
    assert!(matches!(acme.update(&after, &changed(&after, json!({}))).await, Err(CommitError::VersionMoved)));
}

pub(crate) async fn a_change_judged_by_older_constraints_is_not_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = user("ada");
    let judged = admitted(0, None, Some(&ada), MembersChange::default(), Vec::new());
    acme.tenant.activate(&ConstraintName("new".to_owned()), None, "Ada", super::tick()).await.unwrap();
    let refused = acme.tenant.commit(judged).await;
    assert!(matches!(refused, Err(CommitError::GenerationMoved)), "{refused:?}");
    assert_eq!((acme.get(&ada).await, decisions_of(&acme).await), (None, 0));
}

pub(crate) async fn a_unique_value_is_taken_in_any_spelling_until_it_is_given_up(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let ada = acme.user("Straße").await;
    let rival = user("STRASSE");
    let refused = acme.create(&rival).await;
    assert!(matches!(&refused, Err(CommitError::Duplicate { attribute }) if attribute == "userName"), "{refused:?}");
    assert_eq!((acme.get(&rival).await, decisions_of(&acme).await), (None, 1));
    other.create(&rival).await.unwrap();

    let renamed = changed(&ada, json!({ "userName": "ada" }));
    acme.update(&ada, &renamed).await.unwrap();
    acme.create(&rival).await.unwrap();
    acme.delete(&rival).await.unwrap();
    acme.update(&renamed, &changed(&renamed, json!({ "userName": "strasse" }))).await.unwrap();
}

/// Each kind of look-up, and a write that changes its answer.
pub(crate) async fn a_decision_whose_look_up_has_changed_is_not_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    let inner = acme.group("inner", &[&ada]).await;
    let outer = acme.group("outer", &[&inner]).await;
    let user_named = |name: &str| ("User".to_owned(), format!("userName eq \"{name}\""));

    let ((users, named_eve), (_, named_ada)) = (user_named("eve"), user_named("ada"));
    let look_ups = [
        LookUp::Get { resource_type: users.clone(), id: bob.id.to_string() },
        LookUp::Find { resource_type: users.clone(), filter: named_ada, limit: 5 },
        LookUp::Count { resource_type: users.clone(), filter: "active eq true".to_owned() },
        LookUp::Count { resource_type: users, filter: named_eve },
        LookUp::IsMember { group_id: outer.id.to_string(), member_id: bob.id.to_string(), transitive: true },
        LookUp::GroupsOf { id: bob.id },
    ];
    let mut answers = Vec::new();
    for look_up in &look_ups {
        answers.push(acme.answer(look_up).await);
    }
    assert_eq!(
        answers,
        [
            LookUpAnswer::Resources(vec![(bob.id, 1)]),
            LookUpAnswer::Resources(vec![(ada.id, 1)]),
            LookUpAnswer::Count(2),
            LookUpAnswer::Count(0),
            LookUpAnswer::Member(false),
            LookUpAnswer::Groups(Vec::new()),
        ]
    );
    // While nothing has changed, all of them hold.
    let everything = look_ups.iter().cloned().zip(answers.iter().cloned()).map(|(ask, answer)| resting_on(ask, answer));
    acme.commit(None, Some(&group("still")), MembersChange::default(), everything.collect()).await.unwrap();

    acme.update(&ada, &changed(&ada, json!({ "title": "Dr" }))).await.unwrap();
    acme.update(&bob, &changed(&bob, json!({ "title": "Dr" }))).await.unwrap();
    acme.user("eve").await;
    acme.add(&inner, &[&bob]).await.unwrap();
    for (look_up, answer) in look_ups.into_iter().zip(answers) {
        let target = user("target");
        let rests = resting_on(look_up.clone(), answer);
        let refused = acme.commit(None, Some(&target), MembersChange::default(), vec![rests.clone()]).await;
        assert!(matches!(refused, Err(CommitError::LookUpMoved)), "{look_up:?}: {refused:?}");
        assert_eq!(acme.get(&target).await, None, "{look_up:?}");
    }
}

pub(crate) async fn a_look_up_of_a_constraint_in_shadow_holds_nothing_up(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let wrong = Read::LookUp {
        look_up: LookUp::Count { resource_type: "User".to_owned(), filter: "active eq true".to_owned() },
        answer: LookUpAnswer::Count(77),
    };
    let shadow = evaluation("shadow", Mode::Shadow, Verdict::Allow, vec![wrong]);
    acme.commit(None, Some(&user("ada")), MembersChange::default(), vec![shadow]).await.unwrap();
}

pub(crate) async fn an_id_that_is_none_of_ours_names_nothing(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = acme.user("ada").await;
    for id in ["", "1", "x' OR 1=1", &ada.id.to_string().to_uppercase()] {
        let get = LookUp::Get { resource_type: "User".to_owned(), id: id.to_owned() };
        assert_eq!(acme.answer(&get).await, LookUpAnswer::Resources(Vec::new()), "{id}");
        let is_member = LookUp::IsMember { group_id: id.to_owned(), member_id: id.to_owned(), transitive: true };
        assert_eq!(acme.answer(&is_member).await, LookUpAnswer::Member(false), "{id}");
    }
}

pub(crate) async fn only_what_is_there_becomes_a_member(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let (ada, stranger) = (acme.user("ada").await, other.user("stranger").await);
    let team = acme.group("team", &[]).await;
    for absent in [&user("nobody"), &stranger] {
        let refused = acme.add(&team, &[&ada, absent]).await;
        assert!(matches!(refused, Err(CommitError::MemberMoved)), "{refused:?}");
    }
    let snapshot = acme.snapshot().await;
    assert_eq!(snapshot.members(team.id, None, 10).await.unwrap(), []);
    assert_eq!(snapshot.identify(&[stranger.id, ada.id, team.id]).await.unwrap(), [member(&ada), member(&team)]);
    drop(snapshot);

    let after = acme.add(&team, &[&ada]).await.unwrap();
    let removed = MembersChange { added: Vec::new(), removed: vec![member(&ada)].into() };
    acme.commit(Some(&after), Some(&changed(&after, json!({}))), removed, Vec::new()).await.unwrap();
    assert_eq!(acme.snapshot().await.members(team.id, None, 10).await.unwrap(), []);
}

pub(crate) async fn what_is_deleted_leaves_its_groups_which_change_by_that(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    let inner = acme.group("inner", &[&ada, &bob]).await;
    let outer = acme.group("outer", &[&inner, &ada]).await;
    let apart = acme.group("apart", &[&bob]).await;

    acme.delete(&ada).await.unwrap();
    let snapshot = acme.snapshot().await;
    assert_eq!(snapshot.members(inner.id, None, 10).await.unwrap(), [member(&bob)]);
    assert_eq!(snapshot.members(outer.id, None, 10).await.unwrap(), [member(&inner)]);
    assert_eq!(snapshot.groups_of(ada.id).await.unwrap(), []);
    drop(snapshot);
    let inner_now = acme.get(&inner).await.unwrap();
    assert_eq!(inner_now.meta.version, 2);
    assert!(inner_now.meta.last_modified > inner.meta.last_modified);
    assert_eq!(acme.get(&apart).await, Some(apart));

    acme.delete(&inner_now).await.unwrap();
    let snapshot = acme.snapshot().await;
    assert_eq!(snapshot.groups_of(bob.id).await.unwrap().len(), 1);
    assert_eq!(snapshot.members(inner.id, None, 10).await.unwrap(), []);
    assert_eq!(snapshot.resource(&group_type(), outer.id).await.unwrap().unwrap().meta.version, 3);
}

pub(crate) async fn a_snapshot_does_not_see_what_is_written_after_its_first_question(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let ada = acme.user("ada").await;
    let before = acme.snapshot().await;
    assert_eq!(before.model().await.unwrap().generation, 0);

    acme.delete(&ada).await.unwrap();
    acme.user("bob").await;
    acme.user("eve").await;
    acme.tenant.activate(&ConstraintName("new".to_owned()), None, "Ada", super::tick()).await.unwrap();
    assert_eq!(before.resource(&user_type(), ada.id).await.unwrap(), Some(ada.clone()));
    assert_eq!(before.count(&user_type(), None).await.unwrap(), 1);
    assert_eq!(before.model().await.unwrap().generation, 0);

    let after = acme.snapshot().await;
    assert_eq!(after.resource(&user_type(), ada.id).await.unwrap(), None);
    assert_eq!(after.count(&user_type(), None).await.unwrap(), 2);
    assert_eq!(after.model().await.unwrap().generation, 1);
}

pub(crate) async fn tenants_do_not_see_each_other(store: &dyn Store) {
    let (acme, other) = (World::new(store, "acme").await, World::new(store, "other").await);
    let ada = acme.user("ada").await;
    let team = acme.group("team", &[&ada]).await;
    assert_eq!(other.get(&ada).await, None);
    assert!(matches!(other.delete(&ada).await, Err(CommitError::VersionMoved)));
    let snapshot = other.snapshot().await;
    assert_eq!(snapshot.count(&user_type(), None).await.unwrap(), 0);
    assert_eq!(snapshot.members(team.id, None, 10).await.unwrap(), []);
    assert_eq!(snapshot.members_among(team.id, &[ada.id]).await.unwrap(), []);
    assert_eq!(snapshot.groups_of(ada.id).await.unwrap(), []);
    assert_eq!(snapshot.identify(&[ada.id]).await.unwrap(), []);
    assert_eq!(snapshot.displays(&[ada.id, team.id]).await.unwrap(), []);
    drop(snapshot);
    assert!(!other.is_member(&team, &ada, true).await);
    for filter in ["userName eq \"ada\"", "userName co \"a\"", "active eq true"] {
        assert_eq!((other.count(&user_type(), filter).await, acme.count(&user_type(), filter).await), (0, 1));
    }
    assert_eq!((decisions_of(&other).await, decisions_of(&acme).await), (0, 2));
    assert!(acme.get(&ada).await.is_some());
}

/// "At least one active user": each of two writers sees two and deactivates the other.
pub(crate) async fn of_two_writes_that_break_a_rule_together_one_is_committed(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    for round in 0..20 {
        let users = [acme.user(&format!("a{round}")).await, acme.user(&format!("b{round}")).await];
        let still_active = LookUp::Count { resource_type: "User".to_owned(), filter: "active eq true".to_owned() };
        let two = LookUpAnswer::Count(2);
        assert_eq!(acme.answer(&still_active).await, two);
        let writers = users.clone().map(|before| {
            let (acme, rests) = (acme.clone(), resting_on(still_active.clone(), two.clone()));
            tokio::spawn(async move {
                let after = changed(&before, json!({ "active": false }));
                acme.commit(Some(&before), Some(&after), MembersChange::default(), vec![rests]).await
            })
        });
        let mut committed = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(()) => committed += 1,
                Err(CommitError::LookUpMoved) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!((committed, acme.answer(&still_active).await), (1, LookUpAnswer::Count(1)), "round {round}");
        for user in users {
            acme.delete(&acme.get(&user).await.unwrap()).await.unwrap();
        }
    }
}
