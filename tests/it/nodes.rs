//! Several servers with one database.

mod rolling;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use scruple::app::App;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use scruple::metrics::text::{Surroundings, written};
use scruple::pipeline::write::{Change, Precondition, WriteRequest};
use scruple::scim::projection::AttributeNames;
use scruple::scim::resource::ResourceId;
use scruple_tests::components::{PROTECTED_ACCOUNTS, SAFE_VALUES};
use scruple_tests::database::TestDatabase;
use scruple_tests::server::OPERATOR_TOKEN;
use scruple_tests::{ServerProcess, TenantClient, TestServer, caller, group, mail_at, numbered, patch_op, user};
use serde_json::{Value, json};
use tempfile::TempDir;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// A database, and the data folders of its nodes, which all have the keys of the first.
struct Cluster {
    database: TestDatabase,
    data: TempDir,
}

impl Cluster {
    fn new() -> Self {
        Self { database: TestDatabase::create(), data: tempfile::tempdir().unwrap() }
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        self.data.path().join(name)
    }

    fn settings(&self) -> String {
        format!(
            "[server]\nleave_seconds = 1\n[scim]\nrequests_per_second = 0\n[store]\ndatabase = \"{}\"\nsnapshots_max = 16\n",
            self.database.url
        )
    }

    /// Starts a node, or starts it again.
    fn start(&self, name: &str) -> anyhow::Result<ServerProcess> {
        ServerProcess::start_with(program(), &self.keyed(name)?, &self.settings())
    }

    /// A node in this process, which serves nobody.
    fn open(&self, name: &str) -> Arc<App> {
        let mut config = Config::default();
        config.server.data = self.keyed(name).unwrap();
        config.store.database = Some(self.database.url.clone());
        config.store.snapshots_max = 16;
        App::open(&config, Some(OPERATOR_TOKEN), Clock::system(), CompilerProgram::at(program())).unwrap().app
    }

    /// The folder of a node, with the keys of the first.
    fn keyed(&self, name: &str) -> std::io::Result<std::path::PathBuf> {
        let folder = self.folder(name);
        let key = folder.join("secret.key");
        if !key.exists() && self.folder("first").join("secret.key").exists() {
            std::fs::create_dir_all(&folder)?;
            std::fs::copy(self.folder("first").join("secret.key"), key)?;
        }
        Ok(folder)
    }

    /// Tries to start a server on a folder; what it says when it does not.
    fn refused(&self, folder: &Path) -> String {
        let (code, said) = ServerProcess::refusal(program(), folder, &self.settings(), &[]).unwrap();
        assert_eq!(code, Some(5), "{said}");
        said
    }
}

async fn nodes(server: &ServerProcess) -> Vec<Value> {
    let found = server.operator().get("/api/v1/nodes").await.expect_status(200).body;
    found["nodes"].as_array().unwrap().clone()
}

async fn tenant(server: &ServerProcess, name: &str) -> TenantClient {
    let operator = server.operator();
    operator.post("/api/v1/tenants", json!({ "name": name })).await.expect_status(201);
    TenantClient::new(server.address, name, &operator).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_file_is_its_only_node() {
    let server = TestServer::start().await;
    let found = server.operator().get("/api/v1/nodes").await.expect_status(200).body;
    let [node] = found["nodes"].as_array().unwrap().as_slice() else { panic!("{found:#}") };
    assert_eq!((&node["answers"], &node["listen"]), (&json!(true), &json!(server.address.to_string())));
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    let acme = server.tenant("acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let began = Instant::now();
    while shown(&acme).await != json!({ "nodes": 1, "of": 1, "failed": 0 }) {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", shown(&acme).await);
    }
}

/// On how many nodes a constraint is active.
async fn shown(acme: &TenantClient) -> Value {
    acme.admin.get(&acme.api_path("/constraints/safe-values")).await.expect_status(200).body["active"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_see_each_other_until_they_end_or_die() {
    let cluster = Cluster::new();
    let first = cluster.start("first").unwrap();
    let [second, third] = ["second", "third"].map(|name| cluster.start(name).unwrap());
    let found = nodes(&first).await;
    let listen: Vec<&str> = found.iter().map(|node| node["listen"].as_str().unwrap()).collect();
    assert_eq!(listen, [&first, &second, &third].map(|server| server.address.to_string()));
    assert_eq!(found, nodes_as_seen_by(&second, &found).await);
    assert!(found.iter().all(|node| node["clock_ahead_ms"].as_i64().unwrap().abs() < 1_000), "{found:#?}");

    assert!(second.stop().unwrap().success());
    assert_eq!(nodes(&first).await.len(), 2);
    third.kill().unwrap();
    let died = Instant::now();
    while nodes(&first).await.len() > 1 {
        assert!(died.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What was killed starts again under the same id, without waiting for its old self.
    let third = cluster.start("third").unwrap();
    assert_eq!(nodes(&third).await.len(), 2);
    assert_eq!(nodes(&third).await[1]["id"], found[2]["id"]);
}

/// The same nodes, but for when they were seen and who answers.
async fn nodes_as_seen_by(server: &ServerProcess, expected: &[Value]) -> Vec<Value> {
    let mut found = nodes(server).await;
    for (node, expected) in found.iter_mut().zip(expected) {
        for name in ["seen_at", "answers", "clock_ahead_ms"] {
            node[name] = expected[name].clone();
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_with_a_folder_or_a_copy_of_it_is_refused() {
    let cluster = Cluster::new();
    let _first = cluster.start("first").unwrap();
    let folder = cluster.folder("first");
    let said = cluster.refused(&folder);
    assert!(said.contains("in use by another server"), "{said}");

    let copy = cluster.folder("copy");
    std::fs::create_dir_all(&copy).unwrap();
    for name in ["secret.key", "node.id"] {
        std::fs::copy(folder.join(name), copy.join(name)).unwrap();
    }
    let said = cluster.refused(&copy);
    assert!(said.contains("works with the database under the id of this one"), "{said}");
    assert!(said.contains("delete `node.id` in the copy"), "{said}");
    std::fs::remove_file(copy.join("node.id")).unwrap();
    let copy = cluster.start("copy").unwrap();
    assert_eq!(nodes(&copy).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_sets_is_in_force_on_the_other_at_once_and_soon_active() {
    let cluster = Cluster::new();
    let [first, second] = ["first", "second"].map(|name| cluster.start(name).unwrap());
    let acme = tenant(&first, "acme").await;
    let there = acme.at(second.address);
    there.post("/Users", user("before")).await.expect_status(201);
    for (round, domain) in ["one.org", "two.org", "three.org"].iter().enumerate() {
        acme.enforce(SAFE_VALUES, mail_at(domain)).await;
        // The other node has not the code yet in the first round: it waits for it, and does not let it pass.
        let denied = there.post("/Users", user(&format!("during-{round}"))).await;
        assert_eq!((denied.status, denied.reason_codes().len()), (400, 1), "{:#}", denied.body);
        let began = Instant::now();
        while shown(&there).await != json!({ "nodes": 2, "of": 2, "failed": 0 }) {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", shown(&there).await);
        }
    }
    // What the other node has not and cannot have is told, and is a fault there: nothing passes.
    let other = numbered(std::fs::read(SAFE_VALUES).unwrap(), 1);
    acme.upload("safe-values", other).await.expect_status(201);
    cluster.database.execute("UPDATE artifact SET bytes = bytes || '\\x00'");
    let body = json!({ "plugin": "safe-values", "settings": mail_at("example.com") });
    acme.set("safe-values", body).await.expect_status(200);
    let began = Instant::now();
    while shown(&there).await != json!({ "nodes": 1, "of": 2, "failed": 1 }) {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", shown(&there).await);
    }
    acme.post("/Users", user("here")).await.expect_status(201);
    there.post("/Users", user("there")).await.expect_status(403);

    // A token that is revoked on one node is believed for a second at the most on the other.
    let token = acme.admin.get(&acme.api_path("/tokens")).await.body["tokens"][0].clone();
    assert_eq!(token["label"], "acme scim");
    there.get("/Users").await.expect_status(200);
    let path = acme.api_path(&format!("/tokens/{}", token["id"].as_str().unwrap()));
    acme.admin.delete(&path).await.expect_status(204);
    let revoked = Instant::now();
    while there.get("/Users").await.status == 200 {
        assert!(revoked.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_minutes_ahead_is_told_and_ends_tokens_and_nothing_else() {
    let cluster = Cluster::new();
    let ahead = SignedDuration::from_secs(180);
    let system = Clock::system();
    let mut config = Config::default();
    config.store.database = Some(cluster.database.url.clone());
    config.store.snapshots_max = 16;
    let fast = TestServer::start_at(config, Clock::from_fn(move || system.now() + ahead)).await;
    std::fs::create_dir_all(cluster.folder("first")).unwrap();
    std::fs::copy(fast.data().join("data/secret.key"), cluster.folder("first").join("secret.key")).unwrap();
    let right = cluster.start("first").unwrap();

    let began = Instant::now();
    loop {
        let found = nodes(&right).await;
        let told: Vec<i64> = found.iter().map(|node| node["clock_ahead_ms"].as_i64().unwrap()).collect();
        if matches!(told.as_slice(), [fast, right] if (179_000..181_000).contains(fast) && right.abs() < 1_000) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{told:?}");
    }

    // Each node's own clock ends a token.
    let acme = tenant(&right, "acme").await;
    let ends = Clock::system().now() + SignedDuration::from_secs(100);
    let body = json!({ "label": "short", "scopes": ["scim"], "expires_at": ends.to_string() });
    let made = right.operator().post("/api/v1/tenants/acme/tokens", body).await.expect_status(201);
    let token = made.body["token"].as_str().unwrap().to_owned();
    let short = acme.scim.with_token(&token);
    short.get(&acme.scim_path("/Users")).await.expect_status(200);
    short.at(fast.address).get(&acme.scim_path("/Users")).await.expect_status(401);

    // What is in force is told by no clock: neither what the slow node sets after the fast one, nor the other way round.
    let there = acme.at(fast.address);
    for (round, domain) in ["one.org", "two.org", "three.org", "four.org"].iter().enumerate() {
        let [setter, writer] = if round % 2 == 0 { [&acme, &there] } else { [&there, &acme] };
        setter.enforce(SAFE_VALUES, mail_at(domain)).await;
        writer.post("/Users", user(&format!("ada-{round}"))).await.expect_status(400);
        let mut body = user(&format!("ada-{round}"));
        body["emails"] = json!([{ "value": format!("ada@{domain}") }]);
        let made = writer.post("/Users", body).await.expect_status(201);
        // Changed by the other node, whose clock is another.
        let operations = json!([{ "op": "add", "path": "title", "value": "Countess" }]);
        let path = format!("/Users/{}", made.id());
        let changed = setter.patch(&path, operations).await.expect_status(200);
        assert!(changed.body["meta"]["lastModified"].as_str() >= made.body["meta"]["lastModified"].as_str());
    }
}

/// What one node knows to be on its way is in vain when another one writes in between. So they take turns: few changes are judged more
/// than once, and none of them so often that its client has to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_whose_clients_change_one_group_take_turns() {
    const CLIENTS: usize = 64;
    const CHANGES: usize = 20;
    let cluster = Cluster::new();
    let server = cluster.start("first").unwrap();
    let acme = tenant(&server, "acme").await;
    let mut ids = Vec::new();
    for n in 0..CLIENTS {
        ids.push(acme.post("/Users", user(&format!("user-{n}"))).await.expect_status(201).id());
    }
    // It reads what the group is called, and who its members are.
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "groups": [{ "displayName": "Others", "minimum": 1 }] })).await;
    let team = acme.post("/Groups", group("Everybody", &[])).await.expect_status(201).id();

    // Without HTTP, which would keep them from each other.
    let nodes = ["second", "third"].map(|name| cluster.open(name));
    let tenant = nodes[0].pipeline.store.tenant_named("acme").await.unwrap().unwrap().id;
    for node in &nodes {
        // Each compiles the component, for longer than others wait.
        let rename = patch_op("replace", "displayName", json!(format!("Everybody on {}", node.node)));
        node.pipeline.write(&caller(tenant), &patch(team.parse().unwrap(), rename)).await.unwrap();
    }
    let clients = ids.iter().enumerate().map(|(n, id)| {
        let (node, team, id) = (Arc::clone(&nodes[n % 2]), team.parse().unwrap(), id.clone());
        tokio::spawn(async move {
            for n in 0..CHANGES {
                let change = match n % 2 {
                    0 => patch_op("add", "members", json!([{ "value": id }])),
                    _ => json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
                };
                node.pipeline.write(&caller(tenant), &patch(team, change)).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let changes = nodes.len() + CLIENTS * CHANGES;
    let left = acme.get(&format!("/Groups/{team}")).await.expect_status(200);
    assert_eq!(left.header("etag"), Some(format!("W/\"{}\"", changes + 1).as_str()));
    assert!(left.body.get("members").is_none());
    let judged: usize = nodes.iter().map(|node| evaluations(node)).sum();
    eprintln!("{judged} evaluations for {changes} changes");
    assert!(judged < changes * 3 / 2, "{judged} evaluations for {changes} changes");
}

fn patch(id: ResourceId, operation: Value) -> WriteRequest {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
    let body = body.as_object().cloned().unwrap();
    let change = Change::Patch { id, body, precondition: Precondition::None };
    WriteRequest { endpoint: "Groups".to_owned(), change, names: AttributeNames::default() }
}

/// How often a node has asked constraints.
fn evaluations(node: &App) -> usize {
    let text = written(&node.pipeline.metrics, Surroundings::default()).unwrap();
    let numbers = text.lines().filter(|line| line.starts_with("scruple_evaluations_total{"));
    numbers.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
}
