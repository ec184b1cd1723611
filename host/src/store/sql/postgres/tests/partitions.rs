//! The decision log in partitions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Client, NoTls};

use super::proxy::Cut;
use super::{Database, creation, faults, open, two_nodes};
use crate::decision::{Outcome, TenantId};
use crate::store::conformance::{Test, World, conformance, denial, id_at, refusal_of, user};
use crate::store::sql::decisions::first_id_of;
use crate::store::{DecisionPartition, DecisionQuery, PartitionCare, SqlStore, Store};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The time of the tests' decisions is some milliseconds after this midnight.
fn first_day() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn day(number: i32) -> Timestamp {
    first_day() + DAY * number
}

async fn care(store: &SqlStore) -> Arc<dyn PartitionCare> {
    // The session of the one before may be ending.
    for _ in 0..200 {
        if let Some(care) = store.care_for_partitions().await.unwrap() {
            return care;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("somebody else has the care");
}

async fn prepare(store: &SqlStore, now: Timestamp, days: u32) -> bool {
    let care = care(store).await;
    let prepared = care.prepare(now, days).await.unwrap();
    care.give_up().await;
    prepared
}

/// Until nobody is in the way, as each round tries anew.
async fn prepare_at_last(store: &SqlStore, now: Timestamp, days: u32) -> usize {
    for tried in 1..100 {
        if prepare(store, now, days).await {
            return tried;
        }
    }
    panic!("somebody was always in the way");
}

fn ends(partitions: &[DecisionPartition]) -> Vec<Option<Timestamp>> {
    partitions.iter().map(|partition| partition.to).collect()
}

fn is_without_gap(partitions: &[DecisionPartition]) -> bool {
    partitions.first().is_some_and(|first| first.from.is_none())
        && partitions.last().is_some_and(|last| last.to.is_none())
        && partitions.windows(2).all(|pair| pair[0].to.is_some() && pair[0].to == pair[1].from)
}

/// Writes decisions of a tenant, by their times, and with records of so many bytes.
fn write(database: &Database, tenant: TenantId, times: &[Timestamp], bytes: usize) {
    let ids: Vec<String> =
        times.iter().map(|at| format!("('{}'::uuid, {})", id_at(*at), at.as_microsecond())).collect();
    database.execute(&format!(
        "INSERT INTO decision SELECT {}, v.id, v.at, 'allowed', v.id, '', '{{\"x\":\"{}\"}}' FROM (VALUES {}) AS v(id, at)",
        tenant.0,
        "x".repeat(bytes),
        ids.join(", ")
    ));
}

/// Makes the log large by a few decisions, each on a page of its own.
fn make_large(database: &Database, tenant: TenantId) {
    database.execute("ALTER TABLE decision SET (fillfactor = 10)");
    fill(database, tenant, 3_000);
}

/// Writes so many decisions of the first day.
fn fill(database: &Database, tenant: TenantId, rows: usize) {
    let milliseconds = first_day().as_millisecond();
    database.execute(&format!(
        "INSERT INTO decision SELECT {}, CAST(lpad(to_hex({milliseconds} + n), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0') \
         AS uuid), 0, 'allowed', gen_random_uuid(), '', '{{\"x\":\"' || repeat('x', 900) || '\"}}' FROM generate_series(1, {rows}) n",
        tenant.0
    ));
}

fn rows_of(database: &Database, table: &str) -> i64 {
    database.count(&format!("SELECT count(*) FROM {table}"))
}

const PROMISES: &str = "SELECT count(*) FROM pg_constraint WHERE conname = 'decision_until'";
const LEFT_OVER: &str = "SELECT count(*) FROM pg_class WHERE relname LIKE 'decision%' AND relkind IN ('r', 'p') AND NOT relispartition \
     AND relname <> 'decision'";

async fn tenant_of(store: &SqlStore, name: &str) -> TenantId {
    store.tenant_named(name).await.unwrap().unwrap().id
}

/// A log in partitions of a day, and whose decisions it is to have.
async fn divided() -> (Database, SqlStore, TenantId) {
    let (database, store) = open();
    World::new(&store, "acme").await;
    let id = tenant_of(&store, "acme").await;
    assert!(prepare(&store, first_day(), 1).await);
    (database, store, id)
}

/// Somebody who has the log for as long as his transaction goes on.
async fn hold(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE decision IN ROW EXCLUSIVE MODE").await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_is_divided_while_others_write_and_nothing_is_refused_or_lost() {
    let rows = std::env::var("SCRUPLE_TEST_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(30_000);
    let (database, one, other) = two_nodes();
    let acme = World::new(&one, "acme").await;
    let id = tenant_of(&one, "acme").await;
    fill(&database, id, rows);
    let there = World { tenant: other.tenant(id) };
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|writer| {
        let (world, stop) = (if writer % 2 == 0 { acme.clone() } else { there.clone() }, Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut written, mut longest) = (0, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                world.tenant.commit(creation(0, &format!("u-{writer}-{written}"))).await.unwrap();
                longest = longest.max(begun.elapsed());
                written += 1;
            }
            (written, longest)
        })
    });
    let writers: Vec<_> = writers.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    let tried = prepare_at_last(&one, first_day(), 1).await;
    let divided = begun.elapsed();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut written, mut longest) = (0, Duration::ZERO);
    for writer in writers {
        let (wrote, waited) = writer.await.unwrap();
        (written, longest) = (written + wrote, longest.max(waited));
    }
    eprintln!("{rows} rows divided in {divided:?} at try {tried}; of {written} writes the longest took {longest:?}");
    assert_eq!(rows_of(&database, "decision"), rows as i64 + written);
    let partitions = one.decision_partitions().await.unwrap();
    // It was large, so its end was promised days ahead, and is believed now.
    assert_eq!(ends(&partitions), [Some(day(7)), None]);
    assert!(is_without_gap(&partitions));
    assert_eq!(rows_of(&database, "decision_first"), rows as i64 + written);
    assert_eq!((database.count(PROMISES), database.count(LEFT_OVER)), (0, 0));
    // Its indexes are the ones that it had, and the parent's have their names.
    let indexes = "SELECT count(*) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = 'decision'::regclass \
         AND x.indisvalid AND i.relname IN ('decision_pkey', 'decision_resource', 'decision_refused', 'decision_txn')";
    assert_eq!(database.count(indexes), 4);
    let attached = "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('decision_pkey'::regclass, 'decision_txn'::regclass) \
         AND inhrelid IN ('decision_first_pkey'::regclass, 'decision_first_txn'::regclass)";
    assert_eq!(database.count(attached), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_decision_is_in_the_partition_of_its_time_and_every_time_has_one() {
    let (database, store, id) = divided().await;
    let partitions = store.decision_partitions().await.unwrap();
    // In an empty log nothing stands in the way of days that begin tomorrow.
    assert_eq!(ends(&partitions), [Some(day(1)), Some(day(2)), Some(day(3)), None]);
    assert!(is_without_gap(&partitions));
    let second = SignedDuration::from_secs(1);
    let times = [Timestamp::UNIX_EPOCH, day(1) - second, day(1), day(2) - second, day(2), day(2_000)];
    write(&database, id, &times, 1);
    let counts: Vec<i64> = partitions.iter().map(|partition| rows_of(&database, &partition.name)).collect();
    assert_eq!(counts, [2, 2, 1, 1]);

    // The next day nothing is to be done before a partition would be missing, and then one is made.
    assert!(prepare(&store, first_day(), 1).await);
    assert_eq!(ends(&store.decision_partitions().await.unwrap()), ends(&partitions));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_day_by_day() {
    let (_database, store) = open();
    for now in 0..5 {
        assert!(prepare(&store, day(now) + SignedDuration::from_hours(1), 1).await);
        let partitions = store.decision_partitions().await.unwrap();
        assert!(is_without_gap(&partitions));
        let ahead =
            partitions.iter().filter(|one| one.to.is_some() && one.from.is_some_and(|from| from >= day(now + 1)));
        assert!(ahead.count() >= 2, "{now}: {partitions:?}");
    }
    // Another width goes on where the last one ended.
    assert!(prepare(&store, day(5), 7).await);
    let partitions = store.decision_partitions().await.unwrap();
    assert!(is_without_gap(&partitions));
    let widths: BTreeSet<i64> =
        partitions.iter().filter_map(|one| Some(one.to?.duration_since(one.from?).as_hours() / 24)).collect();
    assert_eq!(widths, BTreeSet::from([1, 7]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_while_no_partition_was_made_stays_where_it_is() {
    let (database, store, id) = divided().await;
    // Nobody was there for a month. Some clock was ahead, too.
    let times: Vec<Timestamp> = (0..40).map(day).collect();
    write(&database, id, &times, 1);
    assert!(prepare(&store, day(30), 1).await);
    let partitions = store.decision_partitions().await.unwrap();
    assert!(is_without_gap(&partitions));
    assert_eq!(rows_of(&database, "decision"), 40);
    let large = partitions.iter().find(|one| one.from == Some(day(3))).unwrap();
    assert_eq!((large.to, rows_of(&database, &large.name)), (Some(day(40)), 37));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_the_same_before_and_after() {
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    let id = tenant_of(&store, "acme").await;
    write(&database, id, &(-3..3).map(day).collect::<Vec<_>>(), 1);
    let ada = acme.user("ada").await;
    let record = refusal_of(&user("bob"), vec![denial("guard")]);
    acme.tenant.record_refusal(Arc::new(record.clone())).await.unwrap();
    database.execute(&format!("UPDATE decision SET txn = '{}' WHERE id = '{}'", ada.id, record.id));
    let any = || DecisionQuery { limit: 50, ..DecisionQuery::default() };
    let queries = [
        any(),
        DecisionQuery { resource: Some(ada.id.0), ..any() },
        DecisionQuery { outcome: Some(Outcome::Denied), ..any() },
        DecisionQuery { outcome: Some(Outcome::Allowed), since: Some(day(1)), ..any() },
        DecisionQuery { before: Some(record.id), limit: 2, ..any() },
        DecisionQuery { since: Some(day(-1)), ..any() },
    ];
    let read = async || {
        let mut answers = Vec::new();
        for query in &queries {
            let page = acme.tenant.decisions(query.clone()).await.unwrap();
            answers.push((page.decisions, page.next));
        }
        let one = acme.tenant.decision(record.id).await.unwrap();
        let of_request = acme.tenant.decisions_of(crate::decision::Txn(ada.id.0)).await.unwrap();
        assert_eq!(of_request.len(), 1);
        (answers, one, of_request)
    };
    let before = read().await;
    assert!(prepare(&store, day(-1), 1).await);
    // In other partitions than its neighbours.
    write(&database, id, &[day(9)], 1);
    database.execute(&format!("DELETE FROM decision WHERE id >= '{}'", id_at(day(8))));
    assert_eq!(read().await, before);
    assert!(before.0.iter().all(|(decisions, _)| !decisions.is_empty()));
}

/// Those of the conformance tests that are about decisions, or read and write what is about them, on a log that was divided before.
#[test]
fn what_holds_for_the_decision_log_holds_for_one_in_partitions() {
    let mut tests: Vec<(&str, Test)> = conformance!();
    let about = ["decision", "the_log", "refusal", "committed", "at_once", "deleted_tenant", "waiver", "each_other"];
    tests.retain(|(name, _)| about.iter().any(|about| name.contains(about)) && !name.contains("nobody_has_divided"));
    assert!(tests.len() > 12, "{}", tests.len());
    for (name, test) in tests {
        eprintln!("{name}");
        let (_database, store) = open();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            assert!(prepare(&store, first_day() - DAY, 1).await);
            test(&store).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_deleted_leaves_nothing_in_any_partition() {
    let (database, store) = open();
    World::new(&store, "acme").await;
    World::new(&store, "other").await;
    let (acme, other) = (tenant_of(&store, "acme").await, tenant_of(&store, "other").await);
    assert!(prepare(&store, first_day(), 1).await);
    for tenant in [acme, other] {
        write(&database, tenant, &(0..9).map(day).collect::<Vec<_>>(), 1);
    }
    store.delete_tenant("acme").await.unwrap();
    assert_eq!(database.count(&format!("SELECT count(*) FROM decision WHERE tenant_id = {}", acme.0)), 0);
    assert_eq!(rows_of(&database, "decision"), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_at_a_time_cares_for_the_partitions() {
    let (_database, one, other) = two_nodes();
    let first = care(&one).await;
    assert!(other.care_for_partitions().await.unwrap().is_none());
    assert!(first.prepare(first_day(), 1).await.unwrap());
    first.give_up().await;
    let second = other.care_for_partitions().await.unwrap().expect("nobody has it");
    // What is done is not done again.
    assert!(second.prepare(first_day(), 1).await.unwrap());
    // Who goes away without a word has it no more.
    drop(second);
    care(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_log_is_not_waited_for_longer_than_writers_can_wait() {
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    let others = hold(&database).await;
    let begun = Instant::now();
    assert!(!prepare(&store, first_day(), 1).await);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!((store.decision_partitions().await.unwrap(), database.count(LEFT_OVER)), (vec![], 0));
    acme.user("ada").await;
    others.batch_execute("COMMIT").await.unwrap();
    assert!(prepare(&store, first_day(), 1).await);

    let others = hold(&database).await;
    let care = care(&store).await;
    let first = care.partitions().await.unwrap().remove(0);
    assert!(!care.drop_whole(&first).await.unwrap());
    assert!(!care.prepare(day(3), 1).await.unwrap());
    assert_eq!(rows_of(&database, "decision"), 1);
    others.batch_execute("COMMIT").await.unwrap();
    assert!(care.drop_whole(&first).await.unwrap());
    assert!(care.prepare(day(3), 1).await.unwrap());
    assert_eq!(rows_of(&database, "decision"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_is_not_met_by_partitions_that_change() {
    let (database, store) = open();
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let lock = super::super::owner::LOCK;
    client.batch_execute(&format!("SELECT pg_advisory_lock({lock})")).await.unwrap();
    assert!(!prepare(&store, first_day(), 1).await);
    client.batch_execute(&format!("SELECT pg_advisory_unlock({lock})")).await.unwrap();
    assert!(prepare(&store, first_day(), 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_leaves_a_blank_place_that_grows_and_takes_what_comes_late() {
    let (database, store) = open();
    World::new(&store, "acme").await;
    let id = tenant_of(&store, "acme").await;
    for now in 0..6 {
        assert!(prepare(&store, day(now), 1).await);
    }
    write(&database, id, &(0..8).map(day).collect::<Vec<_>>(), 1);
    let care = care(&store).await;
    let drop_day = async |number: i32| {
        let partitions = care.partitions().await.unwrap();
        let of_day = partitions.iter().find(|one| one.to == Some(day(number + 1))).unwrap();
        assert!(care.drop_whole(of_day).await.unwrap());
        let partitions = care.partitions().await.unwrap();
        assert!(is_without_gap(&partitions), "{partitions:?}");
        partitions
    };
    // Not the first: the place stays, and what is beside it too.
    let partitions = drop_day(2).await;
    let blank = partitions.iter().find(|one| one.from == Some(day(2))).unwrap();
    assert!(blank.is_blank && blank.to == Some(day(3)), "{blank:?}");
    assert_eq!(rows_of(&database, "decision"), 7);
    // The one after it goes with it.
    let partitions = drop_day(3).await;
    assert_eq!(partitions.iter().find(|one| one.from == Some(day(2))).unwrap().to, Some(day(4)));
    // What comes late is nowhere missed, and keeps its place from being taken for blank.
    write(&database, id, &[day(2)], 1);
    let partitions = drop_day(4).await;
    assert_eq!(partitions.iter().find(|one| one.from == Some(day(4))).unwrap().to, Some(day(5)));
    for number in [0, 1, 3, 4, 5] {
        drop_day(number).await;
    }
    let partitions = care.partitions().await.unwrap();
    assert_eq!((partitions[0].to, partitions[0].is_blank), (Some(day(6)), true));
    assert_eq!(rows_of(&database, "decision"), 2);
    write(&database, id, &[Timestamp::UNIX_EPOCH], 1);
    // The last has no end.
    let last = partitions.last().unwrap();
    assert!(!care.drop_whole(last).await.unwrap());
}

/// The table is gone, not emptied: it was another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_dropped_and_not_emptied() {
    let (database, store, id) = divided().await;
    assert!(prepare(&store, day(5), 1).await);
    write(&database, id, &[day(0), day(1)], 1);
    let care = care(&store).await;
    let partitions = care.partitions().await.unwrap();
    let oids = format!(
        "SELECT count(*) FROM pg_class WHERE oid IN ({}, {})",
        oid(&database, &partitions[0]),
        oid(&database, &partitions[1])
    );
    assert_eq!(database.count(&oids), 2);
    for partition in &partitions[..2] {
        assert!(care.drop_whole(partition).await.unwrap());
    }
    assert_eq!(database.count(&oids), 0);
    // What is not there any more is not dropped again.
    assert!(!care.drop_whole(&partitions[1]).await.unwrap());
}

fn oid(database: &Database, partition: &DecisionPartition) -> i64 {
    database.count(&format!("SELECT CAST('{}'::regclass::oid AS bigint)", partition.name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_is_kept_while_it_is_far_ahead_and_taken_back_when_it_comes_near() {
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    make_large(&database, tenant_of(&store, "acme").await);
    let promise = |end: Timestamp| {
        let id = first_id_of(end);
        database.execute(&format!(
            "ALTER TABLE decision_first ADD CONSTRAINT decision_until CHECK (id < '{id}') NOT VALID"
        ));
    };
    // As a node leaves it that was killed when the table was the only partition.
    let as_only_partition = || {
        database.execute(
            "ALTER TABLE decision DETACH PARTITION decision_first; \
             DO $$ DECLARE p text; BEGIN FOR p IN SELECT inhrelid::regclass::text FROM pg_inherits \
             WHERE inhparent = 'decision'::regclass LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $$; \
             ALTER TABLE decision ATTACH PARTITION decision_first FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
        );
    };
    let care = care(&store).await;
    assert!(care.prepare(first_day(), 1).await.unwrap());
    as_only_partition();
    promise(day(2));
    care.tidy(first_day()).await.unwrap();
    assert_eq!(database.count(PROMISES), 0, "it would have refused what is written in two days");
    promise(day(2));
    assert!(care.prepare(first_day(), 1).await.unwrap());
    assert_eq!(ends(&care.partitions().await.unwrap()), [Some(day(7)), None]);

    as_only_partition();
    promise(day(5));
    care.tidy(first_day()).await.unwrap();
    assert_eq!(database.count(PROMISES), 1);
    assert!(care.prepare(first_day(), 1).await.unwrap());
    assert_eq!(ends(&care.partitions().await.unwrap()), [Some(day(5)), None]);
    assert_eq!(database.count(PROMISES), 0);
    acme.user("ada").await;
}

/// Whatever of a preparation or a drop was the last that was done, writes go on, and the next round does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_is_done_by_the_next_round() {
    for place in 0.. {
        let cut = if place % 2 == 0 { Cut::Before } else { Cut::After };
        let (database, proxy, store) = faults::open();
        let acme = World::new(&store, "acme").await;
        make_large(&database, tenant_of(&store, "acme").await);
        let cared = care(&store).await;
        proxy.cut(place, cut);
        let prepared = cared.prepare(first_day(), 1).await;
        let has_cut = proxy.mend();
        assert_eq!(prepared.is_err(), has_cut, "{place} {cut:?}: {prepared:?}");
        drop(cared);
        acme.user("ada").await;
        let other = database.open();
        assert!(prepare(&other, first_day(), 1).await, "{place} {cut:?}");
        let partitions = other.decision_partitions().await.unwrap();
        assert!(is_without_gap(&partitions));
        assert_eq!(ends(&partitions), [Some(day(7)), None], "{place} {cut:?}");
        assert_eq!((database.count(PROMISES), database.count(LEFT_OVER)), (0, 0), "{place} {cut:?}");

        assert!(prepare(&other, day(7), 1).await);
        let cared = care(&store).await;
        proxy.cut(place, cut);
        let dropped = cared.drop_whole(&partitions[0]).await;
        proxy.mend();
        assert!(dropped.is_err() || dropped.unwrap());
        drop(cared);
        let cared = care(&other).await;
        let first = cared.partitions().await.unwrap().remove(0);
        assert!(first.is_blank || cared.drop_whole(&first).await.unwrap());
        assert!(is_without_gap(&cared.partitions().await.unwrap()));
        assert_eq!((rows_of(&database, "decision"), database.count(LEFT_OVER)), (0, 0));
        if !has_cut {
            assert!(place > 10, "{place}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_migration_adds_is_in_every_partition() {
    let (database, store) = open();
    let acme = World::new(&store, "acme").await;
    assert!(prepare(&store, first_day(), 1).await);
    acme.user("ada").await;
    database.execute(
        "ALTER TABLE decision ADD COLUMN more bigint; CREATE INDEX decision_more ON decision(tenant_id, more)",
    );
    acme.user("bob").await;
    assert!(prepare(&store, day(3), 1).await);
    let indexes = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'decision_more'::regclass";
    let partitions = store.decision_partitions().await.unwrap();
    assert_eq!(database.count(indexes), partitions.len() as i64);
    let care = care(&store).await;
    assert!(care.drop_whole(&partitions[0]).await.unwrap());
    assert_eq!(database.count(indexes), partitions.len() as i64);
    acme.user("eve").await;
}

/// What a node does that knows of no partitions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_node_drops_decisions_one_by_one_as_before() {
    let (database, _store, id) = divided().await;
    write(&database, id, &(0..6).map(day).collect::<Vec<_>>(), 1);
    database.execute(&format!(
        "DELETE FROM decision WHERE tenant_id = {0} AND id IN (SELECT id FROM decision WHERE tenant_id = {0} AND id < '{1}' \
         AND id <= '{1}' ORDER BY id LIMIT 500)",
        id.0,
        first_id_of(day(3))
    ));
    assert_eq!(rows_of(&database, "decision"), 3);
}

impl Database {
    /// Has the decision log in partitions.
    pub(super) fn divide(&self) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert!(runtime.block_on(async { prepare(&self.open(), first_day(), 1).await }));
    }
}
