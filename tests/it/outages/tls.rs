//! Databases that are spoken to with TLS and passwords, and what is said where that does not go well.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use scruple_tests::cluster::Cluster;
use scruple_tests::{ServerProcess, TenantClient, user};
use serde_json::json;
use tempfile::TempDir;

/// Certificates of two authorities, one of which has signed that of a server called `localhost`.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for authority in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"
            ));
        }
        made.openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr");
        std::fs::write(made.path("names"), "subjectAltName = DNS:localhost\n").unwrap();
        made.openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        );
        made
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output();
        let output = output.unwrap_or_else(|error| panic!("the test needs `openssl`: {error}"));
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A server that asks for TLS and a password, in front of a database `app`; its port.
fn server(certificates: &Certificates) -> (Cluster, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster =
        Cluster::make_listening(port, "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n");
    for file in ["server.pem", "server.key"] {
        cluster.put(file, &std::fs::read(certificates.path(file)).unwrap());
    }
    cluster.put("pg_hba.conf", b"local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    cluster.launch();
    cluster.execute("CREATE ROLE app LOGIN PASSWORD 'secret'");
    cluster.execute("CREATE DATABASE app OWNER app");
    (cluster, port)
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_scruple-under-test"))
}

/// The settings of a server with the database at an address.
fn settings(address: &str, authority: &Path) -> String {
    format!("[store]\ndatabase = \"{address}\"\ndatabase_ca = \"{}\"\n", authority.display())
}

/// What the program says when it does not start.
pub(super) fn refusal(settings: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = ServerProcess::refusal(program(), folder.path(), settings, &[]).unwrap();
    assert_ne!(code, Some(0), "{settings} is served: {said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_by_its_authority_and_its_name_and_what_is_wrong_is_told() {
    let certificates = Certificates::make();
    let (database, port) = server(&certificates);
    let (ca, other) = (certificates.path("ca.pem"), certificates.path("other.pem"));
    let at = |user: &str, host: &str, database: &str, mode: &str| {
        format!("postgres://{user}@{host}:{port}/{database}?sslmode={mode}")
    };

    for mode in ["require", "verify-full", "prefer"] {
        let data = tempfile::tempdir().unwrap();
        // The same keys each time: the database is that of one node.
        std::fs::write(data.path().join("secret.key"), [7; 32]).unwrap();
        let address = at("app:secret", "localhost", "app", mode);
        let server = ServerProcess::start_with(program(), data.path(), &settings(&address, &ca)).unwrap();
        let operator = server.operator();
        let name = mode;
        operator.post("/api/v1/tenants", json!({ "name": name })).await.expect_status(201);
        let acme = TenantClient::new(server.address, name, &operator).await;
        acme.post("/Users", user("ada")).await.expect_status(201);
        let plain = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.datname = 'app' AND NOT s.ssl";
        assert_eq!(database.count(plain), 0, "{mode}");
    }

    let refused = [
        (at("app:secret", "localhost", "app", "require"), &other, "`database_ca`"),
        (at("app:secret", "127.0.0.1", "app", "require"), &ca, "not valid for name"),
        (at("app:wrong", "localhost", "app", "require"), &ca, "password authentication failed for user \"app\""),
        (at("app", "localhost", "app", "require"), &ca, "password missing"),
        (at("app:secret", "localhost", "nowhere", "require"), &ca, "database \"nowhere\" does not exist"),
        (at("app:secret", "localhost", "app", "disable"), &ca, "sslmode=require"),
        (at("app:secret", "localhost", "app", "sometimes"), &ca, "the address of the database cannot be read"),
        (at("app:secret", "localhost", "app", "require"), &certificates.path("nowhere.pem"), "nowhere.pem"),
        (at("app:secret", "localhost", "app", "require"), &certificates.path("names"), "there is no certificate in it"),
    ];
    for (address, authority, expected) in refused {
        let said = refusal(&settings(&address, authority));
        eprintln!("{said}");
        assert!(said.contains(expected), "{address}: {said}");
        assert!(!said.contains("secret@") && !said.contains("wrong@"), "{said}");
    }
}
