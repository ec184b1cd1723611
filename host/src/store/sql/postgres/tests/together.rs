//! What waits at the same time is written by one statement. If that fails, each is written alone, so that nobody would notice but by
//! how long it takes.

use serde_json::json;
use tokio_postgres::{Client, NoTls};

use super::{Database, open};
use crate::change::MembersChange;
use crate::store::conformance::{World, admitted, changed, member, user};

/// Writes in one statement at most.
const TOGETHER_MAX: usize = 64;

/// Somebody who keeps all who write from going on.
async fn hold(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE decision IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    client
}

/// In how many transactions the decisions on these resources were written: a row tells by which it was.
fn transactions(database: &Database, resources: &str) -> i64 {
    database.count(&format!("SELECT count(DISTINCT xmin::text) FROM decision WHERE resource_id IN ({resources})"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_at_once_is_written_together() {
    const MADE: usize = 200;
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    let others = hold(&database).await;
    let mut queued = Vec::new();
    for n in 0..MADE {
        let change = admitted(0, None, Some(&user(&format!("user-{n}"))), MembersChange::default(), Vec::new());
        queued.push(acme.tenant.queue_commit(change, None).await.unwrap().committing);
    }
    others.batch_execute("COMMIT").await.unwrap();
    for committing in queued {
        committing.await.unwrap();
    }
    assert_eq!(database.count("SELECT count(*) FROM resource"), MADE as i64);
    // The first may have set out alone.
    let statements = transactions(&database, "SELECT id FROM resource");
    assert!(statements as usize <= 1 + MADE.div_ceil(TOGETHER_MAX), "{statements}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_rest_on_each_other_are_written_together() {
    const CHANGES: usize = 150;
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    let users = [acme.user("ada").await, acme.user("bob").await, acme.user("eve").await];
    let mut team = acme.group("team", &[&users[0]]).await;
    let others = hold(&database).await;
    let (mut queued, mut rests_on) = (Vec::new(), None);
    for n in 0..CHANGES {
        // In turn one joins and one leaves, who was there before the first or was not, and the name changes and comes back.
        let (joins, leaves) = (member(&users[(n + 1) % 3]), member(&users[n % 3]));
        let members = MembersChange { added: vec![joins], removed: vec![leaves].into() };
        let name = if n % 2 == 0 { "other" } else { "team" };
        let after = changed(&team, json!({ "displayName": name }));
        let change = admitted(0, Some(&team), Some(&after), members, Vec::new());
        let next = acme.tenant.queue_commit(change, rests_on).await.unwrap();
        rests_on = Some(next.premise.clone());
        queued.push(next.committing);
        team = after;
    }
    others.batch_execute("COMMIT").await.unwrap();
    for committing in queued {
        committing.await.unwrap();
    }
    let team = format!("'{}'", team.id);
    assert_eq!(
        database.count(&format!("SELECT count(*) FROM decision WHERE resource_id = {team}")),
        1 + CHANGES as i64
    );
    // And the one that has made it.
    let statements = transactions(&database, &team);
    assert!(statements as usize <= 2 + CHANGES.div_ceil(TOGETHER_MAX), "{statements}");
}
