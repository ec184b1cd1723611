//! Nodes are replaced one after the other under writes: whatever is sent on a connection that a node has accepted is answered,
//! and whatever was acknowledged is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use scruple_tests::components::SAFE_VALUES;
use scruple_tests::{ServerProcess, TenantClient, mail_at, user};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::RwLock;

use super::{Cluster, tenant};

/// Clients that write all the time.
const WRITERS: usize = 6;

/// A balancer's view: where new connections go. It sends nothing twice.
#[derive(Clone, Default)]
struct Balancer {
    nodes: Arc<RwLock<Vec<SocketAddr>>>,
    next: Arc<AtomicUsize>,
}

impl Balancer {
    async fn add(&self, node: SocketAddr) {
        self.nodes.write().await.push(node);
    }

    /// Takes nodes out that say that they are not ready, as balancers do.
    async fn watch(self) {
        let http = reqwest::Client::new();
        loop {
            let nodes = self.nodes.read().await.clone();
            for node in nodes {
                let ready = http.get(format!("http://{node}/readyz")).send().await;
                if !ready.is_ok_and(|answer| answer.status() == 200) {
                    self.nodes.write().await.retain(|kept| *kept != node);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A new connection. A node that takes none is passed over.
    async fn connect(&self) -> TcpStream {
        for _ in 0..100 {
            let nodes = self.nodes.read().await.clone();
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if let Some(node) = nodes.get(turn % nodes.len().max(1))
                && let Ok(connection) = TcpStream::connect(node).await
            {
                return connection;
            }
        }
        panic!("no node takes a connection");
    }
}

/// Sends a request on a connection and reads the answer: status, head, body. A connection that ends before that fails the test.
async fn ask(connection: &mut TcpStream, request: &str) -> (u16, String, String) {
    connection.write_all(request.as_bytes()).await.unwrap();
    let (mut bytes, mut some) = (Vec::new(), [0; 16_384]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.unwrap_or_else(|| panic!("no length in {head}")).parse().unwrap();
            if body.len() >= length {
                return (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned());
            }
        }
        let read = connection.read(&mut some).await.unwrap();
        assert!(read > 0, "a connection was closed before the answer: {text}");
        bytes.extend_from_slice(&some[..read]);
    }
}

/// Creates users until it is told to stop, one after the other; their ids.
async fn write(balancer: Balancer, acme: TenantClient, writer: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut ids = Vec::new();
    let mut connection = balancer.connect().await;
    while !stop.load(Ordering::Relaxed) {
        let body = user(&format!("user-{writer}-{}", ids.len())).to_string();
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: scruple\r\nAuthorization: Bearer {}\r\nContent-Type: application/scim+json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            acme.scim_path("/Users"),
            acme.scim.token(),
            body.len(),
        );
        let (status, head, body) = ask(&mut connection, &request).await;
        assert_eq!(status, 201, "{head}\n{body}");
        let made: serde_json::Value = serde_json::from_str(&body).unwrap();
        ids.push(made["id"].as_str().unwrap().to_owned());
        if head.lines().any(|line| line == "connection: close") {
            connection = balancer.connect().await;
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_replaced_under_writes_and_no_accepted_request_fails() {
    let cluster = Arc::new(Cluster::new());
    let first = cluster.start("first").unwrap();
    let acme = tenant(&first, "acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let second = cluster.start("second").unwrap();
    let balancer = Balancer::default();
    balancer.add(first.address).await;
    balancer.add(second.address).await;
    let watching = tokio::spawn(balancer.clone().watch());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(balancer.clone(), acme.clone(), writer, Arc::clone(&stop))))
        .collect();

    let mut running = vec![("first", first), ("second", second)];
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (name, old) = running.remove(0);
        let cluster = Arc::clone(&cluster);
        let replaced = move || {
            assert!(old.stop().unwrap().success());
            cluster.start(name).unwrap()
        };
        let new: ServerProcess = tokio::task::spawn_blocking(replaced).await.unwrap();
        balancer.add(new.address).await;
        running.push((name, new));
    }
    stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    watching.abort();

    let acme = acme.at(running[0].1.address);
    let counted = acme.query("/Users", &[("count", "0")]).await.expect_status(200).body["totalResults"].clone();
    assert_eq!(counted, json!(ids.len()));
    for id in ids.iter().step_by(7) {
        acme.get(&format!("/Users/{id}")).await.expect_status(200);
    }
    assert!(ids.len() > 4 * WRITERS, "only {} writes", ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_says_so_and_still_answers_for_a_while() {
    let data = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_with(super::program(), data.path(), "[server]\nleave_seconds = 60\n").unwrap();
    let mut open = TcpStream::connect(server.address).await.unwrap();
    let ready = "GET /readyz HTTP/1.1\r\nHost: scruple\r\n\r\n";
    let (status, head, _) = ask(&mut open, ready).await;
    assert_eq!(status, 200);
    assert!(!head.contains("connection:"), "{head}");

    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, &server.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    signal("-TERM");
    // Also those that connect now, and those that have been connected: each is told to go, with an answer.
    loop {
        let mut new = TcpStream::connect(server.address).await.unwrap();
        let (status, head, body) = ask(&mut new, ready).await;
        if status == 503 {
            assert_eq!(body, "stopping\n");
            assert!(head.lines().any(|line| line == "connection: close"), "{head}");
            break;
        }
    }
    let (status, head, _) = ask(&mut open, "GET /healthz HTTP/1.1\r\nHost: scruple\r\n\r\n").await;
    assert_eq!(status, 200);
    assert!(head.lines().any(|line| line == "connection: close"), "{head}");
    // Whoever has no patience says it again.
    assert!(server.stop().unwrap().success());
    assert!(TcpStream::connect(open.peer_addr().unwrap()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_program_migrates_while_an_older_one_serves() {
    let cluster = Cluster::new();
    let first = cluster.start("first").unwrap();
    let acme = tenant(&first, "acme").await;
    acme.enforce(SAFE_VALUES, mail_at("example.com")).await;
    let balancer = Balancer::default();
    balancer.add(first.address).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(balancer.clone(), acme.clone(), writer, Arc::clone(&stop))))
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What a migration may do: it only adds, in one transaction, with the next number.
    cluster.database.execute(
        "BEGIN; ALTER TABLE resource ADD COLUMN later bigint; ALTER TABLE tenant ADD COLUMN later bigint NOT NULL DEFAULT 0; \
         ALTER TABLE decision ADD COLUMN later text; CREATE TABLE later(tenant_id bigint PRIMARY KEY); \
         INSERT INTO schema_migration SELECT max(version) + 1, decode(repeat('00', 32), 'hex') FROM schema_migration; COMMIT",
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    let counted = acme.query("/Users", &[("count", "0")]).await.expect_status(200).body["totalResults"].clone();
    assert_eq!(counted, json!(ids.len()));

    std::fs::create_dir_all(cluster.folder("older")).unwrap();
    let said = cluster.refused(&cluster.folder("older"));
    assert!(said.contains("use the program that last wrote it, or a newer one"), "{said}");
}
