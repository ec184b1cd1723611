//! Databases of the tests' PostgreSQL server.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Config, NoTls};

/// Where the server is; `tests/postgres.sh` sets it.
const ADDRESS: &str = "SCRUPLE_TEST_DATABASE";

/// Says `postgres` where the tests' servers are to keep what they have in databases of that server.
const STORE: &str = "SCRUPLE_TEST_STORE";

/// A database of a test's own, which goes with it.
pub struct TestDatabase {
    name: String,
    /// Its address.
    pub url: String,
}

impl TestDatabase {
    /// Makes one.
    pub fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name}"));
        let address = address();
        let (server, _) = address.rsplit_once('/').expect("an address ends with a database");
        Self { url: format!("{server}/{name}"), name }
    }

    /// Makes one, if the tests' servers are to have one.
    pub fn if_wanted() -> Option<Self> {
        std::env::var(STORE).is_ok_and(|store| store == "postgres").then(Self::create)
    }
}

impl TestDatabase {
    /// Runs statements in it.
    pub fn execute(&self, sql: &str) {
        run(&self.url, sql);
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn address() -> String {
    std::env::var(ADDRESS).unwrap_or_else(|_| {
        panic!("{ADDRESS} is not set: `tests/postgres.sh COMMAND` runs a command with a server of its own")
    })
}

fn administer(sql: &str) {
    run(&address(), sql);
}

/// From a thread that may wait, wherever the test is.
fn run(address: &str, sql: &str) {
    let (config, sql): (Config, String) = (address.parse().expect("an address"), sql.to_owned());
    let work = async move {
        let (client, connection) = config.connect(NoTls).await.expect("the tests' server");
        tokio::spawn(connection);
        client.batch_execute(&sql).await.expect("a statement");
    };
    let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(work));
    thread.join().expect("the statement is run");
}
