//! Everything a request may touch.

pub mod part;

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::system::uname;
use thiserror::Error;
use uuid::Uuid;

use crate::app::part::Part;
use crate::clock::Clock;
use crate::config::{Config, ScimConfig, ServerConfig, StoreConfig};
use crate::constraints::sandbox::SandboxError;
use crate::constraints::{CompilerProgram, Compiling, Registry, Sandbox, SandboxConfig};
use crate::folder::{self, FolderError};
use crate::http::asynchronous;
use crate::http::asynchronous::under_way::UnderWay;
use crate::http::auth::Credentials;
use crate::http::origin::Origins;
use crate::http::rate::Rates;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::pipeline::components::Components;
use crate::pipeline::convoy::Convoys;
use crate::pipeline::retention::{Exports, Retention, RetentionError};
use crate::scim::cursor::Cursors;
use crate::secrets::{Secrets, SecretsError};
use crate::store::{Bucket, BucketError, NewNode, SqlStore, Store, StoreError, StoreOptions};

/// Everything a request may touch. One per server, shared by all requests.
pub struct App {
    /// Reads and writes of resources, and the changes to a tenant's constraints.
    pub pipeline: Pipeline,
    /// What is stored, for the parts of the API that only list or record.
    pub store: Arc<dyn Store>,
    /// Who may do what.
    pub credentials: Credentials,
    /// Time and ids.
    pub clock: Clock,
    /// Limits of the SCIM endpoint.
    pub scim: ScimConfig,
    /// What `meta.location` begins with.
    pub origins: Origins,
    /// How much each token has sent.
    pub rates: Rates,
    /// The requests that were answered before they are carried out, as long as they are not.
    pub under_way: UnderWay,
    /// What becomes of decisions that are not kept any longer.
    pub retention: Retention,
    /// Which of the nodes that the database has this is.
    pub node: Uuid,
    leaving: AtomicBool,
    /// Held as long as the server runs.
    _lock: File,
}

/// The server could not be set up.
#[derive(Debug, Error)]
pub enum AppError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Keys or the operator's token.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Where decisions are written down before they are dropped.
    #[error(transparent)]
    Exports(#[from] RetentionError),
    /// Partitions of what is in a file.
    #[error(
        "`store.decisions_partition_days` is set, and a file of SQLite's has no partitions: name a PostgreSQL database with `store.database`, \
         or leave it out"
    )]
    NoPartitions,
    /// Where components are kept.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The database.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
    /// The engine that runs components.
    #[error("cannot start the sandbox")]
    Sandbox(#[source] SandboxError),
}

/// An app, and the operator's token if it was made just now: to be shown once.
pub struct Opened {
    /// The app.
    pub app: Arc<App>,
    /// The operator's new token.
    pub operator_token: Option<String>,
}

impl App {
    /// Opens the data folder, making what is missing. `compiler` is the program that compiles what tenants upload.
    pub fn open(
        config: &Config,
        operator_token: Option<&str>,
        clock: Clock,
        compiler: CompilerProgram,
    ) -> Result<Opened, AppError> {
        let data = config.server.data.as_path();
        if config.store.database.is_none() && config.store.decisions_partition_days.is_some() {
            return Err(AppError::NoPartitions);
        }
        let lock = folder::lock(data)?;
        let secrets = Secrets::open(data)?;
        let (operator, operator_token) = secrets.operator(data, operator_token)?;

        let node = secrets.node(data)?;
        let options = config.store.options();
        let store: Arc<dyn Store> = Arc::new(match &config.store.database {
            None => SqlStore::sqlite(data, options)?,
            Some(url) => SqlStore::postgres(url, config.store.database_ca.as_deref(), &node, options)?,
        });
        let bucket = config.store.bucket()?;
        let components = Components::new(Arc::clone(&store), bucket);
        let metrics = Arc::new(Metrics::default());
        let sandbox = Sandbox::new(SandboxConfig {
            limits: config.sandbox.limits(),
            cache_dir: Some(data.join("compiled")),
            cache_key: secrets.cache_key,
            compiling: Compiling::Child(compiler),
            source: Arc::new(components.clone()),
            loaded_bytes_max: config.server.components_loaded_bytes_max,
            writes_waiting_max: config.scim.writes_waiting_max,
            metrics: Arc::clone(&metrics),
        })
        .map_err(AppError::Sandbox)?;

        let pipeline = Pipeline {
            store: Arc::clone(&store),
            components,
            sandbox: Arc::new(sandbox),
            registry: Arc::new(Registry::default()),
            clock: clock.clone(),
            passwords: Default::default(),
            turnstile: Default::default(),
            convoys: Some(Convoys::default()),
            cursors: Cursors::new(&secrets.cursor_key, config.scim.cursor_seconds),
            limits: Arc::new(config.scim.limits.clone()),
            tables: Arc::new(config.tables.clone()),
            metrics,
        };
        let app = Self {
            pipeline,
            credentials: Credentials::new(secrets, operator, Arc::clone(&store)),
            store,
            clock,
            scim: config.scim.clone(),
            origins: config.server.origins(),
            rates: Rates::per_second(config.scim.requests_per_second),
            under_way: UnderWay::at_most(config.scim.async_requests_max),
            retention: config.store.retention()?,
            node: node.id,
            leaving: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Opened { app: Arc::new(app), operator_token })
    }

    /// Has the server take part in the work with its database, as one of its nodes, until that is ended. To be called before
    /// anything is done that only one server may do with this data folder.
    pub async fn take_part(self: &Arc<Self>, listen: SocketAddr) -> Result<Part, StoreError> {
        let node = NewNode {
            id: self.node,
            host: uname().nodename().to_string_lossy().into_owned(),
            listen: listen.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Part::begin(self, node).await
    }

    /// From now on the server says that it is about to stop: it wants no more requests, and carries out those that come.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether it is about to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Takes up what was accepted before the last stop and not finished. To be called before the first request is
    /// answered.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        asynchronous::resume(self).await
    }
}

impl ServerConfig {
    fn origins(&self) -> Origins {
        Origins { public_url: self.public_url.clone(), trusted_proxies: self.trusted_proxies.clone() }
    }
}

impl StoreConfig {
    /// The bucket that components are kept in, if there is one.
    fn bucket(&self) -> Result<Option<Bucket>, BucketError> {
        let at = |url: &String| Bucket::at(url, self.components_endpoint.as_deref());
        self.components.as_ref().map(at).transpose()
    }

    fn retention(&self) -> Result<Retention, RetentionError> {
        let exports = self.decisions_exported_to.as_deref().map(Exports::to).transpose()?;
        Ok(Retention { exports, partition_days: self.decisions_partition_days })
    }

    fn options(&self) -> StoreOptions {
        StoreOptions { snapshots_max: self.snapshots_max, batch_max: self.batch_max }
    }
}
