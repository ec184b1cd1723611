//! A server of a test's own, in the test's process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use scruple::app::part::Part;
use scruple::app::{App, Opened};
use scruple::build_handler;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client::{ApiClient, TenantClient};
use crate::database::TestDatabase;
use crate::process::ServerProcess;

/// The operator's token in tests.
pub const OPERATOR_TOKEN: &str = "the-operators-token-in-tests-0123456789";

/// A server with a data folder of its own, gone when it is dropped.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What a request may touch.
    pub app: Arc<App>,
    _part: Part,
    data: TempDir,
    // After the app, which uses it.
    database: Option<TestDatabase>,
}

impl TestServer {
    /// Starts a server with the default configuration.
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    /// Starts a server.
    pub async fn start_with(config: Config) -> Self {
        Self::start_at(config, Clock::system()).await
    }

    /// Starts a server whose time is the test's to set.
    pub async fn start_at(config: Config, clock: Clock) -> Self {
        let compiler = ServerProcess::program_under_test().expect("a compiler");
        Self::start_compiling_by(CompilerProgram::at(compiler), config, clock).await
    }

    /// Starts a server that has another program compile what is uploaded.
    pub async fn start_compiling_by(compiler: CompilerProgram, mut config: Config, clock: Clock) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        config.server.data = data.path().join("data");
        let database = if config.store.database.is_none() { TestDatabase::if_wanted() } else { None };
        if let Some(database) = &database {
            config.store.database = Some(database.url.clone());
        }
        let opened = App::open(&config, Some(OPERATOR_TOKEN), clock, compiler);
        let Opened { app, .. } = opened.expect("an app in a fresh folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let part = app.take_part(address).await.expect("a part in a fresh database");
        let router = build_handler(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, app, _part: part, data, database }
    }

    /// The address of the database that it has everything in, where that is not a file.
    pub fn database(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.url.as_str())
    }

    /// The folder of everything it keeps.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The administration API as the operator.
    pub fn operator(&self) -> ApiClient {
        ApiClient::new(self.address, OPERATOR_TOKEN)
    }

    /// Makes a tenant with tokens for everything.
    pub async fn tenant(&self, name: &str) -> TenantClient {
        let operator = self.operator();
        operator.post("/api/v1/tenants", json!({ "name": name })).await.expect_status(201);
        TenantClient::new(self.address, name, &operator).await
    }
}
