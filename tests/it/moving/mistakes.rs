//! What is wrong is told with what to do, and leaves everything as it was.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use scruple_tests::database::TestDatabase;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{fails, program, run, said, serve, text};

/// A folder in which a server has been.
fn served() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    serve(data.path()).stop().unwrap();
    data
}

/// A backup in a folder of its own.
fn backed_up() -> (TempDir, PathBuf) {
    let (data, folder) = (served(), tempfile::tempdir().unwrap());
    let backup = folder.path().join("backup");
    said(&["backup", text(&backup), "--data", text(data.path())]);
    (folder, backup)
}

#[test]
fn a_move_from_or_to_what_there_is_not_is_refused() {
    let data = served();
    let from = format!("sqlite:{}", data.path().display());
    let migrate = |from: &str, to: &str, code: i32, expected: &str| {
        fails(&["migrate", "--from", from, "--to", to], code, expected)
    };
    let usage = "`--to`: name a database of PostgreSQL, as `postgres://user:password@host/database?sslmode=require`";
    migrate(&from, "mysql://host/database", 2, usage);
    migrate(
        "scruple-data",
        "postgres://host/database",
        2,
        "`--from scruple-data`: name the data folder of a server, as `sqlite:scruple-data`",
    );
    let bad = "the address of the database cannot be read: invalid connection string: invalid value for option `port`";
    migrate(&from, "postgres://host:port/database", 2, bad);
    let away =
        "the database cannot be reached: 127.0.0.1:9: error connecting to server: Connection refused (os error 111)";
    migrate(&from, "postgres://127.0.0.1:9/database", 4, away);
    let to = ["--to", "postgres://127.0.0.1:9/database", "--ca", "/nowhere/ca.pem"];
    let no_certificates = "`/nowhere/ca.pem` cannot be used: No such file or directory (os error 2)";
    fails(&[&["migrate", "--from", &from][..], &to].concat(), 2, no_certificates);
    let nowhere = data.path().join("nowhere");
    let missing = format!(
        "there is no database in `{}`: name the data folder of a server that keeps what it has in a file",
        nowhere.display()
    );
    migrate(&format!("sqlite:{}", nowhere.display()), "postgres://127.0.0.1:9/database", 2, &missing);
    assert!(!nowhere.exists());
    // Nothing of this keeps the folder from being served.
    serve(data.path());
}

#[test]
fn a_move_waits_for_nobody_who_has_the_folder() {
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    let in_use = format!(
        "the data folder `{}` is in use by another server (or by `scruple migrate`): stop that one, or name another folder with `--data`",
        data.path().display()
    );
    let from = format!("sqlite:{}", data.path().display());
    fails(&["migrate", "--from", &from, "--to", "postgres://127.0.0.1:9/database"], 5, &in_use);
    fails(&["migrate", "--from", &from, "--give-up"], 5, &in_use);
    server.stop().unwrap();
    let told = said(&["migrate", "--from", &from, "--give-up"]);
    assert_eq!(told, format!("`{}` was not being moved; it is served from there\n", data.path().display()));
}

#[test]
fn a_file_of_another_program_is_neither_moved_nor_kept() {
    let (data, database, folder) = (tempfile::tempdir().unwrap(), TestDatabase::create(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("scruple.db"), "a letter, and no database at all").unwrap();
    let from = format!("sqlite:{}", data.path().display());
    fails(
        &["migrate", "--from", &from, "--to", &database.url],
        5,
        "the database failed: file is not a database: Error code 26: file is not a database",
    );
    let backup = folder.path().join("backup");
    let refused = format!(
        "the database in `{}` cannot be copied: the database failed: file is not a database: Error code 26: file is not a database",
        data.path().display()
    );
    fails(&["backup", text(&backup), "--data", text(data.path())], 5, &refused);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_backup_of_nothing_or_of_what_is_being_moved_is_refused() {
    let (data, folder) = (served(), tempfile::tempdir().unwrap());
    let backup = folder.path().join("backup");
    let nothing = format!(
        "there is no database in `{}`: name the data folder of a server that keeps what it has in a file (of PostgreSQL, use `pg_dump`, and keep `secret.key`)",
        folder.path().display()
    );
    fails(&["backup", text(&backup), "--data", text(folder.path())], 2, &nothing);
    let database = TestDatabase::create();
    said(&["migrate", "--from", &format!("sqlite:{}", data.path().display()), "--to", &database.url]);
    let moved = run(&["backup", text(&backup), "--data", text(data.path())]);
    let error = String::from_utf8_lossy(&moved.stderr).into_owned();
    assert_eq!(moved.status.code(), Some(5));
    assert!(error.contains("cannot be copied: what was here has been moved to PostgreSQL"), "{error}");
}

#[test]
fn a_full_disk_is_told_and_leaves_no_backup() {
    let (data, folder) = (served(), tempfile::tempdir().unwrap());
    let backup = folder.path().join("backup");
    // Files of 64 KiB at the most, which is told to the program as an error and not by ending it.
    let limited = "ulimit -f 64; trap '' XFSZ; exec \"$0\" \"$@\"";
    let output = Command::new("bash")
        .args(["-c", limited, text(program()), "backup", text(&backup), "--data", text(data.path())])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!(
        "error: the database in `{}` cannot be copied: the copy cannot be written (is the disk full?): disk I/O error\n",
        data.path().display()
    );
    assert_eq!((output.status.code(), error), (Some(5), expected));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    said(&["backup", text(&backup), "--data", text(data.path())]);
}

#[test]
fn what_is_no_backup_or_a_damaged_one_is_not_restored() {
    let check = |damage: &dyn Fn(&PathBuf), code: i32, expected: &dyn Fn(&PathBuf) -> String| {
        let (folder, backup) = backed_up();
        damage(&backup);
        let data = folder.path().join("data");
        fails(&["restore", text(&backup), "--data", text(&data)], code, &expected(&backup));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something is left");
    };
    let no_backup =
        |backup: &PathBuf| format!("`{}` is no backup: it has no backup.json that can be read", backup.display());
    check(&|backup| fs::remove_file(backup.join("backup.json")).unwrap(), 2, &no_backup);
    check(&|backup| fs::write(backup.join("backup.json"), "{").unwrap(), 2, &no_backup);
    check(&|backup| fs::remove_file(backup.join("secret.key")).unwrap(), 1, &|_| {
        "the backup is damaged: `secret.key` is missing".to_owned()
    });
    let torn = |backup: &PathBuf| {
        let file = fs::File::options().write(true).open(backup.join("scruple.db")).unwrap();
        file.set_len(8_192).unwrap();
    };
    let length = |backup: &PathBuf| {
        let manifest: Value = serde_json::from_slice(&fs::read(backup.join("backup.json")).unwrap()).unwrap();
        manifest["files"][0]["bytes"].as_u64().unwrap()
    };
    let shorter = |backup: &PathBuf| {
        format!(
            "the backup is damaged: `scruple.db` is not as it was written ({} bytes then, 8192 now)",
            length(backup)
        )
    };
    check(&torn, 1, &shorter);
    let changed = |backup: &PathBuf| {
        let mut bytes = fs::read(backup.join("scruple.db")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(backup.join("scruple.db"), bytes).unwrap();
    };
    let same_length = |backup: &PathBuf| {
        let bytes = length(backup);
        format!("the backup is damaged: `scruple.db` is not as it was written ({bytes} bytes then, {bytes} now)")
    };
    check(&changed, 1, &same_length);
}

#[test]
fn a_backup_of_a_newer_program_is_not_restored() {
    let check = |change: &dyn Fn(&mut Value), code: i32, expected: &str| {
        let (folder, backup) = backed_up();
        let mut manifest: Value = serde_json::from_slice(&fs::read(backup.join("backup.json")).unwrap()).unwrap();
        change(&mut manifest);
        fs::write(backup.join("backup.json"), manifest.to_string()).unwrap();
        fails(&["restore", text(&backup), "--data", text(&folder.path().join("data"))], code, expected);
    };
    let newer = "the backup was made by Scruple 9.0.0, in form 2; this program knows only form 1: use that version, or a newer one";
    check(&|manifest| (manifest["scruple_backup"], manifest["version"]) = (json!(2), json!("9.0.0")), 2, newer);
    let known = scruple::store::schema::NEWEST;
    let schema = format!(
        "the database has schema version 99, but this program knows only {known}: use the program that last wrote it, or a newer one"
    );
    check(&|manifest| manifest["schema_version"] = json!(99), 2, &schema);
    let escaping = "the backup is damaged: backup.json has a file that no backup has: \"../secret.key\"";
    check(&|manifest| manifest["files"][1]["name"] = json!("../secret.key"), 1, escaping);
}

#[test]
fn a_backup_is_restored_into_an_empty_folder_alone() {
    let (folder, backup) = backed_up();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    said(&["restore", text(&backup), "--data", text(&data)]);
    let full = format!("`{}` is not empty: name a folder that is, or that is not there", data.display());
    fails(&["restore", text(&backup), "--data", text(&data)], 2, &full);
    serve(&data);
}
