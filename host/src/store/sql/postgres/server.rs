//! [`Server`]: where the database is, and how to speak to it.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::driver::Error;

/// How long a server may take to accept a connection: longer than a busy one does, shorter than clients wait for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What every session is told first. No statement of ours takes longer than some seconds but in a migration, and one that
/// waits for a lock for so long waits for somebody who is stuck.
const SETTINGS: &str = "SET default_transaction_isolation = 'serializable'; SET timezone = 'UTC'; SET client_min_messages = warning; \
     SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'";

/// A server, and the runtime that its sessions live in.
pub(in crate::store::sql) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    runtime: Handle,
}

impl Server {
    /// From an address: `postgres://user:password@host:port/database?sslmode=require`. Certificates are checked against those
    /// in `ca_file`, or else those that the system trusts.
    pub(in crate::store::sql) fn new(url: &str, ca_file: Option<&Path>, runtime: Handle) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error| StoreError::Address(Box::new(error)))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("scruple");
        }
        Ok(Self { config, tls: MakeRustlsConnect::new(tls(ca_file)?), runtime })
    }

    /// Where the sessions live.
    pub(in crate::store::sql) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Begins a session. Waits for it.
    pub(in crate::store::sql) fn connect(&self) -> Result<Session, StoreError> {
        self.runtime.block_on(self.connect_async())
    }

    /// Begins a session.
    pub(in crate::store::sql) async fn connect_async(&self) -> Result<Session, StoreError> {
        self.connect_hearing(|| {}).await
    }

    /// Begins a session in which somebody is told of each notification. Waits for it.
    pub(super) fn connect_listening(&self, hints: Arc<Notify>) -> Result<Session, StoreError> {
        self.runtime.block_on(self.connect_hearing(move || hints.notify_one()))
    }

    async fn connect_hearing(&self, mut notified: impl FnMut() + Send + 'static) -> Result<Session, StoreError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, mut connection) =
            connected.map_err(|error| StoreError::Unreachable(Box::new(Error::from(error))))?;
        self.runtime.spawn(async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => notified(),
                    Some(Ok(_)) => {}
                    // Whoever waits for an answer on this connection is told as well.
                    Some(Err(error)) => {
                        tracing::warn!(error = %Error::from(error), "a connection to the database has ended");
                        return;
                    }
                    None => return,
                }
            }
        });
        client.batch_execute(SETTINGS).await.map_err(Error::from)?;
        Ok(Session::new(client, self.runtime.clone()))
    }
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let path_error = |path: &Path, source: std::io::Error| StoreError::Path { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|source| path_error(path, source))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let added = certificate
                    .map_err(std::io::Error::other)
                    .and_then(|certificate| roots.add(certificate).map_err(std::io::Error::other));
                added.map_err(|source| path_error(path, source))?;
            }
        }
        None => {
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|error| StoreError::Database(Box::new(error)))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
