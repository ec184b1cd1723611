//! A database that goes away and comes back, has no room for another connection, or is slow.

use std::time::{Duration, Instant};

use scruple_tests::cluster::Cluster;
use scruple_tests::{Response, TenantClient, user};
use tokio_postgres::{Client, NoTls};

use super::load::Load;
use super::server_with;

/// The longest that nobody is served once the database can.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// The longest that anybody waits for an answer while it is away.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// Lets the clients go on, and looks whether they are served again.
#[expect(clippy::print_stderr, reason = "how long it took is worth a line of a test's output")]
async fn is_back(what: &str, load: &Load, since: Instant) {
    load.created(100).await;
    let (back, slowest) = (load.answers.first_after(since, 201).unwrap(), load.answers.slowest());
    eprintln!(
        "{what}: back {back:?} after it; {} answers of 503, the slowest after {slowest:?}",
        load.answers.count(503)
    );
    assert!(back < BACK_WITHIN, "{what}: {back:?}");
    assert!(slowest < ANSWERED_WITHIN, "{what}: {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_and_a_crash_of_the_database_are_told_and_got_over() {
    let database = Cluster::start("");
    let server = server_with(&database.url()).await;
    let load = Load::start(&server).await;
    load.created(50).await;
    for mode in ["fast", "immediate"] {
        let told = load.answers.count(503);
        database.stop(mode);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(load.answers.count(503) > told, "nobody noticed");
        assert_eq!(server.operator().get("/readyz").await.status, 503);
        database.launch();
        is_back(mode, &load, Instant::now()).await;
    }
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_ended_in_the_middle_of_what_they_do_lose_nothing() {
    let database = Cluster::start("");
    let server = server_with(&database.url()).await;
    let load = Load::start(&server).await;
    for _ in 0..20 {
        load.created(5).await;
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scruple' AND pid <> pg_backend_pid()",
        );
    }
    assert!(load.answers.count(503) > 0, "nobody noticed");
    is_back("sessions ended", &load, Instant::now()).await;
    load.end().await;
}

/// Connections of others, until there are no more.
async fn take_all_connections(url: &str) -> Vec<Client> {
    let mut taken = Vec::new();
    while let Ok((client, connection)) = tokio_postgres::connect(url, NoTls).await {
        tokio::spawn(connection);
        taken.push(client);
    }
    taken
}

/// The answers to requests that are sent at once.
async fn at_once<F: Future<Output = Response> + Send + 'static>(requests: impl Iterator<Item = F>) -> Vec<Response> {
    let mut answers = Vec::new();
    for request in requests.map(tokio::spawn).collect::<Vec<_>>() {
        answers.push(request.await.unwrap());
    }
    answers
}

async fn create_many(acme: &TenantClient, prefix: &str, many: usize) -> Vec<Response> {
    let names = (0..many).map(|number| format!("{prefix}-{number}"));
    at_once(names.map(|name| (acme.clone(), name)).map(async |(acme, name)| acme.post("/Users", user(&name)).await))
        .await
}

async fn read_many(acme: &TenantClient, many: usize) -> Vec<Response> {
    at_once((0..many).map(|_| acme.clone()).map(async |acme| acme.get(KNOWN).await)).await
}

/// Who is asked for.
const KNOWN: &str = "/Users?filter=userName+eq+%22known%22";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_free_connection_is_told_and_got_over() {
    let database = Cluster::start("max_connections = 20\nsuperuser_reserved_connections = 1\n");
    database.execute("CREATE ROLE app LOGIN");
    database.execute("CREATE DATABASE app OWNER app");
    let url = database.url().replace("scruple@", "app@").replace("/postgres", "/app");
    let server = server_with(&url).await;
    let acme = server.tenant("acme").await;

    // More at once than the server has connections for: some are told to come again.
    let storm = create_many(&acme, "storm", 64).await;
    let told: Vec<_> = storm.iter().filter(|answer| answer.status == 503).collect();
    assert!(told.iter().all(|answer| answer.header("retry-after").is_some()));
    assert!(storm.iter().all(|answer| [201, 503].contains(&answer.status)));
    assert!(storm.iter().any(|answer| answer.status == 201));

    // Others have what is left, and those of this server are ended.
    let url = database.url().replace("scruple@", "app@");
    let mut others = take_all_connections(&url).await;
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'app'");
    others.extend(take_all_connections(&url).await);
    for answer in create_many(&acme, "none", 8).await {
        let answer = answer.expect_status(503);
        assert!(answer.header("retry-after").is_some());
    }
    drop(others);
    let freed = Instant::now();
    while acme.post("/Users", user("after")).await.status != 201 {
        assert!(freed.elapsed() < BACK_WITHIN, "it is not served again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{} of 64 were told to come again; served {:?} after there was room", told.len(), freed.elapsed());
}

/// Somebody holds a lock for ever: nobody waits as long, nor for those who do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_a_lock_keeps_are_told_so_and_those_behind_them_too() {
    let database = Cluster::start("");
    let server = server_with(&database.url()).await;
    let acme = server.tenant("acme").await;
    acme.post("/Users", user("known")).await.expect_status(201);

    let (holder, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("BEGIN; LOCK TABLE resource IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let begun = Instant::now();
    let (reads, writes) = tokio::join!(read_many(&acme, 100), create_many(&acme, "kept", 40));
    for answer in reads.into_iter().chain(writes) {
        let answer = answer.expect_status(503);
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    // Ten seconds for a lock, after ten for leave to ask for it.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    eprintln!("140 requests were answered within {:?}", begun.elapsed());

    holder.batch_execute("ROLLBACK").await.unwrap();
    let freed = Instant::now();
    acme.get(KNOWN).await.expect_status(200);
    acme.post("/Users", user("after")).await.expect_status(201);
    assert!(freed.elapsed() < BACK_WITHIN, "{:?}", freed.elapsed());
    assert_eq!(acme.query("/Users", &[("count", "0")]).await.body["totalResults"], 2);
}

/// A database that is not done with a statement in half a minute gives it up. Who has nothing to do with that does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_given_up_and_told() {
    let database = Cluster::start("");
    let server = server_with(&database.url()).await;
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);
    acme.post("/Users", user("known")).await.expect_status(201);
    database.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.body LIKE ''%slow%'' THEN PERFORM pg_sleep(300); END IF; RETURN NEW; END'",
    );
    database.execute("CREATE TRIGGER slow BEFORE INSERT ON resource FOR EACH ROW EXECUTE FUNCTION slow()");

    let begun = Instant::now();
    let slow = tokio::spawn({
        let acme = acme.clone();
        async move { acme.post("/Users", user("slow")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    for answer in create_many(&other, "other", 20).await {
        answer.expect_status(201);
    }
    acme.get(KNOWN).await.expect_status(200);
    assert!(begun.elapsed() < ANSWERED_WITHIN, "others waited: {:?}", begun.elapsed());

    let answer = slow.await.unwrap().expect_status(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(25)..Duration::from_secs(40)).contains(&waited), "{waited:?}");
    acme.post("/Users", user("after")).await.expect_status(201);
    assert_eq!(acme.query("/Users", &[("count", "0")]).await.body["totalResults"], 2);
}

/// A database that is made read-only while it is in use, as before a planned change of the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_becomes_read_only_is_told_and_got_over() {
    let database = Cluster::start("");
    let server = server_with(&database.url()).await;
    let load = Load::start(&server).await;
    load.created(20).await;
    database.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    database.execute("SELECT pg_reload_conf()");
    let read_only = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(load.answers.first_after(read_only, 503).is_some(), "nobody noticed");
    assert_eq!(load.answers.first_after(read_only + Duration::from_millis(500), 201), None);
    database.execute("ALTER SYSTEM RESET default_transaction_read_only");
    database.execute("SELECT pg_reload_conf()");
    is_back("writes allowed again", &load, Instant::now()).await;
    load.end().await;
}
