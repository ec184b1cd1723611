//! A server that is killed loses no acknowledged write and no decision. `SCRUPLE_KILLS=50` runs the long form.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scruple_tests::components::SAFE_VALUES;
use scruple_tests::database::TestDatabase;
use scruple_tests::{ServerProcess, TenantClient, mail_at, user};
use serde_json::{Value, json};

/// Clients that write at the same time: enough for batches of several.
const WRITERS: usize = 8;

/// How often the server is killed in an ordinary run.
const KILLS: usize = 3;

/// What a client was told.
enum Acknowledged {
    Created { id: String, decision: String },
    Refused { decision: String },
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// Starts the server on a folder, with what it keeps in there, or in a database.
fn start(data: &Path, database: Option<&TestDatabase>) -> ServerProcess {
    let store = database.map(|database| format!("[store]\ndatabase = \"{}\"\n", database.url)).unwrap_or_default();
    ServerProcess::start_with(program(), data, &format!("[scim]\nrequests_per_second = 0\n{store}")).unwrap()
}

/// Writes until the server is gone; every third user breaks the constraint. Returns what was acknowledged.
async fn write_until_gone(
    acme: TenantClient,
    round: usize,
    writer: usize,
    told: Arc<AtomicUsize>,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let mut body = user(&format!("user-{round}-{writer}-{n}"));
        if n % 3 == 0 {
            body["emails"] = json!([{ "value": "someone@elsewhere.org" }]);
        }
        let request = acme.scim.request(reqwest::Method::POST, &acme.scim_path("/Users")).json(&body);
        let Ok(answer) = acme.scim.try_send(request).await else { break };
        let decision = answer.decision_id().unwrap_or_else(|| panic!("no decision in {:#}", answer.body));
        acknowledged.push(match answer.status {
            201 => Acknowledged::Created { id: answer.id(), decision },
            400 => Acknowledged::Refused { decision },
            status => panic!("unexpected status {status}: {:#}", answer.body),
        });
        told.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn check(acme: &TenantClient, acknowledged: &[Acknowledged]) {
    for entry in acknowledged {
        let (decision, outcome) = match entry {
            Acknowledged::Created { id, decision } => {
                acme.get(&format!("/Users/{id}")).await.expect_status(200);
                (decision, "allowed")
            }
            Acknowledged::Refused { decision } => (decision, "denied"),
        };
        assert_eq!(acme.decision(decision).await["outcome"], outcome);
    }
}

/// Resources and admitting decisions must match one to one: neither is there without the other.
async fn check_pairs(acme: &TenantClient) {
    let stored = acme.query("/Users", &[("count", "0")]).await.expect_status(200).body["totalResults"].clone();
    let mut admitted = 0;
    let mut cursor = String::new();
    loop {
        let path = acme.api_path(&format!("/decisions?verdict=allowed&limit=1000{cursor}"));
        let page = acme.admin.get(&path).await.expect_status(200).body;
        admitted += page["decisions"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(stored, admitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_no_acknowledged_write_and_no_decision() {
    let kills = std::env::var("SCRUPLE_KILLS").map_or(KILLS, |text| text.parse().expect("a number of kills"));
    let data = tempfile::tempdir().unwrap();
    let database = TestDatabase::if_wanted();
    let mut server = start(data.path(), database.as_ref());
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let mut acme = TenantClient::new(server.address, "acme", &operator).await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;

    let mut acknowledged = Vec::new();
    for round in 0..kills {
        let told = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_until_gone(acme.clone(), round, writer, Arc::clone(&told))))
            .collect();
        // Killed in the middle of the work, a little later each time.
        while told.load(Ordering::Relaxed) < 40 + 7 * (round % 10) {
            assert!(writers.iter().any(|writer| !writer.is_finished()), "the writers gave up on a living server");
            tokio::task::yield_now().await;
        }
        server.kill().unwrap();
        let mut told_now = Vec::new();
        for writer in writers {
            told_now.extend(writer.await.unwrap());
        }
        assert!(told_now.iter().any(|entry| matches!(entry, Acknowledged::Refused { .. })));

        server = start(data.path(), database.as_ref());
        acme = acme.at(server.address);
        check(&acme, &told_now).await;
        acknowledged.extend(told_now);
    }
    check(&acme, &acknowledged).await;
    check_pairs(&acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let _first = ServerProcess::start(program(), data.path()).unwrap();
    let second = std::process::Command::new(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(5));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("in use by another server"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_are_in_force_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let database = TestDatabase::if_wanted();
    let server = start(data.path(), database.as_ref());
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
    let acme = TenantClient::new(server.address, "acme", &operator).await;
    acme.enforce(SAFE_VALUES, mail_at("elsewhere.org")).await;
    server.kill().unwrap();

    // The compiled component on disk is damaged meanwhile: it is compiled again, not loaded and not skipped.
    for entry in std::fs::read_dir(data.path().join("compiled")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let server = start(data.path(), database.as_ref());
    let acme = acme.at(server.address);
    let refused: Value = acme.post("/Users", user("ada")).await.expect_status(400).body;
    assert_eq!(refused["scimType"], "invalidValue");
}
