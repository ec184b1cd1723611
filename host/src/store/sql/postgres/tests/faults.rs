//! Connections that are lost: before a request reaches the server, on the way, and before its answer comes back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::proxy::{Cut, Proxy};
use super::{ADDRESS, Database, creation, node, two_nodes};
use crate::change::MembersChange;
use crate::decision::{AdmittedChange, ConstraintName};
use crate::scim::resource::Resource;
use crate::store::conformance::{
    Budget, Faulty, Test, World, admitted, changed, conformance, group, member, tick, user, user_type,
};
use crate::store::query::Query;
use crate::store::{CommitError, ShowError, SqlStore, Store, StoreError, StoreOptions, Wanted};

/// A store whose connections can be cut.
pub(super) fn open() -> (Database, Arc<Proxy>, SqlStore) {
    let database = Database::new();
    let proxy = Proxy::new(&std::env::var(ADDRESS).unwrap());
    // Whoever meets faults may wait for a snapshot while those who have one wait for it.
    let options = StoreOptions { snapshots_max: 128, ..StoreOptions::default() };
    let store = SqlStore::postgres(&proxy.url(&database.url), None, &node("keys"), options).unwrap();
    (database, proxy, store)
}

/// The names of the methods of the store, as they are declared.
fn methods() -> BTreeSet<&'static str> {
    let declared = include_str!("../../../../store.rs");
    let methods = declared.split("async fn ").skip(1).filter_map(|rest| rest.split_once('(').map(|(name, _)| name));
    methods.collect()
}

/// Each of the conformance tests, while every method that it calls loses its connection at each place where it can. What
/// failed has done nothing, and what is asked next is answered: so each test passes as it does without.
#[test]
fn every_method_meets_lost_connections_and_nothing_is_done_of_what_failed() {
    let tests: Vec<(&str, Test)> = conformance!();
    let (next, failed, budget) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()), Arc::<Budget>::default());
    let work = || {
        while let Some((name, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (_database, proxy, store) = open();
            let store = Faulty::new(store, proxy, &budget);
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let begun = std::time::Instant::now();
            runtime.block_on(test(&store));
            let failures = store.failures();
            eprintln!("{name}: {} failures in {:?}", failures.values().sum::<usize>(), begun.elapsed());
            failed
                .lock()
                .unwrap()
                .extend(failures.into_iter().filter(|(_, failures)| *failures > 0).map(|(name, _)| name));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    // A snapshot is had without a question. What is shown fails below; what is queued, in the tests of commits below; how a node
    // comes back, in those of nodes; what becomes of partitions, in theirs.
    let missed: Vec<_> = methods().into_iter().filter(|name| !failed.contains(name)).collect();
    assert_eq!(missed, ["care_for_partitions", "join", "queue_commit", "right_of_way", "show", "snapshot"]);
}

/// What becomes of a write whose answer is lost.
fn is_lost<T: std::fmt::Debug>(answer: &Result<T, CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::Unreachable(_))))
}

fn update(before: &Resource, after: &Resource, members: MembersChange) -> Arc<AdmittedChange> {
    admitted(0, Some(before), Some(after), members, Vec::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_is_lost_is_done_once_however_often_it_is_repeated() {
    let (database, proxy, store) = open();
    let acme = World::new(&store, "acme").await;
    let (ada, team) = (acme.user("ada").await, acme.group("team", &[]).await);
    let mut done = 0;
    for round in 0..20 {
        let name = format!("user-{round}");
        proxy.cut(round % 2, Cut::After);
        let lost = acme.tenant.commit(creation(0, &name)).await;
        proxy.mend();
        assert!(lost.is_ok() || is_lost(&lost), "{lost:?}");
        let again = acme.tenant.commit(creation(0, &name)).await;
        let was_done = matches!(&again, Err(CommitError::Duplicate { attribute }) if attribute == "userName");
        assert!(again.is_ok() || was_done, "{again:?}");
        done += usize::from(lost.is_err() && was_done);
        assert_eq!(acme.count(&user_type(), &format!("userName eq \"{name}\"")).await, 1);
    }
    assert!(done > 0, "no answer was lost after its commit");

    // A change that was done is in the version that nobody was told of.
    let (mut before, mut done) = (ada, 0);
    for place in 0..40 {
        let after = changed(&before, json!({ "title": format!("number {place}") }));
        proxy.cut(place % 3, Cut::After);
        let lost = acme.tenant.commit(update(&before, &after, MembersChange::default())).await;
        proxy.mend();
        let now = acme.get(&before).await.unwrap();
        assert!(now == before && lost.is_err() || now == after, "{now:?}");
        done += usize::from(lost.is_err() && now == after);
        if lost.is_err() {
            let again = acme.tenant.commit(update(&before, &after, MembersChange::default())).await;
            assert!(again.is_ok() || matches!(again, Err(CommitError::VersionMoved)), "{again:?}");
        }
        before = acme.get(&before).await.unwrap();
        assert_eq!(before.meta.version, after.meta.version);
    }
    assert!(done > 0, "no answer was lost after its commit");
    // And so of several statements, with look-ups of members.
    let (bob, cyd) = (acme.user("bob").await, acme.user("cyd").await);
    let added = MembersChange { added: vec![member(&bob), member(&cyd)], ..MembersChange::default() };
    for place in 0..20 {
        let now = acme.get(&team).await.unwrap();
        proxy.cut(place, Cut::After);
        let lost = acme.tenant.commit(update(&now, &changed(&now, json!({})), added.clone())).await;
        proxy.mend();
        let members = acme.snapshot().await.members(team.id, None, 10).await.unwrap();
        assert!(members.is_empty() || members.len() == 2, "{members:?}");
        if members.is_empty() {
            assert!(is_lost(&lost), "{lost:?}");
            continue;
        }
        let now = acme.get(&team).await.unwrap();
        let removed = MembersChange { removed: added.added.clone().into(), ..MembersChange::default() };
        acme.commit(Some(&now), Some(&changed(&now, json!({}))), removed, Vec::new()).await.unwrap();
    }
    let counted = database.count("SELECT sum(n)::bigint FROM resource_count");
    assert_eq!(counted, database.count("SELECT count(*) FROM resource"));
    assert_eq!(database.count("SELECT count(*) FROM decision WHERE outcome <> 'allowed'"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_has_lost_its_connection_does_not_answer_of_another_moment() {
    let (_database, proxy, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    let snapshot = acme.snapshot().await;
    assert_eq!(snapshot.count(&user_type(), None).await.unwrap(), 1);
    proxy.cut(0, Cut::Before);
    let lost = snapshot.resource(&user_type(), ada.id).await;
    assert!(proxy.mend());
    assert!(matches!(lost, Err(StoreError::Unreachable(_))), "{lost:?}");
    acme.user("bob").await;
    let later = snapshot.resource(&user_type(), ada.id).await;
    assert!(matches!(later, Err(StoreError::Unreachable(_))), "{later:?}");
    assert_eq!(acme.snapshot().await.count(&user_type(), None).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_shown_and_is_lost_on_the_way_is_shown_when_asked_again() {
    let (_database, proxy, store) = open();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    let mut failures = 0;
    for cut in [Cut::Before, Cut::Within, Cut::After] {
        for place in 0.. {
            let snapshot = acme.snapshot().await;
            let (id, wanted) = (ada.id, Wanted { groups: true, ..Wanted::default() });
            proxy.cut(place, cut);
            let query = Query::One { resource_type: user_type(), id, wanted };
            let shown = snapshot.show(Box::new(move |_| Ok(query.clone()))).await;
            let has_cut = proxy.mend();
            match shown {
                Ok(shown) => assert_eq!(shown.resources[0].resource, ada),
                Err(ShowError::Query(crate::store::QueryError::Store(StoreError::Unreachable(_)))) => failures += 1,
                Err(error) => panic!("{error:?}"),
            }
            if !has_cut {
                break;
            }
        }
    }
    assert!(failures >= 6, "{failures}");
}

/// A deletion is many transactions, of which the first decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_being_deleted_goes_though_connections_are_lost() {
    let (database, proxy, store) = open();
    for place in (0..).step_by(4) {
        let acme = World::new(&store, "acme").await;
        acme.group("team", &[&acme.user("ada").await]).await;
        acme.tenant.activate(&ConstraintName("c".to_owned()), None, "Ada", tick()).await.unwrap();
        proxy.cut(place, Cut::After);
        let deleted = store.delete_tenant("acme").await;
        let has_cut = proxy.mend();
        if deleted.is_err() {
            assert!(matches!(deleted, Err(StoreError::Unreachable(_))), "{deleted:?}");
            store.delete_tenant("acme").await.unwrap();
        }
        assert_eq!(store.tenants().await.unwrap(), []);
        if !has_cut {
            break;
        }
    }
    // What nobody could finish is finished at the next start.
    drop(database.open());
    assert_eq!(database.count("SELECT count(*) FROM resource"), 0);
    assert_eq!(database.count("SELECT count(*) FROM tenant"), 0);
}

/// A server without room refuses what is written, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_everything_goes_on_when_there_is_room() {
    let (database, store, _) = two_nodes();
    let acme = World::new(&store, "acme").await;
    let ada = acme.user("ada").await;
    // What the server says when it cannot make a table longer.
    database.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER full_disk BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION full_disk()",
    );
    let refused = acme.create(&user("bob")).await;
    assert!(matches!(&refused, Err(CommitError::Store(StoreError::Full(_)))), "{refused:?}");
    let refused = acme.commit(None, Some(&group("g")), MembersChange::default(), Vec::new()).await;
    assert!(matches!(&refused, Err(CommitError::Store(error)) if error.is_passing()), "{refused:?}");
    assert!(acme.delete(&ada).await.is_err());
    assert_eq!(acme.get(&ada).await, Some(ada));
    database.execute("DROP TRIGGER full_disk ON decision");
    acme.create(&user("bob")).await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM resource"), 2);
}
