//! `scruple backup` and `restore`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scruple_tests::{TenantClient, user};
use serde_json::{Value, json};

use super::answers::{World, assert_same};
use super::{command, said, serve, text};

/// Creates users until it is told to stop; how many were acknowledged.
async fn write(globex: TenantClient, writer: usize, stop: Arc<AtomicBool>) -> usize {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return n;
        }
        globex.post("/Users", user(&format!("user-{writer}-{n}"))).await.expect_status(201);
    }
    0
}

/// Users that there are, and decisions that admitted one.
async fn written(globex: &TenantClient) -> (u64, usize) {
    let users =
        globex.query("/Users", &[("count", "0")]).await.expect_status(200).body["totalResults"].as_u64().unwrap();
    let (mut decisions, mut cursor) = (0, String::new());
    loop {
        let page =
            globex.admin.get(&globex.api_path(&format!("/decisions?limit=1000{cursor}"))).await.expect_status(200).body;
        decisions += page["decisions"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (users, decisions),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_writes_and_restored_elsewhere_answers_every_request_the_same() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = serve(data.path());
    let world = World::fill(&server).await;
    let refusals = world.refusals().await;
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": "globex" })).await.expect_status(201);
    let globex = TenantClient::new(server.address, "globex", &operator).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(write(globex.clone(), writer, Arc::clone(&stop)))).collect();
    while written(&globex).await.0 < 50 {}
    let before = written(&globex).await.0;

    let backup = elsewhere.path().join("backup");
    let made = {
        let (data, backup) = (data.path().to_owned(), backup.clone());
        tokio::task::spawn_blocking(move || said(&["backup", text(&backup), "--data", text(&data)])).await.unwrap()
    };
    assert!(made.starts_with(&format!("backed up `{}` to `{}`: ", data.path().display(), backup.display())), "{made}");
    assert!(made.ends_with("checked. The server's keys are in it: let nobody else read it\n"), "{made}");
    let after = written(&globex).await.0;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let answers = world.answers().await;
    // It stays what it was, whatever becomes of the server.
    server.kill().unwrap();

    let restored = elsewhere.path().join("far/away");
    let told = said(&["restore", text(&backup), "--data", text(&restored)]);
    assert!(told.contains("serve it with `scruple serve --data"), "{told}");
    let server = serve(&restored);
    let restored = world.at(&server);
    assert_same(&answers, &restored.answers().await);
    assert_eq!(refusals, restored.refusals().await);
    // Of one moment, within the time that it took; and no change without its decision.
    let (users, decisions) = written(&globex.at(server.address)).await;
    assert!((before..=after).contains(&users), "{users} of {before} to {after}");
    assert_eq!(users as usize, decisions);
    globex.at(server.address).post("/Users", user("one-more")).await.expect_status(201);
}

#[test]
fn a_backup_is_its_owners_alone_and_has_what_a_restored_server_needs_and_no_more() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    serve(data.path()).stop().unwrap();
    fs::write(data.path().join("operator-token.hash"), [7; 32]).unwrap();
    fs::write(data.path().join("node.id"), [7; 16]).unwrap();
    let backup = elsewhere.path().join("backup");
    let told = said(&["backup", text(&backup), "--data", text(data.path()), "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let names = |folder: &Path| -> BTreeSet<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let files = ["backup.json", "operator-token.hash", "scruple.db", "secret.key"];
    assert_eq!(names(&backup), files.map(str::to_owned).into());
    let manifest: Value = serde_json::from_slice(&fs::read(backup.join("backup.json")).unwrap()).unwrap();
    assert_eq!(told["manifest"], manifest);
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let restored = elsewhere.path().join("restored");
    said(&["restore", text(&backup), "--data", text(&restored)]);
    for folder in [&backup, &restored] {
        assert_eq!(mode(folder), 0o700);
        assert!(names(folder).iter().all(|name| mode(&folder.join(name)) == 0o600), "{}", folder.display());
    }
    assert_eq!(names(&restored), files[1..].iter().map(|name| (*name).to_owned()).collect());
    for name in &files[1..] {
        assert_eq!(fs::read(backup.join(name)).unwrap(), fs::read(restored.join(name)).unwrap(), "{name}");
    }
    // Nothing is left of what was written aside.
    assert_eq!(names(elsewhere.path()), ["backup", "restored"].map(str::to_owned).into());
}

#[test]
fn a_backup_takes_another_ones_place_only_if_that_is_said() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    serve(data.path()).stop().unwrap();
    let backup = elsewhere.path().join("backup");
    let args = ["backup", text(&backup), "--data", text(data.path())];
    said(&args);
    let first = fs::read(backup.join("backup.json")).unwrap();
    let there = format!(
        "`{}` is there already: name another folder, or replace that backup with `--replace`",
        backup.display()
    );
    super::fails(&args, 2, &there);
    assert_eq!(fs::read(backup.join("backup.json")).unwrap(), first);
    said(&[&args[..], &["--replace"]].concat());
    assert_ne!(fs::read(backup.join("backup.json")).unwrap(), first);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    // A folder of something else is never replaced.
    let other = elsewhere.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter"), "dear").unwrap();
    let refused = format!("`{}` is no backup, and is not replaced: name another folder", other.display());
    super::fails(&["backup", text(&other), "--data", text(data.path()), "--replace"], 2, &refused);
    assert_eq!(fs::read_to_string(other.join("letter")).unwrap(), "dear");
}

#[test]
fn a_killed_backup_leaves_nothing_under_its_name() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    serve(data.path()).stop().unwrap();
    let backup = elsewhere.path().join("backup");
    for pause_ms in [0, 2, 4, 8, 16, 32, 64] {
        let mut child = command(&["backup", text(&backup), "--data", text(data.path())]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        let _ = child.kill();
        child.wait().unwrap();
        if backup.exists() {
            // It was faster: then all of it is there.
            let restored = elsewhere.path().join(format!("restored-{pause_ms}"));
            said(&["restore", text(&backup), "--data", text(&restored)]);
            fs::remove_dir_all(&backup).unwrap();
        }
    }
}
