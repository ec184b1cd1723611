//! A standby that has every acknowledged write takes over from the primary.

use std::time::{Duration, Instant};

use scruple_tests::cluster::Cluster;

use super::load::Load;
use super::server_with;
use super::tls::refusal;

/// The longest that nobody is served once the standby takes writes.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// A primary, and a standby that it waits for.
fn pair() -> (Cluster, Cluster) {
    let primary = Cluster::start("");
    let standby = Cluster::standby_of(&primary, "standby");
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    primary.execute("SELECT pg_reload_conf()");
    while primary.count("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    (primary, standby)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_takes_no_acknowledged_write_with_it() {
    let (primary, standby) = pair();
    let said = refusal(&format!("[store]\ndatabase = \"{}\"\n", standby.url()));
    assert!(said.contains("it is read-only: a standby"), "{said}");
    let url = format!("postgres://scruple@{},{}/postgres", standby.host(), primary.host());
    let server = server_with(&url).await;
    let load = Load::start(&server).await;
    load.created(100).await;

    primary.kill();
    let killed = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = load.answers.count(503);
    assert!(told > 0, "nobody noticed");
    assert_eq!(load.answers.first_after(killed + Duration::from_millis(500), 201), None);

    standby.promote();
    let promoted = Instant::now();
    load.created(100).await;
    let back = load.answers.first_after(promoted, 201).unwrap();
    assert!(back < BACK_WITHIN, "{back:?}");
    assert!(load.answers.slowest() < Duration::from_secs(5), "{:?}", load.answers.slowest());
    eprintln!("back {back:?} after the promotion; slowest answer {:?}", load.answers.slowest());
    load.end().await;
}

/// Its machine accepts what is sent to it and says nothing, which is worse than one that is gone: whoever has asked it something
/// waits for longer than any statement may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_given_up_and_not_asked_again_when_it_goes_on() {
    let (primary, standby) = pair();
    let url = format!("postgres://scruple@{},{}/postgres?connect_timeout=1", primary.host(), standby.host());
    let server = server_with(&url).await;
    let load = Load::start(&server).await;
    load.created(100).await;

    primary.freeze(true);
    standby.promote();
    let promoted = Instant::now();
    load.created(100).await;
    let back = load.answers.first_after(promoted, 201).unwrap();
    eprintln!("back {back:?} after the promotion; slowest answer {:?}", load.answers.slowest());
    // It goes on, and does not know that it is not the primary any more. Everything is asked and told elsewhere.
    primary.freeze(false);
    load.created(100).await;
    assert!(load.answers.slowest() < Duration::from_secs(40), "{:?}", load.answers.slowest());
    load.end().await;
}

/// The primary is well, but nothing is acknowledged without the standby: whoever writes is told so in the end, and what was
/// written all the same is there when it is sent again. Whoever reads is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_lost_keeps_those_who_write_and_nobody_else() {
    let (primary, standby) = pair();
    let server = server_with(&primary.url()).await;
    let load = Load::start(&server).await;
    load.created(100).await;

    standby.kill();
    let killed = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (read, asked) = (load.answers.count(200), Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(load.answers.count(200) > read, "nobody reads any more");
    assert_eq!(load.answers.first_after(killed + Duration::from_secs(1), 201), None);
    while load.answers.count(503) == 0 {
        assert!(asked.elapsed() < Duration::from_secs(60), "those who write are told nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    primary.execute("ALTER SYSTEM SET synchronous_standby_names = ''");
    primary.execute("SELECT pg_reload_conf()");
    let alone = Instant::now();
    load.created(100).await;
    let back = load.answers.first_after(alone, 201).unwrap();
    assert!(back < BACK_WITHIN, "{back:?}");
    eprintln!("back {back:?} after the standby is not waited for; slowest answer {:?}", load.answers.slowest());
    assert!(load.answers.slowest() < Duration::from_secs(45), "{:?}", load.answers.slowest());
    load.end().await;
}
