//! What is known to come is asked along with what comes before it, so that a read takes few ways to the server and back.

use super::faults::open;
use super::proxy::Proxy;
use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;
use crate::store::Wanted;
use crate::store::conformance::{World, user_type};
use crate::store::query::{Among, From, Query};

const WANTED: Wanted = Wanted { members: false, member_displays: false, groups: true };

/// The ways that a read takes.
async fn ways(proxy: &Proxy, tenant: &World, query: Query, found: usize) -> usize {
    let mut ways = 0;
    // The first prepares the statements.
    for _ in 0..3 {
        let before = proxy.ways();
        let snapshot = tenant.snapshot().await;
        let query = query.clone();
        let shown = snapshot.show(Box::new(move |_| Ok(query.clone()))).await.unwrap();
        assert_eq!(shown.resources.len(), found);
        ways = proxy.ways() - before;
    }
    ways
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_takes_as_many_ways_as_it_cannot_foresee() {
    let (_database, proxy, store) = open();
    let acme = World::new(&store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    for n in 0..5 {
        acme.group(&format!("team-{n}"), &[&bob]).await;
    }
    let one = |id: ResourceId| Query::One { resource_type: user_type(), id, wanted: WANTED };
    let page = |filter: Option<&str>, from: From| {
        let filter = filter.map(|filter| Filter::parse(filter, &user_type()).unwrap());
        let among = vec![Among { resource_type: user_type(), filter, sort: None, wanted: WANTED }];
        Query::Page { among, from, limit: 10 }
    };
    let eq = |filter| page(Some(filter), From::Offset(0));
    for (what, query, found, expected) in [
        ("a user without groups", one(ada.id), 1, 1),
        ("a user with groups", one(bob.id), 1, 2),
        ("nobody", one(ResourceId(uuid::Uuid::now_v7())), 0, 1),
        ("a user by name", eq("userName eq \"ada\""), 1, 2),
        ("a user with groups by name", eq("userName eq \"bob\""), 1, 3),
        ("no user by name", eq("userName eq \"eve\""), 0, 1),
        ("a page", page(None, From::After(None)), 2, 3),
    ] {
        assert_eq!(ways(&proxy, &acme, query, found).await, expected, "{what}");
    }
}
