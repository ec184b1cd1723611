//! `scruple migrate`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use scruple_tests::ServerProcess;
use scruple_tests::database::TestDatabase;
use serde_json::Value;

use super::answers::{World, assert_same};
use super::{command, fails, program, said, serve, text};

fn serve_from(data: &Path, database: &TestDatabase) -> ServerProcess {
    let settings = format!(
        "[server]\npublic_url = \"http://scim.test\"\n[store]\ndatabase = \"{}\"\nsnapshots_max = 8\n",
        database.url
    );
    ServerProcess::start_with(program(), data, &settings).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_moved_answers_every_request_the_same() {
    let (data, database) = (tempfile::tempdir().unwrap(), TestDatabase::create());
    let server = serve(data.path());
    let world = World::fill(&server).await;
    let (refusals, answers) = (world.refusals().await, world.answers().await);
    server.stop().unwrap();
    let from = format!("sqlite:{}", data.path().display());
    let told = lines(&said(&["migrate", "--from", &from, "--to", &database.url, "--json"]));
    let last = told.last().unwrap();
    assert_eq!((&last["state"], &last["before"]), (&"moved".into(), &false.into()));
    for state in ["copying", "comparing"] {
        let of = |line: &&Value| line["state"] == state && line["table"] == "resource";
        assert!(told.iter().filter(of).any(|line| line["rows"] == line["of"] && line["rows"] == 33), "{told:?}");
    }
    let server = serve_from(data.path(), &database);
    let moved = world.at(&server);
    assert_same(&answers, &moved.answers().await);
    assert_eq!(refusals, moved.refusals().await);
    // And it goes on from there.
    moved.acme.post("/Users", scruple_tests::user("one-more")).await.expect_status(201);
}

#[test]
fn a_move_comes_to_its_end_though_nobody_listens() {
    let (data, database) = (tempfile::tempdir().unwrap(), TestDatabase::create());
    serve(data.path()).stop().unwrap();
    let from = format!("sqlite:{}", data.path().display());
    let args = ["migrate", "--from", &from, "--to", &database.url, "--json"];
    let mut child = command(&args).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(said(&args).contains("\"before\": true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_killed_goes_on_and_neither_half_is_served() {
    let (data, database) = (tempfile::tempdir().unwrap(), TestDatabase::create());
    let server = serve(data.path());
    let world = World::fill(&server).await;
    let answers = world.answers().await;
    server.stop().unwrap();
    let from = format!("sqlite:{}", data.path().display());
    let args = ["migrate", "--from", &from, "--to", &database.url, "--json"];
    // Killed at its first word of this table: some of them are copied by then.
    let mut child = command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut said_first = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let reached = said_first.find(|line| line.contains("\"resource\""));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(reached.is_some());

    let listen = ["serve", "--listen", "127.0.0.1:0", "--data", text(data.path())];
    let moving = "cannot open the store: what is here is being moved to PostgreSQL: run `scruple migrate` as before to go on with that, \
                  or with `--give-up` to stay here";
    fails(&listen, 5, moving);
    let half = "cannot open the store: the database has half of what is being moved into it: run `scruple migrate` as before, and serve \
                when it has come to its end";
    fails(&[&listen[..], &["--database", &database.url]].concat(), 5, half);

    said(&args);
    let away = "cannot open the store: what was here has been moved to PostgreSQL: name that with `--database`; `scruple migrate \
                --give-up` has what is here served again, without what was written there since";
    fails(&listen, 5, away);
    let server = serve_from(data.path(), &database);
    assert_same(&answers, &world.at(&server).answers().await);
    server.stop().unwrap();

    let again = said(&["migrate", "--from", &from, "--to", &database.url]);
    assert!(again.starts_with("everything had been moved already; serve it with `--data "), "{again}");
    let given_up = said(&["migrate", "--from", &from, "--give-up"]);
    assert!(given_up.contains("is served from there again; what was written in PostgreSQL since"), "{given_up}");
    let server = serve(data.path());
    assert_same(&answers, &world.at(&server).answers().await);
}
