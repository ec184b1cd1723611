//! What is written with others: queued behind a change that it rests on, or at the same time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::world::{World, admitted, changed, group, group_type, member, user, user_type};
use crate::change::{MembersChange, Removed};
use crate::scim::resource::Resource;
use crate::store::{CommitError, DecisionQuery, Store};

/// Changes of a group, each of which rests on the one before it, while that is not durable yet; one of them adds who is not there.
pub(crate) async fn what_is_queued_of_one_resource_is_done_in_that_order_up_to_what_fails(store: &dyn Store) {
    const CHANGES: usize = 100;
    const FAILS: usize = 80;
    let acme = World::new(store, "acme").await;
    let mut users = Vec::new();
    for n in 0..CHANGES {
        users.push(acme.user(&format!("user-{n}")).await);
    }
    users[FAILS] = user("nobody");
    let mut team = acme.group("team", &[]).await;

    let (mut queued, mut rests_on) = (Vec::new(), None);
    for user in &users {
        let after = changed(&team, json!({ "displayName": format!("with {}", user.attributes["userName"]) }));
        let joins = MembersChange { added: vec![member(user)], removed: Removed::default() };
        let change = admitted(0, Some(&team), Some(&after), joins, Vec::new());
        let next = acme.tenant.queue_commit(change, rests_on).await.unwrap();
        rests_on = Some(next.premise.clone());
        queued.push(next.committing);
        team = after;
    }
    // Whoever goes away does not call its change back.
    drop(queued.remove(0));
    for (n, committing) in (1..).zip(queued) {
        let committed = committing.await;
        match n {
            FAILS => assert!(matches!(committed, Err(CommitError::MemberMoved)), "{committed:?}"),
            _ if n < FAILS => committed.unwrap(),
            _ => assert!(matches!(committed, Err(CommitError::VersionMoved)), "{n}: {committed:?}"),
        }
    }
    let snapshot = acme.snapshot().await;
    let written = snapshot.resource(&group_type(), team.id).await.unwrap().unwrap();
    assert_eq!(written.meta.version, 1 + FAILS as i64);
    assert_eq!(written.attributes["displayName"], format!("with \"user-{}\"", FAILS - 1));
    let members: Vec<_> = users[..FAILS].iter().map(member).collect();
    assert_eq!(snapshot.members(team.id, None, CHANGES).await.unwrap(), members);
    drop(snapshot);
    let log = DecisionQuery { limit: 1_000, resource: Some(team.id.0), ..DecisionQuery::default() };
    assert_eq!(acme.tenant.decisions(log).await.unwrap().decisions.len(), 1 + FAILS);
}

/// Members and values come and go, some of them several times; a store may write only what that comes to.
pub(crate) async fn what_is_queued_together_comes_to_what_it_comes_to_one_by_one(store: &dyn Store) {
    const CHANGES: usize = 150;
    const NAMES: [&str; 3] = ["red", "green", "blue"];
    let acme = World::new(store, "acme").await;
    let mut users = Vec::new();
    for n in 0..7 {
        users.push(acme.user(&format!("user-{n}")).await);
    }
    let mut team = acme.group("team", &[&users[0], &users[1]]).await;
    let mut is_member = [true, true, false, false, false, false, false];
    let (mut queued, mut rests_on) = (Vec::new(), None);
    for n in 0..CHANGES {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        // One or two of them; which, does not repeat soon.
        for who in [n * n % 7, (n * 3 + n / 5) % 7].into_iter().collect::<BTreeSet<_>>() {
            let goes = is_member[who];
            is_member[who] = !goes;
            if goes { &mut removed } else { &mut added }.push(member(&users[who]));
        }
        let joins = MembersChange { added, removed: removed.into() };
        let after = changed(&team, json!({ "displayName": NAMES[n * n % 3] }));
        let change = admitted(0, Some(&team), Some(&after), joins, Vec::new());
        let next = acme.tenant.queue_commit(change, rests_on).await.unwrap();
        rests_on = Some(next.premise.clone());
        queued.push(next.committing);
        team = after;
    }
    // A name that others may not have, and what is done with it.
    let ada = acme.user("ada").await;
    let (mut renamed, mut rests_on) = (ada.clone(), None);
    for name in ["bob", "ada", "eve", "bob", "eve"] {
        let after = changed(&renamed, json!({ "userName": name }));
        let change = admitted(0, Some(&renamed), Some(&after), MembersChange::default(), Vec::new());
        let next = acme.tenant.queue_commit(change, rests_on).await.unwrap();
        rests_on = Some(next.premise.clone());
        queued.push(next.committing);
        renamed = after;
    }
    for committing in queued {
        committing.await.unwrap();
    }
    assert_eq!(acme.get(&team).await, Some(team.clone()));
    let members: Vec<_> = users.iter().zip(is_member).filter(|(_, is)| *is).map(|(user, _)| member(user)).collect();
    assert_eq!(acme.snapshot().await.members(team.id, None, 10).await.unwrap(), members);
    for name in NAMES {
        let found = acme.count(&group_type(), &format!("displayName eq \"{name}\"")).await;
        assert_eq!(found, u64::from(team.attributes["displayName"] == name), "{name}");
    }
    for (name, there) in [("ada", 0), ("bob", 0), ("eve", 1)] {
        assert_eq!(acme.count(&user_type(), &format!("userName eq \"{name}\"")).await, there, "{name}");
    }
    acme.user("bob").await;
    assert!(matches!(acme.create(&user("eve")).await, Err(CommitError::Duplicate { .. })));
    let log = |of: &Resource| DecisionQuery { limit: 1_000, resource: Some(of.id.0), ..DecisionQuery::default() };
    assert_eq!(acme.tenant.decisions(log(&team)).await.unwrap().decisions.len(), 1 + CHANGES);
    assert_eq!(acme.tenant.decisions(log(&ada)).await.unwrap().decisions.len(), 6);
}

/// They may be written together, but nobody loses by what another wants.
pub(crate) async fn of_many_who_are_made_at_once_each_is_made_or_told_why_not(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let nobody = user("nobody");
    let made: Vec<_> = (0..64).map(|n| (n, user(&format!("user-{}", n % 40)))).collect();
    let mut making = tokio::task::JoinSet::new();
    for (n, user) in made.clone() {
        let acme = acme.clone();
        making.spawn(async move { (n, acme.create(&user).await) });
    }
    let (with_nobody, other) = (acme.clone(), group("team"));
    let joins = MembersChange { added: vec![member(&nobody)], removed: Removed::default() };
    making.spawn(async move { (64, with_nobody.commit(None, Some(&other), joins, Vec::new()).await) });
    let mut won = BTreeMap::<_, Vec<_>>::new();
    while let Some(done) = making.join_next().await {
        match done.unwrap() {
            (64, refused) => assert!(matches!(refused, Err(CommitError::MemberMoved)), "{refused:?}"),
            (n, Ok(())) => won.entry(n % 40).or_default().push(n),
            (_, Err(CommitError::Duplicate { attribute })) => assert_eq!(attribute, "userName"),
            (n, Err(other)) => panic!("{n}: {other:?}"),
        }
    }
    assert!(won.len() == 40 && won.values().all(|of_a_name| of_a_name.len() == 1), "{won:?}");
    let snapshot = acme.snapshot().await;
    assert_eq!(snapshot.count(&user_type(), None).await.unwrap(), 40);
    assert_eq!(snapshot.count(&group_type(), None).await.unwrap(), 0);
    drop(snapshot);
    for (n, user) in made {
        let is_made = won[&(n % 40)] == [n];
        assert_eq!(acme.get(&user).await, is_made.then(|| user.clone()));
        let log = DecisionQuery { limit: 10, resource: Some(user.id.0), ..DecisionQuery::default() };
        assert_eq!(acme.tenant.decisions(log).await.unwrap().decisions.len(), usize::from(is_made));
    }
}

/// A version has a number, and what was not written leaves its number to another.
pub(crate) async fn what_rests_on_what_was_not_written_is_not_written_whatever_the_version(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, team) = (acme.user("ada").await, acme.group("team", &[]).await);
    let joins = |who| MembersChange { added: vec![member(who)], removed: Removed::default() };
    let queue = |before: &Resource, after: &Resource, members, rests_on| {
        let (acme, change) = (acme.clone(), admitted(0, Some(before), Some(after), members, Vec::new()));
        async move { acme.tenant.queue_commit(change, rests_on).await }
    };
    let with_nobody = changed(&team, json!({ "displayName": "with nobody" }));
    let nobody = user("nobody");
    let failing = queue(&team, &with_nobody, joins(&nobody), None).await.unwrap();
    let other = changed(&team, json!({ "displayName": "other" }));
    let written = queue(&team, &other, MembersChange::default(), None).await.unwrap();
    let behind = changed(&with_nobody, json!({}));
    let first = queue(&with_nobody, &behind, joins(&ada), Some(failing.premise.clone())).await.unwrap();
    assert!(matches!(failing.committing.await, Err(CommitError::MemberMoved)));
    written.committing.await.unwrap();
    assert!(matches!(first.committing.await, Err(CommitError::VersionMoved)));
    let late = queue(&with_nobody, &behind, joins(&ada), Some(failing.premise.clone())).await.unwrap();
    assert!(matches!(late.committing.await, Err(CommitError::VersionMoved)));
    assert_eq!((failing.premise.is_written().await, written.premise.is_written().await), (false, true));
    assert_eq!(acme.get(&team).await, Some(other));
    assert_eq!(acme.snapshot().await.members(team.id, None, 10).await.unwrap(), []);
}
