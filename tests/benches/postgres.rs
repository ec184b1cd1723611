//! Durable creates in PostgreSQL, of 64 clients: by a node's pipeline with one constraint and its decision log, by two nodes, and beside
//! them what the database takes for the same rows when nobody judges: as one bare statement, and as a statement for each
//! row. Then one group that all clients change at once: by one client after the other, and by all of them.
//! `SCRUPLE_TEST_STORE=postgres SCRUPLE_TEST_DURABLE=1 tests/postgres.sh cargo bench --package scruple-tests --bench benches -- postgres`.
//!
//! The variants take turns within one run, and change places from round to round; the ratio of their medians is what counts. Load
//! is bounded.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and may fail"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use scruple::app::App;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use scruple::decision::{DecisionId, TenantId};
use scruple::pipeline::Pipeline;
use scruple::pipeline::convoy::Convoys;
use scruple::pipeline::write::{Change, Precondition, WriteError, WriteRequest};
use scruple::scim::cursor::Cursors;
use scruple::scim::projection::AttributeNames;
use scruple_tests::bench::full_user;
use scruple_tests::components::{FIVE_READS, PROTECTED_ACCOUNTS};
use scruple_tests::load::statistics::median;
use scruple_tests::server::OPERATOR_TOKEN;
use scruple_tests::{ServerProcess, TestServer, caller};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

const CLIENTS: usize = 64;
/// Creates of one client in one round.
const CREATES: usize = 25;
const ROUNDS: usize = 5;
/// Changes of the group by one client in one round; by each of many.
const ALONE: usize = 200;
const EACH: usize = 25;
/// By each of many, of whom all are in each other's way.
const EACH_APART: usize = 5;

/// The rows of one user, as the store has written them.
struct Rows {
    tenant: i64,
    rtype: i64,
    body: String,
    keys: (Vec<i64>, Vec<String>),
    attrs: (Vec<i64>, Vec<String>),
    constraints: String,
    record: String,
}

/// Everything in one statement, checked by nobody but for the generation.
const AS_ONE: &str = "WITH guard AS (SELECT 1 FROM tenant WHERE tenant_id = $1 AND generation >= 0) \
     , made AS (INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) \
        SELECT $1, $2, $3, 1, 0, 0, $4 FROM guard) \
     , counted AS (INSERT INTO resource_count(tenant_id, rtype, stripe, n) SELECT $1, $2, pg_backend_pid() % 1024, 1 FROM guard \
        ON CONFLICT(tenant_id, rtype, stripe) DO UPDATE SET n = resource_count.n + 1) \
     , keys AS (INSERT INTO resource_key(tenant_id, rtype, attr, norm, id) \
        SELECT $1, $2, e.attr, e.norm, $3 FROM guard, unnest($5::bigint[], $6::text[]) AS e(attr, norm)) \
     , attrs AS (INSERT INTO resource_attr(tenant_id, rtype, attr, norm, id) \
        SELECT $1, $2, e.attr, e.norm, $3 FROM guard, unnest($7::bigint[], $8::text[]) AS e(attr, norm)) \
     , logged AS (INSERT INTO decision(tenant_id, id, at, outcome, resource_id, constraints, record) \
        SELECT $1, $9, 0, 'allowed', $3, $10, $11 FROM guard) \
     SELECT count(*) FROM guard";

const ONE_BY_ONE: [&str; 6] = [
    "SELECT 1 FROM tenant WHERE tenant_id = $1 AND generation >= 0",
    "INSERT INTO resource(tenant_id, rtype, id, version, created_at, modified_at, body) VALUES ($1, $2, $3, 1, 0, 0, $4)",
    "INSERT INTO resource_count(tenant_id, rtype, stripe, n) VALUES ($1, $2, pg_backend_pid() % 1024, 1) \
     ON CONFLICT(tenant_id, rtype, stripe) DO UPDATE SET n = resource_count.n + 1",
    "INSERT INTO resource_key(tenant_id, rtype, attr, norm, id) VALUES ($1, $2, $3, $4, $5)",
    "INSERT INTO resource_attr(tenant_id, rtype, attr, norm, id) VALUES ($1, $2, $3, $4, $5)",
    "INSERT INTO decision(tenant_id, id, at, outcome, resource_id, constraints, record) VALUES ($1, $2, 0, 'allowed', $3, $4, $5)",
];

/// A session of the probe, with its statements.
struct Session {
    client: Client,
    as_one: Statement,
    one_by_one: Vec<Statement>,
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Session {
    async fn open(url: &str) -> Self {
        let client = connect(url).await;
        let as_one = client.prepare(AS_ONE).await.unwrap();
        let mut one_by_one = Vec::new();
        for sql in ONE_BY_ONE {
            one_by_one.push(client.prepare(sql).await.unwrap());
        }
        Self { client, as_one, one_by_one }
    }

    async fn create(&self, rows: &Rows, as_one: bool) {
        // As the ids of resources: of version 7, so that they are inserted one behind the other.
        let (id, decision) = (Uuid::now_v7(), Uuid::now_v7());
        let unique = |norms: &[String]| norms.iter().map(|norm| format!("{norm}-{id}")).collect::<Vec<_>>();
        let (keys, attrs) = (unique(&rows.keys.1), unique(&rows.attrs.1));
        if as_one {
            let values: [&(dyn ToSql + Sync); 11] = [
                &rows.tenant,
                &rows.rtype,
                &id,
                &rows.body,
                &rows.keys.0,
                &keys,
                &rows.attrs.0,
                &attrs,
                &decision,
                &rows.constraints,
                &rows.record,
            ];
            let written = self.client.query_one(&self.as_one, &values).await.unwrap();
            assert_eq!(written.get::<_, i64>(0), 1);
            return;
        }
        let run = |at: usize| &self.one_by_one[at];
        self.client.batch_execute("BEGIN").await.unwrap();
        self.client.query_one(run(0), &[&rows.tenant]).await.unwrap();
        self.client.execute(run(1), &[&rows.tenant, &rows.rtype, &id, &rows.body]).await.unwrap();
        self.client.execute(run(2), &[&rows.tenant, &rows.rtype]).await.unwrap();
        for (at, attributes, norms) in [(3, &rows.keys.0, &keys), (4, &rows.attrs.0, &attrs)] {
            for (attribute, norm) in attributes.iter().zip(norms) {
                self.client.execute(run(at), &[&rows.tenant, &rows.rtype, attribute, norm, &id]).await.unwrap();
            }
        }
        let entry: [&(dyn ToSql + Sync); 5] = [&rows.tenant, &decision, &id, &rows.constraints, &rows.record];
        self.client.execute(run(5), &entry).await.unwrap();
        self.client.batch_execute("COMMIT").await.unwrap();
    }
}

impl Rows {
    /// Those of some user of the tenant.
    async fn of_someone(url: &str, tenant: TenantId) -> Self {
        let client = connect(url).await;
        let resource = client
            .query_one("SELECT rtype, id, body FROM resource WHERE tenant_id = $1 LIMIT 1", &[&tenant.0])
            .await
            .unwrap();
        let (rtype, id, body): (i64, Uuid, String) = (resource.get(0), resource.get(1), resource.get(2));
        let mut indexes = Vec::new();
        for table in ["resource_key", "resource_attr"] {
            let sql = format!("SELECT attr, norm FROM {table} WHERE tenant_id = $1 AND rtype = $2 AND id = $3");
            let rows = client.query(&sql, &[&tenant.0, &rtype, &id]).await.unwrap();
            indexes.push(rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, String>(1))).unzip());
        }
        let decision = client
            .query_one(
                "SELECT constraints, record FROM decision WHERE tenant_id = $1 AND resource_id = $2",
                &[&tenant.0, &id],
            )
            .await
            .unwrap();
        let [keys, attrs] = indexes.try_into().unwrap();
        Self { tenant: tenant.0, rtype, body, keys, attrs, constraints: decision.get(0), record: decision.get(1) }
    }
}

/// One round: how many a second, and how long each took, in milliseconds.
struct Round {
    rate: f64,
    took: Vec<f64>,
}

/// Each of so many clients does this so often.
async fn round<F: Future<Output = ()> + Send + 'static>(
    clients: usize,
    each: usize,
    work: impl Fn(usize, usize) -> F + Send + Sync + 'static,
) -> Round {
    let (work, started) = (Arc::new(work), Instant::now());
    let clients_at_work: Vec<_> = (0..clients)
        .map(|client| {
            let work = Arc::clone(&work);
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(each);
                for n in 0..each {
                    let begun = Instant::now();
                    work(client, n).await;
                    took.push(begun.elapsed().as_secs_f64() * 1_000.0);
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for client in clients_at_work {
        took.extend(client.await.unwrap());
    }
    Round { rate: took.len() as f64 / started.elapsed().as_secs_f64(), took }
}

/// Writes that lost each of their tries to others, and were sent once more.
static REPEATED: AtomicUsize = AtomicUsize::new(0);

async fn write(node: &Pipeline, tenant: TenantId, endpoint: &str, change: Change) -> Option<DecisionId> {
    let request = WriteRequest { endpoint: endpoint.to_owned(), change, names: AttributeNames::default() };
    loop {
        match node.write(&caller(tenant), &request).await {
            Ok(written) => return written.decision.map(|admission| admission.id),
            // A client is told to come again, and does.
            Err(WriteError::Contended) => REPEATED.fetch_add(1, Ordering::Relaxed),
            Err(error) => panic!("{error:?}"),
        };
    }
}

async fn create(node: &Pipeline, tenant: TenantId) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let body = full_user(&format!("user-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let change = Change::Create { body: body.as_object().cloned().unwrap() };
    write(node, tenant, "Users", change).await.unwrap();
}

async fn patch_group(node: &Pipeline, tenant: TenantId, group: &str, operation: Value) {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
    let body = body.as_object().cloned().unwrap();
    write(node, tenant, "Groups", Change::Patch { id: group.parse().unwrap(), body, precondition: Precondition::None })
        .await;
}

/// One who is no member becomes one, or the other way round.
async fn turn(node: &Pipeline, tenant: TenantId, group: &str, member: &str, n: usize) {
    let operation = match n % 2 {
        0 => json!({ "op": "add", "path": "members", "value": [{ "value": member }] }),
        _ => json!({ "op": "remove", "path": format!("members[value eq \"{member}\"]") }),
    };
    patch_group(node, tenant, group, operation).await;
}

#[derive(Default)]
struct Measured {
    names: Vec<&'static str>,
    rates: Vec<Vec<f64>>,
    took: Vec<Vec<f64>>,
    repeated: Vec<usize>,
}

impl Measured {
    fn add(&mut self, name: &'static str, round: Round) {
        let at = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.rates.push(Vec::new());
            self.took.push(Vec::new());
            self.repeated.push(0);
            self.names.len() - 1
        });
        // The first round warms up.
        if !self.rates[at].is_empty() {
            self.took[at].extend(round.took);
        }
        self.rates[at].push(round.rate);
        self.repeated[at] += REPEATED.swap(0, Ordering::Relaxed);
    }

    /// Each beside the first.
    fn print(mut self) {
        let median = |rates: &Vec<f64>| median(&rates[1..]).unwrap();
        let first = median(&self.rates[0]);
        for (at, name) in self.names.iter().enumerate() {
            let (rate, took) = (median(&self.rates[at]), &mut self.took[at]);
            took.sort_unstable_by(f64::total_cmp);
            let p99 = took[took.len() * 99 / 100];
            println!(
                "  {name:<38} median {rate:>7.0}/s   {:>5.2} × the first   p99 {p99:>7.1} ms   {} sent once more",
                rate / first,
                self.repeated[at],
            );
        }
    }
}

async fn creates(nodes: &Arc<[Arc<Pipeline>; 2]>, tenant: TenantId, url: &str) {
    let rows = Arc::new(Rows::of_someone(url, tenant).await);
    let mut sessions = Vec::new();
    for _ in 0..CLIENTS {
        sessions.push(Session::open(url).await);
    }
    let sessions = Arc::new(sessions);
    println!(
        "durable creates of a 2 KB user with {} rows in indexes and a decision of {} bytes, {CLIENTS} clients, {ROUNDS} rounds of {}",
        rows.keys.0.len() + rows.attrs.0.len(),
        rows.record.len(),
        CLIENTS * CREATES
    );
    let mut ways = [
        ("one bare statement", Way::Bare { as_one: true }),
        ("a statement for each row", Way::Bare { as_one: false }),
        ("one node, one constraint", Way::Nodes(1)),
        ("two nodes, one constraint", Way::Nodes(2)),
    ];
    let mut measured = Measured::default();
    for _ in 0..=ROUNDS {
        for (name, way) in ways {
            let (rows, sessions, nodes) = (Arc::clone(&rows), Arc::clone(&sessions), Arc::clone(nodes));
            let once = move |client: usize, _| {
                let (rows, sessions, nodes) = (Arc::clone(&rows), Arc::clone(&sessions), Arc::clone(&nodes));
                async move {
                    match way {
                        Way::Bare { as_one } => sessions[client].create(&rows, as_one).await,
                        Way::Nodes(of) => create(&nodes[client % of], tenant).await,
                    }
                }
            };
            measured.add(name, round(CLIENTS, CREATES, once).await);
        }
        ways.rotate_left(1);
    }
    measured.print();
}

/// How users are made.
#[derive(Clone, Copy)]
enum Way {
    /// As rows, in one statement or in several.
    Bare { as_one: bool },
    /// By so many nodes.
    Nodes(usize),
}

async fn one_group(nodes: &Arc<[Arc<Pipeline>; 2]>, apart: Arc<Pipeline>, tenant: TenantId) {
    let mut members = Vec::new();
    let mut group = String::new();
    for n in 0..=CLIENTS {
        let (endpoint, body) = match n {
            CLIENTS => ("Groups", json!({ "schemas": [GROUP], "displayName": "hot" })),
            _ => ("Users", full_user(&format!("member-{n}"))),
        };
        let change = Change::Create { body: body.as_object().cloned().unwrap() };
        let decision = write(&nodes[0], tenant, endpoint, change).await.unwrap();
        let stored = nodes[0].store.tenant(tenant).decision(decision).await.unwrap().unwrap();
        group = stored.record["resource_id"].as_str().unwrap().to_owned();
        members.push(group.clone());
    }
    let members = Arc::new(members);
    let one = Arc::new([0, 0].map(|at: usize| Arc::clone(&nodes[at])));
    let apart = Arc::new([0, 0].map(|_| Arc::clone(&apart)));
    println!("\none group, of which each client adds one member and removes it again, {ROUNDS} rounds");
    let mut measured = Measured::default();
    let mut variants = [
        ("64 clients, a transaction each", CLIENTS, EACH_APART, &apart),
        ("one client after the other", 1, ALONE, &apart),
        ("64 clients, one node", CLIENTS, EACH, &one),
        ("64 clients, two nodes", CLIENTS, EACH, nodes),
    ];
    for _ in 0..=ROUNDS {
        for (name, clients, each, nodes) in variants {
            let (nodes, members, group) = (Arc::clone(nodes), Arc::clone(&members), group.clone());
            let by_a_node = move |client: usize, n| {
                let (nodes, members, group) = (Arc::clone(&nodes), Arc::clone(&members), group.clone());
                async move { turn(&nodes[client % 2], tenant, &group, &members[client], n).await }
            };
            measured.add(name, round(clients, each, by_a_node).await);
        }
        variants.rotate_left(1);
    }
    measured.print();
}

/// A node with the keys of the first.
fn another(server: &TestServer, data: &Path, url: &str) -> Arc<App> {
    std::fs::copy(server.data().join("data").join("secret.key"), data.join("secret.key")).unwrap();
    let mut config = Config::default();
    config.server.data = data.to_owned();
    config.store.database = Some(url.to_owned());
    let compiler = CompilerProgram::at(ServerProcess::program_under_test().unwrap());
    App::open(&config, Some(OPERATOR_TOKEN), Clock::system(), compiler).unwrap().app
}

/// That of a node; with convoys, as every node has them, or so that no change goes along with others.
fn pipeline(node: &App, convoys: Option<Convoys>) -> Arc<Pipeline> {
    let of = &node.pipeline;
    Arc::new(Pipeline {
        store: Arc::clone(&of.store),
        components: of.components.clone(),
        sandbox: Arc::clone(&of.sandbox),
        registry: Arc::clone(&of.registry),
        clock: of.clock.clone(),
        passwords: Default::default(),
        turnstile: Default::default(),
        convoys,
        cursors: Cursors::new(&[0; 32], 60),
        limits: Arc::clone(&of.limits),
        tables: Default::default(),
        metrics: Default::default(),
    })
}

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Runs the benchmark.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = TestServer::start().await;
        let url = server.database().unwrap().to_owned();
        let data = tempfile::tempdir().unwrap();
        let acme = server.tenant("acme").await;
        acme.enforce(FIVE_READS, json!({})).await;
        let first = Arc::clone(&server.app);
        let tenant = first.store.tenant_named("acme").await.unwrap().unwrap().id;
        create(&pipeline(&first, None), tenant).await;
        let second = another(&server, data.path(), &url);
        let nodes = Arc::new([&first, &second].map(|node| pipeline(node, Some(Convoys::default()))));
        creates(&nodes, tenant, &url).await;
        // That one allows users alone. This one reads what a group is called and who leaves it.
        acme.set("five-reads", json!({ "plugin": "five-reads", "mode": "off" })).await.expect_status(200);
        acme.enforce(PROTECTED_ACCOUNTS, json!({ "groups": [{ "displayName": "Others", "minimum": 1 }] })).await;
        // Who pushes groups is told that it is done, and not whom the group has by then.
        acme.admin.patch(&acme.api_path(""), json!({ "profile": "entra" })).await.expect_status(200);
        one_group(&nodes, pipeline(&first, None), tenant).await;
    });
}
