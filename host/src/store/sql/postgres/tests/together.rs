//! What waits at the same time is written by one statement. If that fails, each is written alone, so that nobody would notice but by
//! how long it takes.

use super::open;
use crate::store::Store;
use crate::store::conformance::{World, user, what_is_queued_together_comes_to_what_it_comes_to_one_by_one};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_at_once_is_written_together() {
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    let mut making = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (acme, user) = (acme.clone(), user(&format!("user-{n}")));
        making.spawn(async move { acme.create(&user).await.unwrap() });
    }
    making.join_all().await;
    // A row tells which transaction has written it.
    let transactions = database.count("SELECT count(DISTINCT xmin::text) FROM decision");
    assert!(transactions <= 100, "{transactions}");
    let row = "SELECT count(*) FROM resource r JOIN decision d ON d.resource_id = r.id AND d.xmin::text = r.xmin::text";
    assert_eq!(database.count(row), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_rest_on_each_other_are_written_together() {
    let (database, store) = open();
    what_is_queued_together_comes_to_what_it_comes_to_one_by_one(&store as &dyn Store).await;
    let transactions = database.count("SELECT count(DISTINCT xmin::text) FROM decision");
    // 164 decisions, of which some are of those who are made one after the other.
    assert!(transactions <= 40, "{transactions}");
}
