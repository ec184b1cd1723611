//! Each statement of the store is one that both databases understand.
//!
//! They are found twice. What the conformance tests prepare is noted by the driver, with all that is put into it; that is
//! prepared on the other database as well. And the sources are searched for statements: those that are whole are prepared,
//! too, and each that is put together must be one that some test has prepared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::super::spelling::spelling;
use super::Database;
use crate::store::conformance::{Test, conformance};
use crate::store::sql::driver::recorded;
use crate::store::sql::tests as of_files;
use crate::store::{SqlStore, StoreOptions};

/// What begins a statement that is written once for both. Those that begin and end transactions are each database's own.
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// Of what only one of them has: its own tables, and its clock.
const OWN: [&str; 6] = ["sqlite_", "pg_", "PRAGMA ", "pragma_", "unixepoch(", "statement_timestamp("];

/// There is one of each for each of them: where the limit of a recursion stands.
const SPELT_TWICE: &str = "WITH RECURSIVE ancestor(id)";

/// About other nodes, which a file does not have: the tests of nodes beside this one have them carried out.
const OF_OTHER_NODES: [&str; 3] = [
    "SELECT {COLUMNS}, seen_at FROM node WHERE id = ?1",
    "DELETE FROM node WHERE seen_at < ",
    "UPDATE {table} SET filling = 0 WHERE filling = 1 AND node IS NOT NULL",
];

fn is_common(sql: &str) -> bool {
    VERBS.iter().any(|verb| sql.starts_with(verb)) && !OWN.iter().any(|own| sql.contains(own))
}

/// Runs every conformance test on files. On servers those alone that need what is spelt twice: what else is prepared there
/// is the same.
fn run_everything() {
    let tests: Vec<(&str, Test)> = conformance!();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        while let Some((name, test)) = tests.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let (_directory, store) = of_files::open();
            runtime.block_on(test(&store));
            if name.contains("members") {
                let database = Database::new();
                runtime.block_on(test(&database.open()));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
}

#[test]
fn every_statement_is_understood_by_both_databases() {
    run_everything();
    let [of_files, of_servers] = recorded::all();
    let spelt = [&of_files, &of_servers].map(|these| these.iter().filter(|sql| sql.starts_with(SPELT_TWICE)).count());
    assert_eq!(spelt, [1, 1]);
    let all = of_files.iter().chain(&of_servers).map(String::as_str);
    let prepared: BTreeSet<&str> = all.clone().filter(|sql| is_common(sql) && !sql.starts_with(SPELT_TWICE)).collect();
    let sources = of_sources();
    assert!(sources.len() > 100, "the sources are not found: {}", sources.len());
    let put_together =
        |sql: &&String| sql.contains('{') || all.clone().any(|other| other != sql.as_str() && is_made_of(other, sql));
    let whole = sources.values().filter(|sql| !put_together(sql)).map(String::as_str);
    let prepared: BTreeSet<&str> = prepared.into_iter().chain(whole).collect();
    let mut wrong = String::new();

    let directory = tempfile::tempdir().unwrap();
    drop(SqlStore::sqlite(directory.path(), StoreOptions::default()).unwrap());
    let file = rusqlite::Connection::open(directory.path().join("scruple.db")).unwrap();
    for sql in &prepared {
        if let Err(error) = file.prepare(sql) {
            writeln!(wrong, "SQLite: {error}: {sql}").unwrap();
        }
    }
    let database = Database::new();
    drop(database.open());
    for (sql, error) in database.refused(&prepared) {
        writeln!(wrong, "PostgreSQL: {error}: {sql}").unwrap();
    }
    database.divide();
    for (sql, error) in database.refused(&prepared) {
        writeln!(wrong, "PostgreSQL, with partitions: {error}: {sql}").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");

    let missed = sources
        .iter()
        .filter(|(_, sql)| !OF_OTHER_NODES.iter().any(|other| sql.starts_with(other)))
        .filter(|(_, sql)| !prepared.contains(sql.as_str()) && !all.clone().any(|other| is_made_of(other, sql)));
    let missed: Vec<String> = missed.map(|((file, _), sql)| format!("{file}: {sql}")).collect();
    assert!(missed.is_empty(), "no conformance test prepares these:\n{}", missed.join("\n"));
    let (prepared, sources) = (prepared.len(), sources.len());
    eprintln!("{prepared} statements are prepared on both databases; {sources} are written in the sources");
}

impl Database {
    /// Those of the statements that the server does not understand, and why.
    fn refused(&self, statements: &BTreeSet<&str>) -> Vec<(String, String)> {
        let config: tokio_postgres::Config = self.url.parse().unwrap();
        let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
        let work = async move {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let mut refused = Vec::new();
            for sql in statements {
                if let Err(error) = client.prepare(&spelling(&sql)).await {
                    refused.push((
                        sql,
                        error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
                    ));
                }
            }
            refused
        };
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(work)).join().unwrap()
    }
}

/// The statements in the sources, by file and number.
fn of_sources() -> BTreeMap<(String, usize), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
    let mut found = BTreeMap::new();
    for path in sources(&folder) {
        let source = std::fs::read_to_string(&path).unwrap();
        let code = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let file = path.strip_prefix(&folder).unwrap().display().to_string();
        // Some are run several at a time.
        let texts = texts(code).into_iter().flat_map(|text| text.split("; ").map(str::to_owned).collect::<Vec<_>>());
        for sql in texts.filter(|text| is_common(text)) {
            found.insert((file.clone(), found.len()), sql);
        }
    }
    found
}

/// The sources of what both databases share.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if !["sqlite", "postgres", "tests"].contains(&name.as_str()) {
                found.extend(sources(&path));
            }
        } else if name != "tests.rs" {
            found.push(path);
        }
    }
    found
}

/// Whether a statement is a text, with something in the place of what stands in braces.
fn is_made_of(sql: &str, text: &str) -> bool {
    let mut rest = sql;
    let mut parts = text.split('{').enumerate().map(|(number, part)| match number {
        0 => part,
        _ => part.split_once('}').map_or(part, |(_, after)| after),
    });
    parts.all(|part| match rest.find(part) {
        Some(place) => {
            rest = &rest[place + part.len()..];
            true
        }
        None => false,
    })
}

/// The texts in a source, as they are at run time.
fn texts(source: &str) -> Vec<String> {
    let (mut texts, mut characters) = (Vec::new(), source.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '/' if characters.peek() == Some(&'/') => {
                characters.by_ref().find(|character| *character == '\n');
            }
            // A character, like '"' or '\''; a lifetime has no end.
            '\'' => {
                let mut ahead = characters.clone();
                let length = if ahead.next() == Some('\\') { 3 } else { 2 };
                if characters.clone().nth(length - 1) == Some('\'') {
                    characters.nth(length - 1);
                }
            }
            '"' => texts.push(text(&mut characters)),
            _ => {}
        }
    }
    texts
}

fn text(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next() {
                Some('\n') => while characters.next_if(|character| character.is_whitespace()).is_some() {},
                Some(escaped) => text.push(escaped),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

#[test]
fn texts_are_found_as_they_are_at_run_time() {
    let source = "// \"no\"\nlet a = \"SELECT {x} \\\n            FROM t\"; let q = '\"'; fn f<'a>(b: &'a str) { g(\"b\\\"c\") }";
    assert_eq!(texts(source), ["SELECT {x} FROM t", "b\"c"]);
    assert!(is_made_of("SELECT 1 FROM t", "SELECT {x} FROM t"));
    assert!(!is_made_of("SELECT 1 FROM u", "SELECT {x} FROM t"));
}
