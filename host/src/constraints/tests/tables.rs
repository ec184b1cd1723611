//! Looks into tables: granted by name, recorded with the revision, bounded by a budget of their own.

use serde_json::{Value, json};

use super::guest::Guest;
use super::world::{Residents, ada, ask_with, assert_allowed, creating};
use crate::constraints::Limits;
use crate::decision::Evaluation;
use crate::decision::reads::{Read, TableAnswer};

fn residents() -> Residents {
    Residents { tables: 4, ..Residents::default() }
}

/// A guest that calls `table_get` or `table_contains` with each of these.
fn asking(call: &str, looks: &[(&str, &str)]) -> Guest {
    let mut guest = Guest::new();
    let mut body = String::new();
    for (table, key) in looks {
        let (table, key) = (guest.text(table), guest.text(key));
        body += &format!("(call ${call} {table} {key} (i32.const 768))");
    }
    guest.evaluate(&format!("{body} (return (call $allow))")).capabilities(&["tables:departments"])
}

async fn evaluation(guest: Guest, grants: Option<Value>, limits: Limits, residents: Residents) -> Evaluation {
    let evaluation = ask_with(guest, creating(ada()), grants, limits, residents).await;
    assert_allowed(&evaluation);
    evaluation
}

async fn reads(guest: Guest) -> Vec<Read> {
    evaluation(guest, None, Limits::default(), residents()).await.reads.reads
}

fn look(key: &str, answer: TableAnswer) -> Read {
    Read::Table { table: "departments".into(), revision: 4, key: key.into(), answer }
}

fn refused(what: &str, error: &'static str) -> Read {
    Read::Refused { what: what.into(), error }
}

#[tokio::test]
async fn a_look_is_recorded_with_its_revision_whether_or_not_there_is_a_row() {
    let asked = [("departments", "D-7"), ("departments", "d-7"), ("departments", "D-7")];
    let contains = [look("D-7", TableAnswer::Contains(true)), look("d-7", TableAnswer::Contains(false))];
    assert_eq!(reads(asking("table_contains", &asked)).await, contains);
    let row = json!({ "name": "Engines" });
    let get = [look("D-7", TableAnswer::Row(Some(row))), look("d-7", TableAnswer::Row(None))];
    assert_eq!(reads(asking("table_get", &asked)).await, get);
}

#[tokio::test]
async fn the_guest_is_given_what_is_recorded() {
    // A list of reasons of one reason, whose code is the row's length: it is 18.
    let row = r#"{"name":"Engines"}"#;
    let mut guest = Guest::new();
    let (table, key, expected) = (guest.text("departments"), guest.text("D-7"), row.len());
    let guest = guest.evaluate(&format!(
        "(call $table_get {table} {key} (i32.const 768))
         (if (i32.or (i32.load8_u (i32.const 768)) (i32.ne (i32.load (i32.const 780)) (i32.const {expected})))
            (then unreachable))
         (return (call $allow))"
    ));
    let found = reads(guest.capabilities(&["tables:departments"])).await;
    assert_eq!(found, [look("D-7", TableAnswer::Row(Some(json!({ "name": "Engines" }))))]);
}

#[tokio::test]
async fn a_table_that_is_not_granted_is_not_looked_into() {
    let departments = [("departments", "D-7")];
    // Imported, and not asked for.
    let unasked = asking("table_get", &departments).capabilities(&[]);
    assert_eq!(reads(unasked).await, [refused("tables.get departments D-7", "not-granted")]);
    // Asked for, another one; not even whether it is there is told.
    for table in ["salaries", "departments "] {
        let found = reads(asking("table_contains", &[(table, "D-7")])).await;
        assert_eq!(found, [refused(&format!("tables.contains {table} D-7"), "not-granted")]);
    }
    // Asked for, and not granted.
    let grants = json!({ "capabilities": [] });
    let found = evaluation(asking("table_get", &departments), Some(grants), Limits::default(), residents()).await;
    assert_eq!(found.reads.reads, [refused("tables.get departments D-7", "not-granted")]);
}

#[tokio::test]
async fn who_asks_for_any_table_is_granted_those_that_the_tenant_names() {
    let any = || asking("table_contains", &[("departments", "D-7")]).capabilities(&["tables:*"]);
    assert_eq!(reads(any()).await, [look("D-7", TableAnswer::Contains(true))]);
    let granting = async |table: &str| {
        let grants = json!({ "capabilities": [format!("tables:{table}")] });
        evaluation(any(), Some(grants), Limits::default(), residents()).await.reads.reads
    };
    assert_eq!(granting("departments").await, [look("D-7", TableAnswer::Contains(true))]);
    assert_eq!(granting("salaries").await, [refused("tables.contains departments D-7", "not-granted")]);
}

#[tokio::test]
async fn a_granted_table_that_is_not_there_has_no_answer() {
    for (call, what) in [("table_contains", "tables.contains"), ("table_get", "tables.get")] {
        let guest = asking(call, &[("departments", "D-7")]);
        let found = evaluation(guest, None, Limits::default(), Residents::default()).await;
        assert_eq!(found.reads.reads, [refused(&format!("{what} departments D-7"), "unavailable")]);
    }
}

#[tokio::test]
async fn looks_beyond_the_budget_are_refused_and_those_into_the_directory_have_their_own() {
    let mut guest = Guest::new();
    let (table, key) = (guest.text("departments"), guest.text("D-7"));
    let (kind, filter) = (guest.text("User"), guest.text("title pr"));
    let guest = guest
        .evaluate(&format!(
            "(loop $again (call $table_contains {table} {key} (i32.const 768))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 5000))))
             (call $dir_count {kind} {filter} (i32.const 768))
             (return (call $allow))"
        ))
        .capabilities(&["tables:departments", "directory:User"])
        // Each refusal is a text that it makes room for.
        .pages(16);
    let found = reads(guest).await;
    assert_eq!(
        found[..2],
        [look("D-7", TableAnswer::Contains(true)), refused("tables.contains departments D-7", "budget-exhausted")]
    );
    assert!(matches!(found[2..], [Read::LookUp { .. }]), "{found:?}");
}

#[tokio::test]
async fn a_key_beyond_the_limit_is_not_looked_for_and_is_recorded_cut() {
    let bytes_max = Limits::default().path_bytes_max;
    let within = "k".repeat(bytes_max);
    assert_eq!(reads(asking("table_get", &[("departments", &within)])).await, [look(&within, TableAnswer::Row(None))]);
    let found = reads(asking("table_get", &[("departments", &"k".repeat(200_000))]).pages(8)).await;
    let [Read::Refused { what, error: "invalid" }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(what.len(), bytes_max);
}

#[tokio::test]
async fn looks_are_taken_from_the_budget_of_bytes() {
    // Two texts of 11 and 3 bytes and 64 for what is beside them; the row is another 18.
    for (call, bytes) in [("table_contains", 78), ("table_get", 96)] {
        for (read_bytes_max, is_read) in [(bytes, true), (bytes - 1, false)] {
            let limits = Limits { read_bytes_max, ..Limits::default() };
            let found = evaluation(asking(call, &[("departments", "D-7")]), None, limits, residents()).await;
            assert_eq!(matches!(found.reads.reads[..], [Read::Table { .. }]), is_read, "{:?}", found.reads);
        }
    }
}
