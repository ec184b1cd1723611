//! How soon a constraint that one node has set is active on another, with one PostgreSQL database.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use reqwest::Method;
use serde_json::{Value, json};

use crate::builders::{numbered, user};
use crate::client::TenantClient;
use crate::components::SAFE_VALUES;
use crate::database::TestDatabase;
use crate::load::statistics::{maximum, percentile};
use crate::process::ServerProcess;

/// The constraint, and the plugin that it runs.
const NAME: &str = "safe-values";

/// What p99 may be, in milliseconds.
const REQUIRED_P99_MS: f64 = 1_000.0;

/// Time between two questions whether it is active: short beside what is measured, and little work.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures how soon a constraint that one node has set is active on another. Needs a PostgreSQL server, whose address is in
/// SCRUPLE_TEST_DATABASE: `tests/postgres.sh target/release/scruple-tests nodes`.
#[derive(Debug, Parser)]
pub struct Args {
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// The server program. [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<std::path::PathBuf>,
}

/// Runs the program; whether what was measured is as soon as it must be.
#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a program's output")]
pub async fn run(args: Args) -> anyhow::Result<bool> {
    let program = args.program.map_or_else(ServerProcess::program_under_test, Ok)?;
    let (table, is_good) = measure(&program, args.rounds).await?;
    println!("{table}");
    if !is_good {
        eprintln!("a p99 is more than {REQUIRED_P99_MS} ms");
    }
    Ok(is_good)
}

/// Two nodes, and a tenant as each of them serves it.
struct Nodes {
    here: TenantClient,
    there: TenantClient,
    component: Vec<u8>,
    _servers: [ServerProcess; 2],
}

async fn measure(program: &Path, rounds: usize) -> anyhow::Result<(String, bool)> {
    let database = TestDatabase::create();
    let data = tempfile::tempdir()?;
    let nodes = Nodes::start(program, data.path(), &database.url).await?;
    let mut lines = vec![format!(
        "After one node has answered a `set`, {rounds} rounds each, in milliseconds; two nodes on one machine.\n{:<80}{:>8}{:>8}{:>8}",
        "", "p50", "p99", "max"
    )];
    let (mut is_good, mut number) = (true, 0);
    for (is_new, component) in [(true, "a component that the other has not seen"), (false, "other settings")] {
        for (asks_for_active, what) in [(true, "active on both"), (false, "a write at the other is refused by it")] {
            let mut milliseconds = Vec::with_capacity(rounds);
            for _ in 0..rounds {
                number += 1;
                milliseconds.push(nodes.round(number, is_new, asks_for_active).await?);
            }
            let of = |percent| percentile(&milliseconds, percent).unwrap_or(f64::NAN);
            let (p50, p99, most) = (of(50.0), of(99.0), maximum(&milliseconds).unwrap_or(f64::NAN));
            is_good &= p99 <= REQUIRED_P99_MS;
            lines.push(format!("{:<80}{p50:>8.1}{p99:>8.1}{most:>8.1}", format!("{component}: {what}")));
        }
    }
    Ok((lines.join("\n"), is_good))
}

impl Nodes {
    async fn start(program: &Path, data: &Path, database: &str) -> anyhow::Result<Self> {
        let settings =
            format!("[scim]\nrequests_per_second = 0\n[store]\ndatabase = \"{database}\"\nsnapshots_max = 16\n");
        let [first, second] = ["first", "second"].map(|name| data.join(name));
        let here = ServerProcess::start_with(program, &first, &settings)?;
        std::fs::create_dir_all(&second)?;
        std::fs::copy(first.join("secret.key"), second.join("secret.key"))?;
        let there = ServerProcess::start_with(program, &second, &settings)?;
        let operator = here.operator();
        operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
        let acme = TenantClient::new(here.address, "acme", &operator).await;
        let component = std::fs::read(SAFE_VALUES).context("cannot read the component")?;
        Ok(Self { there: acme.at(there.address), here: acme, component, _servers: [here, there] })
    }

    /// Sets the constraint and tells how long after the answer it is as it is to be.
    async fn round(&self, number: usize, is_new: bool, asks_for_active: bool) -> anyhow::Result<f64> {
        if is_new {
            let uploaded = self.here.upload(NAME, numbered(self.component.clone(), number)).await;
            ensure!(uploaded.status == 201, "the component was not taken: {:#}", uploaded.body);
        }
        // Each round wants another domain, so that what refuses a write is told by what it says.
        let domain = format!("round-{number}.example.com");
        let settings = json!({ "rules": [{ "path": "emails.value", "domains": [domain] }] });
        self.here.set(NAME, json!({ "plugin": NAME, "settings": settings })).await.expect_status(200);
        let answered = Instant::now();
        if asks_for_active {
            self.until_active(answered).await?;
        } else {
            self.refused(number, &domain).await?;
        }
        let milliseconds = answered.elapsed().as_secs_f64() * 1_000.0;
        // The next round begins when nothing of this one is under way.
        self.until_active(answered).await?;
        Ok(milliseconds)
    }

    async fn until_active(&self, since: Instant) -> anyhow::Result<()> {
        let path = self.here.api_path(&format!("/constraints/{NAME}"));
        loop {
            let found = self.here.admin.get(&path).await.expect_status(200).body;
            if found["active"] == json!({ "nodes": 2, "of": 2, "failed": 0 }) {
                return Ok(());
            }
            ensure!(since.elapsed() < PATIENCE, "it does not become active: {:#}", found["active"]);
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }

    async fn refused(&self, number: usize, domain: &str) -> anyhow::Result<()> {
        let mut body = user(&format!("user-{number}"));
        let path = self.there.scim_path("/Users");
        body["emails"] = json!([{ "value": "ada@elsewhere.org" }]);
        let answer = self.there.scim.send(self.there.scim.request(Method::POST, &path).json(&body)).await;
        let reasons = &answer.body["urn:scruple:params:scim:api:messages:1.0:Decision"]["reasons"];
        match (answer.status, reasons) {
            (400, Value::Array(_)) if reasons.to_string().contains(domain) => Ok(()),
            _ => bail!("the write was not judged by what was set: {:#}", answer.body),
        }
    }
}
