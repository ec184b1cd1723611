//! That rows which nobody sees go, whatever happens, and are never seen on their way.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::change::{MembersChange, Removed};
use crate::scim::resource::{Member, Resource};
use crate::store::conformance::{World, changed, group, tick, user_type};
use crate::store::schema::{Dialect, MIGRATIONS};
use crate::store::sql::driver::{Connection, params};
use crate::store::sql::migrate::migrate;
use crate::store::sql::tests::{file, open, reopen};
use crate::store::{Page, SqlStore, Store};

/// More than go at once, and than are swept at once.
const MANY: usize = 2_500;

/// Makes users, as rows; their ids are random.
fn users(connection: &Connection, number: usize) {
    let rtype = "(SELECT number FROM name WHERE text = 'User')";
    let rows = format!(
        "INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) \
         SELECT (SELECT tenant_id FROM tenant), {rtype}, randomblob(16), 1, 0, 0, '{{\"userName\":\"u' || i || '\"}}' FROM n; \
         INSERT INTO resource_count SELECT tenant_id, {rtype}, 0, {number} FROM tenant"
    );
    connection.execute_batch(&rows).unwrap();
}

/// A tenant with so many users and a group without members.
async fn world(number: usize) -> (TempDir, SqlStore, World, Resource) {
    let (directory, store) = open();
    let acme = World::new(&store, "acme").await;
    let team = acme.group("team", &[]).await;
    users(&file(&directory), number);
    (directory, store, acme, team)
}

async fn everybody(acme: &World) -> Vec<Member> {
    let page = Page { offset: 0, limit: usize::MAX };
    let users = acme.snapshot().await.find(&user_type(), None, page).await.unwrap();
    users.resources.into_iter().map(|user| Member { id: user.id, resource_type: "User".to_owned() }).collect()
}

/// Makes all of them members.
async fn join(acme: &World, team: &Resource, members: &[Member]) -> Resource {
    let after = changed(team, json!({}));
    let change = MembersChange { added: members.to_vec(), removed: Removed::default() };
    acme.commit(Some(team), Some(&after), change, Vec::new()).await.unwrap();
    after
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), params![], |row| row.get(0)).unwrap()
}

/// Waits until so many rows are left, and nothing that is hidden.
async fn swept(directory: &TempDir, rows: i64) {
    let (connection, started) = (file(directory), Instant::now());
    while (count(&connection, "group_member"), count(&connection, "member_set_hidden")) != (rows, 0) {
        assert!(started.elapsed() < Duration::from_secs(30), "{} rows are left", count(&connection, "group_member"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn total(acme: &World, team: &Resource) -> u64 {
    acme.count(&user_type(), &format!("groups.value eq \"{}\"", team.id)).await
}

#[tokio::test]
async fn a_group_of_many_is_gone_at_once_and_its_rows_later() {
    let (directory, _store, acme, team) = world(MANY).await;
    let members = everybody(&acme).await;
    let team = join(&acme, &team, &members).await;
    let before = acme.snapshot().await;
    assert_eq!(before.members(team.id, None, MANY + 1).await.unwrap(), members);

    acme.delete(&team).await.unwrap();
    let snapshot = acme.snapshot().await;
    assert_eq!((total(&acme, &team).await, snapshot.groups_of(members[0].id).await.unwrap()), (0, Vec::new()));
    swept(&directory, 0).await;
    assert_eq!(count(&file(&directory), "member_set"), 0);
    // The moment of a snapshot lasts as long as it does.
    assert_eq!(before.members(team.id, None, MANY + 1).await.unwrap(), members);
    assert_eq!(before.groups_of(members[0].id).await.unwrap(), [team.id]);
}

#[tokio::test]
async fn what_was_hidden_when_the_program_ended_is_swept_by_the_next_one() {
    let (directory, store, acme, team) = world(MANY).await;
    let members = everybody(&acme).await;
    let team = join(&acme, &team, &members[..10]).await;
    let other = acme.group("other", &[]).await;
    let other = join(&acme, &other, &members).await;
    drop((acme, store));
    // As it stands between the commit of a replacement and the sweep: set 1 is live, 0 is not seen any more; and with
    // a set of the other group that was being filled.
    file(&directory)
        .execute_batch(
            "CREATE TEMP TABLE t AS SELECT DISTINCT tenant_id, group_id FROM group_member; \
             INSERT INTO group_member SELECT tenant_id, group_id, 3, zeroblob(16), mtype FROM group_member \
               GROUP BY group_id; \
             INSERT INTO member_set_hidden SELECT tenant_id, group_id, 3, 1, NULL FROM t;",
        )
        .unwrap();
    let hide = "INSERT INTO member_set_hidden SELECT tenant_id, ?1, 0, 0, NULL FROM tenant";
    let live = "INSERT INTO member_set SELECT tenant_id, ?1, 1 FROM tenant";
    let add = "INSERT INTO group_member SELECT tenant_id, ?1, 1, ?2, rtype FROM resource WHERE id = ?2";
    let (connection, id) = (file(&directory), other.id);
    connection.execute(hide, params![id]).unwrap();
    connection.execute(live, params![id]).unwrap();
    connection.execute(add, params![id, members[7].id]).unwrap();

    let store = reopen(&directory).unwrap();
    let acme = World { tenant: store.tenant(store.tenant_named("acme").await.unwrap().unwrap().id) };
    let check = async || {
        let snapshot = acme.snapshot().await;
        assert_eq!(snapshot.members(other.id, None, MANY).await.unwrap(), members[7..8]);
        assert_eq!(snapshot.members(team.id, None, MANY).await.unwrap(), members[..10]);
        assert_eq!((total(&acme, &other).await, total(&acme, &team).await), (1, 10));
        let mut both = [team.id, other.id];
        both.sort();
        assert_eq!(snapshot.groups_of(members[7].id).await.unwrap(), both);
        assert_eq!(snapshot.groups_of(members[1_000].id).await.unwrap(), []);
    };
    check().await;
    swept(&directory, 11).await;
    check().await;
    acme.delete(&other).await.unwrap();
    swept(&directory, 10).await;
    assert_eq!(count(&file(&directory), "member_set"), 0);
}

/// It is written in several transactions, and is there in one.
#[tokio::test]
async fn a_new_group_of_many_is_there_at_once_or_not_at_all() {
    let (directory, _store, acme, _) = world(5_500).await;
    let members = everybody(&acme).await;
    let staff = group("staff");
    let all = MembersChange { added: members.clone(), removed: Removed::default() };
    acme.commit(None, Some(&staff), all.clone(), Vec::new()).await.unwrap();
    assert_eq!(acme.snapshot().await.members(staff.id, None, 6_000).await.unwrap(), members);
    assert_eq!(total(&acme, &staff).await, 5_500);
    swept(&directory, 5_500).await;

    let failing = group("failing");
    let mut change = all;
    let gone = Member { id: team_id(), resource_type: "User".to_owned() };
    change.added.push(gone);
    acme.commit(None, Some(&failing), change, Vec::new()).await.unwrap_err();
    assert_eq!((acme.get(&failing).await, total(&acme, &failing).await), (None, 0));
    swept(&directory, 5_500).await;
}

/// An id of nothing.
fn team_id() -> crate::scim::resource::ResourceId {
    crate::scim::resource::ResourceId(crate::store::conformance::id_at(tick()))
}

#[test]
fn members_of_an_older_database_are_the_first_set_of_their_group() {
    let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
    connection
        .execute_batch(
            "PRAGMA application_id = 0x53435255; \
             CREATE TABLE schema_migration(version INTEGER PRIMARY KEY, checksum BLOB NOT NULL) STRICT",
        )
        .unwrap();
    for migration in &MIGRATIONS[..3] {
        connection.execute_batch(&Dialect::Sqlite.render(migration.template)).unwrap();
        connection
            .execute("INSERT INTO schema_migration VALUES (?1, ?2)", params![migration.version, migration.checksum()])
            .unwrap();
    }
    connection.execute_batch("INSERT INTO group_member VALUES (1, x'01', x'02', 3), (1, x'01', x'04', 3)").unwrap();
    migrate(&connection).unwrap();
    let rows: Vec<(i64, Vec<u8>, i64)> = connection
        .prepare_cached("SELECT set_no, member_id, mtype FROM group_member WHERE tenant_id = 1 AND group_id = x'01'")
        .unwrap()
        .query_map(params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows, [(0, vec![2], 3), (0, vec![4], 3)]);
}
